"""A client in a tmux of its own: typed into, and read from its pane."""

from clients import Client, screenshots
from servers import run
from waiting import Failure, until

COLUMNS, ROWS = "200", "50"


class Terminal(Client):
    last_pane = ""

    def opens(self, environment, *command):
        words = ["env", *(f"{key}={value}" for key, value in environment.items()), *command]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", COLUMNS, "-y", ROWS, *words)

    def shows(self, text):
        until(lambda: text in self.pane(), f"{self.name} to show: {text}")

    def pane(self):
        self.last_pane = self.tmux("capture-pane", "-p")
        return self.last_pane

    def shown(self):
        return "\n".join(line for line in self.last_pane.splitlines() if line.strip())

    def screenshot_of_room(self, room, name="room"):
        """As text."""
        self.in_room(room)
        (screenshots() / f"{self.name}-{name}.txt").write_text(self.pane())

    def runs(self):
        try:
            self.tmux("has-session")
            return True
        except Failure:
            return False

    def stop(self):
        if self.runs():
            self.tmux("kill-server")

    def tmux(self, *words):
        return run(["tmux", "-S", self.folder / f"{self.name}.tmux", *words])

"""profanity in a tmux of its own: typed into, and read from its pane."""

from clients import PASSWORD, Client
from servers import run
from waiting import Failure, until

COLUMNS, ROWS = "200", "50"


class Profanity(Client):
    name = "profanity"

    def login(self):
        home = self.folder / "profanity"
        (home / "profanity").mkdir(parents=True, exist_ok=True)
        (home / "profanity" / "profrc").write_text("[ui]\nsplash=false\nroster=false\n")
        (home / "profanity" / "accounts").write_text(
            f"[test]\nenabled=true\njid={self.jid}\nresource=test\npassword={PASSWORD}\n"
            f"server=127.0.0.1\nport={self.port}\n"
            f"tls.policy={'force' if self.tls == 'starttls' else 'legacy'}\n"
        )
        self.last_pane = ""
        self.tmux_socket = self.folder / "tmux"
        # OpenSSL trusts what SSL_CERT_FILE holds; profanity asks, and we never answer, otherwise
        environment = {
            "XDG_CONFIG_HOME": home,
            "XDG_DATA_HOME": home,
            "SSL_CERT_FILE": self.server.certificate.file,
            "LC_ALL": "C.UTF-8",
        }
        words = ["env", *(f"{key}={value}" for key, value in environment.items())]
        words += ["profanity", "--account", "test"]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", COLUMNS, "-y", ROWS, *words)
        self.shows("logged in successfully")
        self.shows("[TLS] [online]")
        self.type("/tls cert")
        self.shows(self.server.certificate.fingerprint)

    def say(self, to, text):
        self.type(f"/msg {to} {text}")

    def open_chat(self, contact):
        """Messages of this contact appear in the pane from now on."""
        self.type(f"/msg {contact}")
        self.shows(f" {contact} ")

    def hears(self, _, text):
        self.shows(text)

    def is_asked(self, contact):
        self.shows(f"Received authorization request from {contact}")

    def approve(self, contact):
        self.type(f"/sub allow {contact}")

    def ask(self, contact):
        self.type(f"/sub request {contact}")

    def has_mutual(self, contact):
        def probe():
            self.type("/roster")
            return f"{contact} - both" in self.pane()

        until(probe, f"profanity to list {contact} as mutual")

    def sees(self, contact, state, after):
        """`after` is the action that must cause it."""
        self.type("/win 1")
        self.type("/clear")
        until(lambda: f"{contact}" not in self.pane(), "profanity to clear its window")
        after()
        self.shows(f"{contact} (test) is {state}")

    def logout(self):
        self.type("/quit")
        until(lambda: not self.runs(), "profanity to quit")

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def shows(self, text):
        until(lambda: text in self.pane(), f"profanity to show: {text}")

    def pane(self):
        self.last_pane = self.tmux("capture-pane", "-p")
        return self.last_pane

    def shown(self):
        return "\n".join(line for line in self.last_pane.splitlines() if line.strip())

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
        return run(["tmux", "-S", self.tmux_socket, *words])

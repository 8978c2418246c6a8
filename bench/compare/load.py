"""Runs the load generator."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PASSWORD = "loopback"
# No run takes so long, unless the server does not answer; filling may.
PATIENCE_SECONDS, FILL_SECONDS_MAX = 300, 900
# What must not be, of the figures of a run.
FLAWS = ["lost", "duplicated", "reordered", "unsent", "misdelivered", "refused"]
FLAWS += ["unacknowledged", "again", "unanswered"]
# What a server, or the lack of one, can do to a run; the others are measured all the same.
FAULTS = (RuntimeError, OSError, subprocess.SubprocessError)


class Load:
    """The load generator on its cores."""

    def __init__(self, programs, cores):
        self.programs, self.cores = programs, cores
        self.running = set()

    def stop(self):
        """Ends what runs, so that who waits for it fails."""
        for child in list(self.running):
            child.kill()

    def run(self, endpoint, door, arguments, patience=PATIENCE_SECONDS):
        """One run: its figures."""
        command = [*arguments, "--address", f"127.0.0.1:{endpoint.ports[door]}"]
        command += ["--tls", door, "--path", endpoint.path, "--password", PASSWORD]
        for pid in endpoint.pids:
            command += ["--pid", pid]
        return self.say(command, patience)

    def say(self, arguments, patience=PATIENCE_SECONDS):
        """Any command of it."""
        command = [self.programs / "waxwing-bench", *arguments]
        child = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
        )
        self.running.add(child)
        try:
            said, faults = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"not over within {patience} s") from late
        finally:
            child.kill()
            child.wait()
            self.running.discard(child)
        if child.returncode:
            raise RuntimeError(reason(said, faults))
        return json.loads(said)


def reason(said, faults):
    """In a few words, why a run has failed: of its figures those that had to be nothing."""
    try:
        line = json.loads(said)
    except ValueError:
        return f"{said}{faults}".strip()[:1000] or "it says nothing"
    found = [f"{line[name]} {name}" for name in FLAWS if line.get(name)]
    return "; ".join([*found, *([line["fault"]] if "fault" in line else [])])[:1000]


def build():
    """Release builds; returns the folder they are in."""
    packages = ["-p", "waxwing-bench", "-p", "waxwing"]
    subprocess.run(["cargo", "build", "--release", "-q", *packages], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"

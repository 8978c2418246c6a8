"""Waiting for what another process prints: by polling, always with a deadline."""

import re
import subprocess
import time

SECONDS_MAX = 30


class Failure(Exception):
    """What was expected did not happen; the text says what."""


def until(probe, expectation, seconds=SECONDS_MAX):
    """Polls `probe` until it returns something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s for {expectation}")
        time.sleep(0.05)


class Process:
    """A child whose output goes to a file, so that it can be searched and shown."""

    def __init__(self, name, command, log, **options):
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            self.child = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, **options
            )

    def printed(self):
        return self.log.read_text(errors="replace")

    def expect(self, pattern, since=0):
        """Waits for a line that matches from its start, after `since` characters of output."""

        def probe():
            ended = self.child.poll()
            found = re.compile("^" + pattern, re.MULTILINE).search(self.printed(), since)
            if not found and ended is not None:
                raise Failure(f"{self.name} ended with {ended} before printing: {pattern}")
            return found

        return until(probe, f"{self.name} to print: {pattern}")

    def tell(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def ended(self, seconds=SECONDS_MAX):
        """Waits for the end and returns the exit code."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s") from None

    def stop(self):
        """For the way out, whatever happened: SIGTERM, then SIGKILL."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

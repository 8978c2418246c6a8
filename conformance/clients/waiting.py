"""Waiting for what another process prints: by polling, always with a deadline."""

import os
import re
import signal
import subprocess
import threading
import time

# Against hanging only: what is slow under load is no failure.
SECONDS_MAX = 300
SCENE_SECONDS_MAX = 1200

scene = threading.local()  # `deadline` of what this thread plays
over = threading.Event()  # somebody has failed: the others need not go on


class Failure(Exception):
    """What was expected did not happen; the text says what."""


class Over(Failure):
    """Nothing wrong here: the run ends because of somebody else."""


def begin_scene():
    scene.deadline = time.monotonic() + SCENE_SECONDS_MAX


def until(probe, expectation, seconds=SECONDS_MAX):
    """Polls `probe` until it returns something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if over.is_set():
            raise Over(f"no longer waiting for {expectation}")
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s for {expectation}")
        if time.monotonic() > getattr(scene, "deadline", deadline):
            raise Failure(f"{SCENE_SECONDS_MAX} s were over when waiting for {expectation}")
        time.sleep(0.05)


class Process:
    """A child whose output goes to a file, so that it can be searched and shown."""

    def __init__(self, name, command, log, **options):
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            self.child = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.PIPE,
                start_new_session=True,
                **options,
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
        try:
            self.child.stdin.write(line.encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.name} has ended, and cannot be told: {line}") from None

    def ended(self, seconds=SECONDS_MAX):
        """Waits for the end and returns the exit code."""
        until(lambda: self.child.poll() is not None, f"{self.name} to end", seconds)
        return self.child.returncode

    def stop(self):
        """For the way out, whatever happened, with all its children: SIGTERM, then SIGKILL."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()

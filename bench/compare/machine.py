"""What the figures are figures of: the machine, its load, and the tree."""

import datetime
import os
import pathlib
import platform
import resource
import subprocess
import time

from compare.load import ROOT

# A machine that had so much to do before, or does besides, takes it from what is measured.
QUIET_LOAD, QUIET_SHARE = 0.7, 0.05


def facts():
    """As they are now, at the beginning."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.split(":", 1)[1].strip() for line in cpu.splitlines() if "model name" in line]
    memory = pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": models[0] if models else platform.machine(),
        "kernel": platform.release(),
        "memory_gib": round(int(memory) / 2**20),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


class Watch:
    """What everybody else on this machine used of it, from here on."""

    def __init__(self):
        self.began, self.busy, self.own = time.monotonic(), _busy(), _own()

    def share(self):
        """Of all cores; whom we have started counts when it has ended."""
        seconds = (time.monotonic() - self.began) * os.cpu_count()
        others = (_busy() - self.busy) - (_own() - self.own)
        return round(max(others, 0) / seconds, 3)

    def minutes(self):
        """Since then."""
        return round((time.monotonic() - self.began) / 60, 1)


def _busy():
    """CPU-seconds of all cores that were not idle (proc(5))."""
    first = pathlib.Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    user, nice, system, idle, waits, *others = [int(ticks) for ticks in first.split()[1:9]]
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def _own():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def is_busy(part):
    """Whether others were at work before it began, or beside it."""
    return part["machine"]["load"][0] > QUIET_LOAD or part["others"] > QUIET_SHARE


def commit():
    """Of this tree; `+` when it has been changed since."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (name or "unknown") + ("+" if changed else "")

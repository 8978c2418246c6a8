"""Fairness: what everybody else notices of one who reads slowly, floods, or wants too much."""

import sys

from compare.load import FAULTS, FILL_SECONDS_MAX
from compare.workloads import TALKERS, USERS

HUGE = "huge%d"
# How long the store stands still at a time, and then does not.
STILL_SECONDS = 0.05
STORE_TROUBLES = ["slow-store", "no-store"]
# As many as an account may have.
HUGE_ROSTER = 2000
ROOM_TROUBLES = ["entrance", "room"]


TROUBLES = {
    "slow-reader": "20 clients stop reading, 25 messages of 8 KiB a second to each",
    "flood": "2 clients send as fast as they are read",
    "storm": "500 logins at once",
    "loris": "1,000 connections that stop at one of five places before the login",
    "roster": f"a client fetches a roster of {HUGE_ROSTER:,} over and over",
    "entrance": "as many as the phase has time for enter one room",
    "room": "a full room is told five messages a second",
    "slow-store": "the store stands still for 50 ms, ten times a second: who needs none of it",
    "no-store": "the store stands still all the time: who needs none of it",
}


def accounts(scale):
    """All that is needed."""
    return {USERS: max(TALKERS, 100 + scale.storm, 100 + scale.hall), HUGE: 1}


def measure(stage, servers, part, keep):
    """The whole part: `part` is filled, and kept after every run."""
    part["troubles"] = {name: {} for name in TROUBLES}
    for server in servers:
        _fill(stage, stage.peers[server])
    for name in TROUBLES:
        for server in servers:
            part["troubles"][name][server] = _run(stage, stage.peers[server], name)
            keep()


def _fill(stage, peer):
    arguments = ["fill", "--accounts", 1, "--roster", HUGE_ROSTER, "--user-pattern", HUGE]
    with peer.serve() as endpoint:
        stage.load.run(endpoint, "starttls", arguments, FILL_SECONDS_MAX)


def _run(stage, peer, name):
    """The figures of one run, or what went wrong."""
    try:
        with peer.serve(limited=True) as endpoint:
            seconds = stage.scale.seconds
            crowd = stage.scale.hall if name in ROOM_TROUBLES else stage.scale.storm
            arguments = ["fair", "--trouble", name, "--crowd", crowd]
            arguments += ["--phase-seconds", seconds]
            if name in STORE_TROUBLES:
                # Who needs no database is asked; who needs it has to wait for it.
                arguments = ["calm", "--seconds-before", seconds, "--seconds", 3 * seconds]
                still = STILL_SECONDS if name == "slow-store" else seconds
                arguments += ["--while", peer.away(endpoint, still, seconds)]
            found = stage.load.run(endpoint, "starttls", arguments)
    except FAULTS as error:
        found = {"error": str(error)}
    print(f"{name}, {peer.name}: {found}", file=sys.stderr)
    return found

"""Side by side: every workload with every server in turn, several rounds of it."""

import sys
import time

from compare.load import FAULTS
from compare.servers import OURS
from compare.workloads import WORKLOADS


class Rounds:
    """Runs of all cells, a cell being one workload with one server. `keep` is told each run."""

    def __init__(self, stage, workloads, keep):
        self.stage, self.keep = stage, keep
        # In this order: a server and its peers meet a workload one right after the other.
        self.cells = [
            (server, workload)
            for workload in workloads
            for server, peer in stage.peers.items()
            if WORKLOADS[workload].is_for(peer)
        ]
        # Seconds that a cell has taken; none when it has failed and is not tried again.
        self.took = {}

    def play(self, rounds, until):
        """So many rounds; behind the first one, only those cells of which as many as are to come
        would be over by `until`."""
        wanted = set(self.cells)
        for number in range(1, rounds + 1):
            if number > 1:
                wanted = self._wanted((until - time.monotonic()) / (rounds + 1 - number))
            for server, workload in self.cells:
                if (server, workload) in wanted:
                    self._run(number, server, self.stage.peers[server], workload)

    def _wanted(self, seconds):
        """Those that fit: ours before the peers', and the cheapest first; none that has failed."""
        cells = [(cell[0] not in OURS, took, cell) for cell, took in self.took.items() if took]
        wanted = set()
        for _, took, cell in sorted(cells):
            if took <= seconds:
                wanted.add(cell)
                seconds -= took
        return wanted

    def _run(self, number, server, peer, name):
        """One run; it meets a server that has just been started."""
        run = {"server": server, "workload": name, "round": number}
        began = time.monotonic()
        try:
            run |= cell(self.stage, peer, WORKLOADS[name])
            self.took[server, name] = time.monotonic() - began
        except FAULTS as error:
            run["error"] = str(error)
            self.took[server, name] = None
        run["seconds"] = round(time.monotonic() - began, 1)
        says = run.get("error") or "done"
        print(f"{number} {name}, {peer.name}: {says}, {run['seconds']} s", file=sys.stderr)
        self.keep(run)


def cell(stage, peer, workload):
    """The figures of one run."""
    how = {"relaxed": True} if workload.relaxed else {}
    how |= {"gather_ms": workload.gather_ms} if workload.gather_ms else {}
    door, arguments = workload.of(peer, stage.scale.of(peer))
    with peer.serve(**how) as endpoint:
        figures = stage.load.run(endpoint, door, arguments)
    answered = endpoint.answered_ms
    started = {} if answered is None else {"answered_ms": round(answered, 1)}
    return started | {"figures": figures}


def side_by_side(stage, workloads, part, keep):
    """The whole part: `part` is filled, and kept after every run."""
    accounts, fillings = {}, []
    for load in (WORKLOADS[name] for name in workloads):
        for pattern, count in load.accounts(stage.scale).items():
            accounts[pattern] = max(count, accounts.get(pattern, 0))
        if load.prepares and load.prepares not in fillings:
            fillings.append(load.prepares)
    stage.prepare(list(stage.peers), accounts, fillings)
    part["servers"] = stage.versions(stage.peers)
    part["failed"] = stage.failed
    part["runs"] = []

    def note(run):
        part["runs"].append(run)
        keep()

    Rounds(stage, workloads, note).play(stage.scale.rounds, stage.scale.until)

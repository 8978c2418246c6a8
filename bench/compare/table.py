"""The figures of all rounds: medians and spread."""

import statistics

from compare.workloads import figure


class Table:
    """Of the runs of a part."""

    def __init__(self, part):
        self.part = part
        self.runs = {}
        for run in part["runs"]:
            self.runs.setdefault((run["server"], run["workload"]), []).append(run)

    def named(self):
        """Servers and what they are called, in their order."""
        return [(server, name) for server, (name, _) in self.part["servers"].items()]

    def lines(self, server, workload):
        """The figures of each round that was without fault."""
        runs = self.runs.get((server, workload), [])
        return [run["figures"] for run in runs if "figures" in run]

    def values(self, server, workload, key):
        """One figure of each round."""
        found = [figure(line, key) for line in self.lines(server, workload)]
        return [value for value in found if value is not None]

    def median(self, server, workload, key):
        """Its median; none when there is none."""
        values = self.values(server, workload, key)
        return statistics.median(values) if values else None

    def error(self, server, workload):
        """What went wrong in the last run that did."""
        errors = [run.get("error") for run in self.runs.get((server, workload), [])]
        return next((error for error in reversed(errors) if error), None)

    def barren_seconds(self, server, workload):
        """How long a run was measured in which nothing came to its end; none when there is none."""
        lines = self.lines(server, workload)
        return lines[-1]["seconds"] if lines and lines[-1].get("pages") == 0 else None

    def starts(self, server):
        """Milliseconds until the first answer, of each start."""
        runs = self.part["runs"]
        return [
            run["answered_ms"] for run in runs if run["server"] == server and "answered_ms" in run
        ]

    def distribution(self, server, workload):
        """Points (ms, percent), the medians of all rounds."""
        told = [line["distribution"] for line in self.lines(server, workload)]
        if not told:
            return []
        shares = [share for share, _ in told[0]]
        return [
            (statistics.median(one[place][1] for one in told), share)
            for place, share in enumerate(shares)
        ]

    def memory(self, server, workload):
        """Points (connections, MiB more than without), the medians of all rounds."""
        told = [line["rss_kib_at"] for line in self.lines(server, workload)]
        if not told:
            return []
        return [
            (count, statistics.median((one[place][1] - one[0][1]) / 1024 for one in told))
            for place, (count, _) in enumerate(told[0])
        ]

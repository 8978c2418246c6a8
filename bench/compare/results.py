"""Writes RESULTS.md: what was measured, where, and what came of it."""

import statistics

from compare.curves import CURVES
from compare.fairness import TROUBLES
from compare.machine import is_busy
from compare.servers import ALIKE
from compare.table import Table
from compare.workloads import WORKLOADS

HEAD = """# Results

Written by `bench/beside`; what the figures mean: [README.md](README.md). Every message of every run
arrived once and in order, or the run counts as failed.
"""
SIDE = """
Medians of all rounds, and the least and the greatest in brackets; without them there was one round
of it, for there is no time for more of the peers' dearest. × is a peer's median divided by
that of Waxwing with the same kind of store: Prosody (files, never synchronised) by SQLite, ejabberd
by PostgreSQL. CPU time is that of the server and its database. `–`: the server cannot do that.
*limit*: frames of 300 bytes through a relay between TLS connections, without XML, accounts and
a log: what this machine's kernel and TLS take by themselves; for a room one frame at a time, each
copy in a record and a call of its own, and below it four in one.
"""
FAIR = """
Fifty pairs exchange 200 archived messages a second: in quiet, while somebody makes trouble, and in
quiet again, in one run. A stanza's cost is that of all stanzas, those of the trouble too. Within
bounds: others spend at most 20 % more CPU time, and their p99 is at most twice that in quiet or 25
ms. When it is the store that makes trouble, those who need none of it are asked (200 stanzas a
second: pings, presence, typing).
"""
BESIDES = {
    "cpu_us_per_trouble": "CPU-µs of each",
    "flood_p99_ms": "ms p99 of the flood",
    "slow_lost": "lost",
    "all_in_seconds": "s until all are in",
    "login_p99_ms": "ms p99 of others' logins",
    "left_open": "left open",
    "roster_p50_ms": "ms p50 of a roster",
    "entered": "entered",
    "last_copy_p99_ms": "ms p99 to the last of the room",
    "unanswered": "unanswered",
}
P99_MS_MAX, P99_RATIO_MAX, CPU_RATIO_MAX = 25, 2, 1.2


def write(folder, parts):
    """Of the parts that there are."""
    texts = [HEAD]
    if "side" in parts:
        texts += _side("Side by side", parts["side"])
        texts.append(_pictures(folder, ["cost", "latency", "memory"]))
    if "long" in parts:
        texts += _side("Larger: Waxwing alone", parts["long"])
    if "fairness" in parts:
        texts += _fairness(parts["fairness"])
    for name in ("curves", "long-curves"):
        if name in parts:
            texts += _curves(name, parts[name])
    texts.append(_pictures(folder, ["scaling"]))
    text = "\n".join(text.strip("\n") + "\n" for text in texts if text.strip())
    (folder / "RESULTS.md").write_text(text, encoding="utf-8")


def _origin(part):
    """Machine, versions, date."""
    machine, load = part["machine"], ", ".join(str(load) for load in part["machine"]["load"])
    servers = ", ".join(f"{name} {version}" for name, version in part["servers"].values())
    share = f"{part['others']:.0%}"
    lines = [
        f"`{part['command']}`, {machine['date']}, commit {machine['commit']}, "
        f"{part['minutes']:.0f} minutes. {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}. {servers}.",
        f"Load before: {load}. What else ran meanwhile had {share} of the machine.",
    ]
    if is_busy(part):
        lines.append(
            "**The machine was shared with others: CPU time is an upper bound, and times and rates "
            "say little. What compares is the rows of one run.**"
        )
    return "\n".join(lines)


def _side(title, part):
    table = Table(part)
    texts = [f"## {title}", _origin(part), SIDE if len(part["servers"]) > 2 else ""]
    groups = {}
    for name, load in WORKLOADS.items():
        if any(run["workload"] == name for run in part["runs"]):
            groups.setdefault(load.group, []).append(name)
    faults = []
    for group, names in groups.items():
        rows = []
        for name in names:
            rows += _rows(table, name)
            faults += _faults(table, name)
        head = ["", *[name for _, name in table.named()]]
        # The limit is not measured of all that servers do.
        shown = [place for place, _ in enumerate(head) if any(row[place] != "–" for row in rows)]
        rows = [[row[place] for place in shown] for row in [head, *rows]]
        texts.append(f"### {group}\n\n" + markdown(rows))
    texts.append("### Starts\n\n" + _starts(table))
    faults += [f"- {server}: not prepared: {error}" for server, error in part["failed"].items()]
    if faults:
        texts.append("### What failed\n\n" + "\n".join(faults))
    return texts


def _rows(table, name):
    """One row for each figure of a workload."""
    load = WORKLOADS[name]
    for figure in load.figures:
        cells = [_cell(table, server, name, figure) for server, _ in table.named()]
        yield [f"{load.title}: {figure.title}", *cells]


def _cell(table, server, name, figure):
    values = table.values(server, name, figure.key)
    if not values:
        barren = table.barren_seconds(server, name)
        nothing = f"none in {barren:.0f} s" if barren else "–"
        return "failed" if table.error(server, name) else nothing
    text = spread(values)
    ours = table.median(ALIKE.get(server), name, figure.key)
    if figure.has_ratio and ours:
        text += f" ×{statistics.median(values) / ours:.1f}"
    return text


def _faults(table, name):
    for server, title in table.named():
        error = table.error(server, name)
        if error:
            yield f"- {title}, {WORKLOADS[name].title}: {_short(error)}"


def _short(error):
    """What went wrong, in one cell."""
    return " ".join(error.replace("|", "/").split())[:200]


def _starts(table):
    found = [(name, table.starts(server)) for server, name in table.named()]
    found = [(name, starts) for name, starts in found if starts]
    head = ["", *[name for name, _ in found]]
    return markdown([head, ["first answer, ms", *[spread(starts) for _, starts in found]]])


def _fairness(part):
    head = [
        "trouble",
        "server",
        "CPU-µs a stanza, quiet",
        "during",
        "p99, ms, quiet",
        "during",
        "after",
        "within bounds",
        "besides",
    ]
    rows = [head]
    for name, found in part["troubles"].items():
        for server, line in found.items():
            rows.append([TROUBLES[name], part["servers"][server][0], *_fair_row(line)])
    return ["## Fairness", _origin(part), FAIR, markdown(rows)]


def _fair_row(line):
    if "error" in line:
        return [""] * 5 + ["**failed**", _short(line["error"])]
    # `calm` has other names for the parts, and says nothing of CPU time.
    parts = [line.get("quiet", line.get("before")), line["during"], line["after"]]
    costs = ["", ""]
    if line.get("cpu_ratio"):
        costs = [number(part["cpu_us_per_stanza"]) for part in parts[:2]]
    p99s = [part["p99_ms"] for part in parts]
    is_fair = p99s[1] <= max(P99_MS_MAX, P99_RATIO_MAX * p99s[0])
    is_fair = is_fair and (line.get("cpu_ratio") or 0) <= CPU_RATIO_MAX
    besides = [f"{number(parts[1]['max_ms'])} ms at most"]
    besides += [
        f"{number(line[key])} {title}"
        for key, title in BESIDES.items()
        if line.get(key) is not None
    ]
    return [
        *costs,
        *[number(p99) for p99 in p99s],
        "yes" if is_fair else "**no**",
        "; ".join(besides),
    ]


def _curves(name, part):
    texts = [f"## Scaling{', further' if name == 'long-curves' else ''}", _origin(part)]
    for curve_name, found in part["curves"].items():
        curve = CURVES[curve_name]
        xs = sorted({x for points in found.values() for x, _ in points})
        rows = [[curve.x_title, *[f"{x:,}" for x in xs], "last ÷ first"]]
        for server, points in found.items():
            at = {x: y for x, y in points if y is not None}
            cells = [number(at[x]) if x in at else "failed" for x in xs]
            grown = f"{at[xs[-1]] / at[xs[0]]:.2f}" if xs and xs[0] in at and xs[-1] in at else "–"
            rows.append([part["servers"][server][0], *cells, grown])
        texts.append(f"### {curve.title}\n\n{curve.y_title}:\n\n{markdown(rows)}\n\n{curve.why}")
    return texts


def _pictures(folder, kinds):
    """Those that are there."""
    found = sorted(path for kind in kinds for path in (folder / "results").glob(f"{kind}-*.svg"))
    return "\n".join(f"![{path.stem}](results/{path.name})" for path in found)


def spread(values):
    """Median, least and greatest."""
    if not values:
        return "–"
    median = number(statistics.median(values))
    if len(values) == 1:
        return median
    return f"{median} ({number(min(values))}–{number(max(values))})"


def number(value):
    """No more digits than the figure is good for."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value else "0"


def markdown(rows):
    """A table."""
    head, *others = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *others])

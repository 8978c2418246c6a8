"""Which pictures are drawn of the figures."""

from compare import svg
from compare.curves import CURVES
from compare.table import Table
from compare.workloads import RATE

# What one message, one delivery, one page costs.
COSTS = [
    ("chat", "chat", "cpu_us_per_message"),
    ("open", f"{RATE}/s", "cpu_us_per_message"),
    ("chat-no-store", "no-store", "cpu_us_per_message"),
    ("offline", "offline", "stored.cpu_us_per_message"),
    ("muc-100", "room of 100", "cpu_us_per_delivery"),
    ("presence", "presence", "out.cpu_us_per_delivery"),
]


def side_plots(part):
    """Of the part in which servers stand side by side: (file name, picture)."""
    table = Table(part)
    yield "cost-per-message.svg", costs(table)
    for workload, title in [("open", f"{RATE} messages a second"), ("chat", "window 4")]:
        series = [
            (name, distribution)
            for server, name in table.named()
            if (distribution := table.distribution(server, workload))
        ]
        if series:
            yield (
                f"latency-{workload}.svg",
                svg.lines(
                    f"Latency of chat, archived, {title}",
                    "ms",
                    "percent that took no longer",
                    series,
                    (True, False),
                ),
            )
    for workload, title in [("idle", "TLS"), ("idle-wss", "WebSocket over TLS")]:
        series = [
            (name, memory)
            for server, name in table.named()
            if (memory := table.memory(server, workload))
        ]
        if series:
            yield (
                f"memory-{workload}.svg",
                svg.lines(
                    f"Memory against idle connections, {title}",
                    "connections",
                    "MiB more than none",
                    series,
                ),
            )


def costs(table):
    """Bars: what a message costs each server."""
    groups = [
        (title, [table.median(server, workload, key) for server, _ in table.named()])
        for workload, title, key in COSTS
    ]
    groups = [group for group in groups if any(group[1])]
    names = [name for _, name in table.named()]
    return svg.bars("Cost of one message, delivery", "CPU-µs (logarithmic)", groups, names, True)


def curve_plots(part):
    """Of the scaling curves: (file name, picture)."""
    for name, lines in part["curves"].items():
        curve = CURVES[name]
        series = [
            (part["servers"][server][0], [(x, y) for x, y in points if y is not None])
            for server, points in lines.items()
        ]
        series = [(title, points) for title, points in series if points]
        if series:
            yield (
                f"scaling-{name}.svg",
                svg.lines(curve.title, curve.x_title, curve.y_title, series, (True, False)),
            )

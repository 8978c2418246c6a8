"""Scaling: what one message costs when there is more of something."""

import dataclasses
import sys
from collections.abc import Callable

from compare.load import FAULTS, FILL_SECONDS_MAX
from compare.workloads import USERS, figure

# Messages a second: enough that a clock of 10 ms tells the cost, and the same for every point.
RATE = 1000
# Accounts among which the rows of a log are spread, and which have rosters.
FEW = 20
LOG, SINK, ROSTER, MANY = "log{}x%d", "sink{}x%d", "roster{}x%d", "many%d"


@dataclasses.dataclass(frozen=True)
class Curve:
    """What its picture says, which figure it shows, and why it is not flat, if it is not. Without
    arguments it is how long the server takes to start."""

    title: str
    x_title: str
    y_title: str
    key: str
    arguments: Callable | None
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Points, small to large, those of the long command behind them; what must be there for one;
    the curves measured at each."""

    short: list[int]
    long: list[int]
    accounts: Callable
    curves: dict[str, Curve]
    prepare: Callable = lambda stage, server, x: None


def chat(pattern, pairs, *others):
    """Archived messages in an open loop."""
    return ["chat", "--archived", "--user-pattern", pattern, "--pairs", pairs, *others]


def write_log(stage, server, x):
    """The rows of a log, in the archives of those who talk and of as many whom they have written
    to: who talks has been told all that is for it."""
    others = ["--pairs", FEW, "--recipient-pattern", SINK.format(x)]
    peer = stage.peers[server]
    peer.write_archive(stage.load, LOG.format(x), 1, each(x), *others)


def each(x):
    """How many of `x` rows are in one archive."""
    return x // (2 * FEW)


def fill_rosters(stage, server, x):
    """Contacts of those who talk."""
    arguments = ["fill", "--accounts", FEW, "--roster", x, "--user-pattern", ROSTER.format(x)]
    with stage.peers[server].serve() as endpoint:
        stage.load.run(endpoint, "starttls", arguments, FILL_SECONDS_MAX)


def write_accounts(stage, server, x):
    """All accounts but those who talk: many more than are online."""
    stage.accounts(server, {MANY: x})


def spread(x):
    """Every so manieth of `x` accounts, a power of ten."""
    return MANY + "0" * (len(str(x)) - 3)


ONLINE = Curve(
    f"A message against users online ({RATE} a second of all together)",
    "users online",
    "CPU-µs a message",
    "cpu_us_per_message",
    lambda x: chat(USERS, x // 2, "--rate", RATE),
    "Who speaks seldom is in no cache of the processor when the turn comes: account, session, "
    "connection and the kernel's socket are read from memory.",
)
LOGGED = Curve(
    f"A message against rows of the log ({RATE} a second)",
    "rows",
    "CPU-µs a message",
    "cpu_us_per_message",
    lambda x: chat(LOG.format(x), FEW // 2, "--rate", RATE),
    "The depth of the indexes grows with the logarithm of the rows.",
)
PAGE = Curve(
    "A page of 50 of an archive against rows of the log",
    "rows",
    "CPU-µs a page",
    "cpu_us_per_page",
    lambda x: ["mam", "--rows", each(x), "--user-pattern", LOG.format(x)],
    "A page tells how many messages the archive has, up to 1,000 (`<count/>`), so it costs more "
    "until there are so many, and the same from there on. Forty archives share the rows, "
    "which stand among one another: 1,000 of one are a look into the table each, for the "
    "index does not know which entries the archive shows.",
)
CONTACTS = Curve(
    f"A message against contacts of each account ({RATE} a second)",
    "contacts",
    "CPU-µs a message",
    "cpu_us_per_message",
    lambda x: chat(ROSTER.format(x), FEW // 2, "--rate", RATE),
)
STORED = Curve(
    f"A message against accounts ({RATE} a second, a hundred of them online)",
    "accounts",
    "CPU-µs a message",
    "cpu_us_per_message",
    lambda x: chat(spread(x), 50, "--rate", RATE),
)
START = Curve(
    "A start against accounts",
    "accounts",
    "ms to the first answer",
    "answered_ms",
    None,
)
SIZE = Curve(
    "A message against bytes of its body (10 pairs, window 4)",
    "bytes",
    "CPU-µs a message",
    "cpu_us_per_message",
    lambda x: chat(USERS, FEW // 2, "--body-bytes", x),
    "Every byte is decrypted, parsed, written twice into the log and encrypted, so from some "
    "kilobytes on the cost is that of bytes. 57 bytes are the least that carry the mark of a "
    "message.",
)
SWEEPS = [
    Sweep([100, 300, 1000, 2000], [5000, 10_000], lambda x: {USERS: x}, {"online": ONLINE}),
    Sweep(
        [4000, 20_000, 100_000],
        [1_000_000, 10_000_000],
        lambda x: {LOG.format(x): FEW, SINK.format(x): FEW},
        # The archive is read before more is put into it.
        {"page": PAGE, "log": LOGGED},
        write_log,
    ),
    Sweep(
        [10, 100, 1000],
        [2000],
        lambda x: {ROSTER.format(x): FEW},
        {"roster": CONTACTS},
        fill_rosters,
    ),
    Sweep(
        [1000, 10_000, 100_000],
        [1_000_000],
        lambda x: {},
        {"stored": STORED, "start": START},
        write_accounts,
    ),
    Sweep([57, 300, 1000, 4096, 16_384, 65_536], [], lambda x: {USERS: FEW}, {"size": SIZE}),
]
CURVES = {name: curve for sweep in SWEEPS for name, curve in sweep.curves.items()}


def points(sweep, scale):
    """Those that are measured: of more than a million when the archive has so many, too."""
    longer = sweep.long if scale.long else []
    return sweep.short + [x for x in longer if x <= max(scale.rows, 1_000_000)]


def measure(stage, servers, part, keep):
    """The whole part: `part` is filled, and kept after every point."""
    part["curves"] = {name: {server: [] for server in servers} for name in CURVES}
    for sweep in SWEEPS:
        for x in points(sweep, stage.scale):
            for server in servers:
                _point(stage, server, sweep, x, part["curves"])
                keep()


def accounts(scale):
    """All that the points need."""
    wanted = {}
    for sweep in SWEEPS:
        for x in points(sweep, scale):
            for pattern, count in sweep.accounts(x).items():
                wanted[pattern] = max(count, wanted.get(pattern, 0))
    return wanted


def _point(stage, server, sweep, x, found):
    peer = stage.peers[server]
    try:
        sweep.prepare(stage, server, x)
    except FAULTS as error:
        print(f"{peer.name}: preparing {x}: {error}", file=sys.stderr)
        return
    for name, curve in sweep.curves.items():
        y = None
        try:
            with peer.serve() as endpoint:
                y = endpoint.answered_ms
                if curve.arguments:
                    arguments = [*curve.arguments(x), *stage.scale.times]
                    found_here = stage.load.run(endpoint, "starttls", arguments)
                    y = figure(found_here, curve.key)
        except FAULTS as error:
            y = None
            print(f"{peer.name}: {name} at {x}: {error}", file=sys.stderr)
        print(f"{name} at {x}, {peer.name}: {y}", file=sys.stderr)
        found[name][server].append([x, y])

"""What is measured: every workload, the figures that are shown of it, and what it needs."""

import dataclasses
from collections.abc import Callable

# Accounts of `chat` and `offline`; those of rooms and of idle connections begin with the same.
TALKERS = 200
# The archive that is read is not one of those that `chat` writes to.
ARCHIVE_PAIR = TALKERS // 2 + 1
USERS, FRIENDS = "user%d", "friend%d"
ROOMS, LARGE_ROOMS = [20, 100, 500], [2000, 5000]
MANAGED = ["--stream-management", "--carbons"]
RATE = 300


@dataclasses.dataclass(frozen=True)
class Figure:
    """One row of the table: what it is called, where it stands in a line of figures (`a.b` is b of
    a), and whether the peers' is divided by ours."""

    title: str
    key: str
    has_ratio: bool = True


@dataclasses.dataclass(frozen=True)
class Workload:
    """The arguments of waxwing-bench, the way in, what a server must be able to do, and what must
    be prepared."""

    group: str
    title: str
    figures: list[Figure]
    arguments: Callable
    door: str = "starttls"
    needs: frozenset[str] = frozenset()
    relaxed: bool = False
    # How far apart its commits begin, at least.
    gather_ms: int = 0
    prepares: str | None = None
    # What a relay of bytes is asked for, which does the same without XML, accounts and a log.
    limit: list | None = None
    accounts: Callable = lambda scale: {USERS: TALKERS}

    def is_for(self, peer):
        """Whether it can do that."""
        return self.limit is not None if peer.is_limit else not self.needs - peer.can

    def of(self, peer, scale):
        """The way in and the arguments."""
        if peer.is_limit:
            return "direct", ["limit", *scale.times, *self.limit]
        return self.door, self.arguments(scale)


def login(title, mechanism, *others, door="starttls", needs=()):
    """Logs in and out."""
    return Workload(
        "Logins",
        title,
        [Figure("CPU-µs", "cpu_us_per_login")],
        lambda scale: ["login", "--logins", scale.logins, "--mechanism", mechanism, *others],
        door,
        frozenset(needs),
    )


def idle(title, door):
    """Connections that are there and say nothing."""
    return Workload(
        "Idle connections",
        title,
        [Figure("KiB each", "kib_per_connection")],
        lambda scale: ["idle", "--connections", scale.connections, "--roster", scale.roster],
        door,
        prepares="rosters",
        accounts=lambda scale: {USERS: max(scale.connections, TALKERS)},
    )


def chat(title, *others, relaxed=False, gather_ms=0, limit=None):
    """Messages between pairs."""
    needs = (["relaxed"] if relaxed else []) + (["gathering"] if gather_ms else [])
    rate = "p50, ms" if "--rate" in others else "messages a second"
    figures = [
        Figure("CPU-µs", "cpu_us_per_message"),
        Figure("of which the database", "database_cpu_us_per_message", False),
        Figure(rate, "p50_ms" if "--rate" in others else "messages_per_s", False),
        Figure("p99, ms", "p99_ms", False),
    ]
    return Workload(
        "Chat",
        title,
        figures,
        lambda scale: ["chat", *scale.times, *others],
        needs=frozenset(needs),
        relaxed=relaxed,
        gather_ms=gather_ms,
        limit=limit,
    )


def offline():
    """Messages to who is away."""
    return Workload(
        "Messages to who is away",
        f"{TALKERS // 2} recipients, 50 messages each",
        [
            Figure("to store, CPU-µs", "stored.cpu_us_per_message"),
            Figure("to deliver, CPU-µs", "delivered.cpu_us_per_message"),
            Figure("p99 until the last is there, ms", "p99_ms", False),
        ],
        lambda _: ["offline"],
    )


def presence():
    """Somebody whom many know."""
    return Workload(
        "Presence",
        "500 contacts, all online",
        [
            Figure("a login, CPU-µs", "login.cpu_us_per_login"),
            Figure("p99 until all are seen, ms", "login.p99_ms", False),
            Figure("to all: CPU-µs a delivery", "out.cpu_us_per_delivery"),
            Figure("to all: p99 to the last, ms", "out.p99_ms", False),
            Figure("from all at once: CPU-µs a delivery", "in.cpu_us_per_delivery"),
            Figure("from all at once: p99, ms", "in.p99_ms", False),
        ],
        lambda scale: ["presence", "--contacts", scale.contacts, "--user-pattern", FRIENDS],
        prepares="friends",
        accounts=lambda scale: {FRIENDS: scale.contacts + 1},
    )


def mam(title, way):
    """Pages of an archive."""
    return Workload(
        "Pages of an archive",
        title,
        [
            Figure("CPU-µs", "cpu_us_per_page"),
            Figure("of which the database", "database_cpu_us_per_page", False),
            Figure("p50, ms", "p50_ms", False),
            Figure("p99, ms", "p99_ms", False),
        ],
        lambda scale: [
            *["mam", "--way", way, "--rows", scale.rows, "--pair", ARCHIVE_PAIR],
            *scale.times,
        ],
        prepares="archive",
        accounts=lambda scale: {USERS: TALKERS + 2},
    )


def fan_out(listeners, window):
    """What is said in one group, heard by all who listen in it."""
    return ["--groups", 1, "--listeners", listeners, "--window", window]


def joined(listeners):
    """Of the relay alone: what a copy takes that shares its record and its call with three."""
    return Workload(
        "Rooms",
        f"four at a time to {listeners}",
        [Figure("CPU-µs a delivery", "cpu_us_per_delivery")],
        lambda _: [],
        needs=frozenset(["only bytes"]),
        limit=fan_out(listeners, 4),
    )


def muc(occupants, gather_ms=0):
    """A room; no peer is asked for rooms that it is not made for, in which ours does not show
    everybody to everybody."""
    unseen = ["--unseen"] if occupants in LARGE_ROOMS else []
    needs = (["large rooms"] if unseen else []) + (["gathering"] if gather_ms else [])
    return Workload(
        "Rooms",
        f"room of {occupants}" + (f", commits {gather_ms} ms apart" if gather_ms else ""),
        [
            Figure("CPU-µs a delivery", "cpu_us_per_delivery"),
            Figure("p99 to the last, ms", "p99_ms", False),
            Figure("CPU-s until all are in", "entered.cpu_s"),
            Figure("KiB for each", "kib_per_occupant", False),
            Figure("CPU-µs of an entrance with 50 messages", "history.cpu_us_per_entrance"),
        ],
        lambda scale: ["muc", "--occupants", occupants, "--archived", *scale.times, *unseen],
        needs=frozenset(needs),
        gather_ms=gather_ms,
        limit=None if gather_ms else fan_out(occupants, 1),
        accounts=lambda scale: {USERS: occupants + 1},
    )


PLUS, EXPR, NONE = "scram-sha-256-plus", "ht-sha-256-expr", "ht-sha-256-none"
WORKLOADS = {
    "login": login("SCRAM-SHA-1", "scram-sha-1"),
    "login-resumed": login(
        "SCRAM-SHA-1, TLS resumed", "scram-sha-1", "--resume", needs=["resumption"]
    ),
    "login-plain": login("PLAIN", "plain"),
    "login-plain-resumed": login("PLAIN, TLS resumed", "plain", "--resume", needs=["resumption"]),
    "login-plus": login("SCRAM-SHA-256-PLUS", PLUS, needs=["exporter"]),
    "login-plus-resumed": login(
        "SCRAM-SHA-256-PLUS, TLS resumed", PLUS, "--resume", needs=["exporter", "resumption"]
    ),
    "fast": login("FAST, one flight", EXPR, door="direct", needs=["fast"]),
    "fast-resumed": login(
        "FAST, one flight, TLS resumed", EXPR, "--resume", door="direct", needs=["fast"]
    ),
    "fast-counted": login(
        "FAST, TLS resumed, counted: a commit each",
        EXPR,
        "--resume",
        "--count",
        door="direct",
        needs=["fast"],
    ),
    "fast-none": login("FAST, not bound", NONE, door="direct", needs=["fast"]),
    "fast-none-resumed": login(
        "FAST, not bound, TLS resumed", NONE, "--resume", door="direct", needs=["fast"]
    ),
    "idle": idle("TLS", "starttls"),
    "idle-wss": idle("WebSocket over TLS", "wss"),
    "chat": chat("window 4", "--archived", limit=["--window", 4]),
    "chat-sm": chat("window 4, SM, carbons", "--archived", *MANAGED),
    "chat-relaxed": chat("window 4, relaxed", "--archived", relaxed=True),
    "chat-unarchived": chat("window 4, archives told to keep nothing", "--unarchived"),
    "chat-no-store": chat("window 4, messages that nobody may store", "--no-store"),
    "open": chat(f"{RATE} a second", "--archived", "--rate", RATE, limit=["--rate", RATE]),
    "open-10-ms": chat(
        f"{RATE} a second, commits 10 ms apart", "--archived", "--rate", RATE, gather_ms=10
    ),
    "open-sm": chat(f"{RATE} a second, SM, carbons", "--archived", "--rate", RATE, *MANAGED),
    "open-relaxed": chat(f"{RATE} a second, relaxed", "--archived", "--rate", RATE, relaxed=True),
    "open-unarchived": chat(
        f"{RATE} a second, archives told to keep nothing", "--unarchived", "--rate", RATE
    ),
    "open-no-store": chat(
        f"{RATE} a second, messages that nobody may store", "--no-store", "--rate", RATE
    ),
    "offline": offline(),
    "presence": presence(),
    "mam-back": mam("page of 50, back from the end", "back"),
    "mam-on": mam("page of 50, on from ids", "on"),
    **{f"muc-{occupants}": muc(occupants) for occupants in ROOMS + LARGE_ROOMS},
    "muc-100-10-ms": muc(100, gather_ms=10),
    **{f"joined-{listeners}": joined(listeners) for listeners in ROOMS[1:]},
}
# What is left out unless it is asked for by name, or by `--long`.
LARGE = [f"muc-{occupants}" for occupants in LARGE_ROOMS]
USUAL = [name for name in WORKLOADS if name not in [*LARGE, "muc-20"]]
LONG = ["idle", "idle-wss", "mam-back", "mam-on", *LARGE]


def figure(line, key):
    """One of a line of figures; none when nothing was measured in time."""
    for name in key.split("."):
        line = line.get(name) if isinstance(line, dict) else None
    return line

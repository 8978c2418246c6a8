"""Waxwing itself, built from this tree: SQLite or PostgreSQL."""

import contextlib
import json
import shlex
import socket
import subprocess

from peers.ground import Endpoint, await_file, await_ports, first_answer_ms, free_ports
from peers.postgres import Postgres

# The account whose password all others get.
MODEL = "model"
# For archives of many millions.
FILL_SECONDS_MAX = 3600

# Where speed is measured and not fairness, nobody is to wait for a limit.
UNLIMITED = """\
bytes_per_second_max = 0
archive_messages_per_minute_max = 0"""

CONFIG = """
[server]
domains = ["localhost"]
data = "{folder}/data"

[listen]
c2s = ["127.0.0.1:{starttls}"]
c2s_tls = ["127.0.0.1:{direct}"]
s2s = []
http = []
https = ["127.0.0.1:{wss}"]

[tls]
certificate = "{certificate}"
key = "{key}"

[store]
url = "{store}"
relaxed = "{relaxed}"
gather_ms = {gather_ms}

[limits]
connections_per_address_max = 100000
{limits}
"""


# Another writer of the file, for {seconds} s, so many times.
LOCK = """
import sqlite3, time
connection = sqlite3.connect("{path}", isolation_level=None, timeout=60)
for number in range({times}):
    if number:
        time.sleep({seconds})
    connection.execute("BEGIN IMMEDIATE")
    time.sleep({seconds})
    connection.execute("ROLLBACK")
"""


class Waxwing:
    """The release build."""

    is_ours = True
    is_limit = False
    can = frozenset(
        ["resumption", "exporter", "fast", "away", "large rooms", "relaxed", "gathering"]
    )

    def __init__(self, ground, program, with_postgres):
        self.name = "waxwing, PostgreSQL" if with_postgres else "waxwing, SQLite"
        self.ground = ground
        self.program = program
        self.folder = ground.place(self.name.lower().replace(", ", "-").replace(" ", "-"))
        (self.folder / "data").mkdir()
        self.ports = free_ports("starttls", "direct", "wss")
        self.database = Postgres(ground, self.folder) if with_postgres else None
        self.has_model = False
        self.file = self.folder / "data" / "waxwing.db"
        self.store = f"sqlite:{self.file}" if self.database is None else self.database.url()

    def _configured(self, relaxed, limited, gather_ms):
        """The file of settings."""
        config = self.folder / "waxwing.toml"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                **self.ports,
                certificate=self.ground.certificate,
                key=self.ground.key,
                store=self.store,
                relaxed="yes" if relaxed else "no",
                gather_ms=gather_ms,
                limits="" if limited else UNLIMITED,
            )
        )
        return config

    def version(self):
        """As it says itself."""
        command = [self.program, "--version"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if not found:
            raise RuntimeError(f"{self.program} does not tell its version")
        return found.split()[-1]

    def write_accounts(self, load, pattern, first, last, password):
        """Numbers `first` to `last` of a pattern, by its own store: all with the keys of one that
        the operator adds, because a thousand passwords take ten seconds to hash."""
        if not self.has_model:
            with self.serve():
                self._add(MODEL, password)
            self.has_model = True
        arguments = ["--like", MODEL, "--user-pattern", pattern, "--first", first, "--last", last]
        self._write(load, ["write-accounts", *arguments])

    def write_archive(self, load, pattern, pair, rows, *others):
        """Messages of a pair, or as else is said, by its own store."""
        arguments = ["--user-pattern", pattern, "--pair", pair, "--rows", rows, *others]
        self._write(load, ["write-archive", *arguments])

    def _write(self, load, command):
        """While it is down."""
        with contextlib.ExitStack() as running:
            if self.database is not None:
                running.enter_context(self.database.serve())
            load.say([*command, "--store", self.store], FILL_SECONDS_MAX)
            if self.database is not None:
                self.database.tend()

    def _add(self, user, password):
        """As `waxwing user add` does, over the socket that it talks to."""
        with socket.socket(socket.AF_UNIX) as operator:
            operator.connect(str(self.folder / "data" / "waxwing.sock"))
            request = {"do": "user-add", "jid": f"{user}@localhost", "password": password}
            operator.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(operator.makefile().readline())
            if answer != "done":
                raise RuntimeError(f"user add {user}: {answer}")

    @contextlib.contextmanager
    def serve(self, relaxed=False, limited=False, gather_ms=0):
        """Runs it in the foreground; `limited` reads nobody faster than it does by itself, and
        commits begin at least so many ms apart."""
        with contextlib.ExitStack() as running:
            databases = []
            if self.database is not None:
                databases.append(running.enter_context(self.database.serve(relaxed)))
            config = self._configured(relaxed, limited, gather_ms)
            command = [self.program, "serve", "--config", config]
            log = self.folder / "waxwing.log"
            child = running.enter_context(self.ground.process(command, log))
            answered_ms = first_answer_ms(self.ports["starttls"], child)
            # It listens before it can be told anything: who connects early waits.
            await_file(self.folder / "data" / "waxwing.sock", child)
            await_ports(self.ports, child)
            yield Endpoint(self.ports, [child.pid, *databases], answered_ms)

    def away(self, endpoint, seconds, lasts=None):
        """For the shell: its database does not answer for so long; or again and again for so long,
        for as long as it lasts."""
        if self.database is not None:
            return self.database.away(endpoint.pids[1], seconds, lasts)
        times = max(1, int((lasts or 0) / seconds / 2))
        script = LOCK.format(path=self.file, seconds=seconds, times=times)
        return f"python3 -c {shlex.quote(script)}"

"""Waxwing itself, built from this tree: SQLite or PostgreSQL."""

import concurrent.futures
import contextlib
import json
import socket
import subprocess

from peers.ground import Endpoint, await_file, await_ports, free_ports
from peers.postgres import Postgres

# How many operators ask at the same time.
OPERATORS = 4

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

[limits]
connections_per_address_max = 100000
"""


class Waxwing:
    """The release build."""

    can = frozenset(["resumption", "exporter", "fast"])

    def __init__(self, ground, program, with_postgres):
        self.name = "waxwing, PostgreSQL" if with_postgres else "waxwing, SQLite"
        self.ground = ground
        self.program = program
        self.folder = ground.place("waxwing-postgres" if with_postgres else "waxwing-sqlite")
        (self.folder / "data").mkdir()
        self.ports = free_ports("starttls", "direct", "wss")
        self.database = Postgres(ground, self.folder) if with_postgres else None
        self.config = self.folder / "waxwing.toml"
        sqlite = f"sqlite:{self.folder}/data/waxwing.db"
        self.config.write_text(
            CONFIG.format(
                folder=self.folder,
                **self.ports,
                certificate=ground.certificate,
                key=ground.key,
                store=sqlite if self.database is None else self.database.url(),
            )
        )

    def version(self):
        """As it says itself."""
        command = [self.program, "--version"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if not found:
            raise RuntimeError(f"{self.program} does not tell its version")
        return found.split()[-1]

    def populate(self, users, password):
        """Adds accounts as the operator does, over the socket that `waxwing user add` talks to: a
        process for each would take longer than the hashes of its password."""
        with self.serve(), concurrent.futures.ThreadPoolExecutor(OPERATORS) as pool:
            shares = [users[first::OPERATORS] for first in range(OPERATORS)]
            for _ in pool.map(lambda share: self._add(share, password), shares):
                pass

    def _add(self, users, password):
        with socket.socket(socket.AF_UNIX) as operator:
            operator.connect(str(self.folder / "data" / "waxwing.sock"))
            answers = operator.makefile()
            for user in users:
                request = {"do": "user-add", "jid": f"{user}@localhost", "password": password}
                operator.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(answers.readline())
                if answer != "done":
                    raise RuntimeError(f"user add {user}: {answer}")

    @contextlib.contextmanager
    def serve(self):
        """Runs it in the foreground."""
        with contextlib.ExitStack() as running:
            databases = []
            if self.database is not None:
                databases.append(running.enter_context(self.database.serve()))
            command = [self.program, "serve", "--config", self.config]
            log = self.folder / "waxwing.log"
            child = running.enter_context(self.ground.process(command, log))
            # It listens before it can be told anything: who connects early waits.
            await_file(self.folder / "data" / "waxwing.sock", child)
            await_ports(self.ports, child)
            yield Endpoint(self.ports, [child.pid, *databases])

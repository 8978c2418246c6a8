"""Debian's ejabberd: its default modules, the archive of both sides, PostgreSQL."""

import concurrent.futures
import contextlib
import json
import pathlib
import urllib.request

from peers.ground import (
    Endpoint,
    await_port,
    await_ports,
    debian_version,
    first_answer_ms,
    free_port,
    free_ports,
    install,
)
from peers.postgres import DATABASE, USER, Postgres

SCHEMA = pathlib.Path("/usr/share/ejabberd/sql/pg.sql")

CONFIG = """
hosts: [localhost]
loglevel: warning
certfiles: ["{folder}/server.pem"]
auth_password_format: scram
listen:
  - {{ip: "127.0.0.1", port: {starttls}, module: ejabberd_c2s, starttls_required: true}}
  - ip: "127.0.0.1"
    port: {wss}
    module: ejabberd_http
    tls: true
    request_handlers: {{/ws: ejabberd_http_ws}}
  - ip: "127.0.0.1"
    port: {api}
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api}}
api_permissions:
  bench: {{from: [mod_http_api], who: {{ip: 127.0.0.1/32}}, what: [register]}}
shaper_rules:
  max_user_offline_messages: 100000
modules:
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_last: {{}}
  mod_mam: {{default: always}}
  mod_muc:
    history_size: 50
    max_users: 1000
    max_users_presence: 1000
    default_room_options: {{mam: true, persistent: true, max_users: 1000}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_roster: {{versioning: true}}
  mod_stream_mgmt: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"""

STORE = """
auth_method: sql
default_db: sql
sql_type: pgsql
sql_server: "127.0.0.1"
sql_port: {port}
sql_database: "{database}"
sql_username: "{user}"
"""


class Ejabberd:
    """ejabberd on the Erlang of the distribution, without a node name (so without epmd)."""

    name = "ejabberd, PostgreSQL"
    is_ours = False
    # This version knows neither `tls-exporter` nor FAST.
    can = frozenset(["away", "relaxed"])

    def __init__(self, ground):
        install("ejabberdctl", ["ejabberd", "erlang-p1-pgsql"])
        self.ground = ground
        self.folder = ground.place("ejabberd")
        self.ports, self.api = free_ports("starttls", "wss"), free_port()
        pem = ground.certificate.read_text() + ground.key.read_text()
        (self.folder / "server.pem").write_text(pem)
        self.database = Postgres(ground, self.folder)
        self.config = self.folder / "ejabberd.yml"
        self.config.write_text(
            CONFIG.format(folder=self.folder, api=self.api, **self.ports)
            + STORE.format(port=self.database.port, database=DATABASE, user=USER)
        )

    def version(self):
        """As it says itself."""
        return debian_version("ejabberd")

    def populate(self, users, password):
        """Registers accounts over the HTTP API; `ejabberdctl` takes a second for each."""
        with self.database.serve():
            self.database.load(SCHEMA)
        with self.serve(), concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda user: self._register(user, password), users):
                pass

    def _register(self, user, password):
        account = {"user": user, "host": "localhost", "password": password}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api}/api/register",
            data=json.dumps(account).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def write_rosters(self, rosters):
        """Contacts (address without domain, name, subscription) of each account."""
        columns = ["username", "jid", "nick", "subscription", "ask", "askmessage", "server"]
        with self.database.serve():
            self.database.copy(
                "rosterusers",
                [*columns, "subscribe", "type"],
                (
                    [user, f"{contact}@localhost", name, said[0].upper(), "N", "", "N", "", "item"]
                    for user, contacts in rosters.items()
                    for contact, name, said in contacts
                ),
            )

    @contextlib.contextmanager
    def serve(self, relaxed=False):
        """Runs its virtual machine."""
        with contextlib.ExitStack() as running:
            database = running.enter_context(self.database.serve(relaxed))
            command, environment = machine(self.folder, self.config)
            child = running.enter_context(
                self.ground.process(command, self.folder / "console.log", environment)
            )
            answered_ms = first_answer_ms(self.ports["starttls"], child)
            await_ports(self.ports, child)
            await_port(self.api, child)
            yield Endpoint(self.ports, [child.pid, database], answered_ms)

    def away(self, endpoint, seconds):
        """For the shell: its database does not answer for so long."""
        return self.database.away(endpoint.pids[1], seconds)


def machine(folder, config):
    """Its virtual machine as `ejabberdctl foreground` starts it: the command, its environment."""
    command = ["erl", "+K", "true", "+P", "250000", "-noinput"]
    command += ["-mnesia", "dir", f'"{folder}/spool"', "-s", "ejabberd"]
    return command, {
        "ERL_LIBS": str(_libraries()),
        "ERL_MAX_PORTS": "32000",
        "ERL_CRASH_DUMP_BYTES": "0",
        "EJABBERD_CONFIG_PATH": str(config),
        "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
        "HOME": str(folder),
    }


def _libraries():
    """Where Debian puts the applications, which differs by architecture."""
    found = next(pathlib.Path("/usr/lib").glob("*/ejabberd-*"), None)
    if found is None:
        raise RuntimeError("ejabberd is installed, but not as Debian does it")
    return found.parent

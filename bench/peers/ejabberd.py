"""Debian's ejabberd: its default modules, the archive of both sides, PostgreSQL."""

import base64
import contextlib
import pathlib

from peers.ground import (
    Endpoint,
    await_ports,
    debian_version,
    first_answer_ms,
    free_ports,
    install,
)
from peers.message import bodies, ends
from peers.postgres import DATABASE, USER, Postgres
from peers.scram import keys

SCHEMA = pathlib.Path("/usr/share/ejabberd/sql/pg.sql")

# Its default.
ITERATIONS = 4096
MESSAGE = (
    "<message xml:lang='en' to='{receiver}@localhost' from='{sender}@localhost/bench' "
    "type='chat' id='{key}' xmlns='jabber:client'><body>{body}</body></message>"
)

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
    is_limit = False
    # This version knows neither `tls-exporter` nor FAST.
    can = frozenset(["away", "relaxed"])

    def __init__(self, ground):
        install("ejabberdctl", ["ejabberd", "erlang-p1-pgsql"])
        self.ground = ground
        self.folder = ground.place("ejabberd")
        self.ports = free_ports("starttls", "wss")
        pem = ground.certificate.read_text() + ground.key.read_text()
        (self.folder / "server.pem").write_text(pem)
        self.database = Postgres(ground, self.folder)
        self.has_schema = False
        self.config = self.folder / "ejabberd.yml"
        self.config.write_text(
            CONFIG.format(folder=self.folder, **self.ports)
            + STORE.format(port=self.database.port, database=DATABASE, user=USER)
        )

    def version(self):
        """As it says itself."""
        return debian_version("ejabberd")

    def populate(self, users, password):
        """Writes accounts as it does; to register one takes 50 ms."""
        kept = keys(password, ITERATIONS)
        texts = [base64.b64encode(key).decode() for key in (kept.stored_key, kept.server_key)]
        # As all of it, the salt is kept in base64.
        texts += [base64.b64encode(kept.salt).decode(), str(kept.iterations)]
        with self.database.serve():
            if not self.has_schema:
                self.database.load(SCHEMA)
                self.has_schema = True
            columns = ["username", "password", "serverkey", "salt", "iterationcount"]
            self.database.copy("users", columns, ([user, *texts] for user in users))

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

    def write_archive(self, _load, pattern, pair, rows):
        """The messages that `fill-archive` says, as it writes them."""
        sender, receiver = ends(pattern, pair)
        owners = [(sender, receiver, ""), (receiver, sender, "/bench")]
        columns = ["username", "timestamp", "peer", "bare_peer", "xml", "txt", "kind", "nick"]
        written = (
            [owner, f"{when}000000", f"{other}@localhost{resource}", f"{other}@localhost"]
            + [MESSAGE.format(sender=sender, receiver=receiver, key=key, body=body), body]
            + ["chat", ""]
            for when, key, body in bodies(rows)
            for owner, other, resource in owners
        )
        with self.database.serve():
            self.database.copy("archive", columns, written)

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

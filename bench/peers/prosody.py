"""Debian's Prosody: file storage, its default modules and the archive."""

import contextlib
import time

from peers.ground import (
    Endpoint,
    await_ports,
    debian_version,
    first_answer_ms,
    free_ports,
    install,
)
from peers.message import bodies, ends
from peers.scram import keys

# The default of mod_auth_internal_hashed.
ITERATIONS = 10_000

# Its default of 10,000 would throw away most of what is to be read.
ROWS_MAX = 100_000_000

CONFIG = """
run_as_root = true
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
log = {{ warn = "{folder}/warnings.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {starttls} }}
http_ports = {{ }}
https_ports = {{ {wss} }}
https_interfaces = {{ "127.0.0.1" }}
modules_enabled = {{
    "blocklist", "bookmarks", "carbons", "csi_simple", "disco", "mam", "offline", "pep", "ping",
    "private", "roster", "saslauth", "smacks", "time", "tls", "vcard4", "vcard_legacy", "version",
    "websocket",
}}
modules_disabled = {{ "s2s" }}
authentication = "internal_hashed"
storage = "internal"
storage_archive_item_limit = {rows}
default_archive_policy = true
c2s_require_encryption = true
ssl = {{ certificate = "{certificate}", key = "{key}" }}
https_ssl = {{ certificate = "{certificate}", key = "{key}" }}
VirtualHost "localhost"
Component "conference.localhost" "muc"
    modules_enabled = {{ "muc_mam" }}
    muc_room_default_persistent = true
    max_history_messages = 50
"""

ACCOUNT = """return {{
\t["iteration_count"] = {iterations};
\t["salt"] = "{salt}";
\t["stored_key"] = "{stored_key}";
\t["server_key"] = "{server_key}";
}};
"""


MESSAGE = """item({{
	{{ "{body}"; ["attr"] = {{}}; ["name"] = "body"; }};
	["with"] = "{other}@localhost"; ["key"] = "{key}"; ["name"] = "message"; ["when"] = {when};
	["attr"] = {{
		["type"] = "chat"; ["from"] = "{sender}@localhost/bench"; ["to"] = "{receiver}@localhost";
		["id"] = "{key}"; ["stamp"] = "{stamp}"; ["xml:lang"] = "en";
	}};
}});
"""

CONTACT = """	["{contact}@localhost"] = {{
		["subscription"] = "{said}"; ["name"] = "{name}"; ["groups"] = {{}};
	}};
"""


class Prosody:
    """Prosody with `storage = "internal"`: files, never synchronised to the disk."""

    name = "prosody, files"
    is_ours = False
    is_limit = False
    # It sets `no_ticket`, and this version knows neither `tls-exporter` nor FAST.
    can = frozenset()

    def __init__(self, ground):
        install("prosody", ["prosody"])
        self.ground = ground
        self.folder = ground.place("prosody")
        self.ports = free_ports("starttls", "wss")
        self.config = self.folder / "prosody.cfg.lua"
        self.config.write_text(
            CONFIG.format(
                folder=self.folder,
                rows=ROWS_MAX,
                **self.ports,
                certificate=ground.certificate,
                key=ground.key,
            )
        )

    def version(self):
        """As it says itself."""
        return debian_version("prosody")

    def populate(self, users, password):
        """Writes accounts as mod_auth_internal_hashed does; `prosodyctl` takes 0.2 s for each."""
        accounts = self.folder / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        kept = keys(password, ITERATIONS)
        account = ACCOUNT.format(
            iterations=kept.iterations,
            salt=kept.salt.decode(),
            stored_key=kept.stored_key.hex(),
            server_key=kept.server_key.hex(),
        )
        for user in users:
            (accounts / f"{user}.dat").write_text(account)

    def write_rosters(self, rosters):
        """Contacts (address without domain, name, subscription) of each account, as its storage
        writes them."""
        folder = self.folder / "data" / "localhost" / "roster"
        folder.mkdir(exist_ok=True)
        for user, contacts in rosters.items():
            items = (
                CONTACT.format(contact=contact, name=name, said=said)
                for contact, name, said in contacts
            )
            (folder / f"{user}.dat").write_text("return {\n" + "".join(items) + "};\n")

    def write_archive(self, _load, pattern, pair, rows):
        """The messages that `fill-archive` says, as its storage writes them."""
        folder = self.folder / "data" / "localhost" / "archive"
        folder.mkdir(exist_ok=True)
        sender, receiver = ends(pattern, pair)
        for owner, other in [(sender, receiver), (receiver, sender)]:
            with open(folder / f"{owner}.list", "w", encoding="utf-8") as archive:
                for when, key, body in bodies(rows):
                    said = {"when": when, "key": key, "body": body, "other": other}
                    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
                    said |= {"sender": sender, "receiver": receiver, "stamp": stamp}
                    archive.write(MESSAGE.format(**said))

    @contextlib.contextmanager
    def serve(self):
        """Runs it in the foreground."""
        command = ["prosody", "-F", "--config", self.config]
        with self.ground.process(command, self.folder / "prosody.log") as child:
            answered_ms = first_answer_ms(self.ports["starttls"], child)
            await_ports(self.ports, child)
            yield Endpoint(self.ports, [child.pid], answered_ms, "/xmpp-websocket")

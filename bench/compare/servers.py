"""Who is measured, and of which of ours a peer's figures are a multiple: of the one that stores
alike."""

from peers.ejabberd import Ejabberd
from peers.prosody import Prosody
from peers.relay import Relay
from peers.waxwing import Waxwing

SERVERS = {
    "waxwing-sqlite": lambda ground, program: Waxwing(ground, program, with_postgres=False),
    "waxwing": lambda ground, program: Waxwing(ground, program, with_postgres=True),
    "prosody": lambda ground, _: Prosody(ground),
    "ejabberd": lambda ground, _: Ejabberd(ground),
    "relay": lambda ground, program: Relay(ground, program.with_name("waxwing-bench")),
}
OURS = ["waxwing-sqlite", "waxwing"]
ALIKE = {"prosody": "waxwing-sqlite", "ejabberd": "waxwing"}

"""No server: `waxwing-bench relay`, which shows what the kernel and TLS take by themselves."""

import contextlib
import subprocess

from peers.ground import Endpoint, await_ports, free_ports


class Relay:
    """Bytes from one TLS connection to others; it has neither accounts nor a store."""

    name = "limit: bytes over TLS"
    is_ours = False
    is_limit = True
    can = frozenset()

    def __init__(self, ground, program):
        self.ground = ground
        self.program = program
        self.log = ground.place("relay") / "relay.log"
        self.ports = free_ports("direct")

    def version(self):
        """As it says itself."""
        command = [self.program, "--version"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return found.split()[-1]

    @contextlib.contextmanager
    def serve(self):
        """Runs it."""
        command = [self.program, "relay", "--listen", f"127.0.0.1:{self.ports['direct']}"]
        command += ["--certificate", self.ground.certificate, "--key", self.ground.key]
        with self.ground.process(command, self.log) as child:
            await_ports(self.ports, child)
            yield Endpoint(self.ports, [child.pid], None)

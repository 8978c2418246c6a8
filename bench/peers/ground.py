"""The ground all peers stand on: a temporary folder, one certificate, cores, processes."""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

PATIENCE_SECONDS = 120
HEADER = b"""<?xml version='1.0'?><stream:stream to='localhost' version='1.0' \
xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"""
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


@dataclasses.dataclass
class Endpoint:
    """A server that runs: where it listens, by way in (`starttls`, `direct`, `wss`), and whom to
    measure, the server first."""

    ports: dict[str, int]
    pids: list[int]
    # Milliseconds from its start to its first word of XMPP, if it speaks any.
    answered_ms: float | None
    path: str = "/ws"


class Ground:
    """`folder` is thrown away afterwards; servers and databases share `cores`."""

    def __init__(self, folder, cores):
        self.folder = pathlib.Path(folder)
        self.cores = cores
        # A database runs as a user of its own, and must reach its folder below this one.
        self.folder.chmod(0o755)
        self.key = self.folder / "key.pem"
        self.certificate = self.folder / "certificate.pem"
        self._make_certificate()

    @contextlib.contextmanager
    def all_cores(self):
        """What is started within has all cores."""
        cores, self.cores = self.cores, os.sched_getaffinity(0)
        try:
            yield
        finally:
            self.cores = cores

    def place(self, name):
        """A new folder of a peer."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "30", "-subj", "/CN=localhost"]
            + ["-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        self.key.chmod(0o644)

    @contextlib.contextmanager
    def process(self, command, log, environment=None, user=None):
        """Runs `command` on the servers' cores; ends it, and only it, by its pid."""
        began = time.monotonic()
        with open(log, "ab") as output:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                cwd=pathlib.Path(log).parent,
                user=user,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
            )
        child.log, child.began = log, began
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(timeout=60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def free_port():
    """A port of the loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_ports(*doors):
    """A port for each way in."""
    return {door: free_port() for door in doors}


def await_ports(ports, child):
    """Returns when `child` listens at all of them."""
    for port in ports.values():
        await_port(port, child)


def await_port(port, child):
    """Returns when `child` listens there."""

    def listens():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    _await(listens, f"listen on port {port}", child)


def first_answer_ms(port, child):
    """From the start of `child` to the features of its first stream."""

    def answers():
        address = ("127.0.0.1", port)
        with contextlib.suppress(OSError), socket.create_connection(address, 1) as stream:
            stream.settimeout(PATIENCE_SECONDS)
            stream.sendall(HEADER)
            said = b""
            while b"features" not in said:
                more = stream.recv(4096)
                if not more:
                    return False
                said += more
            return True
        return False

    _await(answers, f"speak XMPP on port {port}", child, pause=0.002)
    return (time.monotonic() - child.began) * 1000


def await_file(path, child):
    """Returns when `child` has made it."""
    _await(path.exists, f"make {path}", child)


def _await(done, what, child, pause=0.1):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        if done():
            return
        time.sleep(pause)
    tail = pathlib.Path(child.log).read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{pathlib.Path(child.args[0]).name} does not {what}:\n{tail}")


def debian_version(package):
    """Of an installed package, without what Debian adds to it."""
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.split(r"[-+]", found)[0]


def install(program, packages):
    """Installs Debian packages when `program` is not there; the services they bring stay down."""
    if shutil.which(program):
        return
    made_policy = not POLICY.exists()
    if made_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-y", "-q"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for action in (["update"], ["install", "--no-install-recommends", *packages]):
            command = apt + action
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    finally:
        if made_policy:
            POLICY.unlink()

"""The servers under test, each in a folder of its own, on loopback.

Both serve the domain localhost, with the same certificate, and want TLS from their clients.
"""

import os
import socket
import subprocess
from pathlib import Path

from waiting import Failure, Process, until

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "localhost"


class Certificate:
    """Self-signed, for localhost; the clients are given it as the only one to trust."""

    def __init__(self, folder):
        self.file = folder / "certificate.pem"
        self.key = folder / "key.pem"
        run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split()
            + ["-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}"]
            + ["-keyout", self.key, "-out", self.file]
        )
        printed = run(["openssl", "x509", "-noout", "-fingerprint", "-sha1", "-in", self.file])
        self.fingerprint = printed.split("=")[1].replace(":", "").strip().lower()


class Server:
    """`port` is for STARTTLS, `port_tls` for TLS from the first byte; free ones by default.

    `admins` are the accounts that may administer it; `open` means that whoever connects may
    make an account. `lacks` are the titles of scenes for which it is no oracle.
    """

    lacks = ()

    def __init__(self, folder, certificate, host="127.0.0.1", port=None, admins=(), open=False):
        self.folder = folder
        self.certificate = certificate
        self.host = host
        self.port, self.port_tls = free_ports(2)
        self.port = port or self.port
        self.admins = ", ".join(f'"{user}@{DOMAIN}"' for user in admins)
        self.open = open
        self.process = None

    def launch(self, command, **options):
        self.process = Process(self.name, command, self.folder / "server.log", **options)

    def stop(self):
        """SIGTERM must end it, with exit code 0."""
        self.process.child.terminate()
        code = self.process.ended()
        if code != 0:
            raise Failure(f"{self.name} exited with {code} on SIGTERM, not 0")


class Waxwing(Server):
    name = "waxwing"

    def __init__(self, folder, certificate, binary, store, **place):
        super().__init__(folder, certificate, **place)
        self.binary = binary
        self.config = folder / "waxwing.toml"
        store = store or f"sqlite:{folder}/data/waxwing.db"
        self.config.write_text(
            f"""[server]
domains = ["{DOMAIN}"]
data = "{folder}/data"
admins = [{self.admins}]

[listen]
c2s = ["{self.host}:{self.port}"]
c2s_tls = ["{self.host}:{self.port_tls}"]
s2s = []
http = []
https = []

[tls]
certificate = "{certificate.file}"
key = "{certificate.key}"

[store]
url = "{store}"

[xep.0077]
registration = "{'open' if self.open else 'closed'}"
"""
        )

    def add(self, user, password):
        account = [self.binary, "--config", self.config, "user", "add", f"{user}@{DOMAIN}"]
        run(account + ["--password-stdin"], password + "\n")

    def start(self):
        self.launch([self.binary, "--config", self.config, "serve"])
        self.process.expect("ready")


class Prosody(Server):
    name = "prosody"
    lacks = ("users counted", "pre-approval")

    def __init__(self, folder, certificate, **place):
        super().__init__(folder, certificate, **place)
        self.config = folder / "prosody.cfg.lua"
        self.config.write_text(
            f"""run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
certificates = "{folder}"
interfaces = {{ "{self.host}" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ {self.port_tls} }}
c2s_require_encryption = true
ssl = {{ certificate = "{certificate.file}"; key = "{certificate.key}" }}
modules_disabled = {{ "s2s" }}
admins = {{ {self.admins} }}
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "blocklist"; "private"; "mam";
    "vcard4"; "vcard_legacy"; "smacks"; "csi_simple"; "ping"; "time"; "version"; "admin_adhoc";
    "register"; "lastactivity"; "uptime"; "announce";
}}
allow_registration = {str(self.open).lower()}
log = {{ info = "*console" }}
VirtualHost "{DOMAIN}"
"""
        )

    def add(self, user, password):
        run(["prosodyctl", "--config", self.config, "register", user, DOMAIN, password])

    def start(self):
        self.launch(["prosody", "-F", "--config", self.config])
        for port in (self.port, self.port_tls):
            until(lambda: accepts(self.host, port), f"prosody to listen on port {port}")


def run(command, given=None):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise Failure(f"{words}\nexited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build():
    """Builds the server and returns the path of the binary."""
    manifest = ROOT / "Cargo.toml"
    run(["cargo", "build", "--quiet", "--manifest-path", manifest, "--bin", "waxwing"])
    return target() / "debug" / "waxwing"


def target():
    """Cargo's target folder; the clients live in it too."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def free_ports(count):
    """Ports that the system calls free now; all held until the last is known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def free_host(port):
    """The first address of loopback where nobody listens on this port."""
    return next(
        host for host in (f"127.0.0.{number}" for number in range(77, 255))
        if not accepts(host, port)
    )


def accepts(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0

"""The servers under test, each in a folder of its own, on loopback.

All serve one domain, with the same certificate, and want TLS from their clients. What the tests
ask for is switched on, and no limit slows them down.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

from waiting import Failure, Process, until

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))

from peers.ejabberd import machine  # noqa: E402
from peers.ground import debian_version  # noqa: E402

DOMAIN = "localhost"

giving = threading.Lock()
given = set()  # all ports that this process has ever given to a server


class Certificate:
    """Self-signed, for the domain; the clients are given it as the only one to trust."""

    def __init__(self, folder, domain=DOMAIN):
        self.domain = domain
        self.file = folder / "certificate.pem"
        self.key = folder / "key.pem"
        run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split()
            + ["-subj", f"/CN={domain}", "-addext", f"subjectAltName=DNS:{domain},DNS:*.{domain}"]
            + ["-keyout", self.key, "-out", self.file]
        )
        printed = run(["openssl", "x509", "-noout", "-fingerprint", "-sha1", "-in", self.file])
        self.fingerprint = printed.split("=")[1].replace(":", "").strip().lower()


class Clock:
    """The wall clock of one server, by the library that waxwing-audit sets clocks with."""

    def __init__(self, folder, ahead=timedelta()):
        self.steer = folder / "clock"
        self.steer.parent.mkdir(parents=True, exist_ok=True)
        self.set(ahead)

    def set(self, ahead):
        """In place: the server has mapped it."""
        self.ahead = ahead
        seconds = int(ahead.total_seconds()).to_bytes(8, sys.byteorder, signed=True)
        file = os.open(self.steer, os.O_WRONLY | os.O_CREAT)
        os.pwrite(file, seconds, 0)
        os.close(file)

    def now(self):
        return datetime.now(timezone.utc) + self.ahead

    def environment(self):
        return {
            "LD_PRELOAD": f"{target()}/clients/shim.so",
            "WAXWING_SHIM": str(self.steer.parent),
            "WAXWING_SHIM_DATA": "/nowhere",  # its disk is in order
        }


class Server:
    """`port` is for STARTTLS, `port_tls` for TLS from the first byte; free ones by default.

    `admins` are the accounts that may administer it; `open` means that whoever connects may
    make an account. `ways` are the ways in: a URL and a port for each. `lacks` are the titles of
    scenes for which it is no oracle. It goes by its own `clock`, if it has one.
    """

    lacks = ()

    def __init__(
        self,
        folder,
        certificate,
        host="127.0.0.1",
        port=None,
        port_tls=None,
        admins=(),
        open=False,
        clock=None,
    ):
        self.folder = folder
        self.clock = clock
        self.certificate = certificate
        self.domain = certificate.domain
        self.host = host
        free, free_tls, self.port_http, self.port_https = free_ports(4)
        self.port, self.port_tls = port or free, port_tls or free_tls
        host_meta = f"https://{self.domain}:{self.port_https}/.well-known/host-meta"
        self.ways = {
            "host-meta": (host_meta, self.port_https),
            "starttls": (f"xmpp://{self.domain}:{self.port}", self.port),
            "direct": (f"xmpps://{self.domain}:{self.port_tls}", self.port_tls),
            "ws": (f"ws://{self.domain}:{self.port_http}/ws", self.port_http),
            "wss": (f"wss://{self.domain}:{self.port_https}/ws", self.port_https),
            "bosh": (f"https://{self.domain}:{self.port_https}/bosh", self.port_https),
        }
        self.admins = [f"{user}@{self.domain}" for user in admins]
        self.open = open
        self.abuse = [f"mailto:abuse@{self.domain}", f"xmpp:abuse@{self.domain}"]
        self.process = None

    def launch(self, command, **options):
        if self.clock:
            options["env"] = options.get("env", os.environ) | self.clock.environment()
        self.process = Process(self.name, command, self.folder / "server.log", **options)

    def kill(self):
        """As a power cut would, but for the disk."""
        self.process.child.kill()
        self.process.ended()

    def stop(self):
        """SIGTERM must end it, with exit code 0."""
        self.process.child.terminate()
        code = self.process.ended()
        if code != 0:
            raise Failure(f"{self.name} exited with {code} on SIGTERM, not 0")


class Waxwing(Server):
    name = "waxwing"

    def __init__(self, folder, certificate, binary, store=None, **place):
        super().__init__(folder, certificate, **place)
        self.binary = binary
        self.config = folder / "waxwing.toml"
        store = store or f"sqlite:{folder}/data/waxwing.db"
        self.config.write_text(
            f"""[server]
domains = ["{self.domain}", "guests.{self.domain}"]
data = "{folder}/data"
admins = {json.dumps(self.admins)}

[listen]
c2s = ["{self.host}:{self.port}"]
c2s_tls = ["{self.host}:{self.port_tls}"]
s2s = []
http = ["{self.host}:{self.port_http}"]
https = ["{self.host}:{self.port_https}"]

[tls]
certificate = "{certificate.file}"
key = "{certificate.key}"

[store]
url = "{store}"

[auth]
anonymous_domains = ["guests.{self.domain}"]

[xep.0077]
registration = "{'open' if self.open else 'closed'}"
accounts_per_hour_max = 1000000
accounts_per_address_per_hour_max = 1000000

[xep.0157]
abuse = {json.dumps(self.abuse)}

[xep.0431]
enabled = "yes"
"""
        )

    def version(self):
        return run([self.binary, "--version"]).split()[-1]

    def add(self, user, password):
        account = [self.binary, "--config", self.config, "user", "add", f"{user}@{self.domain}"]
        run(account + ["--password-stdin"], password + "\n")

    def shell_command(self):
        """Makes the account `{user}@{domain}`."""
        return (
            f"echo '{{password}}' | '{self.binary}' --config '{self.config}'"
            " user add '{user}@{domain}' --password-stdin"
        )

    def start(self):
        self.launch([self.binary, "--config", self.config, "serve"])
        self.process.expect("ready")


class Prosody(Server):
    name = "prosody"
    lacks = ("users counted", "pre-approval", "SASL2", "FAST", "push")
    # Converse.js orders lines by their times, and these are to the second; profanity asks the host
    # whether there are archives, and this one does not say
    lacks += ("a day away from the browser", "a day away from the terminal")
    # Its rooms are in no list unless somebody says so, and it keeps no sessions
    lacks += ("a room of its own", "a room of others", "a night in which the server is killed")

    # With plain passwords on its disk it can offer every mechanism it knows.
    def __init__(self, folder, certificate, more="", **place):
        super().__init__(folder, certificate, **place)
        self.config = folder / "prosody.cfg.lua"
        admins, abuse = (json.dumps(one).strip("[]") for one in (self.admins, self.abuse))
        self.config.write_text(
            f"""run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
certificates = "{folder}"
interfaces = {{ "{self.host}" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ {self.port_tls} }}
c2s_require_encryption = true
http_interfaces = {{ "{self.host}" }}
http_ports = {{ {self.port_http} }}
https_interfaces = {{ "{self.host}" }}
https_ports = {{ {self.port_https} }}
http_default_host = "{self.domain}"
https_ssl = {{ certificate = "{certificate.file}"; key = "{certificate.key}" }}
http_paths = {{ websocket = "/ws"; bosh = "/bosh" }}
consider_websocket_secure = true
consider_bosh_secure = true
ssl = {{ certificate = "{certificate.file}"; key = "{certificate.key}" }}
authentication = "internal_plain"
admins = {{ {admins} }}
contact_info = {{ abuse = {{ {abuse} }} }}
s2s_ports = {{}}
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "blocklist"; "private"; "mam";
    "vcard4"; "vcard_legacy"; "bookmarks"; "smacks"; "csi_simple"; "ping"; "time"; "version";
    "lastactivity"; "uptime"; "register"; "adhoc"; "admin_adhoc"; "announce";
    "dialback"; "server_contact_info"; "websocket"; "bosh"; "cloud_notify";
}}
allow_registration = {str(self.open).lower()}
log = {{ info = "*console" }}
VirtualHost "{self.domain}"
{more}
Component "conference.{self.domain}" "muc"
    modules_enabled = {{ "muc_mam" }}
"""
        )

    def version(self):
        return debian_version("prosody")

    def add(self, user, password):
        run(["prosodyctl", "--config", self.config, "register", user, self.domain, password])

    def shell_command(self):
        return (
            f"prosodyctl --config '{self.config}' register '{{user}}' '{{domain}}' '{{password}}'"
        )

    def start(self):
        self.launch(["prosody", "-F", "--config", self.config])
        for port in (self.port, self.port_tls):
            until(lambda: accepts(self.host, port), f"prosody to listen on port {port}")


class Ejabberd(Server):
    name = "ejabberd"

    # Plain passwords, for the same reason; accounts come by its HTTP API, as `ejabberdctl` takes
    # a second for each.
    def __init__(self, folder, certificate, **place):
        super().__init__(folder, certificate, **place)
        self.config = folder / "ejabberd.yml"
        (self.api,) = free_ports(1)
        pem = folder / "ejabberd.pem"
        pem.write_text(certificate.file.read_text() + certificate.key.read_text())
        self.config.write_text(
            f"""hosts: [{self.domain}]
loglevel: warning
certfiles: ["{pem}"]
auth_method: internal
auth_password_format: plain
default_db: mnesia
listen:
  - {{ip: "{self.host}", port: {self.port}, module: ejabberd_c2s, starttls_required: true}}
  - {{ip: "{self.host}", port: {self.port_tls}, module: ejabberd_c2s, tls: true}}
  - ip: "{self.host}"
    port: {self.api}
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api}}
acl:
  admin: {{user: {json.dumps(self.admins)}}}
access_rules:
  configure: {{allow: admin}}
  announce: {{allow: admin}}
api_permissions:
  accounts: {{from: [mod_http_api], who: {{ip: 127.0.0.0/8}}, what: [register]}}
registration_timeout: infinity
modules:
  mod_adhoc: {{}}
  mod_announce: {{access: announce}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_configure: {{}}
  mod_disco:
    server_info:
      - {{modules: all, name: abuse-addresses, urls: {json.dumps(self.abuse)}}}
  mod_last: {{}}
  mod_mam: {{default: always}}
  mod_muc: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_push: {{}}
  mod_register: {{access: {'all' if self.open else 'none'}, access_from: all}}
  mod_roster: {{versioning: true}}
  mod_stream_mgmt: {{}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"""
        )

    def version(self):
        return debian_version("ejabberd")

    def add(self, user, password):
        account = {"user": user, "host": self.domain, "password": password}
        request = urllib.request.Request(
            f"http://{self.host}:{self.api}/api/register",
            data=json.dumps(account).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def shell_command(self):
        account = '{"user":"{user}","host":"{domain}","password":"{password}"}'
        return f"curl -sSf --json '{account}' http://{self.host}:{self.api}/api/register"

    def start(self):
        command, environment = machine(self.folder, self.config)
        self.launch(command, env=os.environ | environment, cwd=self.folder)
        for port in (self.port, self.port_tls, self.api):
            until(lambda: accepts(self.host, port), f"ejabberd to listen on port {port}")


def run(command, given=None):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise Failure(f"{words}\nexited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(name="waxwing"):
    """Builds one of our programs and returns the path of the binary."""
    package = {"waxwing": "waxwing", "waxwing-scs": "waxwing-conformance"}[name]
    command = ["cargo", "build", "--quiet", "--manifest-path", ROOT / "Cargo.toml"]
    run(command + ["--package", package, "--bin", name])
    return target() / "debug" / name


def target():
    """Cargo's target folder; the clients live in it too."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def free_ports(count):
    """Ports that the system calls free now; none twice, as who is given one binds it later."""
    ports, held = [], []
    with giving:
        while len(ports) < count:
            held.append(socket.create_server(("127.0.0.1", 0)))
            port = held[-1].getsockname()[1]
            if port not in given:
                given.add(port)
                ports.append(port)
    for one in held:
        one.close()
    return ports


def free_host(*ports):
    """The first address of loopback where nobody listens on these ports."""
    return next(
        host
        for host in (f"127.0.0.{number}" for number in range(77, 255))
        if not any(accepts(host, port) for port in ports)
    )


def accepts(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0

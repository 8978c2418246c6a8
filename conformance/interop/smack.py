"""Smack's integration tests: built by Maven, run by Java, their outcomes read back."""

import shutil
from collections import namedtuple

from servers import DOMAIN, ROOT, run, target
from waiting import Failure, Process

INTEROP = ROOT / "conformance" / "interop"
SOURCES = ["pom.xml", "Results.java"]

ADMIN = "admin"
PASSWORD = "romeo&<juliet>"
REPLY_MS = 10_000  # how long a test waits for what does not come
SECONDS_MAX = 900  # for all tests; they need ten when nobody waits in vain
SHOWN_LINES_MAX = 100

PASSED, FAILED, IMPOSSIBLE = "passed", "failed", "impossible"


class Outcome(namedtuple("Outcome", "outcome package type method why")):
    """Of one test; or of all tests of a class that is impossible: `method` is empty then."""

    @property
    def name(self):
        return f"{self.type}.{self.method}" if self.method else self.type

    @property
    def full_name(self):
        return f"{self.package}.{self.name}"


def classpath():
    """What Java must load; Maven fetches and compiles it when something is new here."""
    folder = target() / "interop"
    stamps = [(INTEROP / name, folder / name) for name in SOURCES]
    if not all(made.exists() and made.read_text() == new.read_text() for new, made in stamps):
        if not shutil.which("mvn"):
            raise Failure("mvn is missing: conformance/environment installs it")
        run(
            ["mvn", "--quiet", "--batch-mode", f"-Dfolder={folder}", "--file", INTEROP / "pom.xml"]
            + ["compile", "dependency:build-classpath"]
        )
        for new, made in stamps:
            shutil.copy(new, made)
    return f"{folder}/classes:{(folder / 'classpath').read_text()}"


class Smack:
    def __init__(self, server, folder, left_out):
        self.server = server
        self.folder = folder
        self.left_out = left_out
        self.classpath = classpath()
        self.trust = folder / "trust.p12"
        run(
            ["keytool", "-importcert", "-noprompt", "-alias", "server", "-storetype", "PKCS12"]
            + ["-storepass", "changeit", "-keystore", self.trust]
            + ["-file", server.certificate.file]
        )

    def play(self, title, tests=()):
        """Runs these tests, or all of them: their outcomes, and what was printed meanwhile."""
        results = self.folder / f"{title}.tsv"
        settings = {
            "service": DOMAIN,
            "host": self.server.host,
            "adminAccountUsername": ADMIN,
            "adminAccountPassword": PASSWORD,
            "replyTimeout": REPLY_MS,
            "enabledConnections": "tcp",  # see left_out; the others speak WebSocket
            "disabledTests": ",".join(self.left_out),
            "dnsResolver": "javax",
            "testRunResultProcessors": "Results",
            "debugger": "console",
        }
        if tests:
            settings["enabledTests"] = ",".join(tests)
        command = ["java", "-ea", "-cp", self.classpath, f"-Dresults={results}"]
        command += [f"-Djavax.net.ssl.trustStore={self.trust}"]
        command += ["-Djavax.net.ssl.trustStorePassword=changeit"]
        command += [f"-Dsinttest.{name}={value}" for name, value in settings.items()]
        command += ["org.igniterealtime.smack.inttest.SmackIntegrationTestFramework"]
        process = Process("Smack", command, self.folder / f"{title}.log")
        try:
            process.ended(SECONDS_MAX)
        finally:
            process.stop()
        frame = "\tat "  # of Java's call stacks, of no use here
        printed = [line for line in process.printed().splitlines() if not line.startswith(frame)]
        if not results.exists():
            shown = "\n".join(printed[-SHOWN_LINES_MAX:])
            raise Failure(f"Smack gave up\n{shown}")
        lines = results.read_text().splitlines()
        return [Outcome(*line.split("\t")) for line in lines], "\n".join(printed)

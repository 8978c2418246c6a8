"""A PostgreSQL of our own: what a commit acknowledges is on the disk, unless it is relaxed."""

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess

from peers.ground import await_port, free_port, install

# PostgreSQL refuses to run as root.
USER = "postgres"
DATABASE = "bench"
CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
synchronous_commit = on
fsync = on
max_connections = 100
"""


class Postgres:
    """One cluster with one empty database, on a port of its own."""

    def __init__(self, ground, folder):
        install("pg_config", ["postgresql"])
        self.ground = ground
        self.folder = folder / "postgres"
        self.user = USER if os.geteuid() == 0 else None
        self.port = free_port()
        self.folder.mkdir()
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        cluster = self.folder / "cluster"
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "-D", cluster)
        with open(cluster / "postgresql.conf", "a", encoding="utf-8") as config:
            config.write(CONFIG)
            config.write(f"port = {self.port}\n")
        self.cluster = cluster
        with self.serve():
            self._run("createdb", *self._address(), DATABASE)

    def url(self):
        """Where clients connect."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def load(self, script):
        """Runs an SQL file; the cluster must be serving."""
        self._psql(["-f", script])

    def copy(self, table, columns, rows):
        """Puts rows of texts without tabs into a table; the cluster must be serving."""
        text = "".join("\t".join(row) + "\n" for row in rows)
        self._psql(["-c", f"COPY {table} ({', '.join(columns)}) FROM STDIN"], text)
        self.tend()

    def tend(self):
        """What autovacuum would do some minutes later, in the middle of a measurement."""
        self._psql(["-c", "VACUUM ANALYZE"])

    def _psql(self, arguments, told=None):
        command = ["psql", *self._address(), "-q", "-v", "ON_ERROR_STOP=1", *arguments, DATABASE]
        subprocess.run(
            [str(part) for part in command],
            check=True,
            stdout=subprocess.DEVNULL,
            input=told,
            text=True,
        )

    @contextlib.contextmanager
    def serve(self, relaxed=False):
        """Runs the postmaster; yields its pid."""
        command = [_program("postgres"), "-D", self.cluster]
        command += ["-c", "synchronous_commit=off"] if relaxed else []
        log = self.folder / "postgres.log"
        with self.ground.process(command, log, user=self.user) as child:
            await_port(self.port, child)
            while subprocess.run(
                [_program("pg_isready"), "-q", *self._address()], check=False
            ).returncode:
                if child.poll() is not None:
                    raise RuntimeError(f"PostgreSQL has ended, see {log}")
            yield child.pid

    def away(self, pid, seconds, lasts=None):
        """For the shell: the cluster of this postmaster stands still for so long; or again and
        again for so long, for as long as it lasts."""
        stop = f"kill -STOP $pids; sleep {seconds}; kill -CONT $pids"
        times = max(1, int((lasts or 0) / seconds / 2))
        return (
            f"for time in $(seq {times}); do pids=\"{pid} $(ps -o pid= --ppid {pid})\"; "
            f"{stop}; [ {times} = 1 ] || sleep {seconds}; done"
        )

    def _address(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]

    def _run(self, program, *arguments):
        command = [_program(program), *arguments]
        result = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.folder, user=self.user
        )
        if result.returncode:
            raise RuntimeError(f"{program} failed: {result.stderr}")


def _program(name):
    """Debian keeps the programs of a cluster out of PATH."""
    found = shutil.which(name)
    if found:
        return found
    candidates = pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(candidates, key=lambda path: float(path.parts[4]), default=None)
    if newest is None:
        raise RuntimeError(f"no {name} found")
    return newest

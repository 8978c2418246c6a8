"""Servers that are prepared: accounts, rosters, friends, an archive."""

import concurrent.futures
import contextlib
import sys

from compare.load import FAULTS, FILL_SECONDS_MAX, PASSWORD
from compare.servers import SERVERS
from compare.workloads import ARCHIVE_PAIR, FRIENDS, USERS


class Stage:
    """The servers of a part, each with its data; one of them runs at a time."""

    def __init__(self, ground, load, scale):
        self.ground, self.load, self.scale = ground, load, scale
        self.peers, self.failed = {}, {}
        # Accounts of each server, by pattern.
        self.there = {}

    def make(self, names):
        """Makes the servers, one after the other: that may install them."""
        for name in names:
            with self._lost(name):
                self.peers[name] = SERVERS[name](self.ground, self.load.programs / "waxwing")
                self.there[name] = {}

    def versions(self, servers):
        """What they are called, and which versions they are."""
        return {name: [self.peers[name].name, self.peers[name].version()] for name in servers}

    def prepare(self, servers, accounts, fillings=()):
        """Fills these servers, all at the same time and on all cores: nothing is measured yet.
        `accounts` says how many of each pattern; `fillings` which of rosters, friends, archive."""
        with self.ground.all_cores(), concurrent.futures.ThreadPoolExecutor() as pool:
            try:
                list(pool.map(lambda name: self._prepare(name, accounts, fillings), servers))
            except BaseException:
                # We are to end, and would wait for all of them.
                self.load.stop()
                raise
        for name in self.failed:
            self.peers.pop(name, None)

    @contextlib.contextmanager
    def _lost(self, name):
        """A server that cannot be prepared is left out."""
        try:
            yield
        except FAULTS as error:
            print(f"{name}: {error}", file=sys.stderr)
            self.failed[name] = str(error)

    def _prepare(self, name, accounts, fillings):
        peer = self.peers[name]
        if peer.is_limit:
            return
        with self._lost(name):
            self.accounts(name, accounts)
            for filling in fillings:
                getattr(self, filling)(peer)
            print(f"{peer.name}: prepared", file=sys.stderr)

    def accounts(self, name, accounts):
        """So many of each pattern, but for those that are there."""
        peer, there = self.peers[name], self.there[name]
        missing = {
            pattern: (there.get(pattern, 0) + 1, count)
            for pattern, count in accounts.items()
            if there.get(pattern, 0) < count
        }
        if hasattr(peer, "write_accounts"):
            for pattern, (first, last) in missing.items():
                peer.write_accounts(self.load, pattern, first, last, PASSWORD)
        elif missing:
            peer.populate(names(missing), PASSWORD)
        there |= {pattern: last for pattern, (_, last) in missing.items()}

    def rosters(self, peer):
        """Contacts of the idle accounts."""
        if not self.scale.roster:
            return
        accounts, roster = self.scale.connections, self.scale.roster
        self.fill(peer, USERS, accounts, roster)

    def fill(self, peer, pattern, accounts, roster):
        """Contacts that need not exist, for accounts of this pattern."""
        if hasattr(peer, "write_rosters"):
            contacts = [(f"contact{n}", f"Contact {n}", "none") for n in range(1, roster + 1)]
            peer.write_rosters(dict.fromkeys(names({pattern: (1, accounts)}), contacts))
            return
        arguments = ["fill", "--accounts", accounts, "--roster", roster, "--user-pattern", pattern]
        with peer.serve() as endpoint:
            self.load.run(endpoint, "starttls", arguments, FILL_SECONDS_MAX)

    def friends(self, peer):
        """One whom all others know, and who knows them."""
        hub, *others = names({FRIENDS: (1, self.scale.contacts + 1)})
        if hasattr(peer, "write_rosters"):
            rosters = {other: [(hub, hub, "both")] for other in others}
            rosters[hub] = [(other, other, "both") for other in others]
            peer.write_rosters(rosters)
            return
        arguments = ["befriend", "--contacts", self.scale.contacts, "--user-pattern", FRIENDS]
        with peer.serve() as endpoint:
            self.load.run(endpoint, "starttls", arguments, FILL_SECONDS_MAX)

    def archive(self, peer):
        """Messages of one pair, written to its store."""
        peer.write_archive(self.load, USERS, ARCHIVE_PAIR, self.scale.rows)


def names(accounts):
    """All local parts: of each pattern from one number to another."""
    return [
        pattern.replace("%d", str(number))
        for pattern, (first, last) in accounts.items()
        for number in range(first, last + 1)
    ]

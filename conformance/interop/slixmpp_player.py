"""Plays one of slixmpp's own tests, inside the Python that slixmpp is installed in.

    slixmpp_player.py ADDRESS           prints the names of all tests
    slixmpp_player.py ADDRESS NAME      plays one; prints what became of it, and why

The folder that has `itests` is the current one. The tests connect to the host of their accounts,
on the ports of XMPP: this host and all below it are at ADDRESS, instead of where a DNS says.
"""

import logging
import os
import socket
import sys
import unittest
from importlib import import_module
from pathlib import Path

sys.path.insert(0, os.getcwd())


def stand_in_for_dns(address, domain):
    ask = socket.getaddrinfo

    def answer(host, port, family=0, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        if name == domain or (name or "").endswith("." + domain):
            if family == socket.AF_INET6:
                raise socket.gaierror(socket.EAI_NONAME, "no IPv6 here")
            host = address
        return ask(host, port, family, *rest, **more)

    socket.getaddrinfo = answer
    # Both would rather ask a DNS by aiodns. Without SRV records, slixmpp asks the system.
    import_module("slixmpp.xmlstream.xmlstream").default_resolver = lambda loop: None
    resolvers = import_module("aiohttp.resolver")
    import_module("aiohttp.connector").DefaultResolver = resolvers.ThreadedResolver


def tests():
    """By name, in the order of the names."""
    found = {}
    for path in sorted(Path("itests").glob("test_*.py")):
        for test in import_module(f"itests.{path.stem}").suite:
            found[test.id().removeprefix("itests.")] = test
    return found


def play(test):
    """What became of it, in one word, and why."""
    result = unittest.TestResult()
    test.run(result)
    for word, cases in (("error", result.errors), ("fail", result.failures)):
        if cases:
            return word, cases[0][1].strip().splitlines()[-1]
    if result.skipped:
        return "skip", result.skipped[0][1]
    return "pass", ""


def main():
    address, *names = sys.argv[1:]
    stand_in_for_dns(address, os.environ["CI_ACCOUNT1"].partition("@")[2])
    logging.disable(logging.CRITICAL)
    if not names:
        print("\n".join(tests()))
    for name in names:
        print("\t".join(play(tests()[name])))


main()

"""Tests that the program chooses the reactor, and the library never does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
DEADLINE_S = 60

IMPORTS = """
import importlib, pkgutil, sys
import chatd
for module in pkgutil.walk_packages(chatd.__path__, "chatd."):
    if module.name != "chatd.__main__":
        importlib.import_module(module.name)
"""

IN_MEMORY = """
from chatd.testing import MemoryServer
server = MemoryServer(key=bytes(32))
alice, bob = server.connect("alice"), server.connect("bob")
for answer in (alice.send("hello"), alice.send("hello", to="bob"), alice.ping(), alice.join("ops")):
    server.pump()
    assert answer.called
server.advance(60)
assert alice.is_active
ended = bob.disconnect()
stopped = server.factory.shut_down(5)
server.advance(10)
assert ended.called and not alice.is_active
"""

SERVICES = """
import tempfile
from chatd.config.passwordedit import set_password
from chatd.daemon.build import make_service
from chatd.daemon.service import ChatService
from chatd.daemon.settings import Settings
from pathlib import Path
from tests.fakes.pems import write_certificate
from tests.fakes.passwords import CHEAP
from tests.fakes.reactors import ThreadedReactor
reactor = ThreadedReactor()
with tempfile.TemporaryDirectory() as directory:
    set_password(f"{directory}/passwords", "alice", "open sesame", hasher=CHEAP)
    write_certificate(Path(directory, "localhost.pem"))
    kept = {"data": f"{directory}/data", "password_file": f"{directory}/passwords"}
    for decided in ({}, kept):
        endpoints = (
            "tcp:0", "tcp6:0", f"unix:{directory}/socket", "haproxy:tcp:0",
            f"ssl:0:{directory}/localhost.pem", f"tls:{directory}:0",
        )
        service = make_service(reactor, Settings(endpoints=endpoints, **decided))
        service.privilegedStartService()
        service.startService()
        assert len(service.listeners) == 6
        for _, renew in service.certificates:
            renew()
        reactor.advance(100)
        stopped = service.stopService()
        reactor.wait_for(stopped)
reactor.stop()
"""

CLIENTS = """
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
clock = MemoryReactorClock()
bot = chatd.ChatClientService(clock, "tcp:127.0.0.1:9", chatd.ChatClientFactory(clock))
bot.startService()
clock.advance(1)
connecting = Deferred.fromCoroutine(chatd.connect(clock, "tcp:127.0.0.1:9", name="alice"))
connecting.addErrback(lambda failure: None)
assert len(clock.tcpClients) == 2
bot.stopService()
connecting.cancel()
clock.advance(100)
"""

STILL_FREE = """
assert "twisted.internet.reactor" not in sys.modules
from twisted.internet import asyncioreactor
asyncioreactor.install()
"""


class NoReactorTests(SynchronousTestCase):
    """With a given clock, no part of the library installs a reactor."""

    def check(self, *parts: str) -> None:
        """Run a program without a reactor, which then installs a reactor of its own choice."""
        program = "".join((IMPORTS, *parts, STILL_FREE))
        completed = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
            check=False,
        )
        # Twisted reads certificates with functions that pyOpenSSL has deprecated.
        errors = [line for line in completed.stderr.splitlines() if "Traceback" in line]
        self.assertEqual((completed.returncode, errors), (0, []), completed.stderr)

    def test_imports(self) -> None:
        """All modules can be imported."""
        self.check()

    def test_in_memory(self) -> None:
        """An in-memory server serves its clients, with heartbeats."""
        self.check(IN_MEMORY)

    def test_services(self) -> None:
        """Each kind of store lets a program make, start and stop a daemon's service."""
        self.check(SERVICES)

    def test_clients(self) -> None:
        """Clients connect, and a service reconnects."""
        self.check(CLIENTS)

"""Tests of the daemon's web front: its options, its endpoints and its warnings."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent
from twisted.python import usage

from chatd.config.keyfile import write_key_file
from chatd.config.passwordedit import set_password
from chatd.web.site import WebFront
from tests.daemon.cases import MakeServiceCase, OptionsCase
from tests.fakes.passwords import CHEAP

WEB = ("--endpoint", "tcp:0", "--web", "tcp:8080:interface=127.0.0.1")


class OptionTests(OptionsCase):
    """`--web`, `--web-origin` and `--web-proxy`."""

    def test_endpoints(self) -> None:
        """The daemon listens for browsers beside its other endpoints."""
        service = self.parse(*WEB, "--web", "tcp:8081")["service"]
        fronts = [each._front for each in service.listeners]
        self.assertIsNone(fronts[0])
        self.assertIsInstance(fronts[1], WebFront)
        self.assertIs(fronts[1], fronts[2])

    def test_taken(self) -> None:
        """All options of the front may be given several times."""
        for options in (
            ("--web-origin", "https://a.example", "--web-origin", "http://localhost:3000"),
            ("--web-proxy", "127.0.0.1", "--web-proxy", "10.0.0.0/8", "--web-proxy", "unix"),
        ):
            self.parse(*WEB, *options)

    def test_wrong(self) -> None:
        """A wrong value is refused in one line."""
        self.check_refused(
            *((*WEB, "--web", wrong) for wrong in ("", "8080", "http:80", "tcp:x", "stdio:")),
            *((*WEB, "--web-origin", wrong) for wrong in ("", "a", "*", "https://a/b", "null")),
            *((*WEB, "--web-proxy", wrong) for wrong in ("", "a", "1.2.3", "10.0.0.1/8")),
            ("--web-origin", "https://a.example"),
            ("--web-proxy", "127.0.0.1"),
            ("--web",),
        )

    def test_without_the_extra(self) -> None:
        """A daemon without the extra says what to install."""
        for name in [name for name in sys.modules if name.startswith("chatd.web")]:
            self.patch_module(name)
        self.patch_module("websockets", None)
        self.patch_module("websockets.datastructures", None)
        error = self.assertRaises(usage.UsageError, self.parse, *WEB)
        self.assertEqual(str(error), "--web needs websockets: install chatd with its extra, web")

    def patch_module(self, name: str, *module: Any) -> None:
        """Forget a module, or put another in its place, until the end of the test."""
        before = sys.modules.pop(name, None)

        def put_back() -> None:
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before

        self.addCleanup(put_back)
        if module:
            sys.modules[name] = module[0]


class ServiceTests(MakeServiceCase):
    def lines_of(self, **decided: Any) -> list[str]:
        """Start a daemon with a front; return the lines of its log."""
        self.reactor.listenTCP = self.listen
        with capturedLogs() as logged:
            self.start(endpoints=["tcp:0:interface=127.0.0.1"], **decided)
        return [formatEvent(each) or "" for each in logged]

    def test_told(self) -> None:
        """The log has the address of the page."""
        lines = self.lines_of(web=["tcp:8080:interface=127.0.0.1"])
        told = "listening on tcp:8080:interface=127.0.0.1 (http://127.0.0.1:8080/)"
        self.assertIn(told, lines)

    def test_logins(self) -> None:
        """A proxy may end TLS before a front, so there is no warning that nobody can log in."""
        path = self.directory / "passwords"
        set_password(path, "alice", "open sesame", hasher=CHEAP)
        warned = [
            line
            for line in self.lines_of(web=["tcp:8080:interface=127.0.0.1"], password_file=path)
            if "nobody can log in" in line
        ]
        self.assertEqual(len(warned), 1)
        self.assertIn("tcp:0:interface=127.0.0.1: nobody", warned[0])

    def test_no_key(self) -> None:
        """A front that is open beyond the machine is warned of, like other endpoints."""
        for key_file, number in ((None, 1), (self.key_file, 0)):
            if key_file:
                write_key_file(key_file)
            lines = self.lines_of(web=["tcp:8080"], key_file=key_file)
            warned = [line for line in lines if "is open beyond this machine" in line]
            self.assertEqual(len(warned), number)

    def test_make_room(self) -> None:
        """When descriptors run out, connections of browsers go first."""
        service = self.make(endpoints=["tcp:0"], web=["tcp:8080"])
        front, shedder = service.listeners[1]._front, service.factory.engine.shedder
        self.assertEqual(service._room_makers, [front.make_room, shedder.make_room])
        left = {"front": 1, "sessions": 2}

        def take(what: str) -> bool:
            left[what] -= 1
            return left[what] >= 0

        self.patch(service, "_room_makers", [partial(take, "front"), partial(take, "sessions")])
        self.assertEqual([service._make_room() for _ in range(4)], [True, True, True, False])

    def listen(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen as the reactor in memory does, and keep the address."""
        listening: Any = type(self.reactor).listenTCP(
            self.reactor, port, factory, backlog, interface
        )
        listening.getHost = lambda: IPv4Address("TCP", interface or "0.0.0.0", port)
        return listening

"""Tests of the arguments of server endpoint strings: each error names the mistake."""

from __future__ import annotations

import inspect
import re
from typing import Any

from twisted.internet.endpoints import _serverParsers
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.listening.endpoints import server_endpoint
from chatd.transport.endpointstrings import SERVER_KINDS, mode_of, read_arguments

PORTS = "it takes a number from 0 to 65535"
WRONG = {
    "": "'' is not a kind of endpoint; the kinds are tcp, tcp6, unix, ssl, tls, systemd",
    "9999": "'9999' is not a kind of endpoint",
    "TCP:9999": "'TCP' is not a kind of endpoint",
    "haproxy:": "'' is not a kind of endpoint",
    "haproxy": "haproxy: takes one other endpoint after it, as in haproxy:tcp:9999",
    "haproxy:haproxy:tcp:9999": "haproxy: takes one other endpoint after it",
    "tcp": "it has no port",
    "tcp:": "it has no port",
    "tcp:abc": f"port=abc: {PORTS}",
    "tcp:70000": f"port=70000: {PORTS}",
    "tcp: 9999": f"port= 9999: {PORTS}",
    "tcp6:\u0663": f"port=\u0663: {PORTS}",
    "ssl:port=-1": f"port=-1: {PORTS}",
    "tls:/certificates:70000": f"port=70000: {PORTS}",
    "haproxy:tcp:abc": f"port=abc: {PORTS}",
    "tcp:9999:bogus=1": "it takes no bogus=, only port=, interface=, backlog=",
    "tcp:9999:port=1": "port= is given twice",
    "tcp:9999:interface=a:interface=b": "interface= is given twice",
    "tcp:9999:interface=::1": r"write a colon within an argument as \:, as in \:\:1",
    "tcp:9999:a:5:c": "it takes port=, interface=, backlog=, and has 4 arguments",
    "tcp:9999\\": "a backslash at its end escapes nothing",
    "tcp:9999:backlog=0": "backlog=0: it takes a number from 1 to 2147483647",
    "unix": "it has no address",
    "unix:address=": "it has no path",
    "unix:/x\0y": "its path contains a NUL byte",
    "unix:/" + "x" * 107: "its path has 108 bytes, and a UNIX socket's at most 107",
    "unix:/x:mode=999": "mode=999: it takes an octal mode such as 660",
    "unix:/x:mode=0": "mode=0: nobody could connect, because that takes the right to write",
    "unix:/x:lockfile=no": "lockfile=no: it takes a number from 0 to 1",
    "ssl:0": "it has no privateKey=; an example is ssl:9999:privateKey=server.pem",
    "haproxy:ssl:0": "it has no privateKey=; an example is ssl:9999:privateKey=server.pem",
    "ssl:9999:privateKey=": "privateKey= is empty: it takes a PEM file with a key",
    "ssl:9999:sslmethod=BOGUS": "sslmethod=BOGUS: OpenSSL has no such method; leave it out",
    "tls": "it has no path",
    "tls::9999": "path= is empty: it takes a directory",
    "tls:a\0b:9999": "path= contains a NUL byte",
    "systemd": "it has no domain",
    "systemd:domain=IPX:index=0": "domain=IPX: it takes UNIX, INET or INET6",
    "systemd:domain=INET:index=x": "index=x: it takes a number from 0 to 2147483647",
    "systemd:domain=INET": "it takes index= or name=, one of the two",
    "systemd:domain=INET:index=0:name=x": "it takes index= or name=, one of the two",
    "stdio:x": "it takes no arguments, and has 1 arguments",
}


class WrongTests(SynchronousTestCase):
    """Wrong strings."""

    def test_wrong(self) -> None:
        """Each error has one line, shows the string and names the wrong part."""
        reactor = MemoryReactorClock()
        for description, said in WRONG.items():
            error = self.assertRaises(ConfigurationError, server_endpoint, reactor, description)
            self.assertIn(f"bad endpoint {description!r}: ", str(error))
            self.assertIn(said, str(error))
            self.assertEqual(len(str(error).splitlines()), 1)
            self.assertNotRegex(str(error), "invalid literal|Errno|its arguments are wrong")


class RightTests(SynchronousTestCase):
    """Right strings."""

    def test_by_name_and_by_place(self) -> None:
        """The protocol finds arguments by their names and by their places, without backslashes."""
        for description, arguments in {
            "stdio:": {},
            "tcp:0": {"port": "0"},
            r"tcp6:9999:50:\:\:1": {"port": "9999", "backlog": "50", "interface": "::1"},
            r"unix:a\:b\=c:600": {"address": "a:b=c", "mode": "600"},
            "unix:\0name": {"address": "\0name"},
            "ssl:certKey=c:9999:k": {"certKey": "c", "port": "9999", "privateKey": "k"},
            "ssl:0:k:sslmethod=TLS_METHOD": {
                "port": "0",
                "privateKey": "k",
                "sslmethod": "TLS_METHOD",
            },
            "tls:certificates": {"path": "certificates"},
            "systemd:domain=UNIX:name=x": {"domain": "UNIX", "name": "x"},
        }.items():
            self.assertEqual(read_arguments(description, SERVER_KINDS), arguments)

    def test_twisted(self) -> None:
        """Twisted's parsers take the same arguments in the same places."""
        parsers: dict[str, Any] = dict(_serverParsers)
        for plugin in getPlugins(IStreamServerEndpointStringParser):
            parse = getattr(plugin, "_actualParseStreamServer", None)
            parsers[plugin.prefix] = parse or getattr(plugin, "_parseServer", None)
        for name, kind in SERVER_KINDS.items():
            _, *takes = inspect.signature(parsers[name]).parameters
            self.assertEqual((name, tuple(takes)), (name, kind.arguments))


class ModeTests(SynchronousTestCase):
    """Modes of sockets."""

    def test_modes(self) -> None:
        """A mode is octal, and lets somebody connect."""
        self.assertEqual([mode_of(text) for text in ("660", "0o666", "200")], [0o660, 0o666, 0o200])
        for text in ("", "888", "u+rw", "1000", "-1"):
            with self.assertRaisesRegex(ValueError, "it takes an octal mode such as 660"):
                mode_of(text)
        for text in ("0", "444", "555"):
            with self.assertRaisesRegex(ValueError, re.escape("nobody could connect")):
                mode_of(text)

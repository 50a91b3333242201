"""Tests of server endpoint strings: good strings, and the errors of bad strings."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.listening import endpoints
from chatd.listening.endpoints import BACKLOG, server_endpoint
from chatd.listening.stdio import StdioEndpoint
from tests.listening.cases import EndpointCase

NO_SERVERS = [
    *("", ":", "::", "=", "\\", " ", "9999", "localhost:9999", "/tmp/chat.sock"),
    *("tcp", "tcp:", "tcp:abc", "tcp:localhost:9999", "tcp :9999", "tcp:9999\\", "tcp:port="),
    *("tcp:9999:bogus=1", "tcp:9999:backlog=", "tcp:9999:backlog=abc", "tcp:9999:=x"),
    *("tcp:9999:port=1", "tcp:9999:interface=localhost:", "tcp:9999:a:b:c:d", "tcp:\udcff"),
    *("tcp:65536", "tcp:-1", "tcp6:99999999999999999999", "tcp6:", "tcp6:x", "TCP:9999"),
    *("unix", "unix:/x:mode=zzz", "unix:/x:mode=999", "unix:/x:lockfile=x", "unix:a=b", "unix:"),
    *("unix::mode=600", "unix:address=", "haproxy:unix:"),
    *("ssl", "ssl:x", "ssl:9999:sslmethod=BOGUS"),
    *("systemd", "systemd:domain=INET", "systemd:domain=INET:index=x", "systemd:index=0"),
    *("haproxy", "haproxy:", "haproxy:tcp:x", "nonsense:1", "udp:9999", "onion:1"),
    *("non\nsense:1", "tcp:99\n99", "tcp:9999:bo\ngus=1"),
]


class Collector(Protocol):
    """Collects what it receives; knows whether the peer is known."""

    is_told = False
    received = b""

    def peer_told(self) -> None:
        self.is_told = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class ServerEndpointTests(EndpointCase):
    """`server_endpoint`; a reactor in memory notes the ports."""

    def setUp(self) -> None:
        super().setUp()
        self.unix_servers: list[tuple[str, int, int]] = []

        def note(reactor: object, path: str, factory: object, *, backlog: int, mode: int) -> object:
            self.unix_servers.append((path, backlog, mode))
            return object()

        self.patch(endpoints, "listen_unix", note)

    def listen(self, description: str) -> None:
        """Listen on an endpoint of the reactor in memory."""
        self.successResultOf(server_endpoint(self.reactor, description).listen(Factory()))

    def backlog_of(self, description: str) -> int:
        """Return the length of an endpoint's queue of connections."""
        self.listen(description)
        (_, _, backlog, _), *_ = self.reactor.tcpServers
        return backlog

    def test_tcp(self) -> None:
        """A TCP endpoint listens on its port and interface."""
        self.listen("tcp:9999:interface=127.0.0.1")
        ((port, _, _, interface),) = self.reactor.tcpServers
        self.assertEqual((port, interface), (9999, "127.0.0.1"))

    def test_unix(self) -> None:
        """A UNIX endpoint listens on its path, with its mode."""
        self.listen("unix:/run/chat.sock:mode=660")
        self.assertEqual(self.unix_servers, [("/run/chat.sock", BACKLOG, 0o660)])

    def path_of(self, description: str) -> str:
        """Return the path of a UNIX endpoint that listens after a change of directory."""
        with tempfile.TemporaryDirectory() as directory:
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(directory)
            here = os.getcwd()
            try:
                endpoint = server_endpoint(self.reactor, description)
            finally:
                os.chdir("/")
            self.successResultOf(endpoint.listen(Factory()))
        return self.unix_servers[-1][0].replace(here, "HERE")

    def test_relative(self) -> None:
        """A relative path starts at the directory in which the endpoint was made."""
        for path in ("chat.sock", "a/b", "./a", "../a", "mode\\=1", "a\\:mode\\=1", "\\a", "~"):
            plain = re.sub(r"\\(.)", r"\1", path)
            for description in (
                f"unix:{path}",
                f"unix:{path}:mode=600",
                f"unix:{path}:660:5",
                f"unix:address={path}",
                f"unix:mode=600:address={path}",
                f"unix:mode=600:lockfile=0:address={path}:backlog=5",
            ):
                self.assertEqual(self.path_of(description), f"HERE/{plain}", description)
        for description in ("haproxy:unix:a/b", "haproxy:unix:mode=600:address=a/b"):
            self.assertEqual(self.path_of(description), "HERE/a/b")
        self.assertEqual(self.mode_of("unix:mode=600:address=chat.sock"), 0o600)

    def test_relative_to_a_strange_directory(self) -> None:
        """A relative path also starts at a directory with special characters."""
        with tempfile.TemporaryDirectory() as directory:
            here = Path(directory).resolve() / "a:b=c\\d"
            here.mkdir()
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(here)
            self.listen("unix:chat.sock:mode=600")
            os.chdir("/")
        ((path, _, mode),) = self.unix_servers
        self.assertEqual((path, mode), (f"{here}/chat.sock", 0o600))

    def test_absolute(self) -> None:
        """An absolute path, or a name without a file, stays as it is."""
        for path in ("/run/chat.sock", "\0chat"):
            for description in (f"unix:{path}", f"unix:mode=600:address={path}"):
                self.assertEqual(self.path_of(description), path)

    def test_too_long(self) -> None:
        """A path that is too long for the system when absolute stays relative."""
        with tempfile.TemporaryDirectory() as directory:
            here = Path(directory).resolve() / ("d" * (107 - len(os.path.realpath(directory)) - 3))
            here.mkdir()
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(here)
            for description in ("unix:a", "unix:\\a", "unix:ab", "unix:\u00e4"):
                self.listen(description)
            os.chdir("/")
        paths = [server[0] for server in self.unix_servers]
        self.assertEqual(paths, [f"{here}/a", f"{here}/a", "ab", "\u00e4"])

    def test_directory_that_is_gone(self) -> None:
        """Without a current directory, a relative path gives an error of one line."""
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
        self.check_refused(server_endpoint, ["unix:chat.sock"])
        self.listen("unix:/run/chat.sock")

    def mode_of(self, description: str, *socket_mode: Any) -> int:
        """Return the mode of a UNIX socket."""
        server_endpoint(self.reactor, description, *socket_mode).listen(Factory())
        return self.unix_servers[-1][2]

    def test_mode(self) -> None:
        """A UNIX socket is for everyone on the machine, or has the operator's mode."""
        self.assertEqual(self.mode_of("unix:/run/a"), 0o666)
        self.assertEqual(self.mode_of("unix:/run/a", 0o600), 0o600)
        self.assertEqual(self.mode_of("unix:/run/a\\:mode\\=1", 0o660), 0o660)
        self.assertEqual(self.mode_of("haproxy:unix:/run/a", 0o660), 0o660)

    def test_own_mode(self) -> None:
        """The endpoint's own mode comes first."""
        for description in (
            "unix:/run/a\\\\:mode=640",
            "unix:/run/a:mode=640",
            "unix:/run/a:640",
            "unix:/run/a:640:5",
        ):
            self.assertEqual(self.mode_of(description, 0o600), 0o640)

    def test_backlog(self) -> None:
        """The queue of connections is longer than Twisted's."""
        self.assertEqual(self.backlog_of("tcp:9999"), BACKLOG)

    def test_backlog_of_a_socket(self) -> None:
        """The queue of a UNIX socket with any name is longer than Twisted's."""
        self.listen("unix:/run/a\\:backlog\\=5")
        self.listen("unix:/run/a:backlog=5")
        self.assertEqual(
            [server[:2] for server in self.unix_servers],
            [("/run/a:backlog=5", BACKLOG), ("/run/a", 5)],
        )

    def test_lock_file(self) -> None:
        """`lockfile=` has no effect, even behind a proxy."""
        for kind in ("", "haproxy:"):
            for lock in ("lockfile=0", "lockfile=1", "mode=666:lockfile=0"):
                self.listen(f"{kind}unix:/run/a:{lock}")
        self.assertEqual(self.unix_servers, [("/run/a", BACKLOG, 0o666)] * 6)

    def test_standard_input_and_output(self) -> None:
        """The daemon has its own endpoint for standard input and output."""
        self.assertIsInstance(server_endpoint(self.reactor, "stdio:"), StdioEndpoint)

    def test_own_backlog(self) -> None:
        """The endpoint keeps a given backlog."""
        self.assertEqual(self.backlog_of("tcp:9999:backlog=5:interface=127.0.0.1"), 5)

    def test_own_backlog_by_its_place(self) -> None:
        """The endpoint keeps a backlog by position, too."""
        self.assertEqual(self.backlog_of("tcp:9999:127.0.0.1:5"), 5)

    def test_others_are_left_alone(self) -> None:
        """Without a backlog, the endpoint gets none."""
        self.assertIsNotNone(server_endpoint(self.reactor, "haproxy:tcp:9999"))

    def test_bad_strings(self) -> None:
        """Mistyped strings give errors of one line."""
        self.check_refused(server_endpoint, NO_SERVERS)

    def test_plugins(self) -> None:
        """Twisted makes an endpoint of a plugin's kind, or refuses it in its own words."""
        self.patch(endpoints, "_kinds_of_plugins", lambda: ["Onion"])
        error = self.assertRaises(ConfigurationError, server_endpoint, self.reactor, "onion:x")
        self.assertIn("Unknown endpoint type: 'onion'", str(error))

    def test_no_pem(self) -> None:
        """The daemon refuses a file without a key, and a missing file."""
        path = self.pem_file()
        for file, said in (
            (path, f"{path}: it has no private key"),
            ("/no/such/file", "/no/such/file: No such file or directory"),
        ):
            error = self.assertRaises(
                ConfigurationError, server_endpoint, self.reactor, f"ssl:9999:privateKey={file}"
            )
            self.assertIn(said, str(error))

    def test_what_was_given_is_told(self) -> None:
        """The error shows the operator's string, without additions."""
        for bad in ("tcp:abc", "tcp:9999\\", "tcp:9999:backlog=abc"):
            error = self.assertRaises(ConfigurationError, server_endpoint, self.reactor, bad)
            self.assertIn(repr(bad), str(error))
            self.assertNotIn(str(BACKLOG), str(error))

    @given(
        st.sampled_from(["tcp:", "tcp6:", "unix:", "ssl:", "systemd:", "haproxy:", "stdio:", ""]),
        st.text(alphabet=st.sampled_from("abt09:=\\/-. \n\0\xe9")),
    )
    @settings(max_examples=60)
    def test_any_string(self, kind: str, rest: str) -> None:
        """Any string makes an endpoint, or gives an error of one line."""
        fault = self.fault_of(server_endpoint, kind + rest)
        self.assertTrue(fault is None or fault.startswith("made "), fault)


class HeaderTests(SynchronousTestCase):
    """Connections to an endpoint behind a proxy."""

    def setUp(self) -> None:
        reactor = MemoryReactorClock()
        endpoint = server_endpoint(reactor, "haproxy:tcp:9999")
        factory = Factory.forProtocol(Collector)
        factory.noisy = False
        with capturedLogs() as self.events:
            self.successResultOf(endpoint.listen(factory))
            self.factory: Any = reactor.tcpServers[0][1]
            self.factory.doStart()

    def connect(self, *parts: bytes) -> tuple[bytes | None, bool]:
        """Send bytes; return what follows the header, if it was accepted; and whether it closed."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 5))
        transport = StringTransport()
        protocol.makeConnection(transport)
        for part in parts:
            protocol.dataReceived(part)
        collector = protocol.wrappedProtocol
        return collector.received if collector.is_told else None, transport.disconnecting

    def test_unknown(self) -> None:
        """A proxy may leave out the addresses that it does not know; the bytes may come singly."""
        header = b"PROXY UNKNOWN\r\n"
        for parts in (
            [header + b"hello"],
            [header, b"hello"],
            [header[:3], header[3:14], header[14:] + b"hel", b"lo"],
            [bytes([byte]) for byte in header + b"hello"],
            [b"PROXY UNKNOWN a b 1 2\r\nhello"],
            [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"hello"],
        ):
            self.assertEqual(self.connect(*parts), (b"hello", False))
        self.assertEqual(self.connect(header, header), (header, False))

    def test_malformed(self) -> None:
        """Other beginnings are refused once they differ."""
        for parts in ([b"hello"], [b"PROXY UNKNOWNS\r\n"], [b"PROXY", b"ING TCP4 a b 1 2\r\n"]):
            self.assertEqual(self.connect(*parts), (None, True))

    def test_quiet(self) -> None:
        """Twisted does not log the object that reads the headers."""
        self.assertEqual(self.events, [])

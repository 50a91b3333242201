"""Tests of where a client connects to: what is refused at once, and how an attempt fails."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectError, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.endpoints import client_endpoint
from chatd.errors import ConfigurationError
from chatd.transport.endpoints import MAX_SOCKET_PATH
from tests.listening.cases import EndpointCase

NO_CLIENTS = [
    *("", ":", "::", "=", " ", "9999", "localhost:9999", "/tmp/chat.sock"),
    *("tcp", "tcp:", "tcp:9999", "tcp:localhost", "tcp:localhost:", "tcp:localhost:abc", "tcp:::"),
    *("tcp:localhost:9999:bogus=1", "tcp:localhost:9999:timeout=x", "tcp:h:1:2:3:4:5"),
    *("tcp:localhost:65536", "tcp:localhost:-1", "unix", "unix:/x:timeout=x", "unix:/x:lockfile=x"),
    *("ssl", "ssl:localhost", "ssl:localhost:9999:caCertsDir=/no/such/directory"),
    *("tls", "tls:localhost", "tls:localhost:x", "tls::9999", "tls:..:9999", "tls:\udcff:1"),
    *("tcp::9999", "ssl::9999", "tcp:localhost:0", "tcp:port=0:host=localhost", "tls:localhost:0"),
    *("tcp:a..b:9999", "tcp:.:9999", "ssl:.localhost:9999", "tcp:\udcff:9999"),
    *(f"tcp:{'x' * 64}.example:9999", "tcp:localhost:9999:timeout=-1", "tcp:\\:1:9999"),
    *("unix:", "unix:a\0b", f"unix:/{'x' * MAX_SOCKET_PATH}", f"unix:{'é' * 54}", "unix:/"),
    *("unix:/dev/null", "ssl:localhost:70000", "tls:localhost:9999:timeout=-1"),
    *("stdio:", "nonsense:1", "non\nsense:1", "tcp:localhost:9\n9"),
]


class ClientEndpointTests(EndpointCase):
    """`client_endpoint`."""

    def test_tcp(self) -> None:
        """A TCP endpoint connects to the host and the port that it names."""
        self.assertNoResult(
            client_endpoint(self.reactor, "tcp:example.org:9999").connect(Factory())
        )
        ((host, port, _, _, _),) = self.reactor.tcpClients
        self.assertEqual((host, port), ("example.org", 9999))

    def test_unix(self) -> None:
        """A UNIX endpoint connects to the path that it names."""
        self.assertNoResult(client_endpoint(self.reactor, "unix:/run/chat.sock").connect(Factory()))
        self.assertEqual(self.reactor.unixClients[0][0], "/run/chat.sock")

    def test_bad_strings(self) -> None:
        """Whatever is mistyped is told in one line."""
        self.check_refused(client_endpoint, NO_CLIENTS)

    def test_no_pem(self) -> None:
        """A file that holds no key or certificate is told in one line."""
        path = self.pem_file()
        self.check_refused(
            client_endpoint,
            [
                f"ssl:localhost:9999:certKey={path}",
                f"ssl:localhost:9999:caCertsDir={Path(path).parent}",
                f"tls:localhost:9999:certificate={path}",
                f"tls:localhost:9999:trustRoots={Path(path).parent}",
            ],
        )

    @given(
        st.sampled_from(["tcp:", "unix:", "ssl:", "tls:", "tls:h:1:", ""]),
        st.text(alphabet=st.sampled_from("abt09:=\\/-. \n\0\xe9")),
    )
    @settings(max_examples=60)
    def test_any_string(self, kind: str, rest: str) -> None:
        """Any string makes an endpoint, or is told in one line."""
        fault = self.fault_of(client_endpoint, kind + rest)
        self.assertTrue(fault is None or fault.startswith("made "), fault)

    def test_abstract_name(self) -> None:
        """A name in the abstract namespace is no path, and nobody looks for a file there."""
        self.assertNoResult(client_endpoint(self.reactor, "unix:\0chatd").connect(Factory()))

    def test_socket_that_is_there(self) -> None:
        """A path at which there is a socket is taken, also one of the greatest length."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "")
        path += "x" * (MAX_SOCKET_PATH - len(path))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            self.assertNoResult(client_endpoint(self.reactor, f"unix:{path}").connect(Factory()))

    def test_international_name(self) -> None:
        """A host name may be in any script."""
        self.assertNoResult(
            client_endpoint(self.reactor, "tcp:bücher.example:9").connect(Factory())
        )

    def test_ipv6(self) -> None:
        """An IPv6 address is taken with its colons escaped; otherwise that is what is told."""
        self.assertNoResult(client_endpoint(self.reactor, "tcp:\\:\\:1:9999").connect(Factory()))
        self.assertEqual(self.reactor.tcpClients[0][:2], ("::1", 9999))
        for bad, right in (
            ("tcp:[::1]:9999", "tcp:\\:\\:1:9999"),
            ("tcp:::1:9999", "tcp:\\:\\:1:9999"),
            ("tcp:\\[\\:\\:1\\]:9999", "tcp:\\:\\:1:9999"),
            ("ssl:[2001:DB8::7]:9", "ssl:2001\\:DB8\\:\\:7:9"),
            ("tcp:fe80::1%eth0:9999", "tcp:fe80\\:\\:1%eth0:9999"),
        ):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, bad)
            self.assertIn(f"a backslash before each colon: '{right}';", str(error))

    def test_ipv6_over_tls(self) -> None:
        """With `tls:` there must be a name, which the certificate is of."""
        for bad in ("tls:[::1]:9999", "tls:\\:\\:1:9999"):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, bad)
            self.assertIn("tls: takes a host name, not an IPv6 address", str(error))

    def test_not_ipv6(self) -> None:
        """What is no IPv6 address, or could not be one with a port, is not taken for one."""
        for bad in ("tcp:a:b:9999", "tcp:[::1]:0", "tcp:[::1]", "tcp::::::9999"):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, bad)
            self.assertNotIn("backslash", str(error))


class EndpointObjectTests(EndpointCase):
    """`client_endpoint`, of endpoints that are made already."""

    def test_bad_endpoints(self) -> None:
        """What is wrong with one is told as with a string, under the name of its class."""
        nowhere: Any = b"a..b"  # Twisted takes bytes, too
        for endpoint, why in (
            (UNIXClientEndpoint(self.reactor, "/" + "x" * 107), "its path has 108 bytes"),
            (UNIXClientEndpoint(self.reactor, b"/"), "/ is a directory"),
            (TCP4ClientEndpoint(self.reactor, "a..b", 9999), "a..b is not a host name: "),
            (TCP4ClientEndpoint(self.reactor, nowhere, 9999), "a..b is not a host name: "),
            (TCP6ClientEndpoint(self.reactor, "", 9999), "its host is empty"),
            (HostnameEndpoint(self.reactor, "localhost", 0), "0 is not a port"),
        ):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, endpoint)
            self.assertIn(f"bad endpoint '{type(endpoint).__name__}': {why}", str(error))

    def test_not_known(self) -> None:
        """An endpoint that does not tell where it connects to is taken, and not checked."""
        for kind in (UNIXClientEndpoint, TCP4ClientEndpoint):
            endpoint = kind.__new__(kind)
            self.assertIsNotNone(client_endpoint(self.reactor, endpoint))

    def test_none_at_all(self) -> None:
        """What does not connect is no endpoint."""
        error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, b"tcp:h:9")
        self.assertIn("bad endpoint 'bytes': it does not connect to anything", str(error))

    def test_checked_already(self) -> None:
        """One that was returned is returned again as it is."""
        endpoint = client_endpoint(self.reactor, "tcp:localhost:9999")
        self.assertIs(client_endpoint(self.reactor, endpoint), endpoint)


@implementer(IStreamClientEndpoint)
class FailingEndpoint:
    """An endpoint whose attempts fail.

    Args:
        error: What they fail with.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return fail(self._error)


class FailureTests(EndpointCase):
    """How an attempt to connect fails."""

    def failure_of(self, error: Exception) -> Exception:
        """Return what an attempt fails with whose endpoint fails with an error."""
        attempt = client_endpoint(self.reactor, FailingEndpoint(error)).connect(Factory())
        return self.failureResultOf(attempt).value

    def test_faults(self) -> None:
        """What no network raises is a mistake in the configuration, and the cause is kept."""
        for fault in (
            TypeError("not\nthat"),
            UnicodeError("not that"),
            KeyError("not that"),
            NotImplementedError("not that"),
            SSL.Error("not that"),
        ):
            error = self.failure_of(fault)
            self.assertIsInstance(error, ConfigurationError)
            self.assertRegex(
                str(error), r"\Acannot connect to FailingEndpoint: \w+: '?not that'?\Z"
            )
            self.assertIs(error.__cause__, fault)

    def test_what_may_pass(self) -> None:
        """What the network or the system says is passed on: it may be otherwise next time."""
        for error in (ConnectError(), TimeoutError(), OSError("no"), Exception("busy")):
            self.assertIs(self.failure_of(error), error)

    def test_no_answer(self) -> None:
        """An attempt that nobody answers says how long that was waited for."""
        attempt = client_endpoint(self.reactor, "tcp:192.0.2.1:9:timeout=7").connect(Factory())
        ((_, _, factory, timeout_s, _),) = self.reactor.tcpClients
        self.assertEqual(timeout_s, 7)
        connector: Any = None
        factory.clientConnectionFailed(connector, Failure(TimeoutError()))
        error = self.failureResultOf(attempt, TimeoutError).value
        self.assertEqual(error.args, ("it did not answer within 7 s",))

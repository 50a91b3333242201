"""Tests of client endpoints: errors before connecting, and failures of an attempt."""

from __future__ import annotations

import errno
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
from twisted.internet.error import ConnectError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.endpoints import client_endpoint
from chatd.errors import ConfigurationError
from chatd.transport.endpoints import MAX_SOCKET_PATH
from tests.fakes.pems import write_certificate
from tests.listening.cases import EndpointCase

NO_CLIENTS = [
    *("", ":", "::", "=", " ", "9999", "localhost:9999", "/tmp/chat.sock"),
    *("tcp", "tcp:", "tcp:9999", "tcp:localhost", "tcp:localhost:", "tcp:localhost:abc", "tcp:::"),
    *("tcp:localhost:9999:bogus=1", "tcp:localhost:9999:timeout=x", "tcp:h:1:2:3:4:5"),
    *("tcp:localhost:65536", "tcp:localhost:-1", "unix", "unix:/x:timeout=x", "unix:/x:lockfile=x"),
    *("ssl", "ssl:localhost"),
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
        """A TCP endpoint connects to its host and port."""
        self.assertNoResult(
            client_endpoint(self.reactor, "tcp:example.org:9999").connect(Factory())
        )
        ((host, port, _, _, _),) = self.reactor.tcpClients
        self.assertEqual((host, port), ("example.org", 9999))

    def test_unix(self) -> None:
        """A UNIX endpoint connects to its path."""
        self.assertNoResult(client_endpoint(self.reactor, "unix:/run/chat.sock").connect(Factory()))
        self.assertEqual(self.reactor.unixClients[0][0], "/run/chat.sock")

    def test_bad_strings(self) -> None:
        """Any mistake in a string gives an error of one line."""
        self.check_refused(client_endpoint, NO_CLIENTS)

    def test_wrong_argument(self) -> None:
        """The error names the wrong argument, and the values that it takes."""
        for description, said in {
            "tcp:localhost": "it has no port",
            "tcp:localhost:0": "port=0: it takes a number from 1 to 65535",
            "TCP:localhost:abc": "port=abc: it takes a number from 1 to 65535",
            "tcp:localhost:9999:timeout=x": "timeout=x: it takes a number from 0 to",
            "tls:localhost:9999:x=1": "it takes no x=, only host=, port=, timeout=, bindAddress=",
            "unix:/x:lockfile=x": "lockfile=x: it takes a number from 0 to 1",
        }.items():
            error = self.assertRaises(
                ConfigurationError, client_endpoint, self.reactor, description
            )
            self.assertIn(f"{description!r}: {said}", str(error))

    def test_authorities(self) -> None:
        """Authorities are a directory with certificates; all else is refused, with the reason."""
        no_certificate = Path(self.pem_file())
        directory = no_certificate.parent
        (directory / "pipe.pem").mkdir()
        (directory / "notes.txt").touch()
        for path, reason in (
            (no_certificate, ": Not a directory"),
            (directory, f", and {no_certificate} has no certificate"),
            (directory / "pipe.pem", f", and there is none in {directory}/pipe.pem"),
            (directory / "x", ": No such file or directory"),
            ("", ": No such file or directory"),
            ("a\0b", ": the path has a null byte"),
        ):
            for where in ("tls:localhost:9999:trustRoots", "ssl:localhost:9999:caCertsDir"):
                error = self.assertRaises(
                    ConfigurationError, client_endpoint, self.reactor, f"{where}={path}"
                )
                takes = f"={path}: it takes a directory of certificates, files *.pem{reason}"
                self.assertIn(takes, str(error))
                self.assertEqual(len(str(error).splitlines()), 1)
        write_certificate(directory / "authority.PEM")
        no_certificate.unlink()
        client_endpoint(self.reactor, f"tls:localhost:9999:trustRoots={directory}")

    def test_no_pem(self) -> None:
        """A file without a key or certificate gives an error of one line."""
        path = self.pem_file()
        self.check_refused(
            client_endpoint,
            [
                f"ssl:localhost:9999:certKey={path}",
                f"tls:localhost:9999:certificate={path}",
            ],
        )

    @given(
        st.sampled_from(["tcp:", "unix:", "ssl:", "tls:", "tls:h:1:", ""]),
        st.text(alphabet=st.sampled_from("abt09:=\\/-. \n\0\xe9")),
    )
    @settings(max_examples=60)
    def test_any_string(self, kind: str, rest: str) -> None:
        """Any string makes an endpoint, or an error of one line."""
        fault = self.fault_of(client_endpoint, kind + rest)
        self.assertTrue(fault is None or fault.startswith("made "), fault)

    def test_abstract_name(self) -> None:
        """A name in the abstract namespace is not a path: no file is needed there."""
        self.assertNoResult(client_endpoint(self.reactor, "unix:\0chatd").connect(Factory()))

    def test_socket_that_is_there(self) -> None:
        """The client accepts the path of a socket, also with the greatest length."""
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
        """An IPv6 address needs escaped colons; otherwise the error shows how to escape them."""
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
        """`tls:` needs a host name, as in the certificate."""
        for bad in ("tls:[::1]:9999", "tls:\\:\\:1:9999"):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, bad)
            self.assertIn("tls: takes a host name, not an IPv6 address", str(error))

    def test_not_ipv6(self) -> None:
        """Text that is not an IPv6 address, or with a bad port, does not get that hint."""
        for bad in ("tcp:a:b:9999", "tcp:[::1]:0", "tcp:[::1]", "tcp::::::9999"):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, bad)
            self.assertNotIn("backslash", str(error))


class EndpointObjectTests(EndpointCase):
    """`client_endpoint` with endpoint objects."""

    def test_bad_endpoints(self) -> None:
        """The client reports faults as with a string, under the name of the class."""
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
        """The client accepts an endpoint without known attributes without a check."""
        for kind in (UNIXClientEndpoint, TCP4ClientEndpoint):
            endpoint = kind.__new__(kind)
            self.assertIsNotNone(client_endpoint(self.reactor, endpoint))

    def test_none_at_all(self) -> None:
        """An object that cannot connect is not an endpoint."""
        for wrong, kind in (
            (b"tcp:h:9", "bytes"),
            (9999, "int"),
            (None, "NoneType"),
            (TCP4ClientEndpoint, "the class TCP4ClientEndpoint"),
        ):
            error = self.assertRaises(ConfigurationError, client_endpoint, self.reactor, wrong)
            told = f"the endpoint must be text or an endpoint, not {kind}; text looks like tcp:"
            self.assertTrue(str(error).startswith(told), error)

    def test_checked_already(self) -> None:
        """A returned endpoint is returned unchanged."""
        endpoint = client_endpoint(self.reactor, "tcp:localhost:9999")
        self.assertIs(client_endpoint(self.reactor, endpoint), endpoint)


@implementer(IStreamClientEndpoint)
class FailingEndpoint:
    """An endpoint whose attempts fail.

    Args:
        error: The error of each attempt.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return fail(self._error)


class FailureTests(EndpointCase):
    """The failures of attempts to connect."""

    def failure_of(self, error: Exception) -> Exception:
        """Return the failure of an attempt whose endpoint fails with an error."""
        attempt = client_endpoint(self.reactor, FailingEndpoint(error)).connect(Factory())
        return self.failureResultOf(attempt).value

    def test_faults(self) -> None:
        """An error that no network causes is a configuration error, chained to its cause."""
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
        """The caller gets an error of the network or the system: it may be temporary."""
        for error in (ConnectError(), TimeoutError(), OSError("no"), Exception("busy")):
            self.assertIs(self.failure_of(error), error)

    def test_no_answer(self) -> None:
        """The failure of an attempt without an answer names the timeout."""
        attempt = client_endpoint(self.reactor, "tcp:192.0.2.1:9:timeout=7").connect(Factory())
        ((_, _, factory, timeout_s, _),) = self.reactor.tcpClients
        self.assertEqual(timeout_s, 7)
        connector: Any = None
        factory.clientConnectionFailed(connector, Failure(TimeoutError()))
        error = self.failureResultOf(attempt, TimeoutError).value
        self.assertEqual(error.args, ("tcp:192.0.2.1:9:timeout=7 did not answer within 7 s",))

    def test_nothing_listens(self) -> None:
        """The failure keeps its class, names the endpoint and says that nothing listens there."""
        refused, absent = ConnectionRefusedError(111), ConnectError(errno.ENOENT, "No such file")
        for error, endpoint, why in (
            (refused, "tcp:localhost:9", "nothing listens at tcp:localhost:9"),
            (refused, TCP4ClientEndpoint(self.reactor, "h", 9), "nothing listens at h:9"),
            (refused, HostnameEndpoint(self.reactor, "h", 9), "nothing listens at h:9"),
            (
                absent,
                UNIXClientEndpoint(self.reactor, b"/nowhere"),
                "nothing listens at unix:/nowhere: there is no such socket",
            ),
            (ConnectError(13, "Denied"), "unix:/no", "cannot connect to unix:/no: Denied"),
            (ConnectError(), "unix:/no", "cannot connect to unix:/no"),
        ):
            there = client_endpoint(self.reactor, endpoint)
            self.patch(there, "_endpoint", FailingEndpoint(type(error)(error.osError, *error.args)))
            for _ in range(2):  # the second attempt fails with the same error
                failed = self.failureResultOf(there.connect(Factory()), type(error)).value
                self.assertEqual(failed.args, (why,))
                self.assertEqual(failed.osError, error.osError)

    def test_line(self) -> None:
        """The line for a log names the endpoint once."""
        there = client_endpoint(self.reactor, "tcp:localhost:9")
        for error, line in (
            (OSError("no"), "cannot connect to tcp:localhost:9: no"),
            (OSError("tcp:localhost:9 is gone"), "cannot connect: tcp:localhost:9 is gone"),
        ):
            self.assertEqual(there.explain(error), line)

"""Tests of TLS endpoints that read their certificates again."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.listening import certificatefiles
from chatd.listening.certificates import Certificates, RenewableEndpoint
from chatd.listening.endpoints import BACKLOG, server_endpoint
from chatd.transport.endpoints import why_refused
from tests.fakes.pems import make_pair, write_certificate

# Twisted reads certificates with functions that pyOpenSSL deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


class CertificateCase(SynchronousTestCase):
    """A directory with a key and its certificate, and a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.pem = self.directory / "localhost.pem"
        write_certificate(self.pem)
        self.certificates = Certificates()

    def listen(self, description: str) -> Callable[[], None]:
        """Listen on an endpoint, and return its `renew`."""
        endpoint = server_endpoint(self.reactor, description, certificates=self.certificates)
        self.successResultOf(endpoint.listen(Factory.forProtocol(Protocol)))
        ((called, renew),) = self.certificates
        self.assertEqual(called, description)
        return renew


class SslTests(CertificateCase):
    """`ssl:` endpoints."""

    def listen_on(self, *arguments: str) -> Callable[[], None]:
        return self.listen(":".join(("ssl:0", f"privateKey={self.pem}", *arguments)))

    def context(self) -> SSL.Context:
        """Return the context of the next connection."""
        context: SSL.Context = self.reactor.sslServers[0][2].getContext()
        return context

    def refusal(self, renew: Callable[[], None]) -> str:
        """Return the reason for a refusal; the context is the earlier one."""
        before = self.context()
        message = str(self.assertRaises(ConfigurationError, renew))
        self.assertIs(self.context(), before)
        self.assertEqual(len(message.splitlines()), 1)
        return message

    def test_arguments(self) -> None:
        """The string's other arguments reach the port, and its queue is longer than Twisted's."""
        self.listen(f"ssl:7:privateKey={self.pem}:interface=127.0.0.1")
        ((port, _, _, backlog, interface),) = self.reactor.sslServers
        self.assertEqual((port, backlog, interface), (7, BACKLOG, "127.0.0.1"))

    def test_renewed(self) -> None:
        """The next connection gets the new files, and the port goes on."""
        renew = self.listen_on()
        before = self.context()
        self.assertIs(self.context(), before)
        write_certificate(self.pem)
        self.assertIs(self.context(), before)
        renew()
        self.assertIsNot(self.context(), before)
        self.assertEqual(len(self.reactor.sslServers), 1)

    def test_wrong(self) -> None:
        """The loader refuses unusable files, with the reason in a line."""
        renew = self.listen_on()
        self.pem.write_text("damaged")
        missing = f"{self.pem}: it has no private key; privateKey= takes a PEM file with it"
        self.assertEqual(self.refusal(renew), missing)
        key, certificate = make_pair()
        self.pem.write_bytes(make_pair()[0] + certificate)
        self.assertEqual(
            self.refusal(renew),
            f"the key in {self.pem} does not match the certificate in {self.pem}",
        )
        self.pem.write_bytes(key + certificate[:-20])
        self.assertIn(f"{self.pem}: cut short: its certificate; certKey= ", self.refusal(renew))
        self.pem.write_bytes(key + certificate.replace(b"MII", b"..."))
        self.assertIn(
            f"{self.pem}: damaged, or of an unsupported kind: its certificate", self.refusal(renew)
        )
        self.pem.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
        self.assertIn(f"{self.pem}: the key has a passphrase", self.refusal(renew))
        self.pem.unlink()
        self.assertEqual(self.refusal(renew), f"{self.pem}: No such file or directory")
        os.mkfifo(self.pem)
        self.assertEqual(self.refusal(renew), f"{self.pem}: it is not a regular file")

    def test_chain(self) -> None:
        """The loader reads every file of the string again."""
        chain = self.directory / "chain.pem"
        chain.write_bytes(make_pair()[1])
        renew = self.listen_on(f"extraCertChain={chain}")
        renew()
        chain.write_text("nothing")
        self.assertIn("chain.pem", self.refusal(renew))

    def test_behind_a_proxy(self) -> None:
        """An endpoint behind a proxy reads its files again, too."""
        renew = self.listen(f"haproxy:ssl:0:privateKey={self.pem}")
        before = self.context()
        write_certificate(self.pem)
        renew()
        self.assertIsNot(self.context(), before)

    def test_before_it_listens(self) -> None:
        """An endpoint that does not listen yet reads them when it does."""
        endpoint = RenewableEndpoint(self.reactor, f"ssl:0:privateKey={self.pem}")
        write_certificate(self.pem)
        endpoint.renew()
        self.successResultOf(endpoint.listen(Factory()))
        self.assertEqual(len(self.reactor.sslServers), 1)

    def test_refused_at_the_start(self) -> None:
        """At the start, the loader refuses a bad chain, or a method that OpenSSL lacks."""
        chain = self.directory / "chain.pem"
        chain.write_text("nothing")
        for argument, what in (
            ("extraCertChain", "certificate"),
            ("dhParameters", "DH parameters"),
        ):
            error = self.assertRaises(ConfigurationError, self.listen_on, f"{argument}={chain}")
            self.assertIn(f"{chain}: it has no {what}; {argument}= takes a PEM", str(error))

    def test_another_directory(self) -> None:
        """The paths stay the same when the daemon changes its directory."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        renew = self.listen("ssl:0:localhost.pem")
        os.chdir("/")
        renew()


class TlsTests(CertificateCase):
    """`tls:` endpoints, with a directory of certificates."""

    def setUp(self) -> None:
        super().setUp()
        self.renew = self.listen(f"tls:{self.directory}:0:interface=127.0.0.1")

    @property
    def factory(self) -> Any:
        """The factory of the port's protocols."""
        return self.reactor.tcpServers[0][1]

    def refusal(self) -> str:
        """Return the reason for a refusal; connections get the earlier certificates."""
        before = self.factory.current
        message = str(self.assertRaises(ConfigurationError, self.renew))
        self.assertIs(self.factory.current, before)
        return message

    def test_arguments(self) -> None:
        """The string's other arguments reach the port, and its queue is longer than Twisted's."""
        ((port, _, backlog, interface),) = self.reactor.tcpServers
        self.assertEqual((port, backlog, interface), (0, BACKLOG, "127.0.0.1"))

    def test_renewed(self) -> None:
        """The next connection gets the present files of the directory."""
        before = self.factory.buildProtocol(None)
        write_certificate(self.pem)
        self.renew()
        after = self.factory.buildProtocol(None)
        self.assertIs(after.factory, self.factory.current)
        self.assertIsNot(after.factory, before.factory)

    def test_a_host_more(self) -> None:
        """Hosts may be added, and removed with their keys."""
        other = self.directory / "other.pem"
        write_certificate(other, "chat.example")
        self.renew()
        other.unlink()
        self.renew()

    def test_started_once(self) -> None:
        """The inner factory starts and stops with the port, in spite of renewals."""
        self.renew()
        within = self.factory._first.wrappedFactory
        self.factory.doStart()
        self.renew()
        self.assertEqual(within.numPorts, 1)
        self.factory.doStop()
        self.assertEqual(within.numPorts, 0)
        self.assertEqual(self.factory.logPrefix(), "Factory (TLS)")

    def test_wrong(self) -> None:
        """The loader refuses unusable files, with the reason and the file's name."""
        self.pem.write_bytes(b"".join((make_pair()[0], make_pair()[1])))
        self.assertEqual(
            self.refusal(),
            f"no certificate matches the key in {self.pem}: the certificate in {self.pem} is for "
            "another key",
        )
        key, certificate = make_pair()
        for damaged in (certificate[:-20], certificate[5:]):
            self.pem.write_bytes(key + damaged)
            self.assertEqual(
                self.refusal(), f"{self.pem}: damaged: a key or a certificate is cut short"
            )
        self.pem.write_bytes(key)
        (self.directory / "cert.pem").touch()
        self.assertEqual(
            self.refusal(),
            f"{self.directory}/cert.pem has neither a key nor a certificate, and no certificate "
            f"matches the key in {self.pem}",
        )
        (self.directory / "cert.pem").write_bytes(make_pair()[1])
        self.assertEqual(
            self.refusal(),
            f"no certificate matches the key in {self.pem}: the certificate in "
            f"{self.directory}/cert.pem is for another key",
        )
        (self.directory / "cert.pem").write_bytes(make_pair(None)[1])
        self.assertEqual(self.refusal(), f"no certificate matches the key in {self.pem}")
        (self.directory / "cert.pem").unlink()
        self.pem.write_text("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
        self.assertIn(f"{self.pem}: damaged", self.refusal())
        for passphrase in (
            "BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY",
            "BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMII=\n-----END RSA PRIVATE KEY",
        ):
            self.pem.write_text(f"-----{passphrase}-----\n")
            self.assertEqual(
                self.refusal(),
                f"{self.pem}: the key has a passphrase; use a key without a passphrase",
            )
        self.pem.write_text("nothing")
        self.assertIn(f"*.pem in {self.directory} have no key", self.refusal())
        self.pem.unlink()
        self.assertIn(f"*.pem in {self.directory} have no key", self.refusal())
        self.directory.rmdir()
        self.assertIn(f"{self.directory} is not a directory; tls: takes ", self.refusal())
        self.directory.mkdir()

    def test_cannot_be_read(self) -> None:
        """The loader refuses unreadable files."""

        def read(path: str) -> tuple[bytes, int]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        self.patch(certificatefiles, "read_regular_file", read)
        self.assertEqual(self.refusal(), f"{self.pem}: Permission denied")
        self.patch(os, "listdir", read)
        self.assertEqual(self.refusal(), f"{self.directory}: Permission denied")

    def test_no_file(self) -> None:
        """The loader ignores paths that are not files, with any names, as Twisted does."""
        (self.directory / "directory.pem").mkdir()
        os.mkfifo(self.directory / "pipe.pem")
        self.renew()

    def test_a_host_less(self) -> None:
        """A host whose key lost its certificate keeps the earlier one, and so do all others."""
        other = self.directory / "other.pem"
        write_certificate(other, "chat.example")
        self.renew()
        other.write_bytes(make_pair()[0] + make_pair("chat.example")[1])
        self.assertEqual(
            self.refusal(),
            f"no certificate matches the key in {other}: the certificate in {other} is for another "
            "key; there is no certificate for chat.example",
        )

    def test_nothing_to_serve(self) -> None:
        """The loader refuses a directory without certificates, or without named hosts."""
        write_certificate(self.pem, host=None)
        error = self.assertRaises(
            ConfigurationError, self.listen, f"tls:{self.directory}:0:interface=127.0.0.1"
        )
        self.assertIn("names a host", str(error))


class StringTests(CertificateCase):
    """Finding the files in a string."""

    def test_no_tls(self) -> None:
        """Endpoints without TLS have no certificates."""
        server_endpoint(self.reactor, "tcp:0", certificates=self.certificates)
        server_endpoint(self.reactor, "haproxy:tcp:0", certificates=self.certificates)
        self.assertEqual(list(self.certificates), [])

    def test_many(self) -> None:
        """Each endpoint has its own, even if two have the same string."""
        for _ in range(2):
            server_endpoint(self.reactor, f"ssl:0:{self.pem}", certificates=self.certificates)
        self.assertEqual(len(list(self.certificates)), 2)

    def test_strange_paths(self) -> None:
        """A path may have special characters, with or without an argument's name."""
        strange = self.directory / "a:b=c\\d"
        strange.mkdir()
        write_certificate(strange / "x.pem")
        quoted = str(strange).replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
        for description in (
            f"ssl:0:{quoted}/x.pem",
            f"ssl:0:{quoted}/x.pem:{quoted}/x.pem",
            f"ssl:0:certKey={quoted}/x.pem:privateKey={quoted}/x.pem",
            f"tls:{quoted}:0:50",
            f"tls:path={quoted}:port=0",
        ):
            self.certificates = Certificates()
            self.listen(description)()


class WhyTests(SynchronousTestCase):
    """`why_refused`."""

    def test_words(self) -> None:
        """The text has OpenSSL's reasons, another error's text, or at least its class."""
        queue = [("PEM routines", "", "no start line"), ("x", "y", "bad end line")]
        for kind in (SSL.Error, crypto.Error):
            self.assertRegex(why_refused(kind(queue)), "not PEM: no start line; bad end line$")
        self.assertEqual(why_refused(ValueError("two\nlines")), "two lines")
        self.assertEqual(why_refused(ValueError()), "ValueError")

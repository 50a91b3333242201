"""Tests of the texts for the end of a transport."""

from __future__ import annotations

from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.exceptions import DNSMismatch
from service_identity.hazmat import DNS_ID
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.transport.loss import UNTRUSTED, why_lost


class LossTests(SynchronousTestCase):
    """Each end of a transport has its text, or no text."""

    def why(self, error: BaseException) -> str:
        return why_lost(Failure(error))

    def test_plain(self) -> None:
        """An ordinary end of a connection has no text."""
        for error in (ConnectionDone(), ConnectionLost(), ConnectionAborted()):
            self.assertEqual(self.why(error), "")

    def test_tls(self) -> None:
        """The text has the reasons of OpenSSL's error queue alone."""
        untrusted = ("SSL routines", "", UNTRUSTED)
        unknown = ("SSL routines", "read", "tlsv1 alert unknown ca")
        for arguments, words in (
            (([untrusted],), UNTRUSTED),
            (([untrusted, unknown],), f"{UNTRUSTED}; tlsv1 alert unknown ca"),
            (([],), "it failed"),
            (([("SSL routines", "", "")],), "it failed"),
            ((), "it failed"),
        ):
            self.assertEqual(self.why(SSL.Error(*arguments)), f"TLS: {words}")

    def test_system(self) -> None:
        """If a system call below TLS failed, the text is the system's, without the number."""
        self.assertEqual(self.why(SSL.SysCallError(104, "ECONNRESET")), "TLS: ECONNRESET")

    def test_another_host(self) -> None:
        """The text says that a certificate is another host's, without class names."""
        error = VerificationError(errors=[DNSMismatch(mismatched_id=DNS_ID("chat.example"))])
        self.assertEqual(self.why(error), "TLS: the certificate does not match the host")

    def test_others(self) -> None:
        """The text of any other exception is its own text."""
        self.assertEqual(self.why(OSError("no route")), "no route")

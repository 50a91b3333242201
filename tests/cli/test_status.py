"""The exit statuses, and their error lines."""

import errno
import os
import signal

from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
    UnknownHostError,
)
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.trial.unittest import SynchronousTestCase

from chatd import (
    ConfigurationError,
    LocalProtocolError,
    RequestError,
    SessionEnded,
    SessionRefused,
)
from chatd.cli.status import INSTEAD_OF_TCP, Status, explain

THERE = "tcp:chat.example:9999"


class StatusTests(SynchronousTestCase):
    def test_numbers(self):
        """The numbers are those on which scripts rely."""
        self.assertEqual(list(map(int, Status)), [0, 1, 2, 3, 129, 130, 143])

    def test_signals(self):
        """A command that a signal ended has the status by which a shell reports it."""
        for number, status in (
            (signal.SIGHUP, Status.HUNG_UP),
            (signal.SIGINT, Status.INTERRUPTED),
            (signal.SIGTERM, Status.TERMINATED),
        ):
            self.assertIs(Status.of_signal(number), status)


class ExplainTests(SynchronousTestCase):
    def test_refusals(self):
        """Every refusal, and every ban, has the same exit status."""
        for code in (
            "key-required",
            "key-unexpected",
            "wrong-key",
            "bad-mac",
            "bad-name",
            "name-taken",
            "auth-failed",
            "auth-in-clear",
            "too-many-attempts",
            "banned",
        ):
            explained = explain(SessionRefused(code, "because"), THERE)
            self.assertEqual(explained, (Status.REFUSED, "because"))

    def test_password_required(self):
        """If a password is required, the line names the options for it."""
        status, line = explain(SessionRefused("auth-required", "a password is required"), THERE)
        self.assertEqual(status, Status.REFUSED)
        self.assertTrue(line.startswith("a password is required (--name, "))
        self.assertIn("--password-file", line)

    def test_untrusted_certificate(self):
        """If a certificate is not trusted, the line says how to trust it."""
        lost = SessionEnded("connection-lost", "lost: TLS: certificate verify failed")
        status, line = explain(lost, THERE)
        self.assertEqual(status, Status.LOST)
        self.assertTrue(
            line.startswith("lost: TLS: certificate verify failed (it has expired, or ")
        )
        self.assertIn("trustRoots=DIRECTORY", line)
        for argument in ("trustRoots", "caCertsDir"):
            _, line = explain(lost, f"tls:chat.example:9999:{argument}=roots")
            self.assertTrue(
                line.endswith(
                    f"(it has expired, or no certificate in the directory of {argument}= signed it)"
                )
            )

    def test_one_side_without_tls(self):
        """If only one of the sides seems to use TLS, the line says what to check."""
        lost = SessionEnded("connection-lost", "lost: TLS: wrong version number")
        self.assertTrue(explain(lost, THERE)[1].endswith("; the server may not use TLS there"))
        late = SessionEnded("handshake-timeout", "it took too long")
        self.assertEqual(
            explain(late, "tcp:localhost:9999")[1], f"it took too long; {INSTEAD_OF_TCP}"
        )
        self.assertEqual(explain(late, "unix:/tmp/chat.sock"), (Status.LOST, "it took too long"))

    def test_banned_later(self):
        """A ban during a session counts as a refusal too."""
        explained = explain(SessionEnded("banned", "because"), THERE)
        self.assertEqual(explained, (Status.REFUSED, "because"))

    def test_other_ends(self):
        """Any other end of a session is a lost connection, and its reason is the line."""
        for code in ("shutting-down", "connection-lost", "kicked", "heartbeat-timeout"):
            explained = explain(SessionEnded(code, "because"), THERE)
            self.assertEqual(explained, (Status.LOST, "because"))

    def test_end_without_a_reason(self):
        """The client reports an end without a reason by its code."""
        self.assertEqual(
            explain(SessionEnded("kicked", ""), THERE),
            (Status.LOST, "the server ended the session (kicked)"),
        )

    def test_configuration(self):
        """A configuration error is a usage error."""
        error = ConfigurationError("bad endpoint")
        self.assertEqual(explain(error, THERE), (Status.USAGE, "bad endpoint"))

    def test_other_errors(self):
        """The client reports any other error of chatd by its own text."""
        for error in (LocalProtocolError("too long"), RequestError("bad-request", "too odd")):
            self.assertEqual(explain(error, THERE), (Status.LOST, str(error)))

    def test_no_such_host(self):
        """The line about an unknown host names the endpoint."""
        self.assertEqual(
            explain(DNSLookupError("address lookup failed"), THERE),
            (Status.LOST, f"cannot connect to {THERE}: there is no such host"),
        )

    def test_cannot_connect(self):
        """If no server listens, the line has the system's error and a hint."""
        self.assertEqual(
            explain(RefusedError(osError=111), THERE),
            (
                Status.LOST,
                f"cannot connect to {THERE}: Connection refused; is the server running?",
            ),
        )

    def test_cannot_connect_for_no_known_reason(self):
        """Without an error from the system, the line has Twisted's."""
        status, line = explain(TCPTimedOutError(), THERE)
        self.assertEqual(status, Status.LOST)
        self.assertTrue(line.startswith(f"cannot connect to {THERE}: TCP connection timed out"))

    def test_server_is_not_the_question(self):
        """Only errors that a stopped server can cause ask if it runs."""
        for error, why in (
            (UnknownHostError(errno.ENOENT), "No such file or directory; is the server running?"),
            (ConnectError(errno.EACCES), "Permission denied"),
            (NoRouteError(errno.ENETUNREACH), "Network is unreachable"),
            (ConnectBindError(-2, "Name or service not known"), "Name or service not known"),
            (TimeoutError(string="it did not answer within 30 s"), "it did not answer within 30 s"),
            (OSError(errno.EMFILE, "no more"), os.strerror(errno.EMFILE)),
        ):
            told = (Status.LOST, f"cannot connect to {THERE}: {why}")
            self.assertEqual(explain(error, THERE), told)

    def test_internal(self):
        """The line of an unforeseen error has its type."""
        self.assertEqual(
            explain(ValueError("oops"), THERE), (Status.LOST, "internal error: ValueError: oops")
        )

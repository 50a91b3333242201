"""The exit statuses, and the lines that go with them."""

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
from chatd.cli.status import Status, explain

THERE = "tcp:chat.example:9999"


class StatusTests(SynchronousTestCase):
    def test_numbers(self):
        """The numbers are those that scripts rely on."""
        self.assertEqual(list(map(int, Status)), [0, 1, 2, 3, 129, 130, 143])

    def test_signals(self):
        """A command that a signal ended has the status by which a shell tells it."""
        for number, status in (
            (signal.SIGHUP, Status.HUNG_UP),
            (signal.SIGINT, Status.INTERRUPTED),
            (signal.SIGTERM, Status.TERMINATED),
        ):
            self.assertIs(Status.of_signal(number), status)


class ExplainTests(SynchronousTestCase):
    def test_refusals(self):
        """Who is refused or banned, whatever for, gets a status of its own."""
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
        """Where a password is required, the options that give one are told too."""
        status, line = explain(SessionRefused("auth-required", "a password is required"), THERE)
        self.assertEqual(status, Status.REFUSED)
        self.assertTrue(line.startswith("a password is required (--name, "))
        self.assertIn("--password-file", line)

    def test_untrusted_certificate(self):
        """Where a server's certificate is not trusted, how to trust it is told too."""
        lost = SessionEnded("connection-lost", "lost: TLS: certificate verify failed")
        status, line = explain(lost, THERE)
        self.assertEqual(status, Status.LOST)
        self.assertTrue(line.startswith("lost: TLS: certificate verify failed (tls: "))
        self.assertIn("trustRoots=DIRECTORY", line)

    def test_banned_later(self):
        """Who is banned while there is a session is refused as well."""
        explained = explain(SessionEnded("banned", "because"), THERE)
        self.assertEqual(explained, (Status.REFUSED, "because"))

    def test_other_ends(self):
        """Any other end of a session is a lost connection, and its reason the line."""
        for code in ("shutting-down", "connection-lost", "kicked", "heartbeat-timeout"):
            explained = explain(SessionEnded(code, "because"), THERE)
            self.assertEqual(explained, (Status.LOST, "because"))

    def test_end_without_a_reason(self):
        """An end for which no reason was given is told by its code."""
        self.assertEqual(explain(SessionEnded("kicked", ""), THERE), (Status.LOST, "kicked"))

    def test_configuration(self):
        """What a person configured wrongly is a matter of usage."""
        error = ConfigurationError("bad endpoint")
        self.assertEqual(explain(error, THERE), (Status.USAGE, "bad endpoint"))

    def test_other_errors(self):
        """Any other error of chatd's is told in its own words."""
        for error in (LocalProtocolError("too long"), RequestError("bad-request", "too odd")):
            self.assertEqual(explain(error, THERE), (Status.LOST, str(error)))

    def test_no_such_host(self):
        """A host that is not known is told with the endpoint."""
        self.assertEqual(
            explain(DNSLookupError("address lookup failed"), THERE),
            (Status.LOST, f"cannot connect to {THERE}: there is no such host"),
        )

    def test_cannot_connect(self):
        """Where nobody listens, the system's word for it is told, with what to look at."""
        self.assertEqual(
            explain(RefusedError(osError=111), THERE),
            (
                Status.LOST,
                f"cannot connect to {THERE}: Connection refused; is the server running?",
            ),
        )

    def test_cannot_connect_for_no_known_reason(self):
        """Where the system has no word for it, Twisted's is told."""
        status, line = explain(TCPTimedOutError(), THERE)
        self.assertEqual(status, Status.LOST)
        self.assertTrue(line.startswith(f"cannot connect to {THERE}: TCP connection timed out"))

    def test_server_is_not_the_question(self):
        """Whether the server runs is asked where it may be that it does not, and only there."""
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
        """What nobody has foreseen is told with its type, in one line all the same."""
        self.assertEqual(
            explain(ValueError("oops"), THERE), (Status.LOST, "internal error: ValueError: oops")
        )

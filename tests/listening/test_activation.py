"""Tests of sockets from systemd, and of the errors if they do not match their endpoints."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.listening import activation
from chatd.listening.activation import check_adopted
from chatd.listening.endpoints import server_endpoint


class QuietFactory(Factory):
    noisy = False


class ActivationCase(SynchronousTestCase):
    """Sockets are handed over like systemd's."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.handed_over: list[socket.socket] = []
        self.patch(activation, "serverFromString", self.parse)

    def parse(self, reactor: object, description: str) -> AdoptedStreamServerEndpoint:
        """Find a socket in Twisted's way; the last socket has the name `chat`."""
        arguments: dict[str, Any] = dict(part.split("=") for part in description.split(":")[1:])
        if "index" in arguments:
            found = self.handed_over[int(arguments["index"])]
        else:
            found = dict(zip(["chat"], self.handed_over[::-1], strict=False))[arguments["name"]]
        family = getattr(socket, f"AF_{arguments['domain']}")
        return AdoptedStreamServerEndpoint(reactor, found.fileno(), family)

    def deliver_early(self, family: int = socket.AF_UNIX, *, listens: bool = True) -> socket.socket:
        """Hand another socket over."""
        made = socket.socket(family)
        self.addCleanup(made.close)
        made.bind("" if family == socket.AF_UNIX else ("", 0))  # for UNIX, the system picks a name
        if listens:
            made.listen(1)
        self.handed_over.append(made)
        return made

    def refusal(self, description: str, *socket_mode: int) -> str:
        """Return the error of an endpoint, without its description."""
        error = self.assertRaises(
            ConfigurationError, server_endpoint, self.reactor, description, *socket_mode
        )
        start = f"bad endpoint {description!r}: "
        self.assertEqual(str(error)[: len(start)], start)
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)[len(start) :]


class MissingTests(ActivationCase):
    """There is no socket for the endpoint."""

    def test_none(self) -> None:
        """The error says that there is no socket, by index as well as by name."""
        self.patch(os, "environ", {})
        for description in (
            "systemd:domain=UNIX:index=0",
            "systemd:domain=UNIX:name=chat",
            "haproxy:systemd:domain=INET:index=0",
        ):
            self.assertIn("no socket was handed over: systemd", self.refusal(description))

    def test_of_another_process(self) -> None:
        """The error says that the sockets were for another process, such as a shell's."""
        self.patch(os, "environ", {**os.environ, "LISTEN_PID": "12"})
        said = self.refusal("systemd:domain=UNIX:index=0")
        self.assertIn("handed over to process 12 (LISTEN_PID)", said)
        self.assertIn(f"this is process {os.getpid()}", said)

    def test_index(self) -> None:
        """For an index that is too high, the error names the last index."""
        self.deliver_early()
        self.assertEqual(
            self.refusal("systemd:domain=UNIX:index=1"),
            "1 socket was handed over, and the last has index=0",
        )
        self.deliver_early()
        self.assertEqual(
            self.refusal("systemd:domain=UNIX:index=7"),
            "2 sockets were handed over, and the last has index=1",
        )

    def test_name(self) -> None:
        """For an unknown name, the error says where names are set."""
        self.deliver_early()
        self.assertIn("FileDescriptorName=", self.refusal("systemd:domain=UNIX:name=other"))


class KindTests(ActivationCase):
    """There is a socket, but it does not match the endpoint."""

    def test_domain(self) -> None:
        """The error names the right domain."""
        self.deliver_early()
        self.assertIn("has domain=UNIX", self.refusal("systemd:domain=INET:index=0"))
        self.deliver_early(socket.AF_INET)
        self.assertIn("has domain=INET", self.refusal("systemd:domain=UNIX:index=1"))

    def test_connection(self) -> None:
        """For a socket that does not listen, as with Accept=yes, the error names the remedy."""
        self.deliver_early(listens=False)
        self.assertIn("Accept=no", self.refusal("systemd:domain=UNIX:index=0"))
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with near, far:
            self.handed_over.append(near)
            self.assertIn("does not listen", self.refusal("systemd:domain=UNIX:index=1"))

    def test_no_socket(self) -> None:
        """The port reports a descriptor that is not a socket."""
        with open(os.devnull) as null:
            error = self.assertRaises(
                ConfigurationError, check_adopted, null.fileno(), socket.AF_UNIX
            )
        self.assertIn("is not a socket: Socket operation on non-socket", str(error))


class AdoptingTests(ActivationCase):
    """A matching socket is listened on."""

    def test_unix(self) -> None:
        """A UNIX socket is served, also behind a proxy."""
        for kind in ("", "haproxy:"):
            self.deliver_early()
            endpoint = server_endpoint(self.reactor, f"{kind}systemd:domain=UNIX:name=chat")
            port: Any = self.successResultOf(endpoint.listen(QuietFactory()))
            self.handed_over[-1].detach()  # Twisted has closed it
            self.addCleanup(port.socket.close)
            self.assertIn(port, self.reactor.readers)

    def test_tcp(self) -> None:
        """Twisted adopts a TCP socket."""
        number = self.deliver_early(socket.AF_INET).fileno()
        endpoint = server_endpoint(self.reactor, "systemd:domain=INET:index=0")
        asked: list[tuple[object, ...]] = []
        self.reactor.adoptStreamPort = lambda *arguments: asked.append(arguments)
        factory = QuietFactory()
        self.successResultOf(endpoint.listen(factory))
        self.assertEqual(asked, [(number, socket.AF_INET, factory)])
        self.handed_over[-1].detach()  # as above

    def test_mode(self) -> None:
        """The operator's mode for UNIX sockets is an error with such a socket, but not with TCP."""
        self.deliver_early()
        self.assertIn("SocketMode=", self.refusal("systemd:domain=UNIX:index=0", 0o660))
        self.assertIn("SocketMode=", self.refusal("haproxy:systemd:domain=UNIX:index=0", 0o666))
        self.deliver_early(socket.AF_INET)
        self.assertIsNotNone(server_endpoint(self.reactor, "systemd:domain=INET:index=1", 0o660))

"""What to test a server or a client with: a pair without a network, a running server with one.

Without a network, time stands still until the test lets it pass::

    pair = connected_pair(EchoFactory)
    receipt = pair.client.send("hello")
    pair.pump()
    assert successResultOf(receipt).text == "hello"

With one, everything is cleaned up, however the test ends::

    async with running_server(reactor, EchoFactory(reactor), "unix") as server:
        client = await chatd.connect(reactor, server.endpoint)
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as connect_transports

from chatd.errors import ConfigurationError
from chatd.net.client import ChatClient
from chatd.net.connect import ChatClientFactory
from chatd.net.endpoints import client_endpoint, server_endpoint
from chatd.net.factory import ChatFactory
from chatd.net.server import ServerProtocol
from chatd.net.session import Session
from chatd.service import ChatService, ListeningService

__all__ = [
    "ConnectedPair",
    "RunningServer",
    "Transport",
    "connected_pair",
    "running_server",
    "session_of",
]

Transport = Literal["tcp", "unix"]

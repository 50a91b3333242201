"""`WebFront`: answers HTTP requests with the page, and opens WebSockets for sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from chatd.chat.addresses import plain_ip, site_of
from chatd.server.factory import ChatFactory
from chatd.server.sites import PerSite
from chatd.transport.identity import LOCAL
from chatd.transport.streams import peer_of
from chatd.web.answers import Answer, file_answer, refusal
from chatd.web.asked import Asked
from chatd.web.channel import WebChannel
from chatd.web.faultlog import FaultLog
from chatd.web.origins import Host, Origins, read_host
from chatd.web.pagefiles import PageFile, load_page
from chatd.web.proxies import Proxies
from chatd.web.websocket import ServerWebSocket, open_session

__all__ = ["SOCKET_PATH", "WebFront"]

SOCKET_PATH = b"/ws"
"""The path of the WebSocket."""
_LOOPBACK = site_of("127.0.0.1")


@implementer(IProtocolNegotiationFactory)
class WebFront(Factory):
    """Builds the protocol of each HTTP connection.

    A connection counts among the front's own until it is a WebSocket; then it counts as the
    server's, as a connection on TCP does.

    Args:
        chat: Serves the sessions. `max_unestablished` of its limits also bounds the front's own
            connections.
        origins: The pages whose browsers may open a WebSocket.
        proxies: The proxies in front of the server.
        page: The files of the page, by their paths; None for those of the package.
        unix_time: Returns the time in Unix seconds, for the `Date` of answers.
    """

    noisy = False  # Twisted's own log lines at start and stop

    def __init__(
        self,
        chat: ChatFactory[Any],
        origins: Origins | None = None,
        proxies: Proxies | None = None,
        page: Mapping[bytes, PageFile] | None = None,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self.clock = chat.clock
        self.unix_time = unix_time
        self._chat = chat
        self._origins = Origins() if origins is None else origins
        self._proxies = Proxies() if proxies is None else proxies
        self._page = load_page() if page is None else page
        self._faults = FaultLog(chat.clock)
        self._own: PerSite[WebChannel] = PerSite()

    def buildProtocol(self, addr: IAddress | None) -> WebChannel | None:  # type: ignore[override]
        """Build the protocol of a new connection; None if the server is shutting down."""
        if self._chat.engine.shutdown.is_under_way:
            return None
        return WebChannel(self)

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols that TLS may agree on; browsers offer this one among others."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Accept clients; Twisted calls this before it listens."""
        self._chat.doStart()

    def stopFactory(self) -> None:
        """Close the front's own connections; Twisted calls this when it stops listening."""
        self._chat.doStop()
        self.close()
        self._faults.finish()

    def close(self) -> None:
        """Close the front's own connections, after the answers that are on their way."""
        while len(self._own):
            self._removed().leave()

    def make_room(self) -> bool:
        """Abort a connection of the front's own, for a new one that the system has no room for.

        Returns:
            Whether there was such a connection.
        """
        if not len(self._own):
            return False
        self._removed().abort()
        return True

    # For the channels

    def connected(self, channel: WebChannel) -> None:
        """Count a new connection; if there are too many, abort one of them."""
        site = _site(channel)
        if len(self._own) >= self._chat.limits.max_unestablished:
            self._removed(site).abort()
        self._own.add(channel, site)

    def identified(self, channel: WebChannel) -> None:
        """Move a connection to the address that a PROXY header has told."""
        self._own.move(channel, _site(channel))

    def disconnected(self, channel: WebChannel) -> None:
        """Forget a connection, if it counts among the front's own."""
        self._own.discard(channel)

    def answer(self, asked: Asked) -> Answer | ServerWebSocket:
        """Answer a request; if that fails, log it, and say so without any detail."""
        try:
            return self._answer(asked)
        except Exception as error:  # the reactor would log all of it, with the peer's own bytes
            self._faults.note(error, _address(asked.peer))
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR)

    # Within

    def _answer(self, asked: Asked) -> Answer | ServerWebSocket:
        hosts = asked.hosts
        host = read_host(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            return refusal(HTTPStatus.BAD_REQUEST, "the request must have one Host")
        if not self._serves(asked, host.name):
            return refusal(
                HTTPStatus.FORBIDDEN,
                f"this server does not know the name {host.name}; its operator can allow it with "
                "--web-origin",
            )
        if asked.path == SOCKET_PATH and asked.method == b"GET":
            return self._open(asked, host)
        if asked.method not in (b"GET", b"HEAD"):
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, fields={b"Allow": b"GET, HEAD"})
        file = self._page.get(asked.path)
        if file is None:
            return refusal(HTTPStatus.NOT_FOUND)
        return file_answer(file, ", ".join(asked.values("If-None-Match")) or None)

    def _removed(self, site: str | None = None) -> WebChannel:
        """Remove the connection that goes first, before a new one of a site, and return it."""
        channel = self._own.first_to_go(site)
        self._own.discard(channel)
        return channel

    def _serves(self, asked: Asked, name: str) -> bool:
        """Return whether a request names this server; on loopback, a name may be a trap."""
        here = plain_ip(getattr(asked.host, "host", ""))
        is_loopback = here is not None and site_of(here) == _LOOPBACK
        if not is_loopback or self._proxies.is_proxy(asked.peer):
            return True
        return self._origins.is_own_name(name)

    def _open(self, asked: Asked, host: Host) -> Answer | ServerWebSocket:
        client = self._proxies.client(
            asked.peer, asked.values("X-Forwarded-For"), asked.values("X-Forwarded-Proto")
        )
        is_tls = asked.is_tls or client.is_tls
        if not self._origins.admits(asked.values("Origin"), host, is_tls=is_tls):
            return refusal(
                HTTPStatus.FORBIDDEN,
                "pages of another origin may not connect; the operator can allow an origin with "
                "--web-origin",
            )
        return open_session(self._chat, asked, client)


def _site(channel: WebChannel) -> str:
    return site_of(_address(peer_of(channel.transport)))


def _address(peer: IAddress) -> str:
    host = None if isinstance(peer, UNIXAddress) else plain_ip(getattr(peer, "host", ""))
    return host or LOCAL

"""The client without a terminal: each line of a file or a pipe is a message."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from chatd.cli.colours import PLAIN, Ink
from chatd.cli.console import ConsoleClient, ConsoleFactory
from chatd.cli.display import Display, JsonDisplay, TextDisplay
from chatd.cli.lines import LineTooLong, StandardLines
from chatd.cli.login import Login
from chatd.cli.status import Status
from chatd.client.endpoints import client_endpoint
from chatd.errors import ConfigurationError, RequestError, SessionEnded
from chatd.wire.messages import Message

__all__ = ["Batch"]

WINDOW = 1_000
"""Limit on messages that wait for their receipts."""
WINDOW_BYTES = 1024 * 1024
"""Limit on the content of these messages, in bytes."""


class Batch:
    """Sends lines, waits for the receipts of all of them, and disconnects cleanly.

    Args:
        reactor: The reactor.
        endpoint: The endpoint string to connect to.
        login: The key, the name, the password and the rooms; lines go to the first room.
        complain: Shows an error, one line.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str,
        login: Login,
        complain: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._login = login
        self._room = login.rooms[0] if login.rooms else None
        self._complain = complain
        self._status = Status.DONE
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._progress: Deferred[None] | None = None

    async def run(
        self, source: int, what: str = "standard input", *, as_json: bool, ink: Ink = PLAIN
    ) -> Status:
        """Connect, send all lines, and disconnect.

        Args:
            source: The file descriptor to read lines from.
            what: The name of the source in error messages.
            as_json: Whether to print received messages and events as JSON.
            ink: The colours of names in text output.

        Returns:
            The command's exit status.

        Raises:
            SessionEnded: The session could not be established, or was lost.
            twisted.internet.error.ConnectError: No server listens there.
        """
        there = client_endpoint(self._reactor, self._endpoint)
        lines = StandardLines(what)
        display: Display = (
            JsonDisplay(lines.write_line)
            if as_json
            else TextDisplay(
                lines.write_line, with_rooms=lambda: len(factory.progress.rooms) > 1, ink=ink
            )
        )
        factory = ConsoleFactory(self._reactor, display, self._login)
        client = cast(ConsoleClient, await there.connect(factory))
        sink = os.dup(1)
        try:
            # The stubs describe Windows, where StandardIO takes no descriptors.
            cast(Any, StandardIO)(lines, stdin=source, stdout=sink, reactor=self._reactor)
            lines.slow_down(client.stream)
            await client.when_established()
            client.when_ended().addCallback(lambda _: lines.stop_reading())
            try:
                await self._send_all(client, lines)
            except ConfigurationError as error:  # the source is not UTF-8
                self._refuse(str(error))
            if not lines.is_writable:
                self._complain("standard output was closed; the lines after that were not sent")
                self._status = Status.LOST
            await client.disconnect()
        except CancelledError:  # a signal, at any of the awaits above
            await client.disconnect()
            raise
        finally:
            await lines.close()
            for shared in (source, sink):  # other programs may use the same terminal or pipe
                os.set_blocking(shared, True)
            os.close(sink)
        return self._status

    async def _send_all(self, client: ConsoleClient, lines: StandardLines) -> None:
        """Send each line, and wait for the receipts of all of them."""
        number = 0
        lines.start(client.max_content)
        async for line in lines:
            number += 1
            if line == b"exit":
                lines.stop_reading()
                break
            if self._is_sendable(line, number, client.max_content):
                assert isinstance(line, bytes)
                await self._wait_while(
                    lambda: self._in_flight >= WINDOW or self._in_flight_bytes >= WINDOW_BYTES
                )
                self._send(client, line, number)
        await self._wait_while(lambda: self._in_flight > 0)
        end_reason = client.connection.end_reason
        if end_reason is not None:
            raise end_reason

    def _is_sendable(self, line: bytes | LineTooLong, number: int, max_content: int) -> bool:
        if isinstance(line, LineTooLong):
            self._refuse(f"line {number} was not sent: the server's limit is {max_content} bytes")
            return False
        try:
            line.decode()
        except UnicodeDecodeError:
            self._refuse(f"line {number} was not sent: it is not UTF-8")
            return False
        return True

    def _send(self, client: ConsoleClient, line: bytes, number: int) -> None:
        size = len(line)
        self._in_flight += 1
        self._in_flight_bytes += size
        receipt = client.send(line, room=self._room)
        receipt.addErrback(self._not_received, number)
        receipt.addCallback(self._answered, size)

    def _not_received(self, failure: Failure, number: int) -> None:
        failure.trap(RequestError, SessionEnded)
        error = failure.value
        if isinstance(error, RequestError):
            self._complain(f"line {number} was refused: {error.message} ({error.code})")
            self._status = Status.LOST

    def _answered(self, _: Message | None, size: int) -> None:
        self._in_flight -= 1
        self._in_flight_bytes -= size
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.callback(None)

    async def _wait_while(self, condition: Callable[[], bool]) -> None:
        while condition():
            self._progress = Deferred()
            await self._progress

    def _refuse(self, why: str) -> None:
        self._complain(why)
        self._status = Status.USAGE

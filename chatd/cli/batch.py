"""The client without a terminal: it sends the lines of a file or a pipe, or only listens."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, cast

from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from chatd.cli.colours import PLAIN, Ink
from chatd.cli.console import SILENT, ConsoleClient, ConsoleFactory, gap_in
from chatd.cli.display import Display, JsonDisplay, QuietDisplay, TextDisplay
from chatd.cli.lines import LineTooLong, StandardLines
from chatd.cli.links import LastingLink, Link, SingleLink
from chatd.cli.login import Login
from chatd.cli.refusals import Refusals
from chatd.cli.status import Status, explain
from chatd.cli.tally import Tally
from chatd.client.endpoints import client_endpoint
from chatd.client.results import Joined
from chatd.errors import ConfigurationError, LocalProtocolError, RequestError, SessionEnded
from chatd.transport.wakeup import Wakeup

__all__ = ["Batch", "Output"]

WINDOW = 1_000
"""Limit on messages that wait for their receipts."""
LASTING_WINDOW = 200
"""The same for a client that reconnects.

A room in memory remembers 1,000 messages by default. With fewer of its own on the way, the server
still knows all of them after messages of others.
"""
WINDOW_BYTES = 1024 * 1024
"""Limit on the content of these messages, in bytes."""


class Output(Enum):
    """The form of the output."""

    TEXT = "text"
    JSON = "json"
    NOTHING = "nothing"
    """Errors only."""


class Batch:
    """Sends lines and waits for their receipts, or listens; then disconnects cleanly.

    Args:
        reactor: The reactor.
        endpoint: The endpoint string to connect to.
        login: The key, the name, the password and the rooms; lines go to the first room.
        complain: Shows an error, one line.
        output: The form of received messages and events.
        ink: The colours of names in text output.
        reconnects: Whether to reconnect if the connection is lost.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str,
        login: Login,
        complain: Callable[[str], None],
        *,
        output: Output = Output.TEXT,
        ink: Ink = PLAIN,
        reconnects: bool = False,
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._there = client_endpoint(reactor, endpoint)
        self._login = login
        self._room = login.rooms[0] if login.rooms else None
        self._complain = complain
        self._output = output
        self._ink = ink
        self._window = LASTING_WINDOW if reconnects else WINDOW
        self._is_lasting = reconnects
        self._is_sending = False
        self._is_interrupted = False
        self._has_more = True
        self._status = Status.DONE
        self._tally = Tally()
        self._refusals = Refusals(complain)
        self._unsendable = Refusals(complain, "not sent")
        self._progress = Wakeup()
        # A new one for each run, so that the lines of a file that is sent again are new messages.
        self._run_id = uuid.uuid4().hex

    async def run(self, source: int, what: str = "standard input") -> Status:
        """Connect, send all lines, and disconnect.

        Args:
            source: The file descriptor to read lines from.
            what: The name of the source in error messages.

        Returns:
            The command's exit status.

        Raises:
            SessionEnded: The session could not be established.
            twisted.internet.error.ConnectError: No server listens there.
        """
        return await self._with_link(source, StandardLines(what), self._send_all)

    async def follow(self) -> Status:
        """Connect, and show received messages until the session ends finally; send nothing.

        Returns:
            The command's exit status.

        Raises:
            SessionEnded: The session could not be established.
            twisted.internet.error.ConnectError: No server listens there.
        """
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return await self._with_link(nothing, StandardLines(), self._listen)
        finally:
            os.close(nothing)

    async def _with_link(
        self,
        source: int,
        lines: StandardLines,
        work: Callable[[Link, StandardLines, ConsoleClient], Awaitable[None]],
    ) -> Status:
        """Do some work with a link to the server and with the standard streams."""

        def connected(client: ConsoleClient) -> None:
            if lines.transport is None:  # the first time; without a server, nothing is read
                # The stubs describe Windows, where StandardIO takes no descriptors.
                cast(Any, StandardIO)(lines, stdin=source, stdout=sink, reactor=self._reactor)
            lines.slow_down(client.stream)

        factory = ConsoleFactory(
            self._reactor,
            self._display(lines, lambda: len(factory.progress.rooms) > 1),
            self._login,
            connected=connected,
            room_joined=self._rejoined,
            silent=lambda: self._complain(SILENT),
        )
        link: Link = (
            LastingLink(self._reactor, self._there, factory)
            if self._is_lasting
            else SingleLink(self._there, factory)
        )
        sink = os.open(os.devnull, os.O_WRONLY) if self._output is Output.NOTHING else os.dup(1)
        try:
            client = await link.open()
            link.when_over().addCallback(lambda _: self._stop(lines))
            await work(link, lines, client)
        finally:
            try:
                await link.close()  # after a signal, too
            finally:
                if self._is_interrupted and self._tally.waiting:
                    self._complain(f"interrupted: {self._tally.report(has_more=self._has_more)}")
                await self._close(lines, source, sink)
        return self._status

    async def _close(self, lines: StandardLines, source: int, sink: int) -> None:
        """Write the rest of the output, and leave the streams as they were."""
        if lines.transport is not None:
            await lines.close()
        for shared in (source, sink):  # other programs may use the same terminal or pipe
            os.set_blocking(shared, True)
        os.close(sink)

    def _display(self, lines: StandardLines, with_rooms: Callable[[], bool]) -> Display:
        if self._output is Output.NOTHING:
            return QuietDisplay(self._complain)
        if self._output is Output.JSON:
            return JsonDisplay(lines.write_line)
        return TextDisplay(lines.write_line, with_rooms=with_rooms, ink=self._ink)

    def _stop(self, lines: StandardLines) -> None:
        """Stop reading and waiting: nothing more can be sent or received."""
        lines.stop_reading()
        self._progress.fire()

    def _rejoined(self, client: ConsoleClient, joined: Joined) -> None:
        """Tell if a server does not have all messages that it had before the client came back."""
        if not client.is_back or joined.recovered:
            return
        if self._is_sending and (joined.seq or self._tally.confirmed):
            self._complain(
                f"the server has lost messages of {joined.room}: confirmed lines may be among "
                "them, and lines without a confirmation may arrive twice"
            )
        elif joined.seq:
            self._complain(gap_in(joined.room))

    # Listening

    async def _listen(self, link: Link, lines: StandardLines, _: ConsoleClient) -> None:
        """Wait until the session ends finally, or the reader of the output has ended."""
        await anext(lines, None)  # no line comes, because reading was not started
        if link.end is not None:
            self._status, why = explain(link.end, self._endpoint)
            self._complain(why)
        elif not _is_pipe(1):  # a reader such as head may have enough
            self._complain("cannot write to standard output")
            self._status = Status.LOST

    # Sending

    async def _send_all(self, link: Link, lines: StandardLines, client: ConsoleClient) -> None:
        """Send each line, and wait for the receipts of all of them."""
        self._is_sending = True
        self._room = self._room or client.room  # for all sessions of the link
        try:
            self._has_more = await self._send_lines(link, lines, client.max_content)
            await self._wait_while(lambda: link.end is None and self._tally.waiting > 0)
        except CancelledError:  # a signal
            self._is_interrupted = True
            raise
        except ConfigurationError as error:  # the source is not UTF-8
            self._complain(str(error))
            self._status = Status.USAGE
            return
        finally:
            self._unsendable.finish()
            self._refusals.finish()
        why = None
        if not lines.is_writable:
            why, self._status = "standard output was closed", Status.LOST
        elif link.end is not None:
            self._status, why = explain(link.end, self._endpoint)
        if why is not None:
            self._complain(f"{why}: {self._tally.report(has_more=self._has_more)}")

    async def _send_lines(self, link: Link, lines: StandardLines, max_content: int) -> bool:
        """Send lines until there are no more or the link is over.

        Returns:
            Whether lines may remain.
        """
        number = 0
        lines.start(max_content)
        async for line in lines:
            number += 1
            if line == b"exit":
                lines.stop_reading()
                return False
            if not self._is_sendable(line, number, max_content):
                continue
            assert isinstance(line, bytes)
            await self._wait_while(lambda: link.end is None and self._is_window_full)
            if link.end is not None or not lines.is_writable:
                return True
            self._send(link, line, number)
        return link.end is not None or not lines.is_writable

    @property
    def _is_window_full(self) -> bool:
        return self._tally.waiting >= self._window or self._tally.waiting_bytes >= WINDOW_BYTES

    def _is_sendable(self, line: bytes | LineTooLong, number: int, max_content: int) -> bool:
        if isinstance(line, LineTooLong):
            self._pass_over(number, f"the limit is {max_content} bytes")
            return False
        try:
            line.decode()
        except UnicodeDecodeError:
            self._pass_over(number, "it is not UTF-8")
            return False
        return True

    def _pass_over(self, number: int, why: str) -> None:
        self._tally.pass_over(number)
        self._unsendable.add(number, why)
        if self._status is Status.DONE:
            self._status = Status.USAGE

    def _send(self, link: Link, line: bytes, number: int) -> None:
        self._tally.sent(number, len(line))
        receipt = maybeDeferred(link.send, line, id=f"{self._run_id}:{number}", room=self._room)
        receipt.addCallbacks(
            lambda _: self._tally.answered(number, is_confirmed=True),
            self._not_received,
            errbackArgs=(number,),
        )
        receipt.addCallback(lambda _: self._progress.fire())

    def _not_received(self, failure: Failure, number: int) -> None:
        failure.trap(RequestError, LocalProtocolError, ConfigurationError, SessionEnded)
        error = failure.value
        if isinstance(error, (RequestError, LocalProtocolError)):
            self._tally.answered(number, is_confirmed=False)
            self._status = Status.LOST
            why = f"{error.message} ({error.code})" if isinstance(error, RequestError) else error
            self._refusals.add(number, why)

    async def _wait_while(self, condition: Callable[[], bool]) -> None:
        while condition():
            await self._progress.wait()


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

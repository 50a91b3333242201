"""The interactive client: a line is typed below, what is said appears above it."""

from __future__ import annotations

import asyncio
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatd.cli.console import ConsoleClient, ConsoleFactory
from chatd.cli.display import TextDisplay
from chatd.cli.status import Status, explain
from chatd.errors import ErrorCode, LocalProtocolError, RequestError, SessionEnded, SessionRefused
from chatd.net.connect import ChatClientService
from chatd.net.endpoints import client_endpoint

__all__ = ["Terminal"]

_backoff = backoffPolicy(initialDelay=1.0, maxDelay=30.0)


class _Interrupted(Exception):
    """Ctrl+C was typed; a KeyboardInterrupt would tear down asyncio's loop on its way."""


class Terminal:
    """A conversation at a terminal; it outlives the connection, and connects again.

    It needs the asyncio reactor, which the prompt shares its loop with.

    Args:
        reactor: The reactor.
        endpoint: The endpoint string to connect to.
        room: The room to speak in, or None for the server's default.
        key: The shared key, or None.
        name: The name to ask for, or None.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        endpoint: str,
        *,
        room: str | None,
        key: bytes | None,
        name: str | None,
    ) -> None:
        self._endpoint = endpoint
        self._room = room
        self._display = TextDisplay(print, with_time=True)
        self._prompt: PromptSession[str] = PromptSession(
            erase_when_done=True, key_bindings=_key_bindings()
        )
        self._status = Status.DONE
        self._was_connected = False
        self._is_over = False
        factory = ConsoleFactory(
            reactor, self._display, key=key, name=name, client_ended=self._client_ended
        )
        there = client_endpoint(reactor, endpoint)
        self._service = ChatClientService(reactor, there, factory, self._delay)

    async def run(self) -> Status:
        """Converse until the person leaves or the server ends it for good.

        Returns:
            The command's exit status.

        Raises:
            SessionEnded: The first attempt did not lead to a session.
            twisted.internet.error.ConnectError: Nobody listens there.
        """
        self._service.startService()
        try:
            await self._service.whenConnected(failAfterFailures=1)
            self._was_connected = True
            with patch_stdout():
                await self._converse()
            return self._status
        finally:
            await self._service.stopService()

    async def _converse(self) -> None:
        draft = ""
        while not self._is_over:
            typing = asyncio.ensure_future(self._prompt.prompt_async("> ", default=draft))
            try:
                line: str = await Deferred.fromFuture(typing)
            except EOFError:
                return
            except _Interrupted:
                self._status = Status.INTERRUPTED
                return
            if line.strip() == "exit":
                return
            draft = "" if self._say(line) else line

    def _say(self, line: str) -> bool:
        """Send a line; say whether it is done with, and need not be typed again."""
        if not line.strip():
            return True
        client = self._service.client
        if client is None or not client.is_active:
            self._display.note("not sent: there is no connection")
            return False
        try:
            client.send(line, room=self._room).addErrback(self._not_received, line)
        except LocalProtocolError as error:
            self._display.note(f"not sent: {error}")
        return True

    def _not_received(self, failure: Failure, line: str) -> None:
        error = failure.value
        if isinstance(error, RequestError):
            self._display.note(f"refused: {line} ({error.message})")
        else:  # it may have been delivered all the same
            self._display.note(f"not confirmed: {line} (the connection was lost first)")

    def _delay(self, attempt: int) -> float:
        """Return how long to wait before the next attempt, and say so."""
        delay_s = _backoff(attempt)
        if self._was_connected:
            self._display.note(f"not connected; trying again in {delay_s:.0f} s")
        return delay_s

    def _client_ended(self, _: ConsoleClient, end: SessionEnded) -> None:
        """Leave, if the server ended the session for good."""
        if not self._was_connected or end.code == ErrorCode.NAME_TAKEN:
            return  # the first attempt is told by `run`; an old session may still hold the name
        was_refused = isinstance(end, SessionRefused)
        if not end.is_clean and not end.retry:
            self._status, why = explain(end, self._endpoint)
            if was_refused:
                self._display.note(why)
            self._is_over = True
            if self._prompt.app.is_running:  # and not between two lines
                self._prompt.app.exit(exception=EOFError())


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("c-c")
    def interrupt(event: KeyPressEvent) -> None:
        event.app.exit(exception=_Interrupted())

    return bindings

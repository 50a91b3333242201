"""`UnseenPrompt`: asks for passwords within a conversation at a terminal, without echo."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import PasswordProcessor
from prompt_toolkit.utils import is_dumb_terminal
from twisted.internet.defer import Deferred

from chatd.cli.asking import ask
from chatd.cli.notdone import NotDone
from chatd.cli.printable import plain

__all__ = ["UnseenPrompt"]


class UnseenPrompt:
    """Asks for passwords, which are neither shown nor kept in a history.

    `ask` may be called while there is no other prompt; the conversation then calls `answer` in
    place of its next prompt.

    Args:
        cancelled: Called when the person ends a prompt with Ctrl+C.
    """

    def __init__(self, cancelled: Callable[[], None]) -> None:
        self._cancelled = cancelled
        self._wanted: deque[tuple[str, Deferred[str]]] = deque()
        self._session: PromptSession[str] | None = None

    @property
    def is_shown(self) -> bool:
        """Whether a prompt waits for keys."""
        return self._session is not None and self._session.app.is_running

    @property
    def is_wanted(self) -> bool:
        """Whether a prompt waits."""
        return bool(self._wanted)

    def ask(self, prompt: str) -> Deferred[str]:
        """Ask for a line.

        Returns:
            A Deferred that fires with the line. It fails with `EOFError` if the person ends the
            prompt with Ctrl+C or Ctrl+D.

        Raises:
            NotDone: The terminal would show the typed text.
        """
        if is_dumb_terminal():
            raise NotDone("this terminal cannot hide a password")
        line: Deferred[str] = Deferred()
        self._wanted.append((prompt, line))
        return line

    async def answer(self) -> None:
        """Show the first waiting prompt, and pass its line on."""
        prompt, line = self._wanted.popleft()
        session = self._session = PromptSession(
            erase_when_done=True,
            history=DummyHistory(),
            input_processors=[PasswordProcessor(char="")],
            key_bindings=_bindings(self._cancelled),
        )
        try:
            line.callback(await ask(session, plain(prompt)))
        except EOFError as error:
            line.errback(error)


def _bindings(cancelled: Callable[[], None]) -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("c-c")
    def end(event: KeyPressEvent) -> None:
        cancelled()
        event.app.exit(exception=EOFError())

    return bindings

"""The table of commands, and the answer to a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic

from chatd.chat.interfaces import Delivery
from chatd.chat.rooms import M
from chatd.wire.messages import Message, MessageType

__all__ = ["Answer", "CommandTable", "Note"]

CommandTable = dict[str, tuple[type[Any], Callable[..., Awaitable[None]]]]
"""The type of a command's fields and the method that runs the command, by the command's name."""

Note = Callable[[str], None]
"""Called with a line for the operator's log: the operator, the action and its target."""


class Answer(Generic[M]):
    """Answers one command of a member.

    Args:
        delivery: Delivers the answer.
        member: The member that gave the command.
        command_id: The command's id.
    """

    def __init__(self, delivery: Delivery[M], member: M, command_id: str) -> None:
        self._delivery = delivery
        self._member = member
        self._command_id = command_id

    def __call__(self, result: dict[str, Any]) -> None:
        """Send the RESULT with these fields."""
        header = {**result, "id": self._command_id}
        self._delivery.tell(self._member, (Message(MessageType.RESULT, header),))

    def tell(self, messages: Iterable[Message]) -> None:
        """Send messages that answer the command; each has the command's id as its `ref`."""
        answers = [message.with_ref(self._command_id) for message in messages]
        self._delivery.tell(self._member, answers)

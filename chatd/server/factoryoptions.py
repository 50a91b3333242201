"""`FactoryOptions`: the arguments of `ChatFactory`, for factories that pass them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from chatd.chat.moderation import Bans
from chatd.chat.policy import Policy
from chatd.server.accounts import Accounts
from chatd.server.limits import Limits
from chatd.storage.interface import IMessageStore

__all__ = ["FactoryOptions"]


class FactoryOptions(TypedDict, total=False):
    """The keyword arguments of `ChatFactory`.

    A subclass with arguments of its own passes them on::

        class DiceFactory(chatd.ChatFactory):
            def __init__(
                self, clock: IReactorTime, *, sides: int, **options: Unpack[chatd.FactoryOptions]
            ) -> None:
                super().__init__(clock, **options)
                self.sides = sides

    `Unpack` is in `typing` since Python 3.11, and in `typing_extensions`.
    """

    key: bytes | None
    heartbeat_s: float
    max_content: int
    name: str
    unix_time: Callable[[], float]
    store: IMessageStore | None
    accounts: Accounts | None
    bans: Bans | None
    policy: Policy
    limits: Limits

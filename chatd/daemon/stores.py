"""The daemon's store: its settings, and `make_keepers`, which makes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from chatd.backplane.interface import BACKPLANE_RETENTION
from chatd.chat.moderation import Ban
from chatd.config.banfile import BanFile
from chatd.config.ownfile import absolute_path
from chatd.daemon.backplane import make_backplane
from chatd.daemon.sameness import Sameness
from chatd.storage.interface import IMessageStore
from chatd.storage.memory import MEMORY_RETENTION, MemoryStore
from chatd.storage.runner import StoreThread
from chatd.storage.sqlite.store import SQLITE_RETENTION, SqliteStore
from chatd.storage.values import Durability, Retention

__all__ = ["Keepers", "StoreSettings", "make_keepers", "usual_retention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The operator's settings for keeping messages.

    Attributes:
        data: The directory for messages and bans; None for memory.
        backplane: The URL of a Redis that several daemons share, instead of `data`; None for one
            daemon.
        backplane_password_file: The path of a file with the password of that Redis, or None.
        durability: What a power cut may cost, with `data` or `backplane`.
        keep: How much of each room is kept; None for the store's default.
    """

    data: str | Path | None = None
    backplane: str | None = None
    backplane_password_file: str | None = None
    durability: Durability = Durability.FULL
    keep: Retention | None = None


class Keepers(NamedTuple):
    """The objects that keep the messages and the bans.

    Attributes:
        store: Keeps the messages.
        ban_file: Keeps the bans.
        save_bans: Saves the bans while the store is open; None to keep them in memory only.
    """

    store: IMessageStore
    ban_file: BanFile
    save_bans: Callable[[list[Ban]], Awaitable[None]] | None


def usual_retention(data: str | Path | None, backplane: str | None = None) -> Retention:
    """Return how much of each room the store keeps by default.

    Args:
        data: See `StoreSettings`.
        backplane: See `StoreSettings`.
    """
    if backplane is not None:
        return BACKPLANE_RETENTION
    return MEMORY_RETENTION if data is None else SQLITE_RETENTION


def make_keepers(
    reactor: Any,  # noqa: ANN401
    settings: StoreSettings,
    sameness: Sameness,
) -> Keepers:
    """Make the store of messages, and the file of bans.

    Args:
        reactor: The reactor.
        settings: The operator's settings.
        sameness: Compares the daemons of a backplane.

    Raises:
        ConfigurationError: The backplane cannot be used.
    """
    keep = settings.keep or usual_retention(settings.data, settings.backplane)
    if settings.backplane is not None:
        backplane = make_backplane(
            reactor,
            settings.backplane,
            settings.backplane_password_file,
            settings.durability,
            keep,
            sameness,
        )
        return Keepers(backplane, BanFile(None), None)
    if settings.data is None:
        return Keepers(MemoryStore(keep), BanFile(None), None)
    data = Path(absolute_path(settings.data))
    run = StoreThread(reactor)
    store = SqliteStore(data, keep, durability=settings.durability, run=run)
    ban_file = BanFile(data / "bans.json")

    async def save_bans(bans: list[Ban]) -> None:
        await run(partial(ban_file.save, bans))  # the store's thread runs while it is open

    return Keepers(store, ban_file, save_bans)

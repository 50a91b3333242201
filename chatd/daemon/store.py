"""`KeepingService`: opens and closes the store, and drops what is too old."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.config.banfile import BanFile
from chatd.errors import ConfigurationError, StartupError, StoreError
from chatd.server.factory import ChatFactory
from chatd.transport.clock import looping_call

__all__ = ["EXPIRY_INTERVAL_S", "KeepingService"]

EXPIRY_INTERVAL_S = 60.0
"""Seconds between two looks for what has become too old to be kept."""


class KeepingService(Service):
    """Opens what keeps what is said, and drops what is too old now and then.

    Args:
        clock: What tells the time.
        factory: Whose store it is.
        ban_file: Where bans are kept; None where they are the factory's own.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, factory: ChatFactory, ban_file: BanFile | None) -> None:
        self._factory = factory
        self._ban_file = ban_file
        self._loop = looping_call(clock, self._expire)

    def startService(self) -> None:
        """Open the store.

        Raises:
            StartupError: It cannot be opened.
        """
        try:
            if self._ban_file is not None:
                self._factory.bans.replace(self._ban_file.load())
            self._factory.store.open()
        except ConfigurationError as error:
            raise StartupError(f"chatd: {error}") from error
        super().startService()
        self._loop.start(EXPIRY_INTERVAL_S)

    def stopService(self) -> Deferred[None]:
        """Wait until bans are saved, and close the store, when nobody uses it any more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._factory.bans.finish_saving()
        await self._factory.store.close()

    async def _expire(self) -> None:
        try:
            await self._factory.store.expire()
        except StoreError as error:
            self._factory.engine.failures.store_failed(error)
        except Exception:  # of a store of whatever make: the loop goes on
            self.log.failure("the store failed to drop what is too old")

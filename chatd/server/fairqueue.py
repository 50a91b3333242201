"""`FairQueue`: gives slots to the waiting addresses in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred

from chatd.chat.addresses import site_of

__all__ = ["FairQueue"]


class FairQueue:
    """Gives slots to the waiting addresses in turn; within an address, first come, first served.

    So the only request of an address waits for at most one request of each other address. An IPv6
    address counts as its /64 prefix; see `chatd.chat.addresses.site_of`.

    The number of waiting requests is not bounded here: the caller must cancel each request that it
    no longer waits for.

    Args:
        slots: How many slots there are.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        # The waiting requests of each site, in order of arrival, each with its `is_there`.
        # The sites are in the order of their turns; a site without requests is left out.
        self._sites: OrderedDict[str, dict[Deferred[None], Callable[[], bool]]] = OrderedDict()
        self._is_calling = False

    def __len__(self) -> int:
        """Return the number of waiting requests."""
        return sum(map(len, self._sites.values()))

    def acquire(self, address: str, is_there: Callable[[], bool]) -> Deferred[None]:
        """Wait for a slot; give it back with `release`.

        Args:
            address: The address of the client that waits.
            is_there: Called when the request's turn has come; if it returns False, the next request
                gets the slot.

        Returns:
            A Deferred that fires with None when there is a slot. It fails with `CancelledError` if
            `is_there` returned False. Cancelling it takes the request out of the queue.
        """
        site = site_of(address)
        place: Deferred[None] = Deferred(lambda place: self._leave(site, place))
        self._sites.setdefault(site, {})[place] = is_there
        self._call()
        return place

    def release(self) -> None:
        """Give a slot back; the next request gets it."""
        self._free += 1
        self._call()

    def _call(self) -> None:
        """Give free slots to the next requests."""
        if self._is_calling:  # a request that finishes at once must not recurse
            return
        self._is_calling = True
        try:
            while self._free and self._sites:
                place, is_there = self._take_next()
                if is_there():
                    self._free -= 1
                    place.callback(None)
                else:
                    place.errback(CancelledError("the client is gone"))
        finally:
            self._is_calling = False

    def _take_next(self) -> tuple[Deferred[None], Callable[[], bool]]:
        """Take the next request out of the queue, and move its site behind all others."""
        site, places = next(iter(self._sites.items()))
        place, is_there = next(iter(places.items()))
        self._sites.move_to_end(site)
        self._leave(site, place)
        return place, is_there

    def _leave(self, site: str, place: Deferred[None]) -> None:
        places = self._sites[site]
        del places[place]
        if not places:
            del self._sites[site]

"""`FairQueue`: gives out a few slots, to one address after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred

from chatd.chat.addresses import site_of

__all__ = ["FairQueue"]


class FairQueue:
    """Gives each slot to the next address that waits for one, and within it to who came first.

    So who is alone at an address waits for at most one of every other. An IPv6 address counts as
    its /64 prefix; see `chatd.chat.addresses.site_of`.

    How many may wait is not bounded here: whoever asks must cancel what is not waited for any more.

    Args:
        slots: How many slots there are.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        # Who waits at each site, in order of arrival, each with what says whether it is there.
        # The sites are in the order of their turns; one where nobody waits is not among them.
        self._sites: OrderedDict[str, dict[Deferred[None], Callable[[], bool]]] = OrderedDict()
        self._is_calling = False

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._sites.values()))

    def acquire(self, address: str, is_there: Callable[[], bool]) -> Deferred[None]:
        """Wait for a slot, which is to be given back with `release`.

        Args:
            address: Who waits.
            is_there: Called when its turn has come; where it says no, the next is called instead.

        Returns:
            A Deferred that fires with None when there is a slot, and fails with `CancelledError`
            where who waits is not there any more. Cancelling it leaves the line.
        """
        site = site_of(address)
        place: Deferred[None] = Deferred(lambda place: self._leave(site, place))
        self._sites.setdefault(site, {})[place] = is_there
        self._call()
        return place

    def release(self) -> None:
        """Give a slot back, to whoever is next."""
        self._free += 1
        self._call()

    def _call(self) -> None:
        """Call who is next while there is a slot."""
        if self._is_calling:  # who was called is done at once: not deeper for each of them
            return
        self._is_calling = True
        try:
            while self._free and self._sites:
                place, is_there = self._take_next()
                if is_there():
                    self._free -= 1
                    place.callback(None)
                else:
                    place.errback(CancelledError("it is not there any more"))
        finally:
            self._is_calling = False

    def _take_next(self) -> tuple[Deferred[None], Callable[[], bool]]:
        """Take who is next out of the line; its site has its turn again after all others."""
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

"""`PerSite`: who is somewhere without a session, and who of them goes first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["PerSite"]

P = TypeVar("P")
"""What stands for a connection."""


class PerSite(Generic[P]):
    """Connections, each of a site, in the order in which they came.

    All that is asked of it takes the same time, however many there are and of however many sites.
    """

    def __init__(self) -> None:
        self._sites: OrderedDict[P, str] = OrderedDict()
        self._of_site: dict[str, OrderedDict[P, None]] = {}
        # The sites that have so many; and how many those have that have most.
        self._of_size: dict[int, OrderedDict[str, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._sites)

    def __contains__(self, connection: P) -> bool:
        return connection in self._sites

    def add(self, connection: P, site: str) -> None:
        """Add a connection, as the last that came."""
        self._sites[connection] = site
        self._join(connection, site)

    def discard(self, connection: P) -> None:
        """Forget a connection, if it is there."""
        site = self._sites.pop(connection, None)
        if site is not None:
            self._leave(connection, site)

    def move(self, connection: P, site: str) -> None:
        """Let a connection be of another site, if it is there; of those it is the last."""
        before = self._sites.get(connection)
        if before is not None and before != site:
            self._leave(connection, before)
            self._sites[connection] = site
            self._join(connection, site)

    def first_to_go(self, site: str | None = None) -> P:
        """Return who has been there for the longest of the site that has most.

        Where several have as many, it is one of the site that another would come from, which counts
        as being there; where nobody has more than one, it is the first of all.

        Args:
            site: The site that another would come from; None where that is not known.
        """
        own = None if site is None else self._of_site.get(site)
        if own is not None and len(own) + 1 >= self._most:
            return next(iter(own))
        if self._most == 1:
            return next(iter(self._sites))
        largest = next(iter(self._of_size[self._most]))
        return next(iter(self._of_site[largest]))

    def _join(self, connection: P, site: str) -> None:
        of_site = self._of_site.setdefault(site, OrderedDict())
        of_site[connection] = None
        self._count(site, len(of_site) - 1, len(of_site))

    def _leave(self, connection: P, site: str) -> None:
        of_site = self._of_site[site]
        del of_site[connection]
        if not of_site:
            del self._of_site[site]
        self._count(site, len(of_site) + 1, len(of_site))

    def _count(self, site: str, before: int, now: int) -> None:
        """Note how many a site has, which are one more or one less than before."""
        if before:
            alike = self._of_size[before]
            del alike[site]
            if not alike:
                del self._of_size[before]
        if now:
            self._of_size.setdefault(now, OrderedDict())[site] = None
        if now > self._most or (before == self._most and before not in self._of_size):
            self._most = now

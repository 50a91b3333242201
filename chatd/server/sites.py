"""`PerSite`: groups connections by site, and selects the connection to close first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["PerSite"]

P = TypeVar("P")
"""The type of a connection."""


class PerSite(Generic[P]):
    """Connections by site, in the order of their arrival.

    Each operation takes constant time, for any number of connections and sites.
    """

    def __init__(self) -> None:
        self._sites: OrderedDict[P, str] = OrderedDict()
        self._of_site: dict[str, OrderedDict[P, None]] = {}
        # The sites by their number of connections; and the largest such number.
        self._of_size: dict[int, OrderedDict[str, None]] = {}
        self._most = 0

    def __len__(self) -> int:
        return len(self._sites)

    def __contains__(self, connection: P) -> bool:
        return connection in self._sites

    def add(self, connection: P, site: str) -> None:
        """Add a connection as the newest."""
        self._sites[connection] = site
        self._join(connection, site)

    def discard(self, connection: P) -> None:
        """Forget a connection, if it is known."""
        site = self._sites.pop(connection, None)
        if site is not None:
            self._leave(connection, site)

    def move(self, connection: P, site: str) -> None:
        """Move a connection, if it is known, to another site, as the newest of that site."""
        before = self._sites.get(connection)
        if before is not None and before != site:
            self._leave(connection, before)
            self._sites[connection] = site
            self._join(connection, site)

    def first_to_go(self, site: str | None = None) -> P:
        """Return the oldest connection of the site that has most of them.

        A new connection counts for its site already. If several sites have most, the site of the
        new connection comes first. If each site has only one connection, return the oldest.

        Args:
            site: The site of the new connection; None if it is not known.
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
        """Note a site's number of connections, one more or one less than before."""
        if before:
            alike = self._of_size[before]
            del alike[site]
            if not alike:
                del self._of_size[before]
        if now:
            self._of_size.setdefault(now, OrderedDict())[site] = None
        if now > self._most or (before == self._most and before not in self._of_size):
            self._most = now

"""Tests of `chatd.server.sites`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.sites import PerSite

SITES = "abcd"
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "discard", "move"]),
        st.sampled_from(SITES),
        st.integers(0, 100),
    ),
    max_size=40,
)


class SlowCrowd:
    """The same, computed from all connections."""

    def __init__(self) -> None:
        self.all: list[int] = []
        self.of_site: dict[str, list[int]] = {site: [] for site in SITES}

    def discard(self, one: int) -> None:
        self.all.remove(one)
        for of_site in self.of_site.values():
            if one in of_site:
                of_site.remove(one)

    def move(self, one: int, site: str) -> None:
        if one not in self.of_site[site]:
            for of_site in self.of_site.values():
                if one in of_site:
                    of_site.remove(one)
            self.of_site[site].append(one)

    def may_go_first(self, site: str | None) -> set[int]:
        """Return the connections that may close in favour of a new one of a site."""
        own = self.of_site.get(site, []) if site is not None else []
        most = max(map(len, self.of_site.values()))
        if own and len(own) + 1 >= most:
            return {own[0]}
        if most == 1:
            return {self.all[0]}
        return {of_site[0] for of_site in self.of_site.values() if len(of_site) == most}


class CrowdTests(SynchronousTestCase):
    """The first to go, after any history."""

    def test_empty(self) -> None:
        """At first it is empty; unknown connections may be discarded or moved."""
        sites: PerSite[int] = PerSite()
        sites.discard(1)
        sites.move(1, "a")
        self.assertEqual((len(sites), 1 in sites), (0, False))

    @given(STEPS)
    def test_rule(self, steps: list[tuple[str, str, int]]) -> None:
        """It is the oldest of the site that has most, or of the new connection's site."""
        sites, slow = PerSite[int](), SlowCrowd()
        for number, (step, site, chosen) in enumerate(steps):
            if step == "add":
                sites.add(number, site)
                slow.all.append(number)
                slow.of_site[site].append(number)
            elif slow.all:
                one = slow.all[chosen % len(slow.all)]
                for each in (sites, slow):
                    each.move(one, site) if step == "move" else each.discard(one)
            self.assertEqual(len(sites), len(slow.all))
            for asked in (*SITES, "elsewhere", None) if slow.all else ():
                self.assertIn(sites.first_to_go(asked), slow.may_go_first(asked))

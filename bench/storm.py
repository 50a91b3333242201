"""Everyone connects at once: how long until the last is welcome."""

from __future__ import annotations

from collections.abc import Sequence

from bench.aside import Crowd, answer_of, started
from bench.figures import Effort, Figures, Note, add
from bench.newcomers import Arrival
from bench.peers import Peer, Server, running
from bench.process import cpu_seconds

__all__ = ["storm"]


def storm(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Let thousands connect at once to a server that has just begun."""
    figures: Figures = {}
    for _ in range(effort.rounds):
        for peer in peers:
            with running(peer) as server:
                server_cpu_s = cpu_seconds(server.pid)
                arrival = _rush(server, effort.storm)
                server_cpu_s = cpu_seconds(server.pid) - server_cpu_s
            share = server_cpu_s / arrival.welcomed_s
            driver_share = arrival.cpu_s / arrival.welcomed_s
            for quantity, figure in (
                ("greeted", arrival.greeted_s),
                ("welcomed", arrival.welcomed_s),
                ("refused", float(arrival.refused)),
                ("server CPU", share),
                ("driver CPU", driver_share),
            ):
                add(figures, quantity, peer, figure)
            if driver_share > 0.9 > share:
                note(
                    f"{peer.label}: the driver was the limit of the storm "
                    f"(its CPU {driver_share:.0%}, theirs {share:.0%})"
                )
    return figures


def _rush(server: Server, count: int) -> Arrival:
    task = Crowd(host=server.host, port=server.port, key=server.key, count=count)
    with started("bench.newcomers", task) as newcomers:
        return answer_of(newcomers, Arrival)

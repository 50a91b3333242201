"""A storm: all clients connect at once, and the last welcome is timed."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Effort, Figures, Note, add
from bench.logins import Logins
from bench.peers import Peer, Server, running
from bench.process import cpu_seconds
from bench.worker import ConnectTask, answer_of, started

__all__ = ["storm"]


def storm(peers: Sequence[Peer], effort: Effort, note: Note) -> Figures:
    """Let thousands of clients connect at once to a server that has just started."""
    figures: Figures = {}
    for _ in range(effort.rounds):
        for peer in peers:
            with running(peer) as server:
                server_cpu_s = cpu_seconds(server.pid)
                logins = _log_in_at_once(server, effort.storm)
                server_cpu_s = cpu_seconds(server.pid) - server_cpu_s
            share = server_cpu_s / logins.welcomed_s
            driver_share = logins.cpu_s / logins.welcomed_s
            for quantity, figure in (
                ("greeted", logins.greeted_s),
                ("welcomed", logins.welcomed_s),
                ("refused", float(logins.refused)),
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


def _log_in_at_once(server: Server, count: int) -> Logins:
    task = ConnectTask(host=server.host, port=server.port, key=server.key, count=count)
    with started("bench.logins", task) as worker:
        return answer_of(worker, Logins)

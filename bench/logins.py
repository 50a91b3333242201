"""Logins that all start at once, each up to its welcome.

A worker (see `bench.worker`): its task is a `ConnectTask`, its answer a `Logins`.
"""

from __future__ import annotations

import errno
import gc
import selectors
import socket
import time

import msgspec

from bench.probe import AnsweringLine
from bench.worker import ConnectTask, do_task
from chatd.connection.events import Ended, Event, Faulted, Welcomed

__all__ = ["LoginLine", "Logins", "log_in_at_once"]

ROOM_MEMBERS = 10
PATIENCE_S = 60.0
"""Limit on the wait for a welcome, in seconds."""
_READ_BYTES = 65536
_WAIT_S = 1.0


class Logins(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the logins.

    Attributes:
        greeted_s: The time until the last SESSION_INIT, in seconds from the beginning.
        welcomed_s: The time until the last welcome, in seconds from the beginning.
        refused: The number of connections without a welcome.
        cpu_s: The CPU time of this process, in seconds.
    """

    greeted_s: float
    welcomed_s: float
    refused: int
    cpu_s: float


class LoginLine(AnsweringLine):
    """One connection.

    Attributes:
        is_welcome: Whether it has its welcome.
        is_refused: Whether it will never have a welcome.
    """

    is_welcome = False
    is_refused = False

    @property
    def is_greeted(self) -> bool:
        """Whether it has its SESSION_INIT."""
        return self.session.init is not None

    def event_received(self, event: Event) -> None:
        """Note the welcome."""
        if isinstance(event, Welcomed):
            self.is_welcome = True
        elif isinstance(event, Ended | Faulted):
            self.is_refused = not self.is_welcome

    def read(self, buffer: memoryview) -> None:
        """Take the data that has arrived."""
        try:
            count = self.link.recv_into(buffer)
            if count:
                self.feed(buffer[:count])
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        if not count:
            self.is_refused = not self.is_welcome


def log_in_at_once(task: ConnectTask) -> Logins:
    """Connect all at once, and wait until each has its welcome or was refused."""
    logins = [_login(task, number) for number in range(task.count)]
    try:
        gc.collect()
        gc.disable()  # pauses of this process must not look like the server's
        return _time_logins(logins, (task.host, task.port))
    finally:
        gc.enable()
        for login in logins:
            login.link.close()


def _login(task: ConnectTask, number: int) -> LoginLine:
    link = socket.socket()
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return LoginLine(link, f"n{number}", f"#r{number // ROOM_MEMBERS}", key=task.key)


def _time_logins(logins: list[LoginLine], address: tuple[str, int]) -> Logins:
    buffer = memoryview(bytearray(_READ_BYTES))
    cpu_s, start = time.process_time(), time.perf_counter()
    greeted_s = welcomed_s = 0.0
    waiting = len(logins)
    with selectors.DefaultSelector() as selector:
        for login in logins:
            if login.link.connect_ex(address) in (0, errno.EINPROGRESS):
                selector.register(login.link, selectors.EVENT_READ, login)
            else:
                login.is_refused = True
                waiting -= 1
        while waiting and time.perf_counter() - start < PATIENCE_S:
            for key, _ in selector.select(_WAIT_S):
                login = key.data
                was_greeted = login.is_greeted
                login.read(buffer)
                if login.is_greeted and not was_greeted:
                    greeted_s = time.perf_counter() - start
                if login.is_welcome or login.is_refused:
                    welcomed_s = time.perf_counter() - start
                    selector.unregister(login.link)
                    waiting -= 1
    return Logins(
        greeted_s=greeted_s,
        welcomed_s=welcomed_s if not waiting else PATIENCE_S,
        refused=sum(not login.is_welcome for login in logins),
        cpu_s=time.process_time() - cpu_s,
    )


if __name__ == "__main__":
    do_task(ConnectTask, log_in_at_once)

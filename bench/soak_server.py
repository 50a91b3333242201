"""The daemon for a soak: the usual chatd, which also counts its objects on SIGUSR1.

Run as `python -m bench.soak_server PORT KEY_FILE DATA HEARTBEAT_S`. It keeps every message. For
each SIGUSR1 it adds one line to `bench.counts.FILE`, a `Counts`.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
from pathlib import Path
from typing import cast

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import LoopingCall
from twisted.logger import globalLogBeginner, textFileLogObserver

from bench.counts import FILE, Counts
from chatd.daemon.build import make_service
from chatd.daemon.settings import Settings
from chatd.server.factory import ChatFactory
from chatd.server.protocol import ServerProtocol
from chatd.storage.values import Retention

__all__ = ["count_objects"]

EVERYTHING = Retention(max_messages=2**40, max_bytes=2**50)


def count_objects(factory: ChatFactory) -> Counts:
    """Count the objects, after freed memory was returned to the system.

    The C library keeps freed memory for later use, and its heap does not shrink while the last
    piece of it is in use. With such memory, growth could not be told from use.
    """
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
    if give_back is not None:
        give_back(0)
    objects = gc.get_objects()
    return Counts(
        timers=len(reactor.getDelayedCalls()),
        loops=sum(isinstance(each, LoopingCall) and each.running for each in objects),
        readers=len(reactor.getReaders()),
        sessions=len(factory.sessions),
        protocols=sum(
            isinstance(each, ServerProtocol) and each.factory is factory for each in objects
        ),
        rooms=len(factory.hub.roster.rooms),
        deferreds=sum(isinstance(each, Deferred) for each in objects),
        objects=len(objects),
    )


def main() -> None:
    """Serve until SIGTERM."""
    port, key_file, data, heartbeat_s = sys.argv[1:]
    settings = Settings(
        endpoints=[f"tcp:{port}:backlog=1024:interface=127.0.0.1"],
        key_file=key_file,
        data=data,
        heartbeat_s=float(heartbeat_s),
        keep=EVERYTHING,
    )
    with Path("chatd.log").open("a") as log, Path(FILE).open("ab", buffering=0) as told:
        globalLogBeginner.beginLoggingTo([textFileLogObserver(log)])
        service = make_service(reactor, settings)

        def tell() -> None:
            told.write(msgspec.json.encode(count_objects(service.factory)) + b"\n")

        from_thread = cast(IReactorFromThreads, reactor).callFromThread
        signal.signal(signal.SIGUSR1, lambda *_: from_thread(tell))
        service.privilegedStartService()
        service.startService()
        reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        reactor.run()


if __name__ == "__main__":
    main()

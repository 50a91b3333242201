"""What every test on real sockets is held to, and the files and sockets that it is given."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from tests.fakes.pems import write_certificate


@pytest.fixture(scope="session", autouse=True)
def frozen_modules() -> Iterator[None]:
    """Keep what was imported out of every collection: only what a test leaves is looked at."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def heeded_signals() -> Iterator[None]:
    """Let what a test starts heed signals.

    What is ignored here, a process that is started ignores too: in the background and under nohup,
    and after a daemon's service was stopped in this process, which then ignores SIGHUP.
    """
    handlers: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {each: signal.getsignal(each) for each in handlers}
    for each, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(each, handlers[each])
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture(autouse=True)
def logged_failures(request: pytest.FixtureRequest) -> Iterator[list[Failure]]:
    """Fail a test in which a failure is logged; one that expects some takes them from the list."""
    failures: list[Failure] = []
    if isinstance(request.instance, SynchronousTestCase):  # which does so by itself
        yield failures
        return

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure", event.get("failure"))  # of the new log, or the old
        if failure is not None:
            failures.append(failure)

    globalLogPublisher.addObserver(observe)
    yield failures
    gc.collect()  # a Deferred logs the failure that nobody took when it is collected
    globalLogPublisher.removeObserver(observe)
    if failures:
        pytest.fail("logged:\n" + "\n".join(failure.getTraceback() for failure in failures))


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    """Return the endpoint string of a socket that is not there yet."""
    return f"unix:{tmp_path}/chat.sock"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return a directory with a certificate and its key."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    write_certificate(directory / "localhost.pem")
    return directory

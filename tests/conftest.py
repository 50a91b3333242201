"""Hooks for pytest: `async def` tests run on the reactor, and each test must leave it clean.

Cases of `SynchronousTestCase` need no reactor, and trial runs them too. All other tests get the
marker `pytest_only`, so that the two runners together can run each test once.
"""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import inspect
import sys
from collections.abc import Iterator, Sequence
from unittest import TestCase

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, globalLogBeginner
from zope.interface import provider

from tests import atend

TEST_TIMEOUT_S = 30
"""Time limit of an `async def` test, in seconds; pytest's own timeout is for tests that block."""
_TURNS_TO_CLOSE = 20
"""Maximum turns of the reactor until both ends of a closed connection are gone."""


def pytest_configure(config: pytest.Config) -> None:
    """Let `--hypothesis-seed` choose the examples; without it, all runs try the same examples."""
    if config.getoption("hypothesis_seed", None) is not None:
        settings.load_profile("any")
    # Until a program begins to log, Twisted keeps 65,536 events, and with them what they mention.
    globalLogBeginner.beginLoggingTo([_show], discardBuffer=True, redirectStandardIO=False)
    # pytest reads Twisted's version before each test case, which takes longer than most of them.
    importlib.metadata.version = functools.cache(importlib.metadata.version)


def pytest_sessionfinish() -> None:
    """End what runs until the tests are over."""
    atend.end()


@provider(ILogObserver)
def _show(event: LogEvent) -> None:
    """Show the failures that nobody handled, as Twisted does before a program begins to log."""
    if event.get("log_level") is LogLevel.critical:
        print(eventAsText(event), file=sys.stderr)


@pytest.hookimpl(tryfirst=True)  # before `-m` reads the markers
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests that trial does not run, except the benchmarks, which are not tests."""
    for item in items:
        cls = getattr(item, "cls", None)
        is_case = cls is not None and issubclass(cls, TestCase)
        if not is_case and item.get_closest_marker("benchmark") is None:
            item.add_marker("pytest_only")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run an `async def` test with pytest-twisted, and make it fail if it hangs."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return

    @pytest_twisted.ensureDeferred
    @functools.wraps(test)
    async def run(**arguments: object) -> None:
        from twisted.internet import reactor

        await Deferred.fromCoroutine(test(**arguments)).addTimeout(TEST_TIMEOUT_S, reactor)

    pyfuncitem.obj = run


def pytest_collection_finish() -> None:
    """Leave the modules of the tests out of each search for garbage; see `own_garbage`."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def own_garbage() -> Iterator[None]:
    """Remove the garbage of a module's tests at its end, and search what is left never again.

    Otherwise a test that needs `gc.collect` would search a million objects, for a second.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def running_reactor():
    """Return the reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    pytest_twisted.blockon(deferLater(reactor, 0))  # now the reactor's own readers are installed
    return reactor


@pytest.fixture(autouse=True)
def clean_reactor(running_reactor) -> Iterator[None]:
    """Fail a test that leaves sockets or delayed calls behind."""
    before = _activity(running_reactor)
    yield
    for _ in range(_TURNS_TO_CLOSE):
        if _activity(running_reactor) <= before:
            return
        pytest_twisted.blockon(deferLater(running_reactor, 0))
    left = _activity(running_reactor) - before
    if left:
        pytest.fail("the reactor is left dirty: " + ", ".join(sorted(map(str, left))))


def _activity(reactor) -> set[object]:
    """Return the readers, writers and delayed calls of the reactor."""
    return {*reactor.getReaders(), *reactor.getWriters(), *reactor.getDelayedCalls()}

"""Rules for every test on real sockets, and fixtures with its files and sockets."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from tests.fakes.pems import write_certificate
from tests.integration.chromium import chromium
from tests.integration.page import Page, Tab
from tests.integration.processes import daemon, run_command

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="session", autouse=True)
def frozen_modules() -> Iterator[None]:
    """Keep imported modules out of every collection: only a test's remains matter."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def heeded_signals() -> Iterator[None]:
    """Let processes that a test starts react to signals.

    A child process ignores the signals that this process ignores: some in the background and under
    nohup, and SIGHUP after a daemon's service was stopped in this process.
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
    """Fail a test that logs a failure; a test that expects some takes them from the list."""
    failures: list[Failure] = []
    if isinstance(request.instance, SynchronousTestCase):  # it does so itself
        yield failures
        return

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure", event.get("failure"))  # new log, old log
        if failure is not None:
            failures.append(failure)

    globalLogPublisher.addObserver(observe)
    yield failures
    gc.collect()  # a Deferred logs its unhandled failure when it is collected
    globalLogPublisher.removeObserver(observe)
    if failures:
        pytest.fail("logged:\n" + "\n".join(failure.getTraceback() for failure in failures))


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    """Return the endpoint string of a socket that does not exist yet."""
    return f"unix:{tmp_path}/chat.sock"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return a directory with a certificate and its key."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    write_certificate(directory / "localhost.pem")
    return directory


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Run a daemon with a key and a page; olga is an operator."""
    directory = tmp_path_factory.mktemp("page")
    key_file = directory / "chat.key"
    assert run_command("chatd", "keygen", key_file).returncode == 0
    options = ("--key-file", key_file, "--web", "tcp:0:interface=127.0.0.1", "--operator", "olga")
    endpoint = f"unix:{directory}/socket"
    with daemon(*options, "--data", directory / "data", endpoint=endpoint) as process:
        port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        yield Page(f"http://127.0.0.1:{port}/", key_file, endpoint)


@pytest.fixture(scope="module")
def browsers() -> Iterator[tuple[Chrome, Chrome]]:
    """Run two browsers; each is a person of its own."""
    with chromium() as one, chromium("--blink-settings=preferredColorScheme=0") as other:
        yield one, other


@pytest.fixture
def tabs(page: Page, browsers: tuple[Chrome, Chrome]) -> list[Tab]:
    """Return two tabs that have not joined."""
    tabs = [Tab(each, page.address) for each in browsers]
    for tab in tabs:
        tab.complaints()  # of an earlier test
    return tabs

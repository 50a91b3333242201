"""Base cases for the tests of the daemon."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from chatd.daemon.build import make_service
from chatd.daemon.service import ChatService
from chatd.daemon.settings import Settings
from chatd.daemon.tap import Options
from chatd.errors import ConfigurationError
from tests.fakes.reactors import ThreadedReactor


def hang_up(service: ChatService) -> None:
    """Send a daemon SIGHUP, as its handler sees it."""
    signals: Any = service._signals
    signals._hang_up()


class MakeServiceCase(SynchronousTestCase):
    """Settings, a reactor, and a directory for files."""

    def setUp(self) -> None:
        self.reactor = ThreadedReactor()
        self.addCleanup(self.reactor.stop)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.key_file = self.directory / "key"

    def make(self, **decided: Any) -> ChatService:
        """Make a service."""
        return make_service(self.reactor, Settings(**decided))

    def start(self, **decided: Any) -> ChatService:
        """Make a service, and start it; it is stopped with the test."""
        service = self.make(**decided)
        service.startService()
        self.addCleanup(self.stop, service)
        return service

    def stop(self, service: ChatService) -> None:
        if service.running:
            self.result(service.stopService())

    def result(self, deferred: Deferred[Any]) -> Any:
        """Wait for a Deferred, and return its result."""
        self.reactor.wait_for(deferred)
        return self.successResultOf(deferred)

    def await_(self, coroutine: Any) -> Any:
        return self.result(Deferred.fromCoroutine(coroutine))

    def refusal(self, **decided: Any) -> str:
        """Return the single line of an error of settings."""
        error = self.assertRaises(ConfigurationError, self.make, **decided)
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)


class OptionsCase(SynchronousTestCase):
    """The options of `twistd chatd`."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def parse(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(list(arguments))
        return options

    def key_file(self, content: bytes, mode: int = 0o600) -> str:
        """Write a key file, and return its path."""
        path = self.directory / "key"
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        os.chmod(path, mode)
        return str(path)

    def fault_of(self, *arguments: str) -> str | None:
        """Return a complaint about a bad refusal of arguments; None for a good one."""
        try:
            self.parse(*arguments)
        except usage.UsageError as error:
            text = str(error)
            return None if len(text.splitlines()) == 1 else f"not one line: {text!r}"
        except BaseException as error:
            return f"raised {error!r}"
        return "taken"

    def check_refused(self, *mistakes: tuple[str, ...]) -> None:
        """Check that each wrong argument gives an error of one line."""
        faults = {mistake: self.fault_of(*mistake) for mistake in mistakes}
        self.assertEqual({mistake: fault for mistake, fault in faults.items() if fault}, {})

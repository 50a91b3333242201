"""A base case for the tests of endpoint strings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError


class EndpointCase(SynchronousTestCase):
    """Endpoints on a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def check_refused(self, make: Callable[..., object], descriptions: list[str]) -> None:
        """Check that each string gives an error of one line, with an example of an endpoint."""
        faults = {bad: self.fault_of(make, bad) for bad in descriptions}
        self.assertEqual({bad: fault for bad, fault in faults.items() if fault}, {})

    def fault_of(self, make: Callable[..., object], description: str) -> str | None:
        """Return a complaint about a bad refusal of a string; None for a good one."""
        try:
            made = make(self.reactor, description)
        except ConfigurationError as error:
            text = str(error)
            is_well = len(text.splitlines()) == 1 and "an example is" in text and ": ;" not in text
            return None if is_well else text
        except Exception as error:
            return f"raised {error!r}"
        return f"made {made!r}"

    def pem_file(self) -> str:
        """Return the path of a file that is not PEM."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "no.pem"
        path.write_text("no key, and no certificate\n")
        return str(path)

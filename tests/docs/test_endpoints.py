"""The endpoint strings in the reference's tables are endpoints of Twisted, for each side."""

from __future__ import annotations

import re
import shlex
import tempfile
import warnings
from pathlib import Path

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.endpoints import client_endpoint
from tests.docs.pages import first_cells, page, section
from tests.fakes.pems import make_pair


class EndpointTests(SynchronousTestCase):
    """The tables of endpoints in the pages of the daemon and the client."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        key, certificate = make_pair()
        self.roots = self.directory / "roots"
        self.roots.mkdir()
        (self.roots / "cert.pem").write_bytes(certificate)
        (self.directory / "key.pem").write_bytes(key)
        (self.directory / "cert.pem").write_bytes(certificate)

    def endpoints(self, name: str) -> list[str]:
        """Return the endpoints of a page's table, with this test's files."""
        cells = " ".join(first_cells(section(page(name), "Endpoints")))
        found = [
            shlex.split(each)[0] if "'" in each else each for each in re.findall("`([^`]+)`", cells)
        ]
        return [
            re.sub(r"=(key|cert)\.pem", rf"={self.directory}/\1.pem", each)
            .replace("trustRoots=DIRECTORY", f"trustRoots={self.roots}")
            .replace("DIRECTORY", str(self.directory))
            for each in found
        ]

    def test_daemon(self) -> None:
        """The daemon can listen on each endpoint of its page; systemd's need a socket."""
        found = [
            each for each in self.endpoints("docs/reference/daemon.md") if "systemd" not in each
        ]
        self.assertGreater(len(found), 7)
        for each in found:
            with warnings.catch_warnings():
                # Twisted reads certificates with functions that pyOpenSSL has deprecated.
                warnings.simplefilter("ignore", DeprecationWarning)
                made = serverFromString(MemoryReactorClock(), each)
            self.assertTrue(IStreamServerEndpoint.providedBy(made), each)

    def test_client(self) -> None:
        """A client can connect to each endpoint of its page."""
        found = [each for each in self.endpoints("docs/reference/client.md") if "unix" not in each]
        self.assertGreater(len(found), 3)
        for each in found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                made = client_endpoint(MemoryReactorClock(), each)
            self.assertTrue(IStreamClientEndpoint.providedBy(made), each)

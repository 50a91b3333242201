"""The daemon as a process, and the base class of tests with a foreign peer."""

import base64
import functools
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from tests.atend import at_end
from tests.integration.peer import TIMEOUT_S, Peer, Type, connect_unix
from tests.integration.peer_websocket import NORMAL, WebSocket

KEY = bytes(range(32))
ROOT = Path(__file__).parents[2]
TWISTD = """
import os, signal, threading
from twisted.scripts.twistd import run

def end_with_the_tests():
    os.read(0, 1)  # returns when the process at the other end of the pipe is gone
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_the_tests, daemon=True).start()
run()
"""
"""``twistd``, which also ends when the tests' process is gone for any reason."""
_names = itertools.count(1)


class Daemon:
    """A ``twistd chatd`` on UNIX sockets in its own directory, for programs and for browsers.

    Args:
        options: Options of the command line besides the endpoint and the key.
        key: Shared key, 32 bytes; None starts the daemon without one.
    """

    def __init__(self, *options: str, key: bytes | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chatd-"))
        self.path = str(self.directory / "socket")
        arguments = ["--endpoint", f"unix:{self.path}", "--web", f"unix:{self.path}.web", *options]
        if key is not None:
            key_file = self.directory / "key"
            key_file.touch(mode=0o600)
            key_file.write_bytes(base64.urlsafe_b64encode(key))
            arguments += ["--key-file", str(key_file)]
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "chatd", *arguments],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        """Try to connect until it works; a pause ends early if the process ends."""
        while not all(map(self._accepts, (self.path, f"{self.path}.web"))):
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"the daemon has not started:\n{self.log()}")

    @staticmethod
    def _accepts(path: str) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except OSError:
                return False
            return True

    def log(self) -> str:
        """Return the daemon's whole log."""
        return (self.directory / "log").read_text()

    def stop(self) -> None:
        """End the process if it runs, wait for it, and remove its directory."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        shutil.rmtree(self.directory)


@functools.cache
def shared_daemon(key: bytes | None, *options: str) -> Daemon:
    """Return the daemon with this key and these options, which runs until the tests end."""
    daemon = Daemon(*options, key=key)
    at_end(daemon.stop)
    return daemon


class PeerTestCase(SynchronousTestCase):
    """Peers of a daemon that all tests with the same key and options share."""

    key: bytes | None = None
    options: tuple[str, ...] = ()

    def open_stream(self, path: str) -> Any:
        """Connect to the daemon by the carrier of these tests."""
        return connect_unix(path)

    def setUp(self):
        self.daemon = shared_daemon(self.key, *self.options)
        self._logged = len(self.daemon.log())

    def tearDown(self):
        """Check that the daemon runs, and has logged no unexpected failure."""
        self.assertIsNone(self.daemon.process.poll())
        log = self.daemon.log()[self._logged :]
        self.assertNotIn("Traceback", log)
        self.assertNotIn("#critical", log)

    def name(self):
        """Return an unused name."""
        return f"peer-{next(_names)}"

    def peer(self, key):
        """Return a peer with this key."""
        return Peer(self.daemon.path, key, self.open_stream)

    def connect(self):
        """Return a peer that has met the daemon, without a session."""
        peer = self.peer(self.key)
        self.addCleanup(peer.close)
        return peer

    def join(self, name=None):
        """Return a peer with an established session."""
        peer = self.connect()
        peer.establish(name or self.name())
        return peer

    def assert_refused(self, peer, code):
        """Check for one ERROR and a DISCONNECT, both with this code, and the end."""
        last = peer.rest()
        self.assertEqual([got.type for got in last], [Type.ERROR, Type.DISCONNECT])
        self.assertEqual([got.header["code"] for got in last], [code, code])
        self.assertIs(last[1].header["retry"], False)
        self.assertEqual(set(last[0].header), {"code", "message", "ref"})
        self.assertEqual(set(last[1].header), {"code", "reason", "retry"})


if TYPE_CHECKING:
    PeerMixin = PeerTestCase
else:

    class PeerMixin:
        """The base of mixins for a `PeerTestCase`: that case for mypy, nothing for the runners."""


class OverWebSocket(PeerMixin):
    """Makes the peers of a case talk over WebSockets, whose ends it checks."""

    def open_stream(self, path):
        """Connect to the daemon's front for browsers."""
        return WebSocket(f"{path}.web", TIMEOUT_S)

    def assert_refused(self, peer, code):
        """Check for the answers of a refusal, and for the code of the WebSocket's Close."""
        super().assert_refused(peer, code)
        self.assertEqual(peer.socket.code, NORMAL)

"""A real Sentinel for tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.backplane.redis.servers import PROGRAM

MASTER = "chat"
"""The name by which the Sentinel knows the server."""
_TRIES = 20  # another program may take the port first


class SentinelServer:
    """A Sentinel that promotes the replica of a dead server after moments.

    Args:
        port: The port of the server that it watches.
        lines: More lines of its configuration.
        certificate: The file with the key and the certificate of both, which use TLS then.

    Attributes:
        port: The port on which it listens.
    """

    def __init__(self, port: int, *lines: str, certificate: Path | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chatd-sentinel-"))
        self.port = 0
        self._listening = "port" if certificate is None else "port 0\ntls-port"
        host = "127.0.0.1" if certificate is None else "localhost"
        self._lines = (
            *(() if certificate is None else _tls_lines(certificate)),
            f"sentinel monitor {MASTER} {host} {port} 1",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 2000",
            *lines,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> SentinelServer:
        """Start it, and wait until it watches the server."""
        for _ in range(_TRIES):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.port = probe.getsockname()[1]
            if self._starts():
                return self
        raise AssertionError("no Sentinel starts")

    def _starts(self) -> bool:
        assert PROGRAM is not None
        config = self.directory / "sentinel.conf"
        own = (f"{self._listening} {self.port}", "bind 127.0.0.1", f"dir {self.directory}")
        config.write_text("\n".join((*own, *self._lines)) + "\n")
        self._process = subprocess.Popen(
            [PROGRAM, str(config), "--sentinel"], stdout=subprocess.PIPE
        )
        for line in self._process.stdout:
            if b"+monitor master" in line:
                return True
        self.kill()
        return False

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def remove(self) -> None:
        """End it, and remove its directory."""
        self.kill()
        shutil.rmtree(self.directory)


def _tls_lines(certificate: Path) -> tuple[str, ...]:
    return (
        *(f"tls-{name}-file {certificate}" for name in ("cert", "key", "ca-cert")),
        "tls-auth-clients no",
        "tls-replication yes",
        "sentinel resolve-hostnames yes",
        "sentinel announce-hostnames yes",
    )

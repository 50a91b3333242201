"""The servers to compare, and how to start each: alone, on loopback, without limits.

Protection from floods is turned off, and so is storage on disk, unless a peer's name says
otherwise.
"""

from __future__ import annotations

import getpass
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.dialects.base import Line
from bench.dialects.chatd import ChatdLine
from bench.dialects.chatdweb import ChatdWebLine
from bench.dialects.floor import FloorLine
from bench.dialects.irc import IrcLine
from bench.dialects.mqtt import MqttLine
from bench.dialects.nats import NatsLine
from bench.dialects.redis import RedisLine
from chatd import __version__ as chatd_version
from chatd.config.keyfile import write_key_file
from chatd.wire.sealer import IS_BUILT
from twisted import __version__ as twisted_version

__all__ = ["PEERS", "Launch", "Peer", "Server", "missing_peers", "running"]

HOST = "127.0.0.1"
START_S = 15.0
"""Time that a server may take until it listens, in seconds."""
STOP_S = 5.0
"""Time that a server may take to end before it is killed, in seconds."""
_QUIET_S = 86_400
"""Time without pings from the servers, in seconds: the lines of `bench` do not answer them."""
_ROOT = Path(__file__).resolve().parent.parent
_OUTPUT = "output.log"

# 65,534 is InspIRCd's maximum there; beyond it the default of 10,240 holds. InspIRCd reads
# edge-triggered, this much twice per turn of its loop, and the rest only after another event or a
# second. So a speaker should have no more than twice this much under way. Registration, too, ends
# only at a full second.
_INSPIRCD = """\
<config format="xml">
<server name="irc.bench" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@irc.bench">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="bench" allow="*" timeout="1h" pingfreq="1h" limit="100000"
         localmax="100000" globalmax="100000" maxconnwarn="no" useconnflood="no"
         maxchans="100000" resolvehostnames="no"
         commandrate="4000000000" fakelag="no" threshold="4000000000"
         hardsendq="1G" softsendq="1G" recvq="1G">
<performance softlimit="100000" somaxconn="1024" netbuffersize="65534">
<options defaultmodes="n">
<pid file="{work}/inspircd.pid">
<path configdir="{work}" datadir="{work}" logdir="{work}" runtimedir="{work}">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="inspircd.log">
"""

_NGIRCD = """\
[Global]
Name = irc.bench
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
ServerUID = {user}
ServerGID = {group}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 31
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""

_MOSQUITTO = """\
listener {port} 127.0.0.1
user {user}
allow_anonymous true
persistence false
max_connections -1
max_inflight_messages 0
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true
sys_interval 0
log_type error
log_type warning
"""

_NATS = """\
max_connections: 100000
max_pending: 1GB
write_deadline: "60s"
ping_interval: "1h"
"""

_PURE_TWISTD = """\
import sys
sys.modules["chatd.wire._envelope"] = sys.modules["isal"] = None  # their imports fail
from twisted.scripts.twistd import run
run()
"""


@dataclass(frozen=True)
class Launch:
    """A command that starts a server.

    Attributes:
        command: The program and its arguments.
        key: The clients' shared key, or None.
    """

    command: list[str]
    key: bytes | None = None


@dataclass(frozen=True)
class Server:
    """A running server; a context manager that stops it.

    Attributes:
        process: The server's process.
        host: The host on which it listens.
        port: The port on which it listens.
        key: The clients' shared key, or None.
        work: The directory for everything that it writes.
    """

    process: subprocess.Popen[bytes]
    host: str
    port: int
    key: bytes | None = field(default=None, repr=False)
    work: Path = Path()

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        return self.process.pid

    def stop(self) -> None:
        """Stop the server, and wait until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Peer:
    """A server that can be started.

    Attributes:
        name: The name on the command line.
        label: The name in tables.
        line: The dialect that it speaks.
        prepare: Writes the server's files into a directory, and returns the command that starts it
            there on a port.
        program: The program that must be installed; none if the server runs in Python.
        asks_version: The arguments that make the program print its version.
    """

    name: str
    label: str
    line: type[Line]
    prepare: Callable[[Path, int], Launch]
    program: str | None = None
    asks_version: tuple[str, ...] = ("--version",)

    def is_installed(self) -> bool:
        """Return whether the server is installed."""
        return self.program is None or _find(self.program) is not None

    def version(self) -> str:
        """Return the server's version, in a few words.

        Raises:
            FileNotFoundError: The server is not installed.
        """
        if self.program is None:
            if self.line is FloorLine:
                return f"Twisted {twisted_version}"
            built = "with" if IS_BUILT else "without"
            return f"chatd {chatd_version} {built} its C module"
        told = subprocess.run(
            [_require(self.program), *self.asks_version],
            capture_output=True,
            text=True,
            check=False,
        )
        return version_in(self.program, told.stdout + told.stderr)

    def start(self, work: Path) -> Server:
        """Start the server, and wait until it listens.

        Args:
            work: An empty directory for everything that it writes.

        Raises:
            FileNotFoundError: The server is not installed.
            RuntimeError: The server ended, or did not listen within `START_S`; the text quotes its
                output.
        """
        _raise_file_limit()
        work = work.resolve()
        port = free_port()
        launch = self.prepare(work, port)
        with (work / _OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                launch.command,
                cwd=work,
                # Measure this source tree, not an installed chatd.
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = Server(process, HOST, port, launch.key, work)
        try:
            _wait_until_it_listens(server)
        except BaseException as error:
            server.stop()
            printed = (work / _OUTPUT).read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} did not start: {error}\n{printed}") from error
        return server


@contextmanager
def running(peer: Peer) -> Iterator[Server]:
    """Start a peer in its own directory, and stop it; for errors see `Peer.start`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work, peer.start(Path(work)) as server:
        yield server


def missing_peers(names: Iterable[str]) -> list[str]:
    """Return the peers that are not installed."""
    return [name for name in names if not PEERS[name].is_installed()]


def version_in(program: str, text: str) -> str:
    """Return a program's name and version, from its output."""
    found = re.search(r"\d+(\.\d+)+", text)
    return f"{program} {found[0]}" if found else program


def free_port() -> int:
    """Return a loopback port on which no server listens now."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def prepare_chatd(
    work: Path,
    port: int,
    *,
    has_key: bool = True,
    keeps: bool = False,
    heartbeat_s: float = _QUIET_S,
    is_protected: bool = False,
    is_pure: bool = False,
    options: Sequence[str] = (),
) -> Launch:
    """Prepare chatd.

    Args:
        work: See `Peer`.
        port: See `Peer`.
        has_key: Whether there is a key.
        keeps: Whether it stores messages on disk instead of in memory.
        heartbeat_s: The heartbeat, in seconds.
        is_protected: Whether protection from floods stays on.
        is_pure: Whether it works in Python alone, without the C module and without `isal`.
        options: Further options.
    """
    twistd = str(Path(sys.executable).with_name("twistd"))
    program = ["-c", _PURE_TWISTD] if is_pure else [twistd]
    command = [sys.executable, *program, "-n", "--pidfile=", "--logfile", str(work / "chatd.log")]
    command += ["chatd", "--endpoint", f"tcp:{port}:backlog=1024:interface={HOST}"]
    command += ["--heartbeat", str(heartbeat_s)]
    key = None
    if has_key:
        key = write_key_file(work / "key")
        command += ["--key-file", str(work / "key")]
    if keeps:
        command += ["--data", str(work / "data"), "--durability", "normal"]
    if not is_protected:
        command += ["--message-rate", "0", "--command-rate", "0"]
    return Launch([*command, *options], key)


def prepare_chatd_web(work: Path, port: int) -> Launch:
    """Prepare chatd whose clients are on WebSockets."""
    web = f"tcp:{port}:backlog=1024:interface={HOST}"
    return prepare_chatd(work, free_port(), options=("--web", web))


def prepare_floor(work: Path, port: int) -> Launch:
    """Prepare the floor."""
    return Launch([sys.executable, "-m", "bench.floor_server", str(port)])


def prepare_nats(work: Path, port: int) -> Launch:
    """Prepare NATS so that it does not disconnect slow readers."""
    config = _write(work / "nats.conf", _NATS)
    return Launch([_require("nats-server"), "-a", HOST, "-p", str(port), "-c", config])


def prepare_redis(work: Path, port: int, *, keeps: bool = False) -> Launch:
    """Prepare Redis so that it does not disconnect slow readers.

    Args:
        work: See `Peer`.
        port: See `Peer`.
        keeps: Whether it writes each change to disk before it answers; otherwise it stores nothing.
    """
    options = {
        "--bind": HOST,
        "--port": str(port),
        "--dir": str(work),
        "--save": "",
        "--appendonly": "no",
        "--protected-mode": "no",
        "--tcp-backlog": "1024",
        "--client-output-buffer-limit": "pubsub 0 0 0",
    }
    if keeps:
        options |= {"--appendonly": "yes", "--appendfsync": "always"}
    words = [word for option in options.items() for word in option]
    return Launch([_require("redis-server"), *words])


def prepare_inspircd(work: Path, port: int) -> Launch:
    """Prepare InspIRCd."""
    config = _write(work / "inspircd.conf", _INSPIRCD.format(port=port, work=work))
    command = [_require("inspircd"), "--nofork", "--config", config]
    return Launch([*command, "--runasroot"] if os.geteuid() == 0 else command)


def prepare_ngircd(work: Path, port: int) -> Launch:
    """Prepare ngIRCd."""
    text = _NGIRCD.format(port=port, user=getpass.getuser(), group=os.getegid())
    return Launch([_require("ngircd"), "-n", "-f", _write(work / "ngircd.conf", text)])


def prepare_mosquitto(work: Path, port: int) -> Launch:
    """Prepare Mosquitto."""
    text = _MOSQUITTO.format(port=port, user=getpass.getuser())
    return Launch([_require("mosquitto"), "-c", _write(work / "mosquitto.conf", text)])


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _find(program: str) -> str | None:
    """Find a program on the path or in the directories of daemons, which may not be on it."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


def _require(program: str) -> str:
    if found := _find(program):
        return found
    raise FileNotFoundError(f"{program} is not installed")


def _raise_file_limit() -> None:
    """Raise the limit on open files to the maximum, for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _wait_until_it_listens(server: Server) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if (status := server.process.poll()) is not None:
            raise ChildProcessError(f"it ended with status {status}")
        try:
            socket.create_connection((server.host, server.port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"it did not listen within {START_S:g} s")


PEERS = {
    peer.name: peer
    for peer in (
        Peer("chatd", "chatd", ChatdLine, prepare_chatd),
        Peer("chatd-pure", "chatd, Python", ChatdLine, partial(prepare_chatd, is_pure=True)),
        Peer("chatd-web", "chatd, WebSocket", ChatdWebLine, prepare_chatd_web),
        Peer("chatd-clear", "chatd, no key", ChatdLine, partial(prepare_chatd, has_key=False)),
        Peer("chatd-sqlite", "chatd, SQLite", ChatdLine, partial(prepare_chatd, keeps=True)),
        *(  # `bench.scale` starts the daemons on this Redis
            Peer(name, label, ChatdLine, partial(prepare_redis, keeps=True), "redis-server")
            for name, label in (
                ("chatd-redis", "chatd on Redis"),
                ("chatd-redis-two", "two chatd on Redis"),
            )
        ),
        Peer("floor", "floor", FloorLine, prepare_floor),
        Peer("nats", "NATS", NatsLine, prepare_nats, "nats-server"),
        Peer("redis", "Redis", RedisLine, prepare_redis, "redis-server"),
        Peer("inspircd", "InspIRCd", IrcLine, prepare_inspircd, "inspircd"),
        Peer("ngircd", "ngIRCd", IrcLine, prepare_ngircd, "ngircd"),
        Peer("mosquitto", "Mosquitto", MqttLine, prepare_mosquitto, "mosquitto", ("-h",)),
    )
}
"""The peers, by name."""

"""The daemon serves sockets that it gets as from systemd, and leaves their files."""

import signal
import socket
import stat
import sys

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import DEADLINE_S, FOREGROUND, Process, run_command, script
from tests.integration.sessions import leave

HAND_OVER = """
import fcntl, os, sys

numbers, names, *command = sys.argv[1:]
# Copies beyond all that is handed over, so that none is overwritten before it is moved.
copies = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in numbers.split(",")]
for place, copy in enumerate(copies, 3):
    os.dup2(copy, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(copies)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""
"""Passes sockets to a command: their numbers, their names, and the command."""


def daemon(sockets, *options, start=Process):
    """Start a daemon with named sockets."""
    name, *twistd = FOREGROUND
    numbers = [each.fileno() for each in sockets.values()]
    given = ",".join(map(str, numbers)), ":".join(sockets)
    command = [sys.executable, "-c", HAND_OVER, *given, script(name), *twistd, "chatd", *options]
    return start(*command, pass_fds=numbers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.sock"


@pytest.fixture
def unix_socket(path):
    """Return a socket as systemd makes it, for the daemon's group."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        path.chmod(0o660)
        made.listen(10)
        yield made


async def test_unix(unix_socket, path):
    """Several daemons in turn serve a UNIX socket; its file and its mode stay."""
    for _ in range(2):
        with daemon({"chat": unix_socket}, "--endpoint", "systemd:domain=UNIX:index=0") as process:
            client = await chatd.connect(reactor, f"unix:{path}")
            assert (await client.send("hello")).text == "hello"
            await leave(client)
            process.send_signal(signal.SIGTERM)
            process.wait()
            assert "Traceback" not in process.output.wait_for_end()
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_before_the_start(unix_socket, path):
    """A client that connects before the daemon starts waits, and gets the daemon's greeting."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(path))
        with daemon({"chat": unix_socket}, "--endpoint", "systemd:domain=UNIX:index=0"):
            assert client.recv(65536)


async def test_by_name(unix_socket, path):
    """The daemon finds sockets by their names, and does not touch an unrequested socket."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        endpoints = ("systemd:domain=UNIX:name=local", "systemd:domain=INET:name=net")
        options = [part for endpoint in endpoints for part in ("--endpoint", endpoint)]
        with daemon({"local": unix_socket, "other": other, "net": tcp}, *options) as process:
            alice = await chatd.connect(reactor, f"unix:{path}", name="alice")
            port = tcp.getsockname()[1]
            bob = await chatd.connect(reactor, f"tcp:127.0.0.1:{port}", name="bob")
            await alice.send("over both")
            assert (await bob.__anext__()).text == "over both"
            await leave(alice, bob)
            process.send_signal(signal.SIGTERM)
            process.wait()


REFUSED = {
    "index": ("systemd:domain=UNIX:index=1", "1 socket was handed over, and the last has index=0"),
    "name": ("systemd:domain=UNIX:name=other", "no socket of that name was handed over"),
    "domain": ("systemd:domain=INET:index=0", "has domain=UNIX"),
    "mode": ("systemd:domain=UNIX:index=0", "SocketMode="),
}


@pytest.mark.parametrize(("endpoint", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(unix_socket, endpoint, expected):
    """A socket that is not available gives an error of one line."""
    options = ("--socket-mode", "600") if expected == "SocketMode=" else ()
    sockets = {"chat": unix_socket}
    completed = daemon(sockets, "--endpoint", endpoint, *options, start=run_command)
    assert completed.returncode == 1
    output = completed.stdout + completed.stderr
    assert expected in output.splitlines()[-1]
    assert "Traceback" not in output

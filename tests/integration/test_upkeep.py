"""Maintenance of a running daemon: changed files, signals, modes."""

import os
import signal
import stat

import pytest
from twisted.internet import reactor

import chatd
from chatd import SessionRefused, load_key, write_key_file
from tests.integration.processes import FOREGROUND, Daemonized, daemon
from tests.integration.sessions import leave


async def test_new_key(endpoint, tmp_path):
    """SIGHUP loads the new key for new connections, and ends no session."""
    path = tmp_path / "key"
    old_key = write_key_file(path)
    with daemon("--key-file", path, endpoint=endpoint) as process:
        old = await chatd.connect(reactor, endpoint, name="old", key=old_key)
        path.unlink()
        write_key_file(path)
        process.send_signal(signal.SIGHUP)
        process.output.wait_for("key file: read again")
        new = await chatd.connect(reactor, endpoint, name="new", key=load_key(path))
        with pytest.raises(SessionRefused) as refused:
            await chatd.connect(reactor, endpoint, key=old_key)
        assert refused.value.code == "wrong-key"
        for speaker, listener in ((old, new), (new, old)):
            receipt = await speaker.send(f"{speaker.name} speaks")
            async for message in listener:
                assert (message.text, message.seq) == (f"{speaker.name} speaks", receipt.seq)
                break
        await leave(old, new)


EARLY = (
    "python",
    "-c",
    "import os, signal\n"
    "from chatd.daemon.keeping import KeepingService\n"
    "def open_store(self, start=KeepingService.startService):\n"
    "    os.kill(os.getpid(), signal.SIGHUP)\n"
    "    start(self)\n"
    "KeepingService.startService = open_store\n"
    "from twisted.scripts.twistd import run; run()",
    *FOREGROUND[1:],
)
"""A daemon that gets SIGHUP when it listens, and before it serves."""


async def test_early(endpoint, tmp_path):
    """SIGHUP does no harm as soon as the pid file exists."""
    operators = tmp_path / "operators"
    operators.write_text("alice\n")
    with daemon("--operator-file", operators, endpoint=endpoint, program=EARLY) as process:
        process.output.wait_for("operators: read again")
        alice = await chatd.connect(reactor, endpoint, name="alice")
        assert await alice.bans() == []
        await leave(alice)


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(("options", "mode"), [((), 0o666), (("--socket-mode", "660"), 0o660)])
def test_socket_mode(endpoint, tmp_path, options, mode):
    """The socket has the mode of its option; the data is for the daemon alone."""
    with Daemonized(
        tmp_path, "--endpoint", endpoint, "--data", tmp_path / "data", *options
    ) as process:
        assert process.started.returncode == 0, process.started.stderr
        assert mode_of(tmp_path / "chat.sock") == mode
        assert mode_of(tmp_path / "data") == 0o700
        assert {mode_of(path) for path in (tmp_path / "data").iterdir()} == {0o600}
        process.terminate()
        process.wait()

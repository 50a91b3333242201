"""The log of a running daemon is renamed, as logrotate does."""

import os
import re
import signal

import pytest
from twisted.internet import reactor
from twisted.internet.error import ConnectError

import chatd
from tests.integration.daemons import stop
from tests.integration.processes import FOREGROUND, Daemonized, Process, daemon
from tests.integration.sessions import leave

OPENED = "log: reopened"


async def wait_for(path, text, endpoint):
    """Connect to a daemon again and again until a text is in its log, or the test times out."""
    while not (path.is_file() and text in path.read_text()):
        await leave(await chatd.connect(reactor, endpoint))


async def connect_at_last(endpoint):
    """Connect to a daemon that is about to listen, or time out."""
    while True:
        try:
            return await leave(await chatd.connect(reactor, endpoint))
        except ConnectError:
            pass


async def test_renamed(endpoint, tmp_path):
    """After SIGHUP, all lines go to a new log, also those about SIGHUP."""
    key_file = tmp_path / "key"
    chatd.write_key_file(key_file)
    old = tmp_path / "old.log"
    options = ("--endpoint", endpoint, "--key-file", key_file)
    with Daemonized(tmp_path, *options) as process:
        assert process.started.returncode == 0, process.started.stderr
        client = await chatd.connect(reactor, endpoint, key=chatd.load_key(key_file))
        for number in range(3):
            process.log_file.rename(tmp_path / f"{number}.log")
            os.kill(int(process.pid_file.read_text()), signal.SIGHUP)
            while not (process.log_file.is_file() and "key file: " in process.log):
                await client.ping()
            assert OPENED in process.log.splitlines()[0]
        assert OPENED not in (tmp_path / "0.log").read_text()
        (tmp_path / "2.log").rename(old)
        before = old.read_text()
        await leave(client)
        process.terminate()
        process.wait()
        assert "Server Shut Down" in process.log
        assert old.read_text() == before


async def test_cannot_be_opened(endpoint, tmp_path):
    """If the new log cannot be opened, the old log says so, and is used on."""
    old = tmp_path / "old.log"
    with Daemonized(tmp_path, "--endpoint", endpoint) as process:
        process.log_file.rename(old)
        process.log_file.mkdir()
        os.kill(int(process.pid_file.read_text()), signal.SIGHUP)
        await wait_for(old, "log: not reopened, nothing changes: ", endpoint)
        process.terminate()
        process.wait()
        assert "Server Shut Down" in old.read_text()
        assert "Traceback" not in old.read_text()


async def test_twist(endpoint, tmp_path):
    """`twist` reopens its log too, with a relative path."""
    log, old = tmp_path / "twist.log", tmp_path / "old.log"
    program = ("twist", "--log-format=text", "--log-file=twist.log", "chatd")
    with Process(*program, "--endpoint", endpoint, cwd=tmp_path) as process:
        await connect_at_last(endpoint)
        log.rename(old)
        process.send_signal(signal.SIGHUP)
        await wait_for(log, OPENED, endpoint)
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert "shutting down" in log.read_text()
    assert "shutting down" not in old.read_text()


@pytest.mark.parametrize("program", [FOREGROUND, ("twist", "--log-format=text")])
async def test_no_file(endpoint, tmp_path, program):
    """With a log on standard output, SIGHUP reloads the other files without a word about it."""
    operators = tmp_path / "operators"
    operators.touch()
    with daemon("--operator-file", operators, endpoint=endpoint, program=program) as process:
        process.send_signal(signal.SIGHUP)
        process.output.wait_for(re.escape("operators: read again"))
        stop(process)
        assert "log: " not in process.output.text
        assert "reopened" not in process.output.text

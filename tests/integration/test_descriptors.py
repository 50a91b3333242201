"""A daemon without free file descriptors: sessions go on, and new connections wait."""

import resource
import signal
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

import chatd
from tests.integration.processes import FOREGROUND, Process, run_command
from tests.integration.sessions import leave

LIMIT = 64
TOO_MANY = 100
FLOOD = 400
DEADLINE_S = 20


def limited(number):
    """Return a command prefix that limits the open files of a process."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))}


async def let_in(endpoint, name):
    """Connect a client, which must not wait for the end of silent connections."""
    connecting = Deferred.fromCoroutine(chatd.connect(reactor, endpoint, name=name))
    return await connecting.addTimeout(DEADLINE_S, reactor)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_out_of_descriptors(tmp_path, kind):
    """Established sessions go on, and waiting clients are greeted when others leave."""
    path = f"{tmp_path}/chat.sock"
    address: Any
    endpoint = f"unix:{path}" if kind == "unix" else "tcp:0:interface=127.0.0.1"
    options = ("--endpoint", endpoint, "--handshake-timeout", "60")
    with (
        ExitStack() as crowd,
        Process(*FOREGROUND, "chatd", *options, **limited(LIMIT)) as process,
    ):
        process.output.wait_for("listening on ")
        if kind == "tcp":
            port = int(process.output.wait_for(r"\(tcp:127\.0\.0\.1:(\d+)\)")[1])
            family, address, endpoint = socket.AF_INET, ("127.0.0.1", port), f"tcp:127.0.0.1:{port}"
        else:
            family, address = socket.AF_UNIX, path
        alice = await chatd.connect(reactor, endpoint, name="alice")
        for _ in range(TOO_MANY):
            one = crowd.enter_context(socket.socket(family))
            one.settimeout(20)
            one.connect(address)
        process.output.wait_for("file descriptors run out")
        assert (await alice.send("still here")).text == "still here"
        crowd.close()
        bob = await chatd.connect(reactor, endpoint, name="bob")
        assert (await bob.send("at last")).text == "at last"
        # If room was made for bob's connection, only the next one tells that there is room.
        carol = await chatd.connect(reactor, endpoint, name="carol")
        process.output.wait_for("accepting connections again")
        await leave(alice, bob, carol)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
        assert "Traceback" not in process.output.text + process.errors.text


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_flood_of_one_address(tmp_path, kind):
    """A flood of silent connections from one address keeps no other address out."""
    path = f"{tmp_path}/chat.sock"
    endpoints = ("--endpoint", f"unix:{path}", "--endpoint", "tcp:0:interface=127.0.0.1")
    # The flood's connections do not end by themselves during this wait.
    options = (*endpoints, "--handshake-timeout", "60")
    with (
        ExitStack() as flood,
        Process(*FOREGROUND, "chatd", *options, **limited(LIMIT)) as process,
    ):
        port = int(process.output.wait_for(r"\(tcp:127\.0\.0\.1:(\d+)\)")[1])
        here = (socket.AF_UNIX, path, f"tcp:127.0.0.1:{port}")
        there = (socket.AF_INET, ("127.0.0.1", port), f"unix:{path}")
        family, address, endpoint = here if kind == "unix" else there
        alice = await chatd.connect(reactor, endpoint, name="alice")
        for number in range(FLOOD):
            one = flood.enter_context(socket.socket(family))
            one.settimeout(DEADLINE_S)
            one.connect(address)
            if number == FLOOD // 2:
                process.output.wait_for("file descriptors run out")
                bob = await let_in(endpoint, "bob")
                assert (await bob.send("let in")).text == "let in"
        assert (await alice.send("still here")).text == "still here"
        cat = await let_in(endpoint, "cat")
        assert (await cat.send("let in")).text == "let in"
        flood.close()
        await leave(alice, bob, cat)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
        log = process.output.text + process.errors.text
        assert 1 <= log.count("file descriptors run out: ") <= len(endpoints) // 2
        assert "overloaded" in log
        assert "Traceback" not in log


@pytest.mark.parametrize("program", [FOREGROUND, ("twist",)], ids=["twistd", "twist"])
def test_too_few(tmp_path, program):
    """A daemon that could not serve any client does not start, and says why in one line."""
    options = ("--endpoint", f"unix:{tmp_path}/chat.sock", "--data", tmp_path / "data")
    completed = run_command(*program, "chatd", *options, **limited(24))
    assert completed.returncode == 1
    output = completed.stdout + completed.stderr
    assert "chatd: too few file descriptors: there are 24, and the daemon needs " in output
    assert "Traceback" not in output
    assert not (tmp_path / "chat.sock").exists()


def test_ordinary_machines(tmp_path):
    """On a machine with less than the default limits need, a start warns of nothing."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    with Process(*FOREGROUND, "chatd", "--endpoint", endpoint, **limited(4096)) as process:
        process.output.wait_for(
            r"file descriptors for \d+ connections; the bounds allow .*: there are 4096 "
        )
        process.send_signal(signal.SIGTERM)
        process.wait()
        assert "#warn]" not in process.output.wait_for_end()


def test_select(tmp_path):
    """With a reactor for few descriptors, the warning names it, and its limit."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    program = ("twistd", "-n", "--pidfile=", "--reactor=select", "chatd")
    with Process(*program, "--endpoint", endpoint, **limited(4096)) as process:
        process.output.wait_for(
            r"#warn\] the select reactor uses at most 1024 file descriptors, enough"
        )
        process.send_signal(signal.SIGTERM)
        process.wait()

"""A daemon that runs out of file descriptors: sessions go on, and those who come wait."""

import resource
import signal
import socket
from contextlib import ExitStack

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import FOREGROUND, Process
from tests.integration.sessions import leave

LIMIT = 64
TOO_MANY = 100


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_out_of_descriptors(tmp_path, kind):
    """Established sessions go on, and who had to wait is greeted when others have gone."""
    path = f"{tmp_path}/chat.sock"
    endpoint = f"unix:{path}" if kind == "unix" else "tcp:0:interface=127.0.0.1"
    options = ("--endpoint", endpoint, "--handshake-timeout", "60")
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))}
    with (
        ExitStack() as crowd,
        Process(*FOREGROUND, "chatd", *options, **limited) as process,
    ):
        process.output.wait_for("listening on ")
        if kind == "tcp":
            port = int(process.output.wait_for(r"port=(\d+)\)")[1])
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
        process.output.wait_for("accepting connections again")
        await leave(alice, bob)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
        assert "Traceback" not in process.output.text + process.errors.text

"""Connections to Redis without a reactor."""

import socket

import pytest

from chatd.backplane.redis.address import Place, parse_address
from chatd.backplane.redis.blocking import BlockingConnect, run_blocking
from chatd.backplane.redis.connections import Commands, LostError
from chatd.backplane.redis.servercheck import check_server
from chatd.errors import ConfigurationError
from chatd.storage.values import Durability
from tests.fakes.pems import write_certificate


@pytest.fixture
def listener(tmp_path):
    """Return a listening UNIX socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        made.listen()
        yield made


def ask(listener, answer):
    """Ask for a PING, and let a function answer on the other end."""
    connect = BlockingConnect()

    async def ping():
        commands = await connect(Place(path=listener.getsockname()), Commands)
        accepted, _ = listener.accept()
        with accepted:
            asked = answer(accepted, commands)
        return await asked

    return run_blocking(ping(), connect)


def test_answered(listener):
    """A reply in pieces is the result, and the connection is closed afterwards."""
    commands = []

    def answer(accepted, made):
        commands.append(made)
        asked = made.execute_command("PING")
        accepted.sendall(b"+PO")
        accepted.sendall(b"NG\r\n")
        assert accepted.recv(100) == b"*1\r\n$4\r\nPING\r\n"
        return asked

    assert ask(listener, answer) == b"PONG"
    assert not commands[0].connected


def test_closed(listener):
    """A connection that is closed before the answer is the reason of the failure."""

    def answer(accepted, made):
        asked = made.execute_command("PING")
        accepted.recv(100)
        return asked

    with pytest.raises(LostError, match="the connection is lost: Connection was closed cleanly"):
        ask(listener, answer)


def test_closed_before(listener):
    """A command on a connection that is closed already fails with the reason."""

    def answer(accepted, made):
        accepted.close()
        return made.execute_command("PING")

    with pytest.raises(LostError, match="the connection is lost: Broken pipe"):
        ask(listener, answer)


def test_untrusted_certificate(start_redis, tmp_path):
    """A certificate of an unknown authority is the reason, without the password."""
    pem = tmp_path / "c.pem"
    write_certificate(pem)
    options = [f"--tls-{name}-file" for name in ("cert", "key", "ca-cert")]
    server = start_redis(*(word for each in options for word in (each, str(pem))))
    address = parse_address(f"rediss://:secret@localhost:{server.listen('tls-port')}")
    with pytest.raises(ConfigurationError) as caught:
        check_server(address, lambda: None, Durability.FULL, lambda line: None)
    text = str(caught.value)
    assert "TLS failed: certificate verify failed: self" in text
    assert "secret" not in text
    assert len(text.splitlines()) == 1

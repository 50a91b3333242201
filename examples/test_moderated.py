"""Tests of a service of your own with pytest: functions, and coroutines with pytest-twisted.

Run it: python -m pytest test_moderated.py
It needs pytest and pytest-twisted, which come with the extra `testing`.
"""

import pytest
import pytest_twisted
from moderated_server import ModeratedFactory
from twisted.internet import reactor
from twisted.python.failure import Failure

import chatd
from chatd.testing import MemoryServer, running_server


def test_warnings() -> None:
    """A forbidden word is refused, and the session counts it."""
    server = MemoryServer(ModeratedFactory)
    client = server.connect("mallory")
    errors: list[Failure] = []
    client.send("a spoiler").addErrback(errors.append)
    server.pump()
    assert not errors  # the check takes a hundredth of a second
    server.advance(0.01)
    assert errors[0].check(chatd.RequestError)
    assert server.session_of(client).warnings == 1


@pytest_twisted.ensureDeferred
async def test_on_a_unix_socket() -> None:
    """A test that is a coroutine waits for the network."""
    async with running_server(reactor, ModeratedFactory(reactor), "unix") as server:
        client = await chatd.connect(reactor, server.endpoint, name="mallory")
        with pytest.raises(chatd.RequestError):
            await client.send("a spoiler")
        assert (await client.command("warnings"))["warnings"] == 1
        await client.disconnect()

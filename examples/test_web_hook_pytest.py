"""Tests of a program under asyncio, as functions that pytest-asyncio runs.

Run it in a directory with the settings of docs/how-to/test-your-service.md: python -m pytest
"""

from collections.abc import AsyncIterator

import pytest
from web_hook import lifespan

import chatd
from chatd.testing import RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    """Run a server in the event loop of the test."""
    async with (
        chatd.asyncio_reactor() as reactor,
        running_server(reactor, chatd.ChatFactory(reactor), "unix") as server,
    ):
        yield server


async def test_message(server: RunningServer) -> None:
    """A message that the application sends is confirmed, and others get it."""
    async with (
        await chatd.connect(server.reactor, server.endpoint, name="alice") as alice,
        lifespan(server.endpoint) as service,
    ):
        receipt = await service.send("build 512 is done")
        message = await anext(aiter(alice))
    assert (receipt.sender, receipt.room) == ("web", "lobby")
    assert message.text == "build 512 is done"


async def test_refusal(server: RunningServer) -> None:
    """Each test has a server and an event loop of its own."""
    async with lifespan(server.endpoint) as service:
        with pytest.raises(chatd.RequestError, match="you are not in cellar"):
            await service.send("build 512 is done", room="cellar")

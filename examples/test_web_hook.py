"""Tests of a program under asyncio, against a real server in the same event loop.

Run it: python -m unittest test_web_hook
It needs an event loop of its own, so pytest with pytest-twisted cannot run it.
"""

import unittest

from web_hook import lifespan

import chatd
from chatd.testing import running_server


class WebHookTests(unittest.IsolatedAsyncioTestCase):
    """The client of the web application, and a server for it."""

    async def test_message(self) -> None:
        """A message that the application sends is confirmed, and others get it."""
        async with (
            chatd.asyncio_reactor() as reactor,
            running_server(reactor, chatd.ChatFactory(reactor), "unix") as server,
            await chatd.connect(reactor, server.endpoint, name="alice") as alice,
            lifespan(server.endpoint) as service,
        ):
            receipt = await service.send("build 512 is done")
            message = await anext(aiter(alice))
        self.assertEqual((receipt.sender, receipt.room), ("web", "lobby"))
        self.assertEqual(message.text, "build 512 is done")

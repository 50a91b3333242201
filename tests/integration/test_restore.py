"""The daemon starts on a directory from a backup, made as docs/how-to/backup.md says."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from twisted.internet import reactor

from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from tests.integration.daemons import connect, stop
from tests.integration.processes import daemon
from tests.integration.sessions import leave


def back_up(data, copy):
    """Copy the database of a running daemon, as SQLite's ``.backup`` does."""
    copy.mkdir(mode=0o700)
    with (
        closing(sqlite3.connect(data / "chatd.db")) as source,
        closing(sqlite3.connect(copy / "chatd.db")) as target,
    ):
        source.backup(target)


async def say(alice, *texts):
    for text in texts:
        await alice.send(text)
        await alice.send(f"to carol: {text}", to="carol")


async def take(client, count):
    """Return a client's next messages, in rooms and direct."""
    taken = [(await client.__anext__()).text for _ in range(count)]
    return sorted(taken)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
async def test_restore(endpoint, data, tmp_path, is_running):
    """A client with later messages than the backup gets all stored messages."""
    copy = tmp_path / "copy"
    carol = ChatClientService(
        reactor, endpoint, ChatClientFactory(reactor, name="carol"), lambda _: 0.02
    )
    with daemon("--data", data, endpoint=endpoint) as process:
        carol.startService()
        await carol.whenConnected()
        alice = await connect(endpoint, "alice")
        await say(alice, "a1", "a2", "a3")
        await take(carol, 6)
        if is_running:
            back_up(data, copy)
        await leave(alice)
        stop(process)
    if not is_running:
        shutil.copytree(data, copy)
    with daemon("--data", data, endpoint=endpoint) as process:
        alice = await connect(endpoint, "alice")
        before = await alice.join("lobby")
        await carol.whenConnected()
        await say(alice, "b4", "b5", "b6")
        await take(carol, 6)
        await leave(alice)
        stop(process)

    data.rename(tmp_path / "aside")
    shutil.copytree(copy, data)
    with daemon("--data", data, endpoint=endpoint) as process:
        process.output.wait_for("is not as its last run left it, but a copy")
        dan = await connect(endpoint, "dan", rooms=[])
        joined = await dan.join("lobby", after=6, epoch=before.epoch)
        assert not joined.recovered
        assert joined.epoch != before.epoch
        assert await take(dan, 3) == ["a1", "a2", "a3"]
        await leave(dan)
        alice = await connect(endpoint, "alice")
        await carol.whenConnected()
        await say(alice, "n4", "n5", "n6", "n7")
        texts = ["a1", "a2", "a3", "n4", "n5", "n6", "n7"]
        assert await take(carol, 14) == sorted([*texts, *(f"to carol: {each}" for each in texts)])
        await carol.stopService()
        await leave(alice)
        stop(process)

    with daemon("--data", data, endpoint=endpoint) as process:
        alice = await connect(endpoint, "alice", rooms=[])
        assert (await alice.join("lobby", after=7, epoch=joined.epoch)).recovered
        assert "is not as its last run left it" not in process.output.text
        await leave(alice)
        stop(process)

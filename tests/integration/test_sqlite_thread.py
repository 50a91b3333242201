"""The store in a database and its thread, on the real reactor."""

import sys
import threading

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.threadable import isInIOThread

from chatd.errors import StoreError
from chatd.storage.runner import StoreThread
from chatd.storage.sqlite.database import Database
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.sqlite.streams import SqliteStreams
from chatd.storage.values import Durability, Retention
from tests.storage.stores import LOBBY, entries, entry

FAR = 2.0**40  # a time that never expires


@pytest.fixture
def store(tmp_path, running_reactor):
    """Return an open store in its own directory; the test closes it."""
    store = SqliteStore(
        tmp_path / "data",
        Retention(),
        durability=Durability.NORMAL,
        run=StoreThread(running_reactor),
    )
    store.open()
    return store


async def test_off_the_reactor(store, monkeypatch):
    """The database is used in a separate thread; answers come in the reactor's thread."""
    threads = set()
    transaction = Database.transaction

    def noted(self):
        threads.add(threading.current_thread())
        return transaction(self)

    monkeypatch.setattr(Database, "transaction", noted)
    for id in range(5):
        await store.append(entries(id, time=FAR))
        assert isInIOThread()
    await store.close()
    (thread,) = threads
    assert thread.name == "chatd-store"
    assert not thread.is_alive()


async def test_in_order(store):
    """The daemon stores messages in the order of the calls, and the answers keep that order."""
    answered = []

    def ask(name, coroutine):
        deferred = Deferred.fromCoroutine(coroutine)

        def note(answer):
            answered.append(name)
            return answer

        return deferred.addCallback(note)

    asked = []
    for id in range(50):
        large = entry(str(id), b"x" * (50 - id) * 1_000, time=FAR)  # the first take longest
        asked.append(ask(f"append {id}", store.append([large])))
        asked.append(ask(f"read {id}", store.read(LOBBY, limit=1, max_bytes=1)))
    assert answered == []
    answers = await gatherResults(asked)
    for what in ("append", "read"):
        assert [each for each in answered if what in each] == [f"{what} {id}" for id in range(50)]
    for id, page in enumerate(answers[1::2]):
        newest = int(page.messages[0].id)
        assert newest >= id
        before, after = answered.index(f"append {newest}"), answered.index(f"read {id}")
        assert before < after
        assert newest == 49 or after < answered.index(f"append {newest + 1}")
    await store.close()


async def test_close_waits(store, tmp_path, running_reactor):
    """Calls before the close are carried out and answered before the close."""
    done = []
    pages = []
    asked = []

    async def append(id):
        await store.append(entries(id, time=FAR))
        done.append(id)

    for id in range(20):
        asked.append(Deferred.fromCoroutine(append(id)))
        page = Deferred.fromCoroutine(store.read(LOBBY, limit=1, max_bytes=1))
        asked.append(page.addCallback(lambda page: pages.append(page.head.seq)))
    closed = Deferred.fromCoroutine(store.close())
    with pytest.raises(StoreError, match="not open"):
        await store.append(entries("late", time=FAR))
    await closed
    assert done == list(range(20))
    assert len(pages) == 20
    again = SqliteStore(
        tmp_path / "data", durability=Durability.NORMAL, run=StoreThread(running_reactor)
    )
    again.open()
    assert (await again.read(LOBBY, limit=1, max_bytes=1)).head.seq == 20
    await again.close()


async def test_expire_lets_others_in(store, monkeypatch):
    """An append during the removal of old messages does not wait for all of it."""
    await store.append(entries(*range(3_000), time=1.0))
    order = []
    expire_some = SqliteStreams.expire_some

    def noted(self, after=0):
        order.append("expire")
        return expire_some(self, after)

    monkeypatch.setattr(SqliteStreams, "expire_some", noted)
    expired = Deferred.fromCoroutine(store.expire())
    await store.append([entry("new", time=FAR)])
    order.append("append")
    await expired
    assert order.index("append") < len(order) - 1
    assert (await store.read(LOBBY, limit=9, max_bytes=99)).messages[0].id == "new"
    await store.close()


async def test_failure(store, running_reactor):
    """An error reaches its caller, and later calls are answered."""
    failing = Deferred.fromCoroutine(store.append([entry("\ud800")]))
    fine = Deferred.fromCoroutine(store.append([entry("1", time=FAR)]))
    with pytest.raises(UnicodeEncodeError):
        await failing
    assert (await fine)[0].message.seq == 1
    await store.close()


async def test_thread(running_reactor):
    """Calls before the thread's start run after it; the thread ends when told."""
    run = StoreThread(running_reactor)
    early = run(threading.current_thread)
    run.start()
    threads = {await early, await run(threading.current_thread)}
    run.stop()
    (thread,) = threads
    assert not thread.is_alive()


async def test_thread_goes_on_after_an_exit(running_reactor):
    """A function that exits ends neither the thread nor the process; the caller gets the error."""
    run = StoreThread(running_reactor)
    run.start()
    with pytest.raises(SystemExit):
        await run(sys.exit)
    assert await run(int) == 0
    run.stop()


async def test_stopped_before_its_start(running_reactor):
    """A thread that was never started can be stopped, and started afterwards."""
    run = StoreThread(running_reactor)
    run.stop()
    run.start()
    assert await run(int) == 0
    run.stop()

"""The daemon as a process with stored messages, and with accounts."""

import pathlib
import re
import signal
import sqlite3

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

import chatd
from chatd import RequestError, write_key_file
from chatd.client.factory import ChatClientFactory
from chatd.client.service import ChatClientService
from chatd.config.passwordedit import set_password
from chatd.daemon.service import ChatService
from chatd.errors import StartupError
from chatd.storage.memory import MemoryStore
from tests.fakes.passwords import CHEAP
from tests.integration.daemons import complaint_of, connect, refusal, stop, tcp_port
from tests.integration.processes import FOREGROUND, daemon, run_command
from tests.integration.sessions import leave

TCP = "tcp:0:interface=127.0.0.1"


async def test_kept(endpoint, data):
    """Messages, the topic, the epoch and direct messages survive a restart."""
    with daemon("--data", data, endpoint=endpoint) as process:
        alice = await connect(endpoint, "alice", rooms=["Cellar"])
        said = [await alice.send(text) for text in ("one", "two")]
        told = await alice.send("psst", to="bob")
        await alice.topic("cellar", "wine")
        before = await alice.join("cellar")
        await leave(alice)
        stop(process)

    with daemon("--data", data, endpoint=endpoint) as process:
        bob = await connect(endpoint, "bob", rooms=[])
        joined = await bob.join("cellar", after=1, epoch=before.epoch)
        missed = await bob.__anext__()
        history = await bob.history("cellar")
        again = await bob.send("three", room="cellar")

        assert (joined.room, joined.epoch, joined.seq) == ("Cellar", before.epoch, 2)
        assert (joined.topic, joined.recovered) == ("wine", True)
        assert missed == said[1]
        assert (history.messages, history.complete) == (said, True)
        assert again.seq == 3
        assert (await bob.history(other="alice")).messages == [told]
        assert [room.topic for room in await bob.list_rooms()] == ["wine"]
        await leave(bob)
        stop(process)


async def test_come_back(endpoint, data):
    """A client reconnects after a restart, misses no message, and sends none twice."""
    factory = ChatClientFactory(reactor, name="alice")
    service = ChatClientService(reactor, endpoint, factory, lambda _: 0.02)
    with daemon("--data", data, endpoint=endpoint) as process:
        service.startService()
        await service.send("one")
        process.send_signal(signal.SIGTERM)
        await service.client.when_ended()
        process.wait()

    waiting = service.send("two")
    with daemon("--data", data, endpoint=endpoint):
        assert (await waiting).seq == 2
        history = await (await service.whenConnected()).history("lobby")
        assert [message.text for message in history.messages] == ["one", "two"]
        await service.stopService()


async def test_not_kept(endpoint):
    """Without --data, no message survives, and the room has another epoch."""
    epochs = []
    for _ in range(2):
        with daemon(endpoint=endpoint) as process:
            alice = await connect(endpoint)
            assert (await alice.send("hello")).seq == 1
            epochs.append((await alice.join("lobby")).epoch)
            await leave(alice)
            stop(process)
    assert epochs[0] != epochs[1]


async def test_bans(endpoint, data):
    """A ban survives a restart, until it is lifted."""
    options = ("--data", data, "--operator", "alice")
    with daemon(*options, endpoint=endpoint) as process:
        process.output.wait_for("anyone who takes the name alice may kick and ban")
        alice, mallory = await connect(endpoint, "alice"), await connect(endpoint, "mallory")
        assert await alice.ban("mallory") == 1
        assert (await mallory.when_ended()).code == "banned"
        await leave(alice)
        stop(process)
        assert "alice banned mallory" in process.output.text

    with daemon(*options, endpoint=endpoint) as process:
        assert await refusal(endpoint, "Mallory") == "banned"
        alice = await connect(endpoint, "alice")
        assert [ban.name for ban in await alice.bans()] == ["mallory"]
        await alice.unban("mallory")
        mallory = await connect(endpoint, "mallory")
        await leave(alice, mallory)
        stop(process)


def passwords_of(tmp_path, kind):
    """Return the options of a daemon with alice's account."""
    if kind == "memory":
        return ("--auth", "memory:Alice:open sesame")
    set_password(tmp_path / "passwords", "Alice", "open sesame", hasher=CHEAP)
    return ("--password-file", tmp_path / "passwords")


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_passwords(endpoint, tmp_path, kind):
    """Over a UNIX socket, the daemon accepts only clients with the password."""
    options = passwords_of(tmp_path, kind)
    with daemon(*options, "--operator", "alice", endpoint=endpoint) as process:
        alice = await connect(endpoint, "Alice", password="open sesame")
        second = await connect(endpoint, "Alice", password="open sesame")
        assert (alice.name, second.name) == ("Alice", "Alice")
        assert await alice.bans() == []
        assert await refusal(endpoint, "Alice", password="guess") == "auth-failed"
        assert await refusal(endpoint, "bob", password="open sesame") == "auth-failed"
        assert await refusal(endpoint, "Alice") == "auth-required"
        assert await refusal(endpoint) == "auth-required"
        await leave(alice, second)
        stop(process)
        assert "sesame" not in process.output.text
        assert "anyone who takes" not in process.output.text


@pytest.mark.skipif(not pathlib.Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_list_of_processes(endpoint, tmp_path, kind):
    """The list of processes shows a password of `--auth`, and nothing in a password file."""
    options = passwords_of(tmp_path, kind)
    with daemon(*options, endpoint=endpoint) as process:
        shown = pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
        assert str(options[1]) in shown
        assert ("open sesame" in shown) == (kind == "memory")
        assert "argon2" not in shown
        stop(process)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_passwords_over_tcp(tmp_path, kind):
    """In the clear over TCP, the daemon accepts no client, and the client sends no password."""
    options = passwords_of(tmp_path, kind)
    with daemon(*options, endpoint=TCP) as process:
        tcp = f"tcp:127.0.0.1:{tcp_port(process)}"
        assert await refusal(tcp, "Alice", password="open sesame") == "auth-in-clear"
        assert await refusal(tcp) == "auth-in-clear"
        stop(process)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_passwords_with_a_key(tmp_path, kind):
    """With a key, passwords work over TCP too."""
    key = write_key_file(tmp_path / "key")
    options = (*passwords_of(tmp_path, kind), "--key-file", tmp_path / "key")
    with daemon(*options, endpoint=TCP) as process:
        tcp = f"tcp:127.0.0.1:{tcp_port(process)}"
        alice = await connect(tcp, "Alice", key=key, password="open sesame")
        assert alice.name == "Alice"
        assert await refusal(tcp, "Alice", key=key, password="guess") == "auth-failed"
        await leave(alice)
        stop(process)


async def test_guests(endpoint, tmp_path):
    """If guests are allowed beside accounts, they get guest names."""
    options = (*passwords_of(tmp_path, "memory"), "--auth", "anonymous")
    with daemon(*options, endpoint=endpoint):
        guest, bob = await connect(endpoint), await connect(endpoint, "guest-bob")
        assert re.match("guest-", guest.name)
        assert bob.name == "guest-bob"
        assert await refusal(endpoint, "Alice") == "auth-required"
        await leave(guest, bob)


@pytest.mark.parametrize("program", [FOREGROUND, ("twist",)], ids=["twistd", "twist"])
def test_in_use(endpoint, tmp_path, data, program):
    """A second daemon does not start on a directory in use; the first goes on."""
    other = f"unix:{tmp_path}/other.sock"
    with daemon("--data", data, endpoint=endpoint):
        completed = run_command(*program, "chatd", "--endpoint", other, "--data", data)
        assert completed.returncode == 1
        complaint = f"chatd: {data} is in use by another chatd"
        assert complaint_of(completed).endswith(complaint)
        assert (completed.stdout + completed.stderr).count("is in use") == 1
        assert not (tmp_path / "other.sock").exists()

        sent = run_command("chatd", "connect", endpoint, input="still there\n")
        assert sent.returncode == 0

    with daemon("--data", data, endpoint=other):
        assert run_command("chatd", "connect", other, input="hello\n").returncode == 0


@pytest.mark.parametrize("program", [FOREGROUND, ("twist",)], ids=["twistd", "twist"])
@pytest.mark.parametrize("name", ["chatd.db", "bans.json"])
def test_corrupt(endpoint, data, name, program):
    """Corrupt files end the daemon with one line, and stay unchanged."""
    data.mkdir()
    content = b"this was never a file of chatd's. " * 100
    (data / name).write_bytes(content)
    completed = run_command(*program, "chatd", "--endpoint", endpoint, "--data", data)

    assert completed.returncode == 1
    assert re.search(f"chatd: cannot .*{data}/{name}: ", complaint_of(completed))
    assert (completed.stdout + completed.stderr).count(str(data)) == 1
    assert (data / name).read_bytes() == content


def test_directory_that_cannot_be_made(endpoint, tmp_path):
    """A directory that the daemon cannot make ends it with one line."""
    (tmp_path / "file").touch()
    options = ("--endpoint", endpoint, "--data", tmp_path / "file" / "data")
    completed = run_command(*FOREGROUND, "chatd", *options)

    assert completed.returncode == 1
    assert f"{tmp_path}/file/data" in complaint_of(completed)
    assert complaint_of(completed).endswith(": Not a directory")


async def test_socket_is_let_go(tmp_path):
    """If the store cannot be opened, a program closes the socket, and goes on."""

    class BrokenStore(MemoryStore):
        def open(self):
            raise chatd.ConfigurationError("it is broken")

    path = pathlib.Path(tmp_path, "chat.sock")
    factory = chatd.ChatFactory(reactor, store=BrokenStore())
    service = ChatService(reactor, factory, f"unix:{path}")
    service.gives_up_root = True  # so that it listens first
    service.privilegedStartService()
    assert path.exists()
    with pytest.raises(StartupError, match=r"^chatd: it is broken$"):
        service.startService()
    await service.stopService()
    await turns(path.exists)
    assert list(tmp_path.iterdir()) == []


async def turns(is_waiting, number=100):
    """Let reactor turns pass until a Deferred fires, up to a limit."""
    while is_waiting() and number:
        number -= 1
        await deferLater(reactor, 0)


async def test_locked(endpoint, data):
    """While another program locks the database, senders get an error; then all goes on."""
    with daemon("--data", data, endpoint=endpoint) as process:
        alice, bob = await connect(endpoint, "alice"), await connect(endpoint, "bob")
        assert (await alice.send("before")).seq == 1
        locking = sqlite3.connect(data / "chatd.db", isolation_level=None)
        try:
            locking.execute("BEGIN EXCLUSIVE")
            with pytest.raises(RequestError) as caught:
                await alice.send("refused", id="m1")
            assert caught.value.code == "not-stored"
            assert str(data) not in str(caught.value)
        finally:
            locking.close()

        assert (await alice.send("after", id="m1")).seq == 2
        assert [(await bob.__anext__()).text for _ in range(2)] == ["before", "after"]
        await leave(alice, bob)
        stop(process)
    assert re.search("the store failed: .*database is locked", process.output.text)

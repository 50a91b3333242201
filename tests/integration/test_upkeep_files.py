"""A daemon whose files change while it runs, and whose sessions go on."""

import json
import os
import signal

import pytest
from twisted.internet import reactor

import chatd
from chatd import RequestError, SessionRefused, load_key, write_key_file
from chatd.config.passwordedit import set_password
from tests.fakes.passwords import CHEAP
from tests.integration.daemons import refusal, stop
from tests.integration.processes import FOREGROUND, Daemonized, daemon
from tests.integration.sessions import leave

PROGRAMS = [FOREGROUND, ("twist", "--log-format=text")]
STAYS = "not read again, nothing changes"


def renew(path):
    """Replace a key by a new key, and return it."""
    path.unlink()
    return write_key_file(path)


async def connect_at_last(endpoint, key, name):
    """Connect with a key that the daemon is about to load."""
    while True:
        try:
            return await chatd.connect(reactor, endpoint, name=name, key=key)
        except SessionRefused as refused:
            if refused.code != "wrong-key":
                raise


async def test_in_the_background(endpoint, tmp_path):
    """A daemon without a terminal loads the new key, too, from a relative path."""
    path = tmp_path / "key"
    old_key = write_key_file(path)
    with Daemonized(tmp_path, "--endpoint", endpoint, "--key-file", "key") as process:
        assert process.started.returncode == 0, process.started.stderr
        old = await chatd.connect(reactor, endpoint, name="old", key=old_key)
        new_key = renew(path)
        os.kill(int(process.pid_file.read_text()), signal.SIGHUP)
        new = await connect_at_last(endpoint, new_key, "new")
        assert await refusal(endpoint, key=old_key) == "wrong-key"
        for speaker, listener in ((old, new), (new, old)):
            receipt = await speaker.send(f"{speaker.name} speaks")
            assert await listener.__anext__() == receipt
        await leave(old, new)
        process.terminate()
        process.wait()
        assert process.log.count("key file: read again") == 1
        assert "Traceback" not in process.log


@pytest.mark.parametrize("program", PROGRAMS, ids=["twistd", "twist"])
async def test_wrong_files(endpoint, tmp_path, program):
    """The daemon reports each faulty file in a line; sessions go on, and new clients connect."""
    key_file, operators, data = tmp_path / "key", tmp_path / "operators", tmp_path / "data"
    key = write_key_file(key_file)
    operators.write_text("alice\n")
    options = ("--key-file", key_file, "--operator-file", operators, "--data", data)
    with daemon(*options, endpoint=endpoint, program=program) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice", key=key)
        key_file.write_text("not a key, but a secret\n")
        operators.write_text("two words\n")
        (data / "bans.json").write_text("[")
        process.send_signal(signal.SIGHUP)
        process.output.wait_for(f"bans: {STAYS}")
        assert await alice.bans() == []
        bob = await chatd.connect(reactor, endpoint, name="bob", key=key)
        await alice.send("still here")
        assert (await bob.__anext__()).text == "still here"
        await leave(alice, bob)
        process.send_signal(signal.SIGTERM)
        process.wait()
        log = process.output.wait_for_end() + process.errors.wait_for_end()
    assert log.count(STAYS) == 3
    assert "Traceback" not in log
    assert "a secret" not in log


async def test_operators_and_bans(endpoint, tmp_path):
    """A name added to a file is an operator's, or banned, from then on."""
    operators, data = tmp_path / "operators", tmp_path / "data"
    operators.write_text("# nobody\n")
    options = ("--operator-file", operators, "--data", data)
    with daemon(*options, endpoint=endpoint) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        with pytest.raises(RequestError) as caught:
            await alice.bans()
        assert caught.value.code == "not-allowed"
        operators.write_text("alice\n")
        (data / "bans.json").write_text(json.dumps([{"name": "mallory"}]))
        process.send_signal(signal.SIGHUP)
        process.output.wait_for("bans: read again")
        assert [ban.name for ban in await alice.bans()] == ["mallory"]
        assert await refusal(endpoint, "mallory") == "banned"
        await alice.unban("mallory")
        await leave(alice, await chatd.connect(reactor, endpoint, name="mallory"))
        stop(process)


async def test_passwords(endpoint, tmp_path):
    """A new or changed account takes effect; sessions with the old password stay."""
    path = tmp_path / "passwords"
    set_password(path, "alice", "open sesame", hasher=CHEAP)
    with daemon("--password-file", path, endpoint=endpoint) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice", password="open sesame")
        set_password(path, "alice", "shut sesame", hasher=CHEAP)
        set_password(path, "bob", "hello", hasher=CHEAP)
        process.send_signal(signal.SIGHUP)
        process.output.wait_for("password file: read again")
        bob = await chatd.connect(reactor, endpoint, name="bob", password="hello")
        assert await refusal(endpoint, "alice", password="open sesame") == "auth-failed"
        again = await chatd.connect(reactor, endpoint, name="alice", password="shut sesame")
        await alice.send("still here")
        assert (await bob.__anext__()).text == "still here"
        await leave(alice, bob, again)
        stop(process)
        assert "sesame" not in process.output.text


async def test_often(endpoint, tmp_path):
    """Key changes during a conversation lose no message and no place in the order."""
    path = tmp_path / "key"
    key = write_key_file(path)
    with daemon("--key-file", path, endpoint=endpoint) as process:
        clients = [await chatd.connect(reactor, endpoint, name="c0", key=key)]
        said = []
        for number in range(1, 6):
            said += [each.send(f"{each.name} {number} {n}") for each in clients for n in range(50)]
            key = renew(path)
            process.send_signal(signal.SIGHUP)
            assert load_key(path) == key
            clients.append(await connect_at_last(endpoint, key, f"c{number}"))
        receipts = [await each for each in said]
        assert sorted(each.seq or 0 for each in receipts) == list(range(1, len(said) + 1))
        last = await clients[-1].send("the end")
        assert last.seq == len(said) + 1
        heard = []
        async for message in clients[0]:
            heard.append(message.seq)
            if message.text == "the end":
                break
        others = [each.seq or 0 for each in receipts if each.sender != "c0"]
        assert heard == [*sorted(others), last.seq]
        await leave(*clients)
        stop(process)
        assert process.output.text.count("key file: read again") == 5

"""The page on several daemons: its settings, commands and proxy, with a real Redis."""

import re
import signal
import socket

import pytest
from twisted.internet import reactor

import chatd
from chatd.backplane.redis.connections import RefusedError
from chatd.wire.channel import PREAMBLE
from chatd.wire.envelope import MAGIC
from tests.backplane.redis.servers import RedisServer
from tests.docs.pages import ROOT, block, page
from tests.integration.daemons import complaint_of, stop
from tests.integration.onpage import with_words
from tests.integration.processes import Process, daemon, run_command
from tests.integration.sessions import leave
from tests.integration.tools import tool

PAGE = "docs/how-to/several-daemons.md"
SETTINGS = block(PAGE, "appendonly yes")
START = block(PAGE, "--backplane redis://")
HAPROXY = block(PAGE, "listen chatd")
RIGHTS = block(PAGE, "ACL SETUSER chatd")
SAVE = block(PAGE, "ACL SAVE")
INSTALL = block(PAGE, "pip install")
PASSWORD = "correct horse"
DAEMON = ("twistd", "-n", "--pidfile=", "chatd", "--endpoint", "unix:never.sock")


@pytest.fixture
def redis(tmp_path):
    """Return a Redis with the settings of the page."""
    tool("redis-server")
    server = RedisServer(config=with_words(SETTINGS, {"PASSWORD": f'"{PASSWORD}"'})).start()
    file = tmp_path / "redis-password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    yield server
    server.remove()


@pytest.fixture
def options(redis, tmp_path):
    """Return the options of the page's daemons."""
    key = tmp_path / "key"
    chatd.write_key_file(key)
    words = {
        "/etc/chatd/key": str(key),
        "redis://redis.example.org:6379/0": f"unix:{redis.path}",
        "/etc/chatd/redis-password": str(tmp_path / "redis-password"),
    }
    text = with_words(START.replace("\\\n", ""), words)
    command = text.split()
    assert command[:4] == ["twistd", "chatd", "--endpoint", "tcp:9999"]
    return command[4:]


def path_of(tmp_path, name):
    return tmp_path / f"{name}.sock"


def started(tmp_path, name, options):
    return daemon(*options, endpoint=f"unix:{path_of(tmp_path, name)}")


async def join(tmp_path, at, name, **options):
    key = chatd.load_key(tmp_path / "key")
    endpoint = f"unix:{path_of(tmp_path, at)}"
    return await chatd.connect(reactor, endpoint, name=name, key=key, **options)


def test_install():
    """The extra that the page installs exists."""
    (extra,) = re.findall(r"\.\[(\w+)\]", INSTALL)
    assert f"\n{extra} =\n" in (ROOT / "setup.cfg").read_text()


async def test_one_chat(tmp_path, options):
    """Two daemons with the page's command are one chat; one goes on when the other is killed."""
    with started(tmp_path, "one", options) as one, started(tmp_path, "two", options) as two:
        for process in (one, two):
            process.output.wait_for("listening on")
        ann, bob = await join(tmp_path, "one", "ann"), await join(tmp_path, "two", "bob")
        first = await ann.send("hello")
        message = await anext(aiter(bob))
        assert (message.text, message.sender, message.seq) == ("hello", "ann", first.seq)
        assert await bob.who("lobby") == ["ann", "bob"]
        one.send_signal(signal.SIGKILL)
        one.wait()
        assert (await bob.send("still here")).seq == first.seq + 1
        again = await join(tmp_path, "two", "cat")
        assert (await again.join("lobby", after=0)).seq == first.seq + 1
        await leave(bob, again)
        stop(two)


@pytest.mark.parametrize("has_acl_file", [False, True])
async def test_own_user(tmp_path, redis, options, has_acl_file):
    """The rights that the page gives a user are enough, and outlive a restart of Redis."""
    keep, password = "CONFIG REWRITE\n", PASSWORD
    assert f"`{keep.strip()}`" in page(PAGE)
    if has_acl_file:
        keep, password = with_words(SAVE, {"PASSWORD": "a-third"}), "a-third"
        redis.kill()
        (redis.directory / "users.acl").touch()
        with redis.config_file.open("a") as file:
            file.write(f"aclfile {redis.directory}/users.acl\n")
        redis.start()
    redis.command("AUTH", PASSWORD)
    for line in (with_words(RIGHTS, {"PASSWORD": "another"}) + keep).splitlines():
        assert redis.command(*line.split()) == b"OK"
    redis.kill()
    redis.start()
    assert isinstance(redis.command("PING"), RefusedError)  # the user `default` has a password
    assert redis.command("AUTH", password) == b"OK"
    (tmp_path / "redis-password").write_text("another\n")
    tcp = str(redis.listen())
    used = [tcp_url(each, tcp) for each in options]
    with started(tmp_path, "one", used) as one, started(tmp_path, "two", used) as two:
        ann, bob = await join(tmp_path, "one", "ann"), await join(tmp_path, "two", "bob")
        await bob.topic("lobby", "tea")
        sent = await ann.send("hello")
        assert (await anext(aiter(bob))).id == sent.id
        await ann.send("psst", to="bob")
        assert (await anext(aiter(bob))).text == "psst"
        await leave(ann, bob)
        for process in (one, two):
            assert "cannot be used" not in process.output.text
            stop(process)


def tcp_url(option, port):
    """Return an option with the user's URL in place of the path of the socket."""
    return f"redis://chatd@127.0.0.1:{port}/0" if option.startswith("unix:") else option


async def test_behind_a_proxy(tmp_path, options, front_port):
    """HAProxy passes clients on to the daemons that work, with the page's configuration."""
    program = tool("haproxy")
    with started(tmp_path, "one", options) as one, started(tmp_path, "two", options) as two:
        for process in (one, two):
            process.output.wait_for("listening on")
        words = {
            "bind :9999": f"bind fd@{front_port.fileno()}",
            "one.example.org:9999 check": f"unix@{path_of(tmp_path, 'one')} check inter 500ms",
            "two.example.org:9999 check": f"unix@{path_of(tmp_path, 'two')} check inter 500ms",
        }
        config = tmp_path / "haproxy.cfg"
        config.write_text(with_words(HAPROXY, words))
        fds = [front_port.fileno()]
        checked = run_command(program, "-c", "-f", config, pass_fds=fds)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with Process(program, "-db", "-f", config, pass_fds=fds):
            key = chatd.load_key(tmp_path / "key")
            there = f"tcp:127.0.0.1:{front_port.getsockname()[1]}"
            clients = [await chatd.connect(reactor, there, name=f"c{n}", key=key) for n in range(4)]
            sent = await clients[0].send("through the proxy")
            for client in clients[1:]:
                assert (await anext(aiter(client))).id == sent.id
            assert await clients[3].who("lobby") == [f"c{n}" for n in range(4)]
            here = [each.output.text.count(": established: ") for each in (one, two)]
            assert sum(here) == len(clients)
            assert min(here) > 0
            await leave(*clients)
        for process in (one, two):
            stop(process)


async def test_frozen_behind_a_proxy(tmp_path, options, front_port):
    """HAProxy ends the sessions of a daemon that stands still, and passes nobody on to it."""
    program = tool("haproxy")
    with started(tmp_path, "one", options) as one, started(tmp_path, "two", options) as two:
        for process in (one, two):
            process.output.wait_for("listening on")
        words = {
            "bind :9999": f"bind fd@{front_port.fileno()}",
            "one.example.org:9999": f"unix@{path_of(tmp_path, 'one')}",
            "two.example.org:9999": f"unix@{path_of(tmp_path, 'two')}",
            "inter 2s": "inter 1s",
        }
        config = tmp_path / "haproxy.cfg"
        config.write_text(with_words(HAPROXY, words))
        with Process(program, "-db", "-f", config, pass_fds=[front_port.fileno()]):
            key = chatd.load_key(tmp_path / "key")
            there = f"tcp:127.0.0.1:{front_port.getsockname()[1]}"
            clients = [await chatd.connect(reactor, there, name=f"c{n}", key=key) for n in range(2)]
            name = one.output.wait_for(r" established: .*name='(\w+)'")[1]
            left, stays = sorted(clients, key=lambda client: client.name != name)
            one.send_signal(signal.SIGSTOP)
            assert (await left.when_ended()).code == "connection-lost"
            again = [await chatd.connect(reactor, there, name=f"d{n}", key=key) for n in range(2)]
            sent = await again[1].send("still here")
            assert (await anext(aiter(stays))).id == sent.id
            two.output.wait_for("(?s)" + ": established: .*" * 3)
            assert two.output.text.count(": established: ") == 3
            await leave(stays, *again)
        one.send_signal(signal.SIGCONT)
        for process in (one, two):
            stop(process)


def test_first_bytes():
    """A daemon's first bytes are those that HAProxy expects, with and without a key."""
    (expected,) = re.findall(r"expect binary (\w+)", HAPROXY)
    for first in (PREAMBLE, MAGIC):
        assert first.startswith(bytes.fromhex(expected))


@pytest.fixture
def front_port():
    """Return a socket that listens on a free port, for the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


async def test_other_key(tmp_path, options):
    """Both daemons warn of another key file, and of other operators."""
    other = tmp_path / "other"
    chatd.write_key_file(other)
    for more, what in (
        (["--key-file", str(other), "--operator", "eve"], "key file"),
        (["--operator", "eve"], "list of operators"),
    ):
        differently = [*options, *more]
        with started(tmp_path, "one", options) as one, started(tmp_path, "two", differently) as two:
            for process in (one, two):
                process.output.wait_for(f"another daemon of this chat has another {what}")
                assert process.output.text.count("another daemon of this chat") == 1
                stop(process)


async def test_redis_killed(tmp_path, redis, options):
    """A killed Redis is in the log once, and its return too; nothing that was confirmed is lost."""
    with started(tmp_path, "one", options) as one:
        one.output.wait_for("listening on")
        ann = await join(tmp_path, "one", "ann")
        first = await ann.send("before")
        redis.kill()
        one.output.wait_for("the backplane cannot be used: ")
        redis.start()
        one.output.wait_for("the backplane works again after ")
        second = await ann.send("after")
        joined = await ann.join("lobby", after=first.seq)
        assert (second.seq, joined.seq, joined.recovered) == (first.seq + 1, first.seq + 1, True)
        assert one.output.text.count("the backplane cannot be used") == 1
        await leave(ann)
        stop(one)


@pytest.mark.parametrize(
    ("setting", "more", "reason"),
    [
        ("appendfsync everysec", [], "--durability full needs appendonly yes and appendfsync"),
        ("appendonly no", ["--durability", "normal"], "--durability normal needs appendonly yes"),
        ("maxmemory-policy allkeys-lru", [], "its maxmemory-policy is allkeys-lru, which loses"),
        ("requirepass another", [], "WRONGPASS"),
    ],
)
def test_refused(redis, options, setting, more, reason):
    """The daemon does not start on a Redis that cannot keep the promises, and says why."""
    redis.command("AUTH", PASSWORD)
    assert redis.command("CONFIG", "SET", *setting.split(" ", 1)) == b"OK"
    complaint = complaint_of(run_command(*DAEMON, *options, *more))
    assert complaint.startswith(f"chatd: Redis at {redis.path}")
    assert reason in complaint


def test_normal(redis, options, tmp_path):
    """With `--durability normal`, the setting that the page names is enough."""
    redis.command("AUTH", PASSWORD)
    redis.command("CONFIG", "SET", "appendfsync", "everysec")
    with started(tmp_path, "one", [*options, "--durability", "normal"]) as one:
        one.output.wait_for("listening on")
        stop(one)


def test_unreachable(redis, options):
    """The daemon does not start if Redis does not run."""
    redis.kill()
    complaint = complaint_of(run_command(*DAEMON, *options))
    assert complaint.startswith(f"chatd: cannot connect to Redis at {redis.path}: ")

"""The daemon as a process: it serves, says goodbye, and leaves no file."""

import os
import re
import signal

import pytest
from twisted.internet import reactor

import chatd
from chatd import write_key_file
from tests.integration.daemons import tcp_port
from tests.integration.processes import FOREGROUND, Daemonized, daemon, run_command
from tests.integration.sessions import all_of, leave
from tests.integration.tls import has_ipv6


async def say_hello(endpoint, key=None):
    """Connect, send a message and leave."""
    client = await chatd.connect(reactor, endpoint, key=key)
    assert (await client.send("hello")).text == "hello"
    await leave(client)


@pytest.mark.parametrize(
    "program", [FOREGROUND, ("twist", "--log-format=text")], ids=["twistd", "twist"]
)
async def test_foreground(endpoint, tmp_path, program):
    """The daemon serves from the foreground, and SIGTERM or SIGINT stops it."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        with daemon(endpoint=endpoint, program=program) as process:
            await say_hello(endpoint)
            process.send_signal(stop)
            process.wait()
        assert list(tmp_path.iterdir()) == []


async def test_daemonized(endpoint, tmp_path):
    """The daemon serves from the background, and leaves its log, but no pid file or socket."""
    with Daemonized(tmp_path, "--endpoint", endpoint) as process:
        assert process.started.returncode == 0
        assert process.started.stdout == process.started.stderr == ""
        assert f"listening on {endpoint}" in process.log
        await say_hello(endpoint)
        process.terminate()
        process.wait()
    assert list(tmp_path.iterdir()) == [process.log_file]
    assert "Traceback" not in process.log


async def test_several_endpoints(endpoint, tmp_path):
    """A daemon serves a chat on TCP and UNIX sockets at once, with the same key."""
    key_file = tmp_path / "key"
    key = write_key_file(key_file)
    tcp = "tcp:0:interface=127.0.0.1"
    with daemon("--endpoint", endpoint, "--key-file", key_file, endpoint=tcp) as process:
        alice = await chatd.connect(
            reactor, f"tcp:127.0.0.1:{tcp_port(process)}", key=key, name="alice"
        )
        process.output.wait_for(re.escape(f"listening on {endpoint}"))
        bob = await chatd.connect(reactor, endpoint, key=key, name="bob")
        await alice.send("over TCP, to UNIX")

        assert (await bob.__anext__()).text == "over TCP, to UNIX"
        await leave(alice, bob)


async def test_options(endpoint):
    """The clients learn the heartbeat and the limit of content."""
    with daemon("--heartbeat", "2.5", "--max-content", "1000", endpoint=endpoint):
        client = await chatd.connect(reactor, endpoint)
        assert client.max_content == 1000
        assert client.connection.init.heartbeat == 2.5
        await leave(client)


async def test_everyone_is_told(endpoint, tmp_path):
    """At SIGTERM the daemon asks every client to reconnect, before the process ends."""
    with daemon(endpoint=endpoint) as process:
        clients = await all_of(chatd.connect(reactor, endpoint) for _ in range(20))
        process.send_signal(signal.SIGTERM)
        ends = [await client.when_ended() for client in clients]

        assert {(end.code, end.retry) for end in ends} == {("shutting-down", True)}
        process.wait()
    assert "Traceback" not in process.output.text
    assert list(tmp_path.iterdir()) == []


async def test_killed(endpoint, tmp_path):
    """A killed daemon leaves its socket behind, and can still be started again."""
    with daemon(endpoint=endpoint) as process:
        client = await chatd.connect(reactor, endpoint)
        process.send_signal(signal.SIGKILL)
        end_reason = await client.when_ended()
        assert (end_reason.code, end_reason.retry) == ("connection-lost", True)
        process.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["chat.sock"]
    # A lock as Twisted makes it, with a process id that another process has now, as in a container.
    lock = tmp_path / "chat.sock.lock"
    lock.symlink_to(str(os.getpid()))

    with daemon(endpoint=endpoint) as process:
        await say_hello(endpoint)
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert [path.name for path in tmp_path.iterdir()] == [lock.name]


async def test_storm():
    """300 connections at once are all greeted."""
    with daemon(endpoint="tcp:0:interface=127.0.0.1") as process:
        endpoint = f"tcp:127.0.0.1:{tcp_port(process)}"
        clients = await all_of(chatd.connect(reactor, endpoint) for _ in range(300))

        assert len({client.name for client in clients}) == 300
        await leave(*clients)


@pytest.mark.parametrize("has_key", [False, True], ids=["clear", "key"])
def test_open_to_others(endpoint, tmp_path, has_key):
    """The log warns of an endpoint that other machines can reach, unless there is a key."""
    options = ["--endpoint", "tcp:0:interface=localhost", "--endpoint", endpoint]
    if has_key:
        write_key_file(tmp_path / "key")
        options += ["--key-file", tmp_path / "key"]
    with daemon(*options, endpoint="tcp:0") as process:
        process.output.wait_for(re.escape(f"listening on {endpoint}"))
        process.send_signal(signal.SIGTERM)
        log = process.output.wait_for_end()

    # Warnings about the number of file descriptors depend on the machine.
    warnings = [line for line in log.splitlines() if "ListeningService#warn]" in line]
    assert len(warnings) == (0 if has_key else 1)
    assert all("tcp:0 is open beyond this machine" in warning for warning in warnings)


@pytest.mark.parametrize("kind", ["tcp:0", r"tcp:0:interface=\:\:1"])
def test_logged_endpoint(kind):
    """`chatd connect` takes the endpoint that the log tells in parentheses."""
    if "::" in kind.replace("\\", "") and not has_ipv6():
        pytest.skip("needs IPv6")
    with daemon(endpoint=kind) as process:
        told = process.output.wait_for(r"listening on \S+ \((tcp:\S+)\)")[1]
        sent = run_command("chatd", "connect", told, input="hello\n")
        assert (sent.returncode, sent.stderr) == (0, "")


def test_store_comes_first(tmp_path):
    """A daemon that cannot keep messages opens no port."""
    data = tmp_path / "data"
    data.write_text("a file")
    for program in (FOREGROUND, ("twist",)):
        completed = run_command(*program, "chatd", "--endpoint", "tcp:0", "--data", data)
        assert completed.returncode == 1
        output = completed.stdout + completed.stderr
        assert f"chatd: cannot use {data}: it is not a directory" in output
        assert "starting on" not in output

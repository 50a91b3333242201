"""`chatd connect` as a process: how it ends when something is wrong, and what it says."""

import signal

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import Process, daemon, run_command
from tests.integration.sessions import Witness, leave


@pytest.fixture
def endpoint(tmp_path):
    """Return the endpoint string of a socket that is not there yet."""
    return f"unix:{tmp_path}/chat.sock"


USAGE = {
    "nothing": ([], "COMMAND"),
    "no such option": (["connect", "unix:x", "--bogus"], "--bogus"),
    "endpoint": (["connect", "tcp:localhost"], "bad endpoint 'tcp:localhost'"),
    "directory": (["connect", "unix:x", "--file", "/"], "it is a directory"),
    "key file": (["connect", "unix:x", "--key-file", "/no/such/file"], "No such file"),
    "name": (["connect", "unix:x", "--name", "two words"], "a name has"),
    "room": (["connect", "unix:x", "--room", "ops", "--room", "two words"], "a room's name has"),
    "key path": (["keygen", "/no/such/directory/key"], "No such file"),
}


@pytest.mark.parametrize(("arguments", "expected"), USAGE.values(), ids=USAGE)
def test_usage(arguments, expected):
    """What is asked in a wrong way is told in one line."""
    completed = run_command("chatd", *arguments, input="")

    assert completed.returncode == 2
    assert completed.stdout == ""
    assert len(completed.stderr.splitlines()) == 1
    assert completed.stderr.startswith("chatd")
    assert expected in completed.stderr


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asked(option):
    """The version and the help are no faults."""
    completed = run_command("chatd", option)

    assert completed.returncode == 0
    assert "chatd" in completed.stdout
    assert completed.stderr == ""


def test_no_server(endpoint):
    """Where nobody listens, that is told in one line."""
    completed = run_command("chatd", "connect", endpoint, input="hello\n")

    assert completed.returncode == 1
    assert completed.stdout == ""
    assert completed.stderr == (
        f"chatd: cannot connect to {endpoint}: No such file or directory; is the server running?\n"
    )


async def test_name_taken(endpoint):
    """A name that is in use is refused."""
    with daemon(endpoint=endpoint):
        alice = await chatd.connect(reactor, endpoint, name="alice")
        completed = run_command("chatd", "connect", endpoint, "--name", "alice", input="hello\n")
        await leave(alice)

    assert completed.returncode == 3
    assert completed.stdout == ""
    assert completed.stderr == "chatd: the name alice is in use\n"


@pytest.mark.parametrize(
    ("number", "why"),
    [(signal.SIGTERM, "the server is shutting down"), (signal.SIGKILL, "the connection was lost")],
    ids=["stopped", "killed"],
)
def test_server_goes(endpoint, number, why):
    """A connection that is lost ends the command, whose input has not ended."""
    with daemon(endpoint=endpoint) as server, Process("chatd", "connect", endpoint) as process:
        process.output.wait_for("you are")
        server.send_signal(number)

        assert process.wait() == 1
        assert process.errors.wait_for_end() == f"chatd: {why}\n"


async def test_interrupted(endpoint):
    """An interrupted command says goodbye before it ends."""
    with daemon(endpoint=endpoint):
        alice = await chatd.connect(reactor, endpoint, name="alice", protocol=Witness)
        with Process("chatd", "connect", endpoint, "--name", "bob") as process:
            process.output.wait_for("you are bob")
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130
            assert process.errors.wait_for_end() == ""
        events = [await alice.next_event() for _ in range(2)]
        await leave(alice)
    assert [event["event"] for event in events] == ["joined", "left"]

"""`chatd connect` as a process: its end and its output if something is wrong."""

import os
import signal
import socket
from contextlib import ExitStack

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import Process, daemon, run_command, script
from tests.integration.sessions import leave

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
    """A usage error has one line."""
    completed = run_command("chatd", *arguments, input="")

    assert completed.returncode == 2
    assert completed.stdout == ""
    assert len(completed.stderr.splitlines()) == 1
    assert completed.stderr.startswith("chatd")
    assert expected in completed.stderr


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asked(option):
    """The version and the help are not errors."""
    completed = run_command("chatd", option)

    assert completed.returncode == 0
    assert "chatd" in completed.stdout
    assert completed.stderr == ""


def test_no_server(endpoint):
    """If no server listens, one line says so."""
    completed = run_command("chatd", "connect", endpoint, input="hello\n")

    assert completed.returncode == 1
    assert completed.stdout == ""
    assert completed.stderr == (
        f"chatd: cannot connect to {endpoint}: No such file or directory; is the server running?\n"
    )


async def test_name_taken(endpoint):
    """The server refuses a taken name."""
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
    """A lost connection ends the command, even before the end of its input."""
    with daemon(endpoint=endpoint) as server, Process("chatd", "connect", endpoint) as process:
        process.output.wait_for("you are")
        server.send_signal(number)

        assert process.wait() == 1
        assert process.errors.wait_for_end() == (
            f"chatd: {why}: no line is confirmed, the next is line 1\n"
        )


STATUSES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
each_signal = pytest.mark.parametrize("number", STATUSES, ids=lambda number: number.name)


INTERRUPTED = (
    "chatd: interrupted: no line is confirmed, line 1 was sent but not confirmed, "
    "the next is line 2\n"
)


def end(process, number, *told):
    """Send a command a signal, and check that it ends in silence, or with one of some errors."""
    process.send_signal(number)
    assert process.wait() == STATUSES[number]
    assert process.errors.wait_for_end() in ("", *told)


@each_signal
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_signalled(endpoint, number, options):
    """A command that a signal ends says goodbye first."""
    with daemon(endpoint=endpoint) as server:
        connect = ("chatd", "connect", endpoint, "--name", "bob", *options)
        with Process(*connect) as process:
            process.output.wait_for("bob")
            end(process, number)
        server.output.wait_for(r"bob: ended: code=goodbye ")


@each_signal
def test_signalled_while_connecting(endpoint, number):
    """A signal ends it without a session too, or with a silent server."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(endpoint.removeprefix("unix:"))
        listening.listen()
        listening.settimeout(20)
        with Process("chatd", "connect", endpoint) as process:
            connection, _ = listening.accept()
            with connection:
                end(process, number)


@each_signal
def test_signalled_while_waiting_for_receipts(endpoint, tmp_path, number):
    """A signal ends it even if the server does not read."""
    lines = tmp_path / "lines"
    os.mkfifo(lines)
    with daemon(endpoint=endpoint) as server:
        connect = ("chatd", "connect", endpoint, "--name", "bob", "--file", lines)
        with Process(*connect) as process, open(lines, "w") as writer:
            process.output.wait_for("you are bob")
            server.send_signal(signal.SIGSTOP)
            writer.write("hello\n")
            writer.flush()
            end(process, number, INTERRUPTED)  # unless it has not read the line yet


FULL = {"closed": ">&-", "full": "> /dev/full", "unread": "| true"}


@pytest.mark.parametrize("where", FULL.values(), ids=FULL)
def test_output_that_goes_nowhere(tmp_path, where):
    """A command that did its work succeeds, even if it cannot say so."""
    accounts = tmp_path / "accounts"
    for arguments, made in (
        (["keygen", tmp_path / "key"], tmp_path / "key"),
        (["passwd", accounts, "alice"], accounts),
    ):
        piped = f'"$@" {where}; exit "${{PIPESTATUS[0]}}"'
        command = ["bash", "-c", piped, "bash", script("chatd"), *arguments]
        completed = run_command(*command, input="open sesame\n")
        assert completed.returncode == 0
        assert "Traceback" not in completed.stderr
        assert made.stat().st_size > 0


@pytest.mark.parametrize("arguments", [["connect", "bogus"], ["bogus"]], ids=["error", "usage"])
@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full"], ids=["closed", "full"])
def test_errors_that_go_nowhere(arguments, where):
    """Errors go only to standard error, and the status tells them too."""
    command = ["bash", "-c", f'"$@" {where}', "bash", script("chatd"), *arguments]
    completed = run_command(*command)
    assert (completed.returncode, completed.stdout) == (2, "")


WRONG = {
    "path": ("unix:/" + "x" * 120, "its path has 121 bytes"),
    "directory": ("unix:/", "/ is a directory"),
    "label": ("tcp:a..b:9999", "a..b is not a host name"),
    "ipv6": ("tcp:[::1]:9999", r"'tcp:\:\:1:9999'"),
    "port": ("tcp:localhost:0", "port=0: it takes a number from 1 to 65535"),
}


@pytest.mark.parametrize(("address", "why"), WRONG.values(), ids=WRONG)
def test_wrong_address(address, why):
    """An impossible address gives an error of one line at once."""
    completed = run_command("chatd", "connect", address, input="hello\n")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert len(completed.stderr.splitlines()) == 1
    assert completed.stderr.startswith(f"chatd: bad endpoint {address!r}: ")
    assert why in completed.stderr


def test_no_answer():
    """Without an answer, the error names the timeout, and has no hint."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        there = listening.getsockname()
        address = f"tcp:127.0.0.1:{there[1]}:timeout=1"
        with ExitStack() as waiting:
            for _ in range(4):  # more than the backlog: the next is not answered
                other = waiting.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(there)
            completed = run_command("chatd", "connect", address, input="hello\n")
    assert completed.returncode == 1
    assert completed.stderr == (f"chatd: cannot connect: {address} did not answer within 1 s\n")


def test_silent_server():
    """A server that says nothing, as over TLS or for browsers, is told of after a moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        with Process("chatd", "connect", endpoint) as process:
            process.errors.wait_for(
                "^chatd: the server says nothing; write tls: instead of tcp: if the server uses "
                r"TLS, and ws://HOST:PORT/ws \(with TLS, wss://\) for a port of --web\n"
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 143

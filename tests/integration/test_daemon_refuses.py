"""The daemon as a process that cannot start: one line, a status, and no file."""

import os
import re
import signal
import socket
import subprocess

import pytest

from chatd import write_key_file
from tests.integration.daemons import complaint_of
from tests.integration.processes import (
    FOREGROUND,
    Daemonized,
    Process,
    daemon,
    run_command,
    script,
)


@pytest.fixture
def taken():
    """Return the endpoint string of a port in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp:{server.getsockname()[1]}:interface=127.0.0.1"


BAD_OPTIONS = {
    "no such option": (["--bogus"], "--bogus"),
    "heartbeat": (["--heartbeat", "soon"], "--heartbeat soon: it takes "),
    "content": (["--max-content", "0"], "--max-content 0: it takes "),
    "endpoint": (["--endpoint", "tcp"], "bad endpoint 'tcp'"),
    "key file": (["--key-file", "/no/such/file"], "/no/such/file: No such file"),
    "argument": (["extra"], "'extra' is not an option"),
    "auth": (["--auth", "memory:alice"], "--auth memory:alice: it takes names "),
    "room": (["--room", "a b"], "--room 'a b': a room's name has "),
    "rooms": (["--max-rooms", "1", "--room", "a", "--room", "b"], "--max-rooms 1: a session "),
}


@pytest.mark.parametrize(("options", "expected"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_option(options, expected, tmp_path):
    """A wrong option gives an error of one line."""
    completed = run_command(*FOREGROUND, "chatd", *options, cwd=tmp_path)

    assert completed.returncode == 1
    assert completed.stdout == ""
    assert re.fullmatch(r"chatd: [^\n]+\n", completed.stderr)
    assert expected in completed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", [("twist",), ("twistd",)], ids=["twist", "twistd"])
def test_bad_option_of_any_program(program, tmp_path):
    """Every program that starts the daemon reports a bad option, in the background too."""
    completed = run_command(*program, "chatd", "--endpoint", "bogus", cwd=tmp_path)

    assert "bad endpoint 'bogus'" in complaint_of(completed)
    assert list(tmp_path.iterdir()) == []


UNWRITABLE = "/proc/self"


@pytest.mark.parametrize("program", [("twistd", "-n"), ("twistd",)], ids=["foreground", "daemon"])
def test_no_pid_file(program):
    """In a directory without write permission, one line says so and names twistd's option."""
    completed = run_command(*program, "chatd", "--endpoint", "tcp:0", cwd=UNWRITABLE)

    assert completed.returncode == 1
    assert re.search(r"cannot use the pid file /proc/.*--pidfile=$", complaint_of(completed))


def test_no_log_file():
    """If its log cannot be written either, the daemon ends with one line."""
    completed = run_command("twistd", "--pidfile=", "chatd", "--endpoint", "tcp:0", cwd=UNWRITABLE)

    assert completed.returncode == 1
    assert re.search(r"cannot open the log file /proc/.*/twistd\.log: ", complaint_of(completed))


def test_second_daemon(tmp_path):
    """A running daemon is protected from a second daemon with the same pid file."""
    (tmp_path / "twistd.pid").write_text(str(os.getpid()))
    completed = run_command("twistd", "-n", "chatd", "--endpoint", "tcp:0", cwd=tmp_path)

    assert completed.returncode == 1
    assert f"Another twistd server is running, PID {os.getpid()}" in completed.stderr


CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Runs a process as the first process of its own namespace, as a container does."""


def has_containers():
    """Return whether this user may do that."""
    try:
        return (
            subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_containers(), reason="needs unshare, and the right to use it")
def test_killed_in_a_container(tmp_path):
    """A daemon killed as process 1 can start again as process 1, by the same command."""
    program = (*CONTAINER, script("twistd"), "-n", "chatd", "--endpoint", f"unix:{tmp_path}/{{}}")
    for number in range(2):
        command = [part.format(number) for part in program]
        with Process(*command, cwd=tmp_path) as process:
            process.output.wait_for("listening on ")
            assert (tmp_path / "twistd.pid").read_text() == "1"
            process.send_signal(signal.SIGKILL)
            process.wait()
            log = process.output.wait_for_end()
        assert ("removing stale pid file" in log) == (number == 1)


def test_data_in_a_file(tmp_path):
    """The daemon reports a file in place of the data directory, and leaves it alone."""
    path = tmp_path / "notes"
    path.write_text("precious")
    endpoint = f"unix:{tmp_path}/chat.sock"
    options = ["--endpoint", endpoint, "--data", path]
    completed = run_command(*FOREGROUND, "chatd", *options, cwd=tmp_path)

    assert completed.returncode == 1
    assert complaint_of(completed).endswith(f"cannot use {path}: it is not a directory")
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]
    assert path.read_text() == "precious"


def test_open_key_file(tmp_path):
    """The daemon refuses a key file that others can read, with a hint."""
    key_file = tmp_path / "key"
    write_key_file(key_file)
    key_file.chmod(0o640)
    completed = run_command(*FOREGROUND, "chatd", "--key-file", key_file)

    assert f"chmod 600 {key_file}" in complaint_of(completed)


@pytest.mark.parametrize("program", [FOREGROUND, ("twist",)], ids=["twistd", "twist"])
def test_port_in_use(taken, program):
    """A port in use gives one line that names the endpoint."""
    completed = run_command(*program, "chatd", "--endpoint", taken)

    assert f"chatd: cannot listen on {taken}: Address already in use" in complaint_of(completed)


def test_port_in_use_in_the_background(taken, tmp_path):
    """The daemon reports a port in use at the terminal, and logs it."""
    with Daemonized(tmp_path, "--endpoint", taken) as process:
        output = process.started.stdout + process.started.stderr
        assert process.started.returncode != 0
        assert f"cannot listen on {taken}" in output  # Twisted shows 100 characters of it
        process.wait()  # it may log after its line at the terminal
        assert f"cannot listen on {taken}: Address already in use" in process.log
        assert "Traceback" not in output + process.log
    assert list(tmp_path.iterdir()) == [process.log_file]


def test_socket_in_use(tmp_path):
    """The daemon refuses a socket that another daemon serves, which keeps it."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    with daemon(endpoint=endpoint):
        completed = run_command(*FOREGROUND, "chatd", "--endpoint", endpoint)
        assert complaint_of(completed).endswith(
            f"cannot listen on {endpoint}: another program listens there already"
        )

        sent = run_command("chatd", "connect", endpoint, input="still there\n")
        assert sent.returncode == 0
        assert "still there" in sent.stdout


def test_file_in_the_place_of_a_socket(tmp_path):
    """The daemon reports a file in place of the socket, and leaves it alone."""
    path = tmp_path / "notes"
    path.write_text("precious")
    completed = run_command(*FOREGROUND, "chatd", "--endpoint", f"unix:{path}", cwd=tmp_path)

    assert completed.returncode == 1
    assert complaint_of(completed).endswith("notes: there is a file that is not a socket")
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]
    assert path.read_text() == "precious"


def test_second_endpoint_in_use(taken, tmp_path):
    """If one of several endpoints fails, no trace of the others remains."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    completed = run_command(*FOREGROUND, "chatd", "--endpoint", endpoint, "--endpoint", taken)
    assert f"cannot listen on {taken}" in complaint_of(completed)
    assert list(tmp_path.iterdir()) == []

    with daemon(endpoint=endpoint):
        assert run_command("chatd", "connect", endpoint, input="hello\n").returncode == 0


def test_help():
    """The help names the default endpoint."""
    completed = run_command("twistd", "chatd", "--help")

    assert completed.returncode == 0
    assert "tcp:9999:interface=localhost" in completed.stdout

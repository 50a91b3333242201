"""Signals to `chatd connect` at a terminal: it says goodbye, and restores the terminal."""

import signal
import socket

import pytest

from tests.integration.processes import daemon, script
from tests.integration.terminals import CTRL_D, CTRL_Z, ENTER, PROMPT, TerminalProcess, alice_at

STATUSES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
each_signal = pytest.mark.parametrize("number", STATUSES, ids=lambda number: number.name)
GOODBYE = r"alice: ended: code=goodbye "


@pytest.fixture
def silent(endpoint):
    """Return a socket at the endpoint, of a silent server."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(endpoint.removeprefix("unix:"))
        listening.listen()
        listening.settimeout(20)
        yield listening


def end(terminal, number):
    """Send a signal to a command, and check its end."""
    terminal.send_signal(number)
    assert terminal.wait() == STATUSES[number]
    assert "Traceback" not in terminal.screen.text
    assert "rror" not in terminal.screen.text
    assert terminal.is_as_usual


@each_signal
@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_at_a_prompt(endpoint, number, kind):
    """A signal at the prompt ends the command, which says goodbye to the server."""
    with daemon(endpoint=endpoint) as server, alice_at(endpoint, TERM=kind) as alice:
        alice.screen.wait_for(PROMPT)
        alice.type("half a line")
        alice.screen.wait_for("half a line")
        end(alice, number)
        server.output.wait_for(GOODBYE)


@each_signal
def test_while_connecting(endpoint, silent, number):
    """A signal before there is a session ends the command."""
    with alice_at(endpoint) as alice:
        connection, _ = silent.accept()
        with connection:
            end(alice, number)


@each_signal
def test_while_reconnecting(endpoint, number):
    """A signal during a reconnect ends the command."""
    with daemon(endpoint=endpoint) as server, alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        server.send_signal(signal.SIGKILL)
        alice.screen.wait_for("not connected; reconnecting")
        end(alice, number)


@each_signal
def test_while_waiting_for_receipts(endpoint, number):
    """A signal during the wait for the last receipts ends the command."""
    with daemon(endpoint=endpoint) as server, alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        server.send_signal(signal.SIGSTOP)
        alice.type("hello" + ENTER)
        alice.screen.wait_for_raw(r"(?s)\x1b\[\?2004l.*\x1b\[\?2004h")  # the next prompt is there
        alice.type("exit")
        alice.screen.wait_for("exit")
        alice.type(ENTER)
        alice.screen.wait_for_raw(r"(?s)exit.*\x1b\[\?2004l")  # the prompt has ended
        end(alice, number)


@each_signal
@pytest.mark.parametrize("command", ["connect", "passwd"])
def test_where_a_password_is_asked_for(tmp_path, endpoint, number, command):
    """A signal at the password prompt ends its line and the command."""
    arguments = {
        "connect": ("connect", endpoint, "--name", "alice", "--password"),
        "passwd": ("passwd", str(tmp_path / "accounts"), "alice"),
    }
    with TerminalProcess("chatd", *arguments[command]) as alice:
        alice.screen.wait_for("Password for alice: ")
        end(alice, number)
        assert alice.screen.wait_for_end() == "Password for alice: \n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_terminal_is_gone(endpoint, kind):
    """If the terminal hangs up, the client says goodbye to the server."""
    with daemon(endpoint=endpoint) as server, alice_at(endpoint, TERM=kind) as alice:
        alice.screen.wait_for(PROMPT)
        alice.hang_up()
        assert alice.wait() == 129
        server.output.wait_for(GOODBYE)


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_suspended(endpoint, kind):
    """Ctrl+Z restores the terminal; `fg` returns to the typed line."""
    with (
        daemon(endpoint=endpoint),
        TerminalProcess("bash", "--norc", "--noediting", "-i", TERM=kind, PS1="shell: ") as shell,
    ):
        shell.screen.wait_for("shell: ")
        shell.type(f"{script('chatd')} connect {endpoint} --name alice{ENTER}")
        shell.screen.wait_for(PROMPT)
        shell.wait_for_prompt()
        shell.type("a dra")
        shell.screen.wait_for("a dra")
        shell.type(CTRL_Z)
        shell.screen.wait_for("(?s)Stopped.*shell: ")
        assert shell.is_as_usual
        shell.type("fg" + ENTER)
        shell.screen.wait_for("(?s)Stopped.*fg.*a dra")
        shell.wait_for_prompt()
        shell.type("ft" + ENTER)
        shell.screen.wait_for("alice: a draft\n")
        shell.wait_for_prompt()
        shell.type(CTRL_D)
        shell.screen.wait_for("(?s)alice: a draft.*shell: ")
        shell.type("echo status $?" + ENTER)
        shell.screen.wait_for("status 0\n")
        shell.type("exit" + ENTER)
        shell.wait()

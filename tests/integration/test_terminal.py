"""`chatd connect` at a terminal."""

import re
import signal

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import daemon, run_command
from tests.integration.sessions import Witness, leave
from tests.integration.terminals import (
    CTRL_C,
    CTRL_D,
    ENTER,
    HOME,
    PROMPT,
    REPORTING,
    TAB,
    UP,
    alice_at,
)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Return the endpoint string of a daemon."""
    endpoint = f"unix:{tmp_path_factory.mktemp('daemon')}/chat.sock"
    with daemon(endpoint=endpoint):
        yield endpoint


def bob_at(endpoint):
    """Connect a client as bob, without a terminal."""
    return chatd.connect(reactor, endpoint, name="bob", protocol=Witness)


async def test_say(endpoint):
    """The client sends a typed line, and shows it with its time when the server has it."""
    bob = await bob_at(endpoint)
    with alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        alice.type("hello" + ENTER)
        assert (await bob.__anext__()).text == "hello"
        alice.screen.wait_for(r"\d\d:\d\d alice: hello\n")
    await leave(bob)


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
async def test_hear(endpoint, kind):
    """Messages and events of others get lines of their own, and the typed line is kept."""
    with alice_at(endpoint, TERM=kind) as alice:
        alice.screen.wait_for(PROMPT)
        alice.type("a dra")
        alice.screen.wait_for("a dra")
        bob = await bob_at(endpoint)
        begins_line = "(?m)^" if kind == "dumb" else ""  # the other terminal redraws the line
        alice.screen.wait_for(rf"{begins_line}\d\d:\d\d \* bob joined\n")
        await bob.send("two\nlines")
        alice.screen.wait_for(r"\d\d:\d\d bob: two\n\d\d:\d\d   lines\n")
        alice.type("ft" + ENTER)
        assert (await bob.__anext__()).text == "a draft"
        await leave(bob)
        alice.screen.wait_for(r"\d\d:\d\d \* bob left\n")


async def test_control_characters(endpoint):
    """Messages of others cannot control the terminal."""
    with alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        bob = await bob_at(endpoint)
        await bob.send("\x1b[31mred\x07")
        alice.screen.wait_for("bob: \ufffd\\[31mred\ufffd\n")
        assert "\x1b[31mred" not in alice.screen.raw_text
        await leave(bob)


async def test_rooms(endpoint):
    """Joining a room shows its latest messages, and the prompt names the room."""
    bob = await chatd.connect(reactor, endpoint, name="bob", rooms=["ops"])
    await bob.send("said before")
    with alice_at(endpoint, "--room", "lobby") as alice:
        alice.screen.wait_for(PROMPT)
        alice.type("/join ops" + ENTER)
        alice.screen.wait_for(r"\* earlier messages in ops:\n\d\d:\d\d \| bob: said before\n")
        alice.screen.wait_for("(?m)^ops>")
        alice.type("hello" + ENTER)
        assert (await bob.__anext__()).text == "hello"
        await bob.send("psst", to="alice")
        alice.screen.wait_for("bob → you: psst\n")
        alice.type("/smile" + ENTER)
        alice.screen.wait_for(r"\* there is no command /smile; ")
        alice.type("/quit" + ENTER)
        assert alice.wait() == 0
    await leave(bob)


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
async def test_paste(endpoint, kind):
    """A paste is one message, with or without the marks of bracketed paste, and never leaves."""
    bob = await bob_at(endpoint)
    with alice_at(endpoint, TERM=kind) as alice:
        alice.screen.wait_for(PROMPT)
        for start, name, end in (("\x1b[200~", "quit", "\x1b[201~"), ("", "who", "")):
            alice.type(f"{start}/{name}\rexit\r{end}")
            alice.screen.wait_for(f"//{name}\\s+exit")
            alice.type(ENTER)
            assert (await bob.__anext__()).text == f"/{name}\nexit"
        alice.type("exit" + ENTER)
        assert alice.wait() == 0
    await leave(bob)


async def test_mistyped(endpoint):
    """A mistyped command is cleared from the line, and comes back with the Up key."""
    bob = await bob_at(endpoint)
    with alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        alice.type("/whome too" + ENTER)
        alice.screen.wait_for(r"\* there is no command /whome \(did you mean /who\?\); ")
        alice.type("hello" + ENTER)
        assert (await bob.__anext__()).text == "hello"
        alice.screen.wait_for("alice: hello")
        alice.type(UP + UP + HOME + "/" + ENTER)
        assert (await bob.__anext__()).text == "/whome too"
        alice.type("exit" + ENTER)
        assert alice.wait() == 0
    await leave(bob)


async def test_status_line(endpoint, tmp_path):
    """The status line shows the room, its topic, unread messages and the connection."""
    first, second = (f"{tmp_path.name}-{number}" for number in (1, 2))
    bob = await chatd.connect(reactor, endpoint, name="bob", rooms=[first, second])
    await bob.topic(first, "tea")
    rooms = ("--room", first, "--room", second)
    # Nobody has written to her yet, so no other place has unread messages.
    with alice_at(endpoint, "--name", "carol", *rooms, **REPORTING) as carol:
        carol.screen.wait_for(rf" 1:{first} \(2\) \| tea \| .*not encrypted")
        await bob.send("psst, carol", room=second)
        carol.screen.wait_for(rf" 1:{first} \(2\) \| tea \| new 2:{second} 1! \| ")
        carol.type("\x1b2")
        carol.screen.wait_for(rf"\* your lines go to {second} now(?s:.*) 2:{second} \(2\) \| ")
        carol.type("bo" + TAB + "hello" + ENTER)
        assert (await bob.__anext__()).text == "bob: hello"
        carol.type("/quit" + ENTER)
        assert carol.wait() == 0
    await leave(bob)


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
async def test_attention(endpoint, kind):
    """A direct message rings the bell, if the person wants it, and is bold where there is bold."""
    bob = await bob_at(endpoint)
    name = f"alice-{kind}"  # without direct messages from before
    with alice_at(endpoint, "--name", name, TERM=kind) as alice:
        alice.screen.wait_for(PROMPT)
        await bob.send("psst", to=name)
        alice.screen.wait_for("bob → you: psst\n")
        assert "\a" not in alice.screen.raw_text
        alice.type("/bell on" + ENTER)
        alice.screen.wait_for("mentions is on\n")
        await bob.send(f"tea, {name}?")
        bold = r"\x1b\[1m" if kind == "xterm" else ""
        alice.screen.wait_for_raw(rf"\a\d\d:\d\d {bold}(\x1b\[\d+m)?bob(\x1b\[39m)?: tea, {name}\?")
        alice.type("exit" + ENTER)
        assert alice.wait() == 0
    await leave(bob)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "\x1b\\[3[1-6]malice\x1b\\[39m: hello"),
        ({"TERM": "xterm-256color"}, "\x1b\\[38;5;[0-9]+malice\x1b\\[39m: hello"),
        ({"NO_COLOR": "1"}, r"\d\d:\d\d alice: hello"),
        ({"TERM": "dumb"}, r"\d\d:\d\d alice: hello"),
    ],
    ids=["few", "many", "none", "dumb"],
)
def test_colours(endpoint, tmp_path, environment, shown):
    """Names are coloured if the terminal has colours and NO_COLOR is not set."""
    room = tmp_path.name  # a room without earlier messages
    with alice_at(endpoint, "--room", room, **environment) as alice:
        alice.screen.wait_for(">")
        alice.type("hello" + ENTER)
        alice.screen.wait_for("alice: hello")
        assert re.search(shown, alice.screen.raw_text)
        alice.type("exit" + ENTER)
        assert alice.wait() == 0


def test_password(tmp_path):
    """The terminal does not show a password during typing."""
    accounts = tmp_path / "accounts"
    run_command("chatd", "passwd", accounts, "alice", input="open sesame\n")
    endpoint = f"unix:{tmp_path}/chat.sock"
    with (
        daemon("--password-file", accounts, endpoint=endpoint),
        alice_at(endpoint, "--password") as alice,
    ):
        alice.screen.wait_for("Password for alice: ")
        alice.type("open sesame" + ENTER)
        alice.screen.wait_for(PROMPT)
        assert "sesame" not in alice.screen.raw_text
        alice.type(CTRL_D)
        assert alice.wait() == 0


@pytest.mark.parametrize(
    ("keys", "status"),
    [("exit" + ENTER, 0), (CTRL_D, 0), (CTRL_C, 130)],
    ids=["exit", "Ctrl+D", "Ctrl+C"],
)
async def test_leave(endpoint, keys, status):
    """There are three ways to leave; each says goodbye to the server."""
    bob = await bob_at(endpoint)
    with alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        alice.type(keys)
        assert alice.wait() == status
        assert "Traceback" not in alice.screen.wait_for_end()
    assert [(await bob.next_event())["event"] for _ in range(2)] == ["joined", "left"]
    await leave(bob)


def test_connects_again(tmp_path):
    """After a lost connection, the client reconnects, and sends the lines typed in between."""
    endpoint = f"unix:{tmp_path}/chat.sock"
    with daemon(endpoint=endpoint) as server, alice_at(endpoint) as alice:
        alice.screen.wait_for(PROMPT)
        server.send_signal(signal.SIGTERM)
        alice.screen.wait_for(r"\* the server is shutting down \(shutting-down\)\n")
        alice.screen.wait_for(r"\* not connected; reconnecting\n")
        alice.type("too early" + ENTER)
        alice.screen.wait_for(
            r"\* not connected; your message is sent after the client reconnects\n"
        )
        server.wait()
        with daemon(endpoint=endpoint):
            alice.screen.wait_for(r"\* connected again; you are alice\n")
            alice.screen.wait_for("alice: too early\n")
            alice.type("exit" + ENTER)
            assert alice.wait() == 0


def test_no_server(tmp_path):
    """If no server listens at first, an error says so, without a retry."""
    with alice_at(f"unix:{tmp_path}/chat.sock") as alice:
        assert alice.wait() == 1
        said = alice.screen.wait_for_end()
    assert said.count("\n") == 1
    assert "is the server running?" in said


async def test_refused(endpoint):
    """The client reports a taken name at first, without a retry."""
    other = await chatd.connect(reactor, endpoint, name="alice")
    with alice_at(endpoint) as alice:
        assert alice.wait() == 3
        assert alice.screen.wait_for_end() == "chatd: the name alice is in use\n"
    await leave(other)

"""`chatd connect` as a process without a terminal, and `chatd keygen`."""

import json
import re
import stat

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import Process, daemon, run_command, script
from tests.integration.sessions import leave

MANY = [f"line {number}" for number in range(10_000)]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Return the endpoint string of a daemon with a limit of 1,000 bytes of content."""
    endpoint = f"unix:{tmp_path_factory.mktemp('daemon')}/chat.sock"
    with daemon("--max-content", "1000", endpoint=endpoint):
        yield endpoint


def connect(endpoint, *options, lines=()):
    """Run `chatd connect` with lines from a pipe."""
    return run_command("chatd", "connect", endpoint, *options, input="".join(lines))


def shown(completed):
    """Return the output lines of a successful command."""
    assert completed.stderr == ""
    assert completed.returncode == 0
    return completed.stdout.splitlines()


def test_pipe(endpoint):
    """The command sends each line of a pipe, also an unended last line, and shows its receipt."""
    completed = connect(endpoint, "--name", "alice", lines=["one\n", "two\r\n", "\n", "four"])

    assert shown(completed) == [
        "* you are alice, in lobby",
        "alice: one",
        "alice: two",
        "alice: ",
        "alice: four",
    ]


def test_file(endpoint, tmp_path):
    """The command sends each line of a file, and nothing from the pipe."""
    file = tmp_path / "lines"
    file.write_text("from the file\nto the end\n")
    completed = connect(endpoint, "--file", file, "--name", "al", lines=["from the pipe\n"])

    assert shown(completed)[1:] == ["al: from the file", "al: to the end"]


def test_exit(endpoint):
    """The command sends neither a line `exit` nor the lines after it."""
    completed = connect(endpoint, "--name", "alice", lines=["one\n", "exit\n", "two\n"])

    assert shown(completed)[1:] == ["alice: one"]


def test_nothing_to_send(endpoint):
    """An empty pipe is not an error: a session begins and ends."""
    assert shown(connect(endpoint, "--name", "alice")) == ["* you are alice, in lobby"]


def test_json(endpoint):
    """With --json, the command prints each message or event as one JSON object a line."""
    completed = connect(endpoint, "--json", "--name", "alice", lines=["hello\n"])
    welcome, message = map(json.loads, shown(completed))

    assert welcome.pop("session_id")
    assert [room["room"] for room in welcome.pop("rooms")] == ["lobby"]
    assert welcome == {"event": "welcome", "name": "alice", "room": "lobby"}
    assert message.pop("id")
    assert message.pop("time") > 0
    assert message.pop("seq") > 0
    assert message == {
        "event": "message",
        "room": "lobby",
        "from": "alice",
        "content_type": "text/plain; charset=utf-8",
        "text": "hello",
    }


async def test_others(endpoint):
    """The command shows messages and events of others at once, before the input ends."""
    with Process("chatd", "connect", endpoint, "--json", "--name", "bob") as process:
        process.output.wait_for("welcome")
        alice = await chatd.connect(reactor, endpoint, name="alice")
        await alice.send(b"\xff\xfe", content_type="application/octet-stream")
        process.output.wait_for("octet-stream.*\n")
        process.write(b"from bob\n")
        assert (await alice.__anext__()).text == "from bob"
        await leave(alice)
        process.output.wait_for('"left"')
        process.close_input()
        assert process.wait() == 0

        _, joined, message, receipt, left = map(json.loads, process.output.text.splitlines())
    assert joined == {"event": "joined", "room": "lobby", "name": "alice"}
    assert message["base64"] == "//4="
    assert "text" not in message
    assert (receipt["from"], receipt["text"]) == ("bob", "from bob")
    assert left == {"event": "left", "room": "lobby", "name": "alice"}


@pytest.mark.parametrize("from_file", [False, True], ids=["pipe", "file"])
def test_many_lines(endpoint, tmp_path, from_file):
    """10,000 lines come back complete and in order."""
    lines = [f"{line}\n" for line in MANY]
    if from_file:
        (tmp_path / "lines").write_text("".join(lines))
        completed = connect(endpoint, "--json", "--file", tmp_path / "lines")
    else:
        completed = connect(endpoint, "--json", lines=lines)

    assert [json.loads(line)["text"] for line in shown(completed)[1:]] == MANY


def test_closed_input(endpoint):
    """A closed standard input is like an empty input."""
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", script("chatd"), "connect", endpoint]
    completed = run_command(*closed)

    assert len(shown(completed)) == 1


def test_closed_output(endpoint):
    """A closed standard output is not an error: the output was not wanted."""
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", script("chatd"), "connect", endpoint]
    completed = run_command(*closed, input="one\ntwo\n")

    assert shown(completed) == []


def test_output_that_nobody_reads_on(endpoint):
    """When a reader like `head` has ended, the command ends with one line."""
    lines = "".join(f"{line}\n" for line in MANY)
    piped = '"$@" | head -n 2; exit "${PIPESTATUS[0]}"'
    completed = run_command(
        "bash", "-c", piped, "bash", script("chatd"), "connect", endpoint, input=lines
    )

    assert len(completed.stdout.splitlines()) == 2
    assert completed.returncode == 1
    assert re.fullmatch(
        r"chatd: standard output was closed: (\d+) lines are confirmed, the next is line \d+\n",
        completed.stderr,
    )


def test_not_utf_8(endpoint):
    """Errors name the numbers of lines that are not UTF-8; the command sends the others."""
    lines = ["one\n", "\udcff\udcfe\n", "three\n", "fou\udce9\n"]
    completed = connect(endpoint, "--name", "alice", lines=lines)

    assert completed.stdout.splitlines()[1:] == ["alice: one", "alice: three"]
    assert completed.stderr.splitlines() == [
        "chatd: line 2 was not sent: it is not UTF-8",
        "chatd: line 4 was not sent: it is not UTF-8",
    ]
    assert completed.returncode == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_other_encodings(endpoint, tmp_path, encoding):
    """The client sends no byte of a file or a pipe with the mark of UTF-16 or UTF-32."""
    file = tmp_path / "lines"
    file.write_bytes("\ufeffone\ntwo\n".encode(encoding))
    piped = file.read_bytes().decode("utf-8", "surrogateescape")
    for what, options, lines in (
        (file, ("--file", file), []),
        ("standard input", (), [piped]),
    ):
        completed = connect(endpoint, "--name", "al", *options, lines=lines)
        assert completed.stdout.splitlines() == ["* you are al, in lobby"]
        name = encoding[:6].upper()
        assert completed.stderr == (f"chatd: {what} is {name}, not UTF-8 text; save it as UTF-8\n")
        assert completed.returncode == 2


def test_mark(endpoint, tmp_path):
    """The command does not send a byte order mark at the beginning of a file."""
    file = tmp_path / "lines"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    completed = connect(endpoint, "--name", "al", "--file", file, lines=[])
    assert shown(completed)[1:] == ["al: one", "al: two"]


def test_too_long(endpoint):
    """Errors name the numbers of lines over the server's limit; the command sends the others."""
    lines = ["x" * 1000 + "\n", "y" * 1001 + "\n", "three\n"]
    completed = connect(endpoint, "--name", "al", lines=lines)

    assert completed.stdout.splitlines()[1:] == ["al: " + "x" * 1000, "al: three"]
    assert completed.stderr == "chatd: line 2 was not sent: the limit is 1000 bytes\n"
    assert completed.returncode == 2


def test_rooms(endpoint):
    """Lines go to the first room, unchanged; the client is in the other rooms as well."""
    rooms = ["--room", "attic", "--room", "ops"]
    completed = connect(endpoint, "--name", "alice", *rooms, lines=["hello\n", "/who\n"])

    assert shown(completed) == [
        "* you are alice, in attic, ops",
        "[attic] alice: hello",
        "[attic] alice: /who",
    ]


async def test_direct_message(endpoint):
    """With --json, a direct message has a receiver, and no room."""
    with Process("chatd", "connect", endpoint, "--json", "--name", "bob") as process:
        process.output.wait_for("welcome")
        alice = await chatd.connect(reactor, endpoint, name="alice")
        await alice.send("psst", to="bob")
        process.output.wait_for("psst.*\n")
        await leave(alice)
        _, _, message, *_ = map(json.loads, process.output.text.splitlines())
    assert (message["from"], message["to"], message["room"]) == ("alice", "bob", None)


def test_password(tmp_path):
    """A password from a file gives the account; a wrong password has its own status."""
    accounts, right, wrong = tmp_path / "accounts", tmp_path / "right", tmp_path / "wrong"
    run_command("chatd", "passwd", accounts, "alice", input="open sesame\n")
    for file, password in ((right, "open sesame\n"), (wrong, "sesame\n")):
        file.touch(mode=0o600)
        file.write_text(password)
    endpoint = f"unix:{tmp_path}/chat.sock"
    with daemon("--password-file", accounts, endpoint=endpoint):
        assert shown(connect(endpoint, "--name", "alice", "--password-file", right)) == [
            "* you are alice, in lobby"
        ]
        for options in ([], ["--name", "alice"], ["--name", "alice", "--password-file", wrong]):
            refused = connect(endpoint, *options)
            assert refused.returncode == 3
            assert len(refused.stderr.splitlines()) == 1


def test_keygen(tmp_path):
    """The command makes a key file for its owner alone; its server accepts no other key."""
    key_file, other = tmp_path / "key", tmp_path / "other"
    assert run_command("chatd", "keygen", key_file).returncode == 0
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    chatd.write_key_file(other)
    endpoint = f"unix:{tmp_path}/chat.sock"
    with daemon("--key-file", key_file, endpoint=endpoint):
        assert len(shown(connect(endpoint, "--key-file", key_file, lines=["hello\n"]))) == 2
        for options in ([], ["--key-file", other]):
            refused = connect(endpoint, *options)
            assert refused.returncode == 3
            assert len(refused.stderr.splitlines()) == 1


def test_keygen_does_not_overwrite(tmp_path):
    """An existing file is not overwritten."""
    (tmp_path / "key").write_text("precious")
    completed = run_command("chatd", "keygen", tmp_path / "key")

    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1
    assert (tmp_path / "key").read_text() == "precious"

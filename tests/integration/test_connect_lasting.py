"""`chatd connect --reconnect` and `--follow` as processes, with a daemon that is killed."""

import json
import signal
from contextlib import ExitStack

import pytest
from twisted.internet import reactor

import chatd
from tests.integration.processes import Process, daemon, script
from tests.integration.sessions import leave

LINES = [f"line {number}" for number in range(3_000)]
KILLS = 3
PART = len(LINES) // KILLS


def kill(server):
    """Kill a daemon, and wait for its end."""
    server.send_signal(signal.SIGKILL)
    server.wait()


def test_killed_three_times(endpoint, data):
    """All lines arrive once and in order, though three daemons are killed."""
    connect = ("chatd", "connect", endpoint, "--name", "ci", "--reconnect", "--json")
    with ExitStack() as running:
        for part in range(KILLS):
            with daemon("--data", data, endpoint=endpoint) as server:
                if part == 0:
                    process = running.enter_context(Process(*connect))
                lines = LINES[part * PART : (part + 1) * PART]
                process.write("".join(f"{line}\n" for line in lines).encode())
                process.output.wait_for(f'"{lines[PART // 3]}"')
                kill(server)
        with daemon("--data", data, endpoint=endpoint):
            process.close_input()
            assert process.wait() == 0
        shown = map(json.loads, process.output.wait_for_end().splitlines())
        assert [each["text"] for each in shown if each["event"] == "message"] == LINES
        assert process.errors.wait_for_end() == ""


async def say(endpoint, text):
    """Send a message to the lobby."""
    client = await chatd.connect(reactor, endpoint, name="news")
    await client.send(text)
    await leave(client)


async def test_follow(endpoint, data):
    """With --reconnect, --follow shows the messages of the pause, and reads no input."""
    connect = ("chatd", "connect", endpoint, "--name", "al", "--follow", "--reconnect")
    with ExitStack() as running:
        with daemon("--data", data, endpoint=endpoint) as server:
            process = running.enter_context(Process(*connect))
            process.write(b"not read\n")
            process.output.wait_for("you are al")
            await say(endpoint, "first")
            process.output.wait_for("news: first")
            kill(server)
        with daemon("--data", data, endpoint=endpoint):
            await say(endpoint, "second")
            process.output.wait_for("news: second")
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 143
        assert process.output.wait_for_end().count("first") == 1
        assert "not read" not in process.output.text
        assert process.errors.wait_for_end() == ""


@pytest.mark.parametrize(
    ("where", "status", "complaint"),
    [("| head -n 1", 0, ""), ("> /dev/full", 1, "chatd: cannot write to standard output\n")],
    ids=["head", "full"],
)
def test_follow_without_a_reader(endpoint, where, status, complaint):
    """A reader that has enough ends the command; output that is lost is an error."""
    piped = f'"$@" {where}; exit "${{PIPESTATUS[0]}}"'
    arguments = (script("chatd"), "connect", endpoint, "--follow")
    with daemon(endpoint=endpoint), Process("bash", "-c", piped, "bash", *arguments) as process:
        assert process.wait() == status
        assert process.errors.wait_for_end() == complaint

"""Every example runs as a program, and acts as its docstring says."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import block

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent
TIMEOUT_S = 30


@contextmanager
def running(example, endpoint, is_ready):
    """Run an example that is a service; it is ready when its log says so."""
    process = subprocess.Popen(
        [str(BIN / "twistd"), "-n", "--pidfile=", "-y", str(EXAMPLES / example)],
        env={**os.environ, "ENDPOINT": endpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = []
    try:
        for line in process.stdout:
            log.append(line)
            if is_ready in line:
                break
        else:
            pytest.fail("".join(log))
        yield process
    finally:
        process.terminate()
        log.append(process.communicate(timeout=TIMEOUT_S)[0])
    assert "Traceback" not in "".join(log)


def run(*command, typed="", cwd=None):
    """Run a command to its end, and return its output and its exit status."""
    done = subprocess.run(
        [str(part) for part in command],
        input=typed,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.stdout, done.stderr, done.returncode


def test_codec():
    """A message is encoded and decoded, and damage is noticed."""
    output, _, status = run(sys.executable, EXAMPLES / "codec.py")
    assert status == 0
    assert output == "98 bytes hold 'hello' for lobby\nbad-crc: the content is damaged\n"


def test_echo_server(endpoint):
    """A message comes back from the server."""
    with running("echo_server.py", endpoint, "listening on"):
        output, _, status = run(BIN / "chatd", "connect", endpoint, typed="one\ntwo\n")
    assert status == 0
    assert output.splitlines()[1:] == ["server: one", "server: two"]


def test_moderated_server(endpoint):
    """The service refuses a forbidden word, other messages arrive, and all see the warning."""
    with running("moderated_server.py", endpoint, "listening on"):
        connect = (BIN / "chatd", "connect", endpoint, "--name", "mallory")
        output, errors, status = run(*connect, typed="a spoiler\nhello\n")
    assert status == 1
    assert errors == "chatd: line 1 was refused: no spoilers, please (moderated)\n"
    assert output.splitlines() == [
        "* you are mallory, in lobby",
        "moderator: welcome, mallory; no spoilers, please",
        "mallory: hello",
    ]


def test_client_and_bot(endpoint):
    """The client gets its receipt, and the server's greeting; the bot joins before it."""
    with (
        running("moderated_server.py", endpoint, "listening on") as server,
        subprocess.Popen([sys.executable, str(EXAMPLES / "bot.py"), endpoint]) as bot,
    ):
        assert any(" bot: established" in line for line in server.stdout)
        output, errors, status = run(sys.executable, EXAMPLES / "client.py", endpoint)
        bot.terminate()
        assert bot.wait(TIMEOUT_S) == 0
    assert (status, errors) == (0, "")
    first, second, third = output.splitlines()
    assert first.endswith(" in lobby is confirmed")
    assert second.startswith("the server is ")
    assert third == "moderator says: welcome, example; no spoilers, please"


def test_bot_that_is_not_wanted(endpoint, tmp_path):
    """A bot that the server sends away for good ends with status 1 and the reason."""
    server = tmp_path / "server.py"
    text = (EXAMPLES / "moderated_server.py").read_text()
    server.write_text(text.replace("self.send(f", 'self.end("banned", f'))
    with running(server, endpoint, "listening on"):
        output, errors, status = run(sys.executable, EXAMPLES / "bot.py", endpoint)
    reason = "banned: welcome, bot; no spoilers, please\n"
    assert (status, errors) == (1, f"bot.py: {reason}")
    assert f"#error] will not reconnect: {reason}" in output


def test_over_process():
    """The client starts a daemon, talks over its standard streams, and ends it."""
    output, errors, status = run(sys.executable, EXAMPLES / "over_process.py")
    assert (status, errors) == (0, "")
    assert output == "message 1 in lobby is confirmed\nthe session ended: goodbye\n"


def test_web_hook(endpoint):
    """A POST becomes a message, the program refuses other requests, and Ctrl+C ends it."""
    with (
        running("moderated_server.py", endpoint, "listening on"),
        subprocess.Popen(
            [sys.executable, str(EXAMPLES / "web_hook.py"), endpoint, "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as hook,
    ):
        address = f"http://127.0.0.1:{hook.stdout.readline().split()[-1]}/"
        answers = [posted(address, each) for each in (b"build 512 is done", b"a spoiler", None)]
        hook.send_signal(signal.SIGINT)
        assert hook.communicate(timeout=TIMEOUT_S) == ("", "")
    assert re.fullmatch(r"200 message \d+ in lobby\n", answers[0])
    assert answers[1:] == ["503 moderated: no spoilers, please\n", "400 POST a text\n"]


def test_web_hook_without_an_answer(endpoint, tmp_path):
    """While the chat is away, a POST is accepted, and its message arrives when the chat is back."""
    copy = tmp_path / "web_hook.py"
    text = (EXAMPLES / "web_hook.py").read_text()
    copy.write_text(text.replace("WAIT_S = 10.0", "WAIT_S = 0.3"))
    with contextlib.ExitStack() as stack:
        chat = stack.enter_context(contextlib.ExitStack())
        chat.enter_context(running("moderated_server.py", endpoint, "listening on"))
        command = [sys.executable, str(copy), endpoint, "0"]
        pipe = subprocess.PIPE
        hook = stack.enter_context(
            subprocess.Popen(command, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        )
        stack.callback(hook.terminate)
        address = f"http://127.0.0.1:{hook.stdout.readline().split()[-1]}/"
        chat.close()
        accepted = posted(address, b"while it is away")
        assert accepted == "202 the chat does not answer; it gets the message later\n"
        stack.enter_context(running("moderated_server.py", endpoint, "listening on"))
        count = 2
        while (answer := posted(address, b"is it back?")) == accepted:
            count += 1
        assert answer == f"200 message {count} in lobby\n"


def posted(address, body):
    """POST a body, or GET without a body, and return the answer with its status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, data=body, timeout=TIMEOUT_S) as answer:
            return f"{answer.status} {answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.read().decode()}"


def test_web_hook_without_a_server(tmp_path):
    """The asyncio program says in one line that no server listens, as its log does."""
    endpoint = f"unix:{tmp_path}/none"
    output, errors, status = run(sys.executable, EXAMPLES / "web_hook.py", endpoint, "0")
    assert (output, status) == ("", 1)
    logged, said = errors.splitlines()
    assert logged.startswith("WARNING:twisted:cannot connect: ")
    assert said.startswith("web_hook.py: An error occurred while connecting")


def test_every_example_is_listed():
    """README gives the command of every example."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    for example in EXAMPLES.glob("*.py"):
        assert re.search(rf"(?m)^\| .*`{re.escape(example.name)}`.* \|", readme), example.name


@pytest.mark.parametrize(("tests", "count"), [("test_echo.py", 5), ("test_moderated.py", 2)])
def test_pytest(monkeypatch, tests, count):
    """The examples of tests pass under pytest."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)  # these options are for chatd's own tests
    output, errors, status = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / tests
    )
    assert status == 0, output + errors
    assert f"{count} passed" in output


def test_unittest():
    """The example of tests under asyncio passes, in its directory."""
    output, errors, status = run(sys.executable, "-m", "unittest", "test_web_hook", cwd=EXAMPLES)
    assert status == 0, output + errors
    assert errors.endswith("OK\n")
    assert "Ran 1 test" in errors


def test_pytest_asyncio(monkeypatch, tmp_path):
    """The example of tests with pytest-asyncio passes, with the settings of the page on tests."""
    pytest.importorskip("pytest_asyncio")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for name in ("web_hook.py", "test_web_hook_pytest.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    settings = block("docs/how-to/test-your-service.md", "asyncio_mode")
    (tmp_path / "pytest.ini").write_text(settings)
    output, errors, status = run(sys.executable, "-m", "pytest", "-Werror", cwd=tmp_path)
    assert status == 0, output + errors
    assert "2 passed" in output


@pytest.mark.parametrize(
    ("example", "arguments", "told"),
    [
        ("bot.py", [], "usage: python bot.py ENDPOINT"),
        ("bot.py", ["nonsense"], "bot.py: bad endpoint 'nonsense': "),
        ("client.py", [], "usage: python client.py ENDPOINT"),
        ("client.py", ["nonsense"], "client.py: bad endpoint 'nonsense': "),
        ("web_hook.py", ["nonsense"], "usage: python web_hook.py ENDPOINT PORT"),
        ("web_hook.py", ["nonsense", "port"], "usage: python web_hook.py ENDPOINT PORT"),
        ("web_hook.py", ["nonsense", "0"], "web_hook.py: bad endpoint 'nonsense': "),
        ("over_process.py", ["/nowhere/daemon"], "over_process.py: [Errno 2] "),
    ],
)
def test_wrong_arguments(example, arguments, told):
    """An example that is given nonsense says so in one line, and ends with status 1."""
    _, errors, status = run(sys.executable, EXAMPLES / example, *arguments)
    assert errors.startswith(told)
    assert (status, errors.count("\n")) == (1, 1)


def test_trial(tmp_path):
    """The example of tests for trial passes, in its directory."""
    trial = (sys.executable, "-m", "twisted.trial", "--temp-directory", tmp_path / "trial")
    output, errors, status = run(*trial, "test_echo", cwd=EXAMPLES)
    assert status == 0, output + errors
    assert "successes=5" in output

"""The daemon of the README's first command, and the lines of log and errors that pages show."""

import re
import shutil
import sqlite3
from urllib.request import urlopen

import chatd
from tests.docs.pages import block
from tests.integration.daemons import complaint_of, stop, tcp_port
from tests.integration.onpage import ENVIRONMENT, with_words
from tests.integration.processes import DEADLINE_S, FOREGROUND, Process, daemon, run_command

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4}"


def test_first_command(tmp_path):
    """The README's first command installs chatd and starts a daemon for terminals and browsers."""
    command = block("README.md", ".venv/bin/twistd -n chatd").strip()
    environment, install, serve = command.split(" && ")
    assert environment == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install '.[web]'"
    words = {".venv/bin/": "", "tcp:9999": "tcp:0", "tcp:8080": "tcp:0"}
    with Process(*with_words(serve, words).split(), cwd=tmp_path) as process:
        web_port = process.output.wait_for(r"WebFront starting on (\d+)")[1]
        with urlopen(f"http://localhost:{web_port}/", timeout=DEADLINE_S) as page:
            assert b"<title>chatd</title>" in page.read()
        there = f"tcp:localhost:{tcp_port(process)}"
        said = run_command("chatd", "connect", there, "--name", "bob", input="hello\n")
        assert said.stdout == "* you are bob, in lobby\nbob: hello\n"
        stop(process)


def test_refused_login(tmp_path):
    """The log has the line of the page on accounts for a wrong password."""
    (tmp_path / "password").write_text("right\n")
    (tmp_path / "wrong").write_text("wrong\n")
    for name in ("password", "wrong"):
        (tmp_path / name).chmod(0o600)
    chatd.write_key_file(tmp_path / "key")
    made = run_command("chatd", "passwd", tmp_path / "passwd", "alice", input="right\n")
    assert made.returncode == 0, made.stderr
    line = block("docs/how-to/accounts.md", "refused: code=").strip()
    line = re.sub(UUID, "ID", line).replace("192.0.2.1", "127.0.0.1")
    options = ("--key-file", tmp_path / "key", "--password-file", tmp_path / "passwd")
    with daemon(*options, endpoint="tcp:0:interface=127.0.0.1") as process:
        command = f"connect tcp:127.0.0.1:{tcp_port(process)} --name alice".split()
        files = ("--key-file", tmp_path / "key", "--password-file", tmp_path / "wrong")
        refused = run_command("chatd", *command, *files, input="", env=ENVIRONMENT)
        assert refused.returncode != 0
        process.output.wait_for(re.escape(line).replace("ID", UUID))
        stop(process)


def test_warnings(tmp_path, endpoint):
    """The command of the page on health finds the log's warnings, and no other lines."""
    with daemon("--operator", "alice", endpoint=endpoint) as process:
        stop(process)
        log = process.output.wait_for_end()
    (tmp_path / "log").write_text(log)
    words = {"journalctl -u chatd": f"cat {tmp_path}/log"}
    command = with_words(block("docs/how-to/health-check.md", "warn"), words)
    found = run_command("sh", "-c", command).stdout.splitlines()
    assert any("alice" in line for line in found)
    assert len(found) < len(log.splitlines())
    assert not [line for line in found if "#info]" in line]


def test_new_directory(tmp_path, data, endpoint):
    """The command of the page on health finds a start with a new directory, and no later start."""
    words = {"journalctl -u chatd": f"cat {tmp_path}/log"}
    command = with_words(block("docs/how-to/health-check.md", "is new"), words)
    for lines in ([f"{data} is new, and has no messages"], []):
        with daemon("--data", data, endpoint=endpoint) as process:
            stop(process)
            (tmp_path / "log").write_text(process.output.wait_for_end())
        found = run_command("sh", "-c", command).stdout.splitlines()
        assert [line.partition("] ")[2] for line in found] == lines


def test_copied_directory(tmp_path, data, endpoint):
    """The log has the line of the page on backups when the directory is a copy."""
    with daemon("--data", data, endpoint=endpoint) as process:
        run_command("chatd", "connect", endpoint, input="kept\n")
        stop(process)
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    (_, text, _) = block("docs/how-to/backup.md", "not as its last run").split("…")
    with daemon("--data", copy, endpoint=endpoint) as process:
        process.output.wait_for(re.escape(f"{copy}{text}".rstrip()))
        stop(process)


def test_newer_database(data, endpoint):
    """A daemon refuses a newer database with the line of the page on upgrades."""
    with daemon("--data", data, endpoint=endpoint) as process:
        run_command("chatd", "connect", endpoint, input="kept\n")
        stop(process)
    with sqlite3.connect(data / "chatd.db") as connection:
        (known,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {known + 1}")
    connection.close()
    refused = run_command(*FOREGROUND, "chatd", "--endpoint", endpoint, "--data", data)
    line = block("docs/how-to/upgrade.md", "newer chatd (schema").strip()
    assert re.sub(r"\d+", "NUMBER", complaint_of(refused)).endswith(line)


def test_behind_a_proxy(tmp_path):
    """The endpoint of the page on proxies takes only connections that begin with a header."""
    text = block("docs/how-to/proxies.md", "--endpoint haproxy:tcp:9998")
    (endpoint,) = re.findall(r"--endpoint (\S+)", text)
    with daemon(endpoint=endpoint.replace("9998", "0")) as process:
        there = f"tcp:127.0.0.1:{tcp_port(process)}"
        refused = run_command("chatd", "connect", there, input="")
        assert refused.returncode != 0
        process.send_signal(15)
        process.wait()

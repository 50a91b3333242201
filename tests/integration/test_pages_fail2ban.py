"""The filter and the jail of the page on fail2ban, read by fail2ban itself."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

from tests.docs.pages import block
from tests.integration.daemons import stop, tcp_port
from tests.integration.onpage import with_words
from tests.integration.processes import daemon
from tests.integration.tools import tool

PAGE = "docs/how-to/fail2ban.md"
LOG = "/var/log/chatd/chatd.log"


def run_tool(*command: object) -> str:
    """Run a program of fail2ban, which must succeed, and return its output."""
    name, *arguments = map(str, command)
    return subprocess.run(
        [tool(name), *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.fixture
def log(tmp_path):
    """Return the log of a daemon that got a wrong first frame, TLS, and a lost connection."""
    with daemon(endpoint="tcp:0:interface=127.0.0.1") as process:
        there = ("127.0.0.1", tcp_port(process))
        with socket.create_connection(there) as attacker:
            attacker.sendall(bytes(2) + b"\xff" * 100)
            process.output.wait_for("refused: code=")
        with socket.create_connection(there) as user:
            user.sendall(b"\x16\x03\x01\x02\0\x01\0" + bytes(100))
            process.output.wait_for("it is TLS")
        socket.create_connection(there).close()
        process.output.wait_for("not established: code=")
        stop(process)
    file = tmp_path / "chatd.log"
    file.write_text(process.output.text, encoding="utf-8")
    return file


def test_filter(tmp_path, log):
    """`fail2ban-regex` finds the only attack in a daemon's log."""
    filter_file = tmp_path / "chatd.conf"
    filter_file.write_text(block(PAGE, "[Definition]"), encoding="utf-8")
    command, reload = block(PAGE, "fail2ban-regex").splitlines()
    assert reload == "systemctl reload fail2ban"
    words = {LOG: str(log), "/etc/fail2ban/filter.d/chatd.conf": str(filter_file)}
    assert " 1 matched" in run_tool(*with_words(command, words).split())


@pytest.mark.parametrize("backend", ["file", "journal"])
def test_jail(tmp_path, log, backend):
    """fail2ban takes the jail, with a log file or with systemd's journal."""
    tool("fail2ban-client")
    config = tmp_path / "fail2ban"
    shutil.copytree("/etc/fail2ban", config)
    for other in (config / "jail.d").iterdir():
        other.unlink()
    (config / "filter.d/chatd.conf").write_text(block(PAGE, "[Definition]"), encoding="utf-8")
    jail = block(PAGE, "[chatd]")
    where = f"logpath = {LOG}\n"
    words = {where: block(PAGE, "backend = systemd")} if backend == "journal" else {LOG: str(log)}
    (config / "jail.d/chatd.conf").write_text(with_words(jail, words), encoding="utf-8")
    assert "OK" in run_tool("fail2ban-client", "-c", config, "--test")
    shown = run_tool("fail2ban-client", "-c", config, "--dp")
    assert "['set', 'chatd', 'maxretry', 5]" in shown

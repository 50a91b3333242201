"""The page on ssh: its commands reach a daemon, and start some, through a real sshd."""

import getpass
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, block
from tests.integration.onpage import ENVIRONMENT, SCRIPTS, with_words
from tests.integration.processes import DEADLINE_S, Process, daemon, run_command
from tests.integration.terminals import TerminalProcess
from tests.integration.tools import tool

PAGE = "docs/how-to/ssh.md"
PRIVILEGE_SEPARATION = Path("/run/sshd")


@pytest.fixture
def ssh(tmp_path):
    """Return an environment in which `ssh HOST` logs in to an sshd of the test's own.

    ssh starts sshd itself and talks to it over pipes, so there is no port.
    """
    sshd, program = tool("sshd"), tool("ssh")
    if os.getuid() == 0 and not PRIVILEGE_SEPARATION.is_dir():
        pytest.skip(f"sshd needs the directory {PRIVILEGE_SEPARATION}: .ci/tools makes it")
    for name in ("host", "user"):
        subprocess.run(
            [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True
        )
    (tmp_path / "sshd_config").write_text(
        f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\n"
        f"UsePAM no\nPermitRootLogin yes\nPidFile none\nSetEnv PATH={ENVIRONMENT['PATH']}\n"
    )
    host = (tmp_path / "host.pub").read_text()
    (tmp_path / "known").write_text(f"HOST {host}")
    (tmp_path / "ssh_config").write_text(
        f"Host HOST\nUser {getpass.getuser()}\nIdentityFile {tmp_path}/user\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {tmp_path}/known\nGlobalKnownHostsFile none\nBatchMode yes\n"
        f"ProxyCommand {sshd} -i -f {tmp_path}/sshd_config\n"
    )
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {program} -F {tmp_path}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    return {**ENVIRONMENT, "PATH": f"{wrapper.parent}:{ENVIRONMENT['PATH']}"}


def test_client_there(ssh, endpoint, tmp_path):
    """The client runs on the other machine, at a terminal, under the name that ssh logged in."""
    text = with_words(block(PAGE, "ssh -t HOST"), {"unix:/run/chatd/chat.sock": endpoint})
    with daemon(endpoint=endpoint), TerminalProcess(*shlex.split(text), **ssh) as terminal:
        terminal.screen.wait_for(f"you are {getpass.getuser()}, in lobby")
        terminal.type("hello\r")
        terminal.screen.wait_for(f"{getpass.getuser()}: hello")
        terminal.type("/quit\r")
        assert terminal.wait() == 0


def test_forwarded_socket(ssh, endpoint, tmp_path):
    """The client here connects through the socket that ssh brings, as the user on that machine."""
    near = tmp_path / "near.sock"
    words = {"/tmp/chat.sock": str(near), "/run/chatd/chat.sock": str(tmp_path / "chat.sock")}
    forward, connect = with_words(block(PAGE, "ssh -N -L"), words).splitlines()
    with daemon(endpoint=endpoint) as process:
        # -v tells when ssh listens.
        command = shlex.split(forward.removesuffix(" &").replace("ssh ", "ssh -v ", 1))
        with Process(*command, env=ssh) as tunnel:
            tunnel.errors.wait_for("Entering interactive session")
            said = run_command(*shlex.split(connect), input="hello\n", env=ssh)
            assert (said.returncode, said.stderr) == (0, "")
            assert said.stdout == "* you are alice, in lobby\nalice: hello\n"
            process.output.wait_for(r"alice: established: ")
            unnamed = with_words(connect, {" --name alice": ""})
            said = run_command(*shlex.split(unnamed), input="", env=ssh)
            assert said.stdout == f"* you are {getpass.getuser()}, in lobby\n"


def test_daemon_for_one_connection(ssh, tmp_path):
    """The example starts a daemon through ssh; the daemon stores its message, and ends."""
    words = {
        "/opt/chatd/bin": SCRIPTS,
        "chatd.log": f"{tmp_path}/log",
        "chatd-data": f"{tmp_path}/data",
    }
    text = with_words(block(PAGE, "python examples/over_process.py"), words)
    for seq in (1, 2):
        done = subprocess.run(
            ["bash", "-ec", text],
            cwd=ROOT,
            env=ssh,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"message {seq} in lobby is confirmed" in done.stdout
    assert "Traceback" not in (tmp_path / "log").read_text()

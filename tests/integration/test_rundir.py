"""A daemon that runs in another directory than its command."""

import os
import signal

from chatd import write_key_file
from tests.integration.processes import FOREGROUND, Daemonized, Process, run_command

OPTIONS = (
    *("--endpoint", "unix:chat.sock", "--endpoint", "unix:mode=600:address=other.sock"),
    *("--key-file", "key", "--operator-file", "operators", "--data", "data"),
)
ANEW = [f"{what}: read again" for what in ("key file", "operators", "bans")]


def prepare(directory):
    """Make the files of the options, and the directory to run in."""
    write_key_file(directory / "key")
    (directory / "operators").write_text("alice\n")
    (directory / "run").mkdir()


def check(directory):
    """Check that all files are in the command's directory, and that the daemon answers there."""
    for name in ("chat.sock", "other.sock"):
        sent = run_command(
            *("chatd", "connect", f"unix:{name}", "--key-file", "key"),
            input="hello\n",
            cwd=directory,
        )
        assert sent.returncode == 0, sent.stderr
    assert (directory / "data" / "chatd.db").exists()
    assert list((directory / "run").iterdir()) == []


def test_in_the_foreground(tmp_path):
    """Relative paths belong to the command's directory, at SIGHUP and at the end too."""
    prepare(tmp_path)
    with Process(*FOREGROUND, "--rundir", "run", "chatd", *OPTIONS, cwd=tmp_path) as process:
        process.output.wait_for("listening on unix:mode=600:address=other.sock")
        check(tmp_path)
        process.send_signal(signal.SIGHUP)
        for line in ANEW:
            process.output.wait_for(line)
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert not list(tmp_path.glob("*.sock*"))


def test_in_the_background(tmp_path):
    """A daemon that leaves its terminal finds its relative paths, too."""
    prepare(tmp_path)
    with Daemonized(tmp_path, *OPTIONS, program=("--rundir", "run")) as process:
        assert process.started.returncode == 0, process.started.stderr
        check(tmp_path)
        os.kill(int(process.pid_file.read_text()), signal.SIGHUP)
        while not all(line in process.log for line in ANEW):
            check(tmp_path)
        process.terminate()
        process.wait()
    assert not list(tmp_path.glob("*.sock*"))

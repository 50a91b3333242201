"""The page on the log: logrotate takes its file, and the daemon goes on in a new log."""

import getpass
import grp
import os
import re
import signal
import subprocess
from datetime import datetime, timedelta

from tests.docs.pages import block
from tests.integration.onpage import with_words
from tests.integration.processes import Daemonized, run_command
from tests.integration.tools import tool

PAGE = "docs/how-to/log-rotation.md"
CONFIGURATION = block(PAGE, "postrotate")
OPENED = block(PAGE, "log: reopened").strip()


def rotate(directory, *options):
    """Run logrotate with the page's file, adapted to a directory."""
    group = grp.getgrgid(os.getgid()).gr_name
    words = {
        "/var/log/chatd": str(directory),
        "/run/chatd": str(directory),
        "create 0640 chatd adm": f"create 0640 {getpass.getuser()} {group}",
    }
    path = directory / "logrotate.conf"
    path.write_text(with_words(CONFIGURATION, words))
    path.chmod(0o644)
    done = subprocess.run(
        [tool("logrotate"), "--state", directory / "state", *options, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    return done.stderr


def test_checked(tmp_path):
    """Logrotate reads the file without a complaint, and would rotate weekly, eight times."""
    tmp_path.chmod(0o755)
    (tmp_path / "chatd.log").write_text("said\n")
    assert "weekly (8 rotations)" in rotate(tmp_path, "-d")


def test_rotated(endpoint, tmp_path):
    """A rotated log is whole; the new log begins as the page says; twistd's old logs go."""
    tmp_path.chmod(0o755)
    long_ago = (datetime.now() - timedelta(days=58)).timestamp()
    for name in ("chatd.log.1", "chatd.log.2", "other.log.1"):
        (tmp_path / name).touch()
        if name != "chatd.log.2":
            os.utime(tmp_path / name, (long_ago, long_ago))
    with Daemonized(tmp_path, "--endpoint", endpoint) as process:
        rotate(tmp_path, "-f")
        while "reopened" not in process.log:
            run_command("chatd", "connect", endpoint, input="")
        first = process.log.splitlines()[0]
        moment = re.compile(r"^\S+ ")
        assert moment.sub("", first) == moment.sub("", OPENED)
        process.terminate()
        process.wait()
        assert "Server Shut Down" in process.log
    assert process.log_file.stat().st_mode & 0o777 == 0o640
    (rotated,) = tmp_path.glob("chatd.log-*")  # dateext; delaycompress leaves it as it is
    assert "listening on" in rotated.read_text()
    assert not (tmp_path / "chatd.log.1").exists()
    assert (tmp_path / "chatd.log.2").exists()
    assert (tmp_path / "other.log.1").exists()


def test_twistd_rotates(endpoint, tmp_path):
    """At SIGUSR1, twistd renames its logs to the next numbers, and removes none."""
    with Daemonized(tmp_path, "--endpoint", endpoint) as process:
        for number in (1, 2):
            os.kill(int(process.pid_file.read_text()), signal.SIGUSR1)
            while not (tmp_path / f"chatd.log.{number}").exists():
                run_command("chatd", "connect", endpoint, input="")
        assert "listening on" in (tmp_path / "chatd.log.2").read_text()
        process.terminate()
        process.wait()
        assert "Server Shut Down" in process.log

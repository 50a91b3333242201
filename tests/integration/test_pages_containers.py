"""The page on containers: its Dockerfile's commands, and the mounts of its commands.

No test builds an image: that needs Docker and a registry. The tests run the commands of `RUN` but
for `pip install`, which the session `wheel` covers, and run `ENTRYPOINT` and `CMD` as process 1.
"""

import argparse
import itertools
import json
import os
import re
import shlex
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.internet import reactor

import chatd
from chatd.daemon.tap import Options
from tests.docs.pages import ROOT, block, page
from tests.integration.onpage import ENVIRONMENT, with_words
from tests.integration.processes import Process, run_command, script
from tests.integration.sessions import leave
from tests.integration.tools import tool_of_root

PAGE = "docs/how-to/containers.md"
DOCKERFILE = block(PAGE, "FROM python:")
COMMANDS = block(PAGE, "docker build")
HEALTH = block(PAGE, "--health-cmd")
INSTRUCTIONS = {"FROM", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}
CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def instructions():
    """Return the arguments of each instruction of the Dockerfile, which has each once."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    found = dict(line.split(maxsplit=1) for line in lines)
    assert len(found) == len(lines)
    assert set(found) == INSTRUCTIONS
    return found


IMAGE = instructions()
STARTED = [*json.loads(IMAGE["ENTRYPOINT"]), *json.loads(IMAGE["CMD"])]


def docker(verb):
    """Return the parsed options of a docker command of the page."""
    (line,) = [
        line for line in COMMANDS.replace("\\\n", " ").splitlines() if f"docker {verb}" in line
    ]
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-t")
    parser.add_argument("-d", action="store_true")
    for name in ("--name", "-p", "--restart", "--stop-timeout"):
        parser.add_argument(name)
    parser.add_argument("-v", action="append")
    parser.add_argument("operand")
    return parser.parse_args(shlex.split(line)[2:])


def ignored_by(pattern):
    """Return the regular expression of a line of `.dockerignore`, by Docker's rules.

    `*` stops at a slash, `**/` stands for any directories or none, and a pattern that fits a
    directory leaves out everything in it:
    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    assert not set(pattern) & set("!?[\\"), "this test knows no such patterns"
    parts = re.split(r"(\*\*/|\*)", pattern)
    known = {"**/": "(?:[^/]+/)*", "*": "[^/]*"}
    return "".join(known.get(part, re.escape(part)) for part in parts) + "(?:/.*)?"


def test_sources():
    """The image gets the files of the installation, and none of the secrets in a clone."""
    source, _ = IMAGE["COPY"].split()
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [re.compile(ignored_by(line)) for line in lines if not line.startswith("#")]

    def is_copied(name):
        return not any(pattern.fullmatch(name) for pattern in patterns)

    assert (ROOT / source).is_dir()
    needed = [ROOT / name for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")]
    needed += [path for name in ("chatd", "twisted") for path in (ROOT / name).rglob("*.py")]
    assert len(needed) > 100
    for path in needed:
        assert is_copied(str(path.relative_to(ROOT))), path
    secrets = ("team.key", "privkey.pem", "team.passwd", "alice.password", "bans.json", "chatd.log")
    stored = ("chatd.db", "chatd.db-wal", "chatd.mark.0123456789abcdef", "chat-data/chatd.lock")
    for name in (*secrets, *stored):
        for folder in ("", "data/", "var/lib/chatd/"):
            assert not is_copied(folder + name), folder + name
    assert not is_copied(".git/config")


def test_python():
    """The image's Python is a version that chatd supports."""
    (version,) = re.findall(r"^python:(3\.\d+)-slim$", IMAGE["FROM"])
    assert f"Python :: {version}\n" in page("setup.cfg")


def test_image_commands(tmp_path):
    """The commands make the daemon's user and a data directory of that user's, and run twistd."""
    useradd = tool_of_root("useradd")
    (tmp_path / "etc").mkdir()
    before, _, rest = IMAGE["RUN"].partition(" && ")
    assert before.split() == ["pip", "install", "--no-cache-dir", IMAGE["COPY"].split()[1]]
    words = {
        "useradd ": f"{useradd} --prefix {tmp_path} ",
        "-o chatd": f"-o {os.getuid()}",
        "/data": f"{tmp_path}/data",
    }
    done = run_command("sh", "-c", with_words(rest, words), env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    user = (tmp_path / "etc/passwd").read_text()
    assert user.startswith(f"{IMAGE['USER']}:")
    assert ":10001:" in user
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_mounts():
    """The commands mount the volume and the key where the image looks for them."""
    built, run = docker("build"), docker("run")
    assert built.t == run.operand
    mounts = dict(mount.split(":")[:2][::-1] for mount in run.v)
    assert mounts[IMAGE["VOLUME"]] == "chat-data"
    options = dict(itertools.pairwise(STARTED))
    assert options["--data"] == IMAGE["VOLUME"]
    installed = re.findall(r"install -D -o (\d+) .* (\S+)$", COMMANDS, re.MULTILINE)
    assert installed == [("10001", mounts[options["--key-file"]])]
    assert "--uid 10001 " in IMAGE["RUN"]
    assert run.p.split(":")[1] == IMAGE["EXPOSE"]
    assert options["--endpoint"] == f"tcp:{IMAGE['EXPOSE']}"
    assert int(run.stop_timeout) > 2 * float(Options()["grace"])


def has_containers():
    """Return whether this user may make namespaces."""
    try:
        return run_command(*CONTAINER, "true").returncode == 0
    except FileNotFoundError:
        return False


needs_containers = pytest.mark.skipif(
    not has_containers(), reason="needs unshare, and the right to use it"
)


class Container:
    """The image's command and health check, with files in a test's directory.

    Args:
        directory: The directory.
    """

    def __init__(self, directory):
        chatd.write_key_file(directory / "team.key")
        self.directory = directory
        self.endpoint = f"unix:{directory}/chat.sock"
        words = {
            "/run/secrets": str(directory),
            "/data": f"{directory}/data",
            "tcp:9999": self.endpoint,
        }
        name, *rest = shlex.split(with_words(shlex.join(STARTED), words))
        self.command = (*CONTAINER, script(name), *rest)
        health = shlex.split(HEALTH.replace("docker run …", "").replace("\\\n", " "))[-1]
        words = {"tcp:localhost:9999": self.endpoint, "/run/secrets": str(directory)}
        self._health = with_words(health, words)

    @contextmanager
    def started(self):
        """Start the command as process 1 of its namespace; yield the process and its number."""
        with Process(*self.command, cwd=self.directory) as process:
            process.output.wait_for("listening on ")
            (inside,) = run_command("pgrep", "-P", str(process.pid)).stdout.split()
            yield process, int(inside)

    def is_healthy(self):
        """Return whether the health check succeeds."""
        return run_command("sh", "-c", self._health, env=ENVIRONMENT).returncode == 0


@needs_containers
def test_daemon(tmp_path):
    """The image's command serves, is healthy, writes no pid file, and ends with status 0."""
    container = Container(tmp_path)
    with container.started() as (process, inside):
        assert container.is_healthy()
        os.kill(inside, signal.SIGTERM)
        assert process.wait() == 0
    assert not (tmp_path / "twistd.pid").exists()
    assert not container.is_healthy()


@needs_containers
def test_process_1(tmp_path):
    """The daemon is process 1, starts no process, and reads its files again at SIGHUP."""
    with Container(tmp_path).started() as (process, inside):
        status = Path(f"/proc/{inside}/status").read_text()
        assert re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)
        (verb,) = re.findall(r"`docker kill -s (\w+) chat`", page(PAGE))
        os.kill(inside, signal.Signals[f"SIG{verb}"])
        process.output.wait_for("key file: read again")
        assert run_command("pgrep", "-P", str(inside)).stdout == ""
        os.kill(inside, signal.SIGTERM)
        assert process.wait() == 0


@needs_containers
async def test_killed(tmp_path):
    """After SIGKILL, as `docker kill` sends it, the next daemon has every confirmed message."""
    container = Container(tmp_path)
    key = chatd.load_key(tmp_path / "team.key")
    with container.started() as (process, inside):
        alice = await chatd.connect(reactor, container.endpoint, name="alice", key=key)
        said = await alice.send("hello")
        os.kill(inside, signal.SIGKILL)
        process.wait()
        end = await alice.when_ended()
        assert end.code == "connection-lost"
    with container.started() as (process, inside):
        bob = await chatd.connect(reactor, container.endpoint, name="bob", key=key)
        history = await bob.history("lobby")
        assert history.messages == [said]
        await leave(bob)
        os.kill(inside, signal.SIGTERM)
        assert process.wait() == 0

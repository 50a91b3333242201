"""The page on containers: what its Dockerfile does, and what its commands mount and ask for."""

import argparse
import fnmatch
import itertools
import json
import os
import re
import shlex
import signal

import pytest

import chatd
from chatd.daemon.tap import Options
from tests.docs.pages import ROOT, block, page
from tests.integration.onpage import ENVIRONMENT, with_words
from tests.integration.processes import Process, run_command, script
from tests.integration.tools import tool_of_root

PAGE = "docs/how-to/containers.md"
DOCKERFILE = block(PAGE, "FROM python:")
COMMANDS = block(PAGE, "docker build")
HEALTH = block(PAGE, "--health-cmd")
INSTRUCTIONS = {"FROM", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}
CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def instructions():
    """Return the arguments of each instruction of the Dockerfile; each is there once."""
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


def test_sources():
    """The image gets what the installation reads, and none of the secrets in a clone."""
    source, _ = IMAGE["COPY"].split()
    patterns = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in "#"
    ]

    def is_copied(name):
        return not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)

    assert (ROOT / source).is_dir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "chatd", "twisted"):
        assert (ROOT / name).exists()
        assert is_copied(name), name
    for name in ("team.key", "team.passwd", "alice.password", "chat-data", ".git"):
        assert not is_copied(name), name


def test_python():
    """The image's Python is one that chatd supports."""
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
    assert int(run.stop_timeout) > float(Options()["grace"])


def has_containers():
    """Return whether this user may make namespaces."""
    try:
        return run_command(*CONTAINER, "true").returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_containers(), reason="needs unshare, and the right to use it")
def test_daemon(tmp_path):
    """The image's command serves, is healthy, and ends with status 0, also after a kill."""
    chatd.write_key_file(tmp_path / "chat.key")
    endpoint = f"unix:{tmp_path}/chat.sock"
    words = {
        "/run/secrets": str(tmp_path),
        "/data": f"{tmp_path}/data",
        "tcp:9999": endpoint,
    }
    command = shlex.split(with_words(shlex.join(STARTED), words))
    command[0] = script(command[0])
    health = shlex.split(HEALTH.replace("docker run …", "").replace("\\\n", " "))[-1]
    health = with_words(health, {"tcp:localhost:9999": endpoint, "/run/secrets": str(tmp_path)})
    for number in (signal.SIGKILL, signal.SIGTERM):
        with Process(*CONTAINER, *command, cwd=tmp_path) as process:
            process.output.wait_for("listening on ")
            assert run_command("sh", "-c", health, env=ENVIRONMENT).returncode == 0
            (inside,) = run_command("pgrep", "-P", str(process.pid)).stdout.split()
            os.kill(int(inside), number)
            status = process.wait()
        assert not (tmp_path / "twistd.pid").exists()
    assert status == 0
    assert run_command("sh", "-c", health, env=ENVIRONMENT).returncode != 0

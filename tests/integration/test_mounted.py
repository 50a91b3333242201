"""Files that are mounted individually, as in containers: they cannot be replaced."""

import json
import signal

import pytest
from twisted.internet import reactor

import chatd
from chatd.config.passwordedit import set_password
from chatd.config.passwordfile import load_passwords
from tests.fakes.passwords import CHEAP
from tests.integration.mounts import mounting
from tests.integration.processes import daemon, run_command, script
from tests.integration.sessions import leave

MOUNTED = 'mount --bind "$0/kept" "$0/there/file"'
READ_ONLY = (
    f'mount --bind "$0/there" "$0/there" && mount -o remount,bind,ro "$0/there" && {MOUNTED}'
)


@pytest.fixture
def directory(tmp_path):
    """Return a directory with a file, and with its mount point."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    (tmp_path / "kept").touch(0o600)
    return tmp_path


@pytest.mark.parametrize("mount", [MOUNTED, READ_ONLY], ids=["mounted", "read-only directory"])
def test_passwords(directory, mount):
    """`chatd passwd` changes a mounted password file in place."""
    path = directory / "kept"
    set_password(path, "bob", "first", hasher=CHEAP)
    before = path.stat()
    program = mounting(mount, directory, script("chatd"))
    completed = run_command(*program, "passwd", directory / "there/file", "alice", input="open\n")
    assert (completed.returncode, completed.stderr) == (0, "")
    loaded = load_passwords(path)
    assert loaded.verify("alice", "open") == "alice"
    assert loaded.verify("bob", "first") == "bob"
    after = path.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert [each.name for each in (directory / "there").iterdir()] == ["file"]


async def test_bans(directory):
    """A daemon changes its mounted file of bans in place."""
    (directory / "there" / "file").rename(directory / "there" / "bans.json")
    (directory / "kept").write_text("[]")
    endpoint = f"unix:{directory}/chat.sock"
    mount = MOUNTED.replace("/there/file", "/there/bans.json")
    program = mounting(mount, directory, script("twistd"), "-n", "--pidfile=")
    options = ("--data", directory / "there", "--operator", "alice")
    with daemon(*options, endpoint=endpoint, program=program) as process:
        alice = await chatd.connect(reactor, endpoint, name="alice")
        await alice.ban("mallory")
        assert [ban["name"] for ban in json.loads((directory / "kept").read_text())] == ["mallory"]
        await alice.unban("mallory")
        assert json.loads((directory / "kept").read_text()) == []
        await leave(alice)
        process.send_signal(signal.SIGTERM)
        process.wait()

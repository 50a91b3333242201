"""A test types every command of the documents, and compares the output with the page."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.docs.pages import Step, fences, first_cells, page, page_names, section, steps
from tests.docs.reader import Reader

pytestmark = pytest.mark.slow

TYPED = [
    "README.md",
    "docs/how-to/accounts.md",
    "docs/how-to/health-check.md",
    "docs/how-to/keys-and-tls.md",
    "docs/how-to/moderate.md",
    "docs/how-to/private-rooms.md",
    "docs/tour/first-bot.md",
    "docs/tour/first-chat.md",
    "docs/tour/own-service.md",
]
BACKUP = "docs/how-to/backup.md"
FILES = "docs/reference/files.md"
PROFILES = "docs/how-to/profiles.md"
HAS_SQLITE = shutil.which("sqlite3") is not None
# A fresh clone for each; .ci/run does the same.
INSTALLING = "python3 -m venv"


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="docs-") as path:
        yield Path(path)


@pytest.mark.parametrize("name", TYPED)
def test_typed(name, directory):
    """Each command of a page prints the output on the page."""
    number = 0
    with Reader(directory) as reader:
        for step in steps(page(name)):
            if INSTALLING not in step.command:
                reader.do(step)
                number += 1
    assert number > 2


@pytest.mark.skipif(not HAS_SQLITE, reason="needs the sqlite3 command")
def test_backup(directory):
    """The commands of the page copy a directory while the daemon runs, put it back, shrink it."""
    data = str(directory / "data")
    replaced = {"/var/lib/chatd": data, "/backup": str(directory / "copy")}
    (directory / "copy").mkdir()
    online, dated, check, restore, shrink = [Step(code) for code in fences(page(BACKUP), "sh")]
    serve = Step(f"twistd -n --pidfile= chatd --data {data} --endpoint tcp:9999")
    ask = "chatd connect tcp:localhost:9999 --name bob --json"
    with Reader(directory, replaced) as reader:
        reader.do(serve)
        reader.do(Step(f"echo kept | {ask} >/dev/null"))
        reader.do(Step(online.command.strip(), shown=[f"copied {data} to {directory}/copy/chatd"]))
        reader.do(Step(f"echo lost | {ask} >/dev/null"))
        reader.do(Step("^C"))
        today = f"{directory}/copy/chatd-{datetime.now().astimezone():%F}"
        reader.do(Step(dated.command.strip(), shown=[f"copied {data} to {today}"]))
        reader.do(Step(f"{check.command.strip()} | head -1", shown=["ok"]))
        reader.do(restore)
        said = f"sqlite3 {data}/chatd.db 'SELECT text FROM said ORDER BY seq'"
        reader.do(Step(said, shown=["kept"]))
        reader.do(serve)
        reader.do(Step(f"echo new | {ask} >/dev/null"))
        reader.do(Step("^C"))
        reader.do(shrink)
        reader.do(Step(said, shown=["kept", "new"]))
        was = f"sqlite3 {today}/chatd.db 'SELECT text FROM said ORDER BY seq'"
        reader.do(Step(was, shown=["kept", "lost"]))


def test_data_directory(directory):
    """A data directory holds the files that the page on files lists, and no other."""
    listed = first_cells(section(page(FILES), "Data directory"))
    data = directory / "data"
    with Reader(directory) as reader:
        reader.do(
            Step(f"twistd -n --pidfile= chatd --data {data} --operator op --endpoint tcp:9999")
        )
        reader.do(Step("chatd connect tcp:localhost:9999 --name op"))
        reader.do(Step(typed="/ban mallory", shown=["mallory is banned for good"]))
        found = {re.sub(r"(?<=mark\.).*", "…", path.name) for path in data.iterdir()}
    assert found == set(re.findall(r"`([^`]+)`", " ".join(listed)))


@pytest.mark.skipif(not HAS_SQLITE, reason="needs the sqlite3 command")
def test_view(directory):
    """The command of the page on files prints the messages while the daemon runs."""
    (code,) = fences(page(FILES), "sh")
    with Reader(directory, {"DIR": str(directory / "data")}) as reader:
        reader.do(Step(f"twistd -n --pidfile= chatd --data {directory}/data --endpoint tcp:9999"))
        reader.do(Step("echo one | chatd connect tcp:localhost:9999 --name bob >/dev/null"))
        reader.do(Step(f"{code.strip()} | cut -d '|' -f 2-", shown=["bob|one"]))


def test_profiles(directory):
    """Each command of the page prints the output on the page, with the page's profile."""
    (profile,) = fences(page(PROFILES), "toml")
    with Reader(directory, {"~": str(directory)}) as reader:
        for number, step in enumerate(steps(page(PROFILES))):
            reader.do(step)
            if number == 1:  # the directory and the key are there
                path = directory / ".config/chatd/chatd.toml"
                path.write_text(reader.here(profile))


def test_every_page():
    """No other page has commands that could be typed here."""
    for name in page_names():
        if name not in [*TYPED, BACKUP, FILES, PROFILES]:
            assert not [step for step in steps(page(name)) if step.command], name

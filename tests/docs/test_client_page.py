"""The blocks of the client's page that are not typed at a terminal: files, scripts, an error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatd.cli.profiles import KEYS, read_profiles
from chatd.cli.refusals import Refusals
from chatd.cli.tally import Tally
from tests.docs.pages import block, fences, page

pytestmark = pytest.mark.slow

CLIENT = "docs/reference/client.md"
BASH = ".local/share/bash-completion/completions"


def type_at_home(home: Path, commands: str) -> None:
    """Run commands of a shell in an empty home directory."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-e", "-c", commands],
        env={**os.environ, "HOME": str(home), "PATH": path},
        cwd=home,
        check=True,
        timeout=60,
    )


def test_profile(tmp_path):
    """The profile on the page is read, and has every key."""
    (profile,) = fences(page(CLIENT), "toml")
    file = tmp_path / "chatd.toml"
    file.write_text(profile, encoding="utf-8")
    assert set(re.findall(r"^(\w+) =", profile, re.MULTILINE)) == set(KEYS)
    assert read_profiles(file)["work"].rooms == ("ops", "lobby")


def test_completion(tmp_path):
    """The commands for completion write a script for each shell, also in an empty home."""
    type_at_home(tmp_path, block(CLIENT, "chatd completion bash"))
    scripts = (f"{BASH}/chatd", ".zfunc/_chatd", ".config/fish/completions/chatd.fish")
    for script in scripts:
        assert "chatd" in (tmp_path / script).read_text(encoding="utf-8")


def test_manual(tmp_path):
    """The commands for the manual write both pages, in the format of `man`."""
    type_at_home(tmp_path, block(CLIENT, "chatd manual chatd.8 >"))
    for number in (1, 8):
        text = (tmp_path / f".local/share/man/man{number}/chatd.{number}").read_text("utf-8")
        assert text.startswith(f'.TH "CHATD" "{number}"')


@pytest.mark.parametrize("end", ["refused", "not sent"])
def test_many_lines(end):
    """Many lines that were refused, or not sent, are told in the words of the page."""
    lines = block(CLIENT, f"was {end}").splitlines()
    why = lines[0].partition(f"was {end}: ")[2]
    told: list[str] = []
    refusals = Refusals(lambda line: told.append(f"chatd: {line}"), end)
    for number in (*range(5, 813), 901):
        refusals.add(number, why)
    refusals.finish()
    assert told[4:] == lines


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_manual_is_found(tmp_path):
    """With the setting on the page, `man` finds the pages without `~/.local/bin` in the PATH."""
    type_at_home(tmp_path, block(CLIENT, "chatd manual chatd.8 >"))
    setting = block(CLIENT, "export MANPATH")
    for number in (1, 8):
        type_at_home(tmp_path, f"{setting}\nman -w {number} chatd > found.{number}")
        found = (tmp_path / f"found.{number}").read_text("utf-8")
        assert f"/man{number}/chatd.{number}" in found


def test_lost():
    """The report of a lost connection has the words of the page."""
    line = block(CLIENT, "sent but not confirmed")
    ((confirmed, last),) = re.findall(r"(\d+) lines are .*-(\d+) were", line)
    tally = Tally()
    for number in range(1, int(last) + 1):
        tally.sent(number, 1)
        if number <= int(confirmed):
            tally.answered(number, is_confirmed=True)
    assert line == f"chatd: the connection was lost: {tally.report(has_more=True)}\n"

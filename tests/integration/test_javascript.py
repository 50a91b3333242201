"""The page's JavaScript, tested by Node's own test runner; and the example on its page."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from unicodedata import ucd_3_2_0

import pytest

from chatd.chat.names import fold
from tests.docs.pages import ROOT, fences, page
from tests.integration.node import LOWEST_VERSION, node
from tests.integration.processes import daemon, run_command, script

PAGE = "docs/reference/javascript.md"
LIBRARY = ROOT / "chatd/web/page/chatd"
TESTS = ROOT / "tests/web/page"
DEADLINE_S = 110
NO_NAME = {"Cn", "Co", "Cs"}
"""Categories of what is no character, has no meaning, or is half a character."""


def run_node(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Node to its end; its output and errors are one text."""
    return subprocess.run(
        [node(), *arguments],
        env={**os.environ, "CHATD_TWISTD": script("twistd"), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def run_tests(*files: Path) -> str:
    """Run the tests in files, none of which may fail; return the report."""
    done = run_node("--test", "--test-reporter=tap", *files)
    assert done.returncode == 0, done.stdout
    assert "\n# fail 0\n" in done.stdout
    assert "\n# skipped 0\n" in done.stdout
    return done.stdout


def test_modules():
    """The tests of the modules pass, alone and against scripted peers."""
    files = sorted(TESTS.glob("*.test.js"))
    assert len(files) > 3
    run_tests(*[file for file in files if file.name != "daemon.test.js"])


def test_daemon():
    """The tests of a client against a daemon pass, also over `kill -9`."""
    assert "over kill -9 of the daemon, with a key" in run_tests(TESTS / "daemon.test.js")


def test_example(tmp_path):
    """The example of the page does what the page says, with a daemon that has a key."""
    (program,) = [each for each in fences(page(PAGE), "js") if "await client.close()" in each]
    (tmp_path / "example.mjs").write_text(
        program.replace("./chatd/index.js", str(LIBRARY / "index.js")), "utf-8"
    )
    (tmp_path / "bridge.mjs").write_text(
        f"""import {{ bridgeTo }} from "{TESTS / "bridge.js"}";
        globalThis.WebSocket = bridgeTo("{tmp_path}/socket").WebSocket;
        """,
        "utf-8",
    )
    key = tmp_path / "chat.key"
    assert run_command("chatd", "keygen", key).returncode == 0
    with daemon("--key-file", key, endpoint=f"unix:{tmp_path}/socket"):
        done = run_node(
            *("--import", tmp_path / "bridge.mjs", tmp_path / "example.mjs"),
            CHAT_KEY=key.read_text("utf-8"),
        )
    (shown,) = [each for each in fences(page(PAGE), "text") if each.startswith("I am")]
    assert done.returncode == 0, done.stdout
    assert done.stdout == shown


def test_names():
    """Two names are the same for the library if they are the same for the server."""
    known = [
        chr(point) for point in range(0x110000) if ucd_3_2_0.category(chr(point)) not in NO_NAME
    ]
    assert len(known) > 90_000
    program = f"""
    import {{ fold }} from "{LIBRARY / "names.js"}";
    import {{ readFileSync }} from "node:fs";
    const names = JSON.parse(readFileSync(0, "utf8"));
    console.log(JSON.stringify(names.map(fold)));
    """
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", program],
        input=json.dumps(known),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=True,
    )
    ours, theirs = map(fold, known), json.loads(done.stdout)
    pairs = set(zip(ours, theirs, strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_missing_node(monkeypatch, tmp_path):
    """Without Node, or with an old Node, a test is skipped; with `CHATD_TOOLS=all`, it fails."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for version in (None, LOWEST_VERSION - 1):
        if version is not None:
            (tmp_path / "node").write_text(f"#!/bin/sh\necho v{version}.9.9\n")
            (tmp_path / "node").chmod(0o755)
        monkeypatch.setenv("CHATD_TOOLS", "")
        with pytest.raises(pytest.skip.Exception, match="needs Node"):
            node()
        monkeypatch.setenv("CHATD_TOOLS", "all")
        with pytest.raises(pytest.fail.Exception, match="needs Node"):
            node()


def test_node_of_the_system(monkeypatch, tmp_path):
    """Without the package that brings Node, the system's Node will do if it is new enough."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "node").write_text(f"#!/bin/sh\necho v{LOWEST_VERSION}.0.0\n")
    (tmp_path / "node").chmod(0o755)
    assert node() == str(tmp_path / "node")

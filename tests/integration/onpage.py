"""Commands and files of a page, as they are in a test's own directory."""

from __future__ import annotations

import os
import shlex
import sysconfig
from configparser import RawConfigParser
from pathlib import Path

SCRIPTS = sysconfig.get_path("scripts")
ENVIRONMENT = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "NO_COLOR": "1"}
"""The environment of a reader who has activated the virtual environment."""


def with_words(text: str, words: dict[str, str]) -> str:
    """Return a text with other words; each word must be in it."""
    for word, other in words.items():
        assert word in text, word
        text = text.replace(word, other)
    return text


def unit_words(directory: Path) -> dict[str, str]:
    """Return the words of a test's directory for the paths in the units of systemd."""
    return {
        "/opt/chatd/bin": SCRIPTS,
        "/etc/chatd": str(directory),
        "/var/lib/chatd": f"{directory}/data",
        "/run/chatd": str(directory),
        "tcp:9999": "tcp:0:interface=127.0.0.1",
    }


def with_known_words(text: str, words: dict[str, str]) -> str:
    """Return a text with other words, of which not all need be in it."""
    return with_words(text, {word: other for word, other in words.items() if word in text})


def read_unit(text: str) -> RawConfigParser:
    """Return the sections of a unit of systemd."""
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(text.replace("\\\n", " "))
    return unit


def command_of(unit: RawConfigParser, key: str = "ExecStart") -> list[str]:
    """Return the words of a command of a service."""
    return shlex.split(unit["Service"][key])

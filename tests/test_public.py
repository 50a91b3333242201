"""Tests of the public names, which are imported at their first use."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

import chatd
import chatd.testing
from chatd import public


class PublicTests(SynchronousTestCase):
    """The names of the package `chatd`."""

    def test_names(self) -> None:
        """Each public name is there, and `dir` lists it."""
        for name in public.__all__:
            self.assertIs(getattr(chatd, name), getattr(public, name))
        self.assertLessEqual(set(public.__all__), set(dir(chatd)))
        self.assertEqual(chatd.__all__, public.__all__)

    def test_arguments(self) -> None:
        """The chatd types of a program's arguments are public: a program can name them."""
        known = {*public.__all__, *chatd.testing.__all__}
        others = {chatd.ChatClient, chatd.Session}  # chatd makes them itself
        found = set()
        for module in (public, chatd.testing):
            for name in module.__all__:
                thing: Any = getattr(module, name)
                if isinstance(thing, InterfaceClass) or not callable(thing) or thing in others:
                    continue
                called = (
                    vars(thing).get("__init__")
                    if isinstance(thing, type)
                    else inspect.unwrap(thing)
                )
                for annotation in getattr(called, "__annotations__", {}).values():
                    for word in re.findall(r"\w+", str(annotation)):
                        kind = getattr(called, "__globals__", {}).get(word)
                        if isinstance(kind, type) and kind.__module__.startswith("chatd."):
                            found.add(word)
        self.assertIn("Bans", found)
        self.assertEqual(found - known, {"Lock"})  # a protocol; Twisted's DeferredLock has it

    def test_other_name(self) -> None:
        """Another name is an error, also one that a public module imports."""
        for name in ("nothing", "__path_of_nothing__"):
            with self.assertRaisesRegex(
                AttributeError, f"^module 'chatd' has no attribute '{name}'"
            ):
                getattr(chatd, name)

    def test_star(self) -> None:
        """A star imports the public names alone, and nothing is imported before."""
        code = (
            "import sys, chatd\n"
            "assert 'twisted' not in sys.modules\n"
            "before = set(globals())\n"
            "from chatd import *\n"
            "print(sorted(set(globals()) - before - {'before'}))"
        )
        printed = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
        self.assertEqual(printed, f"{sorted(public.__all__)}\n")

    def test_module(self) -> None:
        """A module of the package is there after `import chatd` alone."""
        code = "import chatd; print(chatd.errors.ChatError is chatd.ChatError)"
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        self.assertEqual(told.stdout, "True\n")

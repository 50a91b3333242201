"""Tests that the tree of errors in the docstring agrees with the code."""

import inspect
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd import errors
from chatd.errors import (
    ChatError,
    ConfigurationError,
    ErrorCode,
    KeyRequiredError,
    RemoteProtocolError,
    RequestError,
    SessionEnded,
    SessionRefused,
    StartupError,
)

CODE = re.compile(r"[a-z]+(-[a-z]+)*")
DRAWN_LINE = re.compile(r"(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+)(?:  +(?P<text>.*))?")


def drawn_hierarchy():
    """Return the tree in the docstring: for each class, its parent's name and its text."""
    drawn: dict[Any, Any] = {}
    path: list[Any] = []
    for line in inspect.getdoc(errors).partition("::\n")[2].strip("\n").splitlines():
        match = DRAWN_LINE.fullmatch(line)
        assert match, f"not a line of the drawing: {line!r}"
        depth = len(match["indent"]) // 4 - 1
        name = match["name"]
        assert name not in drawn, f"{name} is drawn twice"
        path[depth:] = [name]
        drawn[name] = (path[depth - 1] if depth else None, match["text"] or "")
    return drawn


def defined_classes():
    """Return the classes that the module defines, by name."""
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }


class HierarchyTests(SynchronousTestCase):
    def test_drawing(self):
        """The tree in the docstring has exactly the classes and parents of the code."""
        parents = {name: parent for name, (parent, _) in drawn_hierarchy().items()}
        self.assertIsNone(parents.pop("ChatError"))
        real = {name: kind.__bases__[0].__name__ for name, kind in defined_classes().items()}
        self.assertEqual(real.pop("ChatError"), "Exception")
        self.assertEqual(real.pop("ErrorCode"), "str")
        self.assertEqual(parents, real)

    def test_drawn_codes(self):
        """The tree has the code of each class with a code, and no other codes."""
        drawn = {
            name: text for name, (_, text) in drawn_hierarchy().items() if CODE.fullmatch(text)
        }
        real = {name: kind.code for name, kind in defined_classes().items() if "code" in vars(kind)}
        self.assertEqual(drawn, real)
        self.assertEqual(len(set(real.values())), len(real))

    def test_one_root(self):
        """Catching `ChatError` catches all errors."""
        for name in errors.__all__:
            self.assertTrue(name == "ErrorCode" or issubclass(getattr(errors, name), ChatError))

    def test_all_exported(self):
        """Each class that the module defines is exported, in order."""
        self.assertEqual(sorted(errors.__all__), errors.__all__)
        self.assertEqual(set(errors.__all__), set(defined_classes()))

    def test_faults_of_the_peer_have_codes(self):
        """Each error for a fault of the peer that can be raised has a code for the ERROR frame."""
        leaves = [
            kind
            for kind in defined_classes().values()
            if issubclass(kind, RemoteProtocolError) and not kind.__subclasses__()
        ]
        self.assertTrue(leaves)
        self.assertEqual({type(kind.code) for kind in leaves}, {ErrorCode})


class ErrorCodeTests(SynchronousTestCase):
    def test_form(self):
        """Each code is lower-case words with hyphens, and its name is the same words."""
        for code in ErrorCode:
            self.assertTrue(CODE.fullmatch(code.value), code)
            self.assertEqual(code.name, code.value.replace("-", "_").upper())

    def test_as_text(self):
        """A code can be used as its text."""
        self.assertEqual(ErrorCode.BAD_MAC, "bad-mac")
        self.assertEqual(str(ErrorCode.BAD_MAC), f"{ErrorCode.BAD_MAC}")
        self.assertEqual(f"{ErrorCode.BAD_MAC}", "bad-mac")
        self.assertIs(type(str(ErrorCode.BAD_MAC)), str)


class StartupErrorTests(SynchronousTestCase):
    def test_is_a_system_exit(self):
        """The error ends the interpreter with one line; `except ConfigurationError` catches it."""
        error = StartupError("cannot listen on tcp:1")
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, ConfigurationError)
        self.assertEqual(error.code, str(error))
        self.assertEqual(str(error), "cannot listen on tcp:1")


class KeyMismatchErrorTests(SynchronousTestCase):
    def test_says_what_to_do(self):
        """Each of the texts is for people, and all differ."""
        texts = {str(kind()) for kind in errors.KeyMismatchError.__subclasses__()}
        self.assertEqual(len(texts), 3)
        self.assertTrue(all("key" in text for text in texts))
        self.assertIn("--key-file", str(KeyRequiredError()))


class RequestErrorTests(SynchronousTestCase):
    def test_attributes(self):
        """The error has its code, its text, and the id of the faulty frame."""
        error = RequestError(ErrorCode.NOT_IN_ROOM, "you are not in tea", ref="m1")
        self.assertEqual(
            (error.code, error.message, error.ref), ("not-in-room", "you are not in tea", "m1")
        )
        self.assertIs(type(error.code), str)
        self.assertEqual(str(error), "not-in-room: you are not in tea")

    def test_code_of_ones_own(self):
        """A server may use its own codes, without the id of a frame."""
        error = RequestError("too-late", "the shop is closed")
        self.assertEqual((error.code, error.ref), ("too-late", None))


class SessionEndedTests(SynchronousTestCase):
    def test_attributes(self):
        """The exception has the code, the reason, and whether to come back."""
        error = SessionEnded(ErrorCode.SHUTTING_DOWN, "bye", retry=True)
        self.assertEqual((error.code, error.reason, error.retry), ("shutting-down", "bye", True))
        self.assertIs(type(error.code), str)
        self.assertEqual(str(error), "shutting-down: bye")
        self.assertIs(SessionEnded("goodbye", "").retry, False)

    def test_is_clean(self):
        """An end on purpose is clean; any other end is not."""
        self.assertTrue(SessionEnded(ErrorCode.GOODBYE, "").is_clean)
        for code in set(ErrorCode) - {ErrorCode.GOODBYE}:
            self.assertFalse(SessionEnded(code, "").is_clean)

    def test_refused(self):
        """`SessionRefused` is a `SessionEnded`."""
        error = SessionRefused(ErrorCode.NAME_TAKEN, "ann is here")
        self.assertIsInstance(error, SessionEnded)
        self.assertEqual((error.code, error.is_clean), ("name-taken", False))

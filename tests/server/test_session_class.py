"""Tests of the class that a factory makes its sessions of."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.server.factory import ChatFactory
from chatd.server.session import Session

V = TypeVar("V", bound="Visitor")


class Visitor(Session):
    """A session class of a program."""


class Guest(Visitor):
    """Another one."""


class SessionClassTests(SynchronousTestCase):
    """`ChatFactory[YourSession]` makes sessions of `YourSession`."""

    def test_none_named(self) -> None:
        """Without a class, the sessions are plain sessions, also in subclasses."""

        class EchoFactory(ChatFactory):
            pass

        self.assertIs(EchoFactory(Clock()).session_class, Session)
        self.assertIs(ChatFactory(Clock()).session_class, Session)

    def test_named_in_the_type(self) -> None:
        """The factory takes the class in the brackets, and subclasses inherit it."""

        class VisitorFactory(ChatFactory[Visitor]):
            pass

        class LaterFactory(VisitorFactory):
            pass

        self.assertIs(VisitorFactory(Clock()).session_class, Visitor)
        self.assertIs(LaterFactory(Clock()).session_class, Visitor)

    def test_set(self) -> None:
        """A `session_class` that is set counts, with a type or without."""

        class PlainFactory(ChatFactory):
            session_class = Visitor

        class GuestFactory(ChatFactory[Visitor]):
            session_class = Guest

        self.assertIs(PlainFactory(Clock()).session_class, Visitor)
        self.assertIs(GuestFactory(Clock()).session_class, Guest)

    def test_generic_subclass(self) -> None:
        """A subclass may leave the class open for its own subclasses."""

        class OpenFactory(ChatFactory[V], Generic[V]):
            pass

        class GuestFactory(OpenFactory[Guest]):
            pass

        self.assertIs(OpenFactory(Clock()).session_class, Session)
        self.assertIs(GuestFactory(Clock()).session_class, Guest)

    def test_further_parameters(self) -> None:
        """A subclass may have its own parameters; then its subclasses set `session_class`."""
        T = TypeVar("T")

        class KeepingFactory(ChatFactory[V], Generic[V, T]):
            pass

        class NumberFactory(KeepingFactory[Guest, int]):
            session_class = Guest

        self.assertIs(NumberFactory(Clock()).session_class, Guest)
        with self.assertRaisesRegex(TypeError, "TextFactory must set session_class"):

            class TextFactory(KeepingFactory[Guest, str]):
                pass

    def test_named_as_text(self) -> None:
        """A factory names a class that does not exist yet as text, and must set it."""
        with self.assertRaisesRegex(TypeError, "EarlyFactory must set session_class"):

            class EarlyFactory(ChatFactory["Later"]):
                pass

        class LateFactory(ChatFactory["Later"]):
            session_class: Any = Session

        self.assertIs(LateFactory(Clock()).session_class, Session)

        class Later(Session):
            pass

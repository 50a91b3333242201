"""Tests of the words for a wrong field."""

from __future__ import annotations

from typing import Annotated

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.faults import plain_fault


class Header(msgspec.Struct):
    """A header with one field of each kind."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=4)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 1
    text: str | None = None
    until: Annotated[float, msgspec.Meta(ge=0)] | None = None
    rooms: Annotated[list[str], msgspec.Meta(max_length=2)] = []
    kind: Annotated[str, msgspec.Meta(pattern="^a$")] = "a"


class PlainFaultTests(SynchronousTestCase):
    """A fault names the field, and what it must be."""

    def test_words(self) -> None:
        """Each kind of fault has words of its own; others keep those of msgspec."""
        for fields, told in (
            ({}, "id is missing"),
            ({"id": ""}, "id must have at least 1 character"),
            ({"id": "12345"}, "id must have at most 4 characters"),
            ({"id": 5}, "id must be text, not a whole number"),
            ({"limit": 5000}, "limit must be at most 500"),
            ({"limit": 0}, "limit must be at least 1"),
            ({"limit": "x"}, "limit must be a whole number, not text"),
            ({"text": True}, "text must be text or null, not true or false"),
            ({"until": []}, "until must be a number or null, not a list"),
            ({"rooms": ["a", "b", "c"]}, "rooms must have at most 2 items"),
            ({"rooms": ["a", 5]}, "rooms[1] must be text, not a whole number"),
            ({"kind": "b"}, "Expected `str` matching regex '^a$' - at `$.kind`"),
            ([], "Expected `object`, got `array`"),
        ):
            header: object = (
                {"id": "1", **fields} if isinstance(fields, dict) and fields else fields
            )
            error = self.assertRaises(msgspec.ValidationError, msgspec.convert, header, Header)
            self.assertEqual(plain_fault(error), told)

"""Tests of `chatd.server.limits`."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.server.limits import Limits

MAY_BE_NONE = {"message_rate", "command_rate"}


class LimitsTests(SynchronousTestCase):
    """Each limit has a range."""

    def test_out_of_range(self) -> None:
        """The server refuses a value out of range, and the error names the limit."""
        for field in fields(Limits):
            wrong = [-1, math.nan, math.inf] + ([] if field.name in MAY_BE_NONE else [0])
            for value in wrong:
                with self.assertRaisesRegex(ConfigurationError, field.name):
                    Limits(**cast(dict[str, Any], {field.name: value}))

    def test_first_frame(self) -> None:
        """The smallest first frame can hold a client's first message."""
        Limits(max_first_frame=512)
        with self.assertRaisesRegex(ConfigurationError, "512 or more, not 511"):
            Limits(max_first_frame=511)

    def test_no_rate(self) -> None:
        """A rate of 0 is no limit."""
        for name in MAY_BE_NONE:
            self.assertEqual(getattr(Limits(**{name: 0}), name), 0)

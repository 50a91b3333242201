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
    """Limits are numbers that a server can keep."""

    def test_out_of_range(self) -> None:
        """What is no limit is refused, by its name."""
        for field in fields(Limits):
            wrong = [-1, math.nan, math.inf] + ([] if field.name in MAY_BE_NONE else [0])
            for value in wrong:
                with self.assertRaisesRegex(ConfigurationError, field.name):
                    Limits(**cast(dict[str, Any], {field.name: value}))

    def test_first_frame(self) -> None:
        """What a client must say to be let in fits in the first frame."""
        Limits(max_first_frame=512)
        with self.assertRaisesRegex(ConfigurationError, "512 or more, not 511"):
            Limits(max_first_frame=511)

    def test_no_rate(self) -> None:
        """A rate of 0 is one without a limit."""
        for name in MAY_BE_NONE:
            self.assertEqual(getattr(Limits(**{name: 0}), name), 0)

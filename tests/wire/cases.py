"""Shared cases of the wire's tests: what holds for the loops in Python and for those in C."""

from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.envelope import EnvelopeSealer
from chatd.wire.keys import mac_key
from chatd.wire.sealer import IS_BUILT
from tests.wire.samples import KEY

__all__ = ["SealerCase", "needs_native"]

needs_native = skipIf(not IS_BUILT, "the C module was not built")
"""Skips a case of `NativeSealer` where its C module is missing."""


class SealerCase(SynchronousTestCase):
    """A case of one class of sealers; a subclass with another class runs the same tests over it."""

    sealer_class: type[EnvelopeSealer] = EnvelopeSealer

    def setUp(self) -> None:
        self.sealer = self.sealer_class(mac_key(KEY))

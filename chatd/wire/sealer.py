"""`Sealer`: the class that makes and checks envelopes here, with its loops in C if they were built.

The C module `chatd.wire._envelope` is optional. `NativeSealer` leaves the words for each fault to
`EnvelopeSealer`, so both say the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from struct import Struct

from chatd.wire.envelope import MAGIC, MAX_HEADER, VERSION, EnvelopeSealer

try:
    from chatd.wire._envelope import RunSealer
except ModuleNotFoundError:
    IS_BUILT = False
except ImportError as error:  # it was built for another Python or another OpenSSL
    warnings.warn(f"chatd's C module cannot be used: {error}", RuntimeWarning, stacklevel=2)
    IS_BUILT = False
else:
    IS_BUILT = True

__all__ = ["IS_BUILT", "NativeSealer", "Sealer"]

_MAGIC_AND_VERSION = Struct(">8sH").pack(MAGIC, VERSION)


class NativeSealer(EnvelopeSealer):
    """An `EnvelopeSealer` that seals and opens runs in C.

    Args:
        mac_key: 32 bytes, from `chatd.wire.keys.mac_key`.
    """

    __slots__ = ("_open_run", "_seal_run")

    def __init__(self, mac_key: bytes) -> None:
        super().__init__(mac_key)
        runs = RunSealer(mac_key, _MAGIC_AND_VERSION, MAX_HEADER)
        self._seal_run = runs.seal_run
        self._open_run = runs.open_run

    def seal_run(self, parts: Iterable[tuple[int, bytes, bytes]]) -> list[bytes]:
        """Return a frame for each type, header and content; raises the same as `seal`."""
        listed = list(parts)
        try:
            return self._seal_run(listed)
        except (TypeError, ValueError, OverflowError):
            return super().seal_run(listed)  # which names the fault

    def open_run(
        self, buffer: bytes, start: int, message_type: int, max_content: int
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield the parts of the frames of a type, as `EnvelopeSealer.open_run` does.

        The caller may stop at any frame and begin again behind it. So each call into C opens only
        as many frames as the caller has taken; otherwise a peer could have each frame checked
        hundreds of times.
        """
        most = 1
        available = len(buffer)
        while start < available:
            opened = self._open_run(buffer, start, message_type, max_content, most)
            yield from opened
            if len(opened) < most:
                return
            start = opened[-1][2]
            most *= 2


Sealer: type[EnvelopeSealer] = NativeSealer if IS_BUILT else EnvelopeSealer
"""The faster of the two."""

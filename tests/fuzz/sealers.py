"""The target of runs of envelopes: the loops in Python and in C do what the book says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chatd.wire.envelope import EnvelopeSealer
from chatd.wire.keys import mac_key
from chatd.wire.sealer import IS_BUILT, NativeSealer
from tests.fuzz import book
from tests.fuzz.choices import Choices
from tests.fuzz.targets import same
from tests.wire.samples import KEY, make_frame

__all__ = ["SEALERS", "runs"]

MAX_CONTENT = 100
MAX_START = 16
MESSAGE = 4
LENGTH_BYTES = 4
SEALERS: list[type[EnvelopeSealer]] = [EnvelopeSealer, *([NativeSealer] if IS_BUILT else [])]


def runs(data: bytes, *make_sealers: Callable[[bytes], EnvelopeSealer]) -> None:
    """Seal and open runs of frames, good and bad ones: as by the book, wherever a run stops."""
    choices = Choices(data)
    start = choices.number() % MAX_START
    parts, frames = [], []
    while choices:
        kind = choices.number() % 4
        if kind < 2:
            message_type = choices.number(2) if kind else MESSAGE
            part = (message_type, choices.piece(), choices.piece())
            parts.append(part)
            frames.append(make_frame(*part))
        elif kind == 2:  # anything, with some fields put right
            frames.append(book.mend(choices.piece(), choices.number()))
        else:  # a good frame, with one byte changed
            frame = bytearray(make_frame(MESSAGE, choices.piece(), choices.piece()))
            frame[choices.number(2) % len(frame)] = choices.number()
            frames.append(bytes(frame))
    stream = bytes(start) + b"".join(frames)
    for make_sealer in make_sealers or SEALERS:
        sealer = make_sealer(mac_key(KEY))
        same("what is sealed", sealer.seal_run(iter(parts)), [make_frame(*part) for part in parts])
        at = start
        while at <= len(stream):  # a run from each place where one may begin
            expected = list(_open_by_the_book(stream, at))
            opened = list(sealer.open_run(stream, at, MESSAGE, MAX_CONTENT))
            same("what is opened", opened, expected)
            at = expected[0][2] if expected else _behind(stream, at)


def _behind(stream: bytes, start: int) -> int:
    """Return where the frame after the one at an offset would begin."""
    return start + LENGTH_BYTES + int.from_bytes(stream[start : start + LENGTH_BYTES], "big")


def _open_by_the_book(stream: bytes, start: int) -> Iterator[tuple[bytes, bytes, int]]:
    while (end := _behind(stream, start)) <= len(stream):
        envelope = book.open_envelope(stream[start:end], MAX_CONTENT)
        if isinstance(envelope, str) or envelope[0] != MESSAGE:
            return
        yield *envelope[1:], end
        start = end

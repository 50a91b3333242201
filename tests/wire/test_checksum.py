"""Checksums: `isal` and `zlib` agree, and chatd works without `isal`."""

import subprocess
import sys
import zlib
from importlib.util import find_spec
from unittest import skipIf

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.checksum import crc32
from tests.wire.samples import HEADER, make_frame

HAS_ISAL = find_spec("isal") is not None
SEAL = """
import sys
if "without isal" in sys.argv:
    sys.modules["isal"] = None
from chatd.wire import checksum
from chatd.wire.envelope import EnvelopeSealer
from chatd.wire.keys import mac_key
sealer = EnvelopeSealer(mac_key(bytes(range(32))))
frame = sealer.seal(4, b'{"id":"m1"}', b"hello")
sealer.open(frame, 4, len(frame), 5)
print(checksum.crc32.__module__, frame.hex())
"""


def sealed(*arguments: str) -> list[str]:
    """Return the module of a new process's `crc32`, and a frame that the process sealed."""
    command = [sys.executable, "-c", SEAL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


class ChecksumTests(SynchronousTestCase):
    @given(st.binary(max_size=5_000))
    def test_any_bytes(self, data: bytes) -> None:
        """The checksum of any bytes is that of `zlib`."""
        self.assertEqual(crc32(data), zlib.crc32(data))

    def test_lengths(self) -> None:
        """The checksums agree at each length up to several blocks, and for long contents."""
        data = bytes(range(256)) * 4096
        for length in (*range(600), 65_535, 65_536, len(data)):
            self.assertEqual(crc32(data[:length]), zlib.crc32(data[:length]), length)

    def test_without_isal(self) -> None:
        """Without `isal`, the checksums are those of `zlib`, and the frames are the same."""
        self.assertEqual(sealed("without isal"), ["zlib", make_frame(4, HEADER).hex()])

    @skipIf(not HAS_ISAL, "isal is not installed")
    def test_with_isal(self) -> None:
        """With `isal`, its checksum is used, and the frames are the same."""
        self.assertEqual(sealed(), ["isal.isal_zlib", make_frame(4, HEADER).hex()])

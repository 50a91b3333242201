"""The CRC32 of envelopes: from `isal`, which the extra `speed` installs, or from `zlib`.

For 100 bytes, `isal` takes a quarter of the time of `zlib`; for 100 KB, a tenth. The results are
the same.
"""

from __future__ import annotations

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["crc32"]

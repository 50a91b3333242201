"""chatd compresses and decompresses nothing, so a few bytes cannot fill the memory."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import chatd

ROOT = Path(chatd.__file__).parent
CHECKSUMS = {"crc32", "adler32"}
HTTP = {
    f"twisted.web.{name}"
    for name in (
        "http.HTTPChannel",
        "http.Request",
        "http.datetimeToString",
        "http_headers.Headers",
    )
}
"""Twisted's reading of requests, which decodes no `Content-Encoding`: a decoder is another name."""
ALLOWED = HTTP | {f"{module}.{name}" for module in ("zlib", "isal.isal_zlib") for name in CHECKSUMS}
COMPRESSION = {
    "brotli",
    "brotlicffi",
    "bz2",
    "compression",
    "gzip",
    "isal",
    "lz4",
    "lzma",
    "shutil.unpack_archive",
    "snappy",
    "tarfile",
    "twisted.web",
    "websockets.asyncio",
    "websockets.extensions",
    "websockets.sync",
    "zipfile",
    "zipimport",
    "zlib",
    "zstandard",
    "zstd",
}
CODECS = {"zlib", "zip", "bz2", "zlib_codec", "bz2_codec"}
"""The decompressing codecs of `bytes.decode` and `codecs`."""


def names_in(tree: ast.AST) -> Iterator[str]:
    """Return the full names of imported modules, and of the names used from them."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name] = alias.name
                if alias.name != "zlib":  # only some names of zlib decompress
                    yield alias.name
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{aliases.get(node.value.id, '')}.{node.attr}"
        elif isinstance(node, ast.Constant) and node.value in CODECS:
            yield f"zlib.{node.value}"


def decompressors_in(source: str) -> list[str]:
    """Return the decompressing names that a module uses, without checksums."""
    return [
        name
        for name in names_in(ast.parse(source))
        if any(f"{name}.".startswith(f"{module}.") for module in COMPRESSION)
        and name not in ALLOWED
    ]


class NoCompressionTests(SynchronousTestCase):
    def test_every_module(self):
        """No module of chatd uses more than checksums from the compression modules."""
        paths = sorted(ROOT.rglob("*.py"))
        self.assertIn(ROOT / "wire" / "envelope.py", paths)
        for path in paths:
            self.assertEqual(decompressors_in(path.read_text("utf-8")), [], path)

    def test_c_module(self):
        """The C module calls only the CRC32 of the libraries that compress."""
        source = (ROOT / "wire" / "_envelope.c").read_text("utf-8")
        code = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
        called = set(re.findall(r"\b(\w*(?:flate|press|gz|crc32|adler32)\w*) ?\(", code))
        self.assertEqual(called, {"libdeflate_crc32", "crc32_z"})

    def test_found(self):
        """The check finds each way to use a compressor or a decompressor."""
        for source in (
            "import gzip",
            "import bz2 as b",
            "from lzma import LZMADecompressor",
            "from compression import zstd",
            "from zlib import decompress",
            "from zlib import crc32, decompressobj",
            "from isal.isal_zlib import crc32, decompressobj",
            "import isal.isal_zlib",
            "import zlib\nzlib.compress(b'')",
            "import zlib\nzlib.decompress(b'')",
            "import zlib as z\ndef read(data):\n    return z.decompressobj()",
            "def read(data):\n    import zipfile",
            "try:\n    import zstandard\nexcept ImportError:\n    pass",
            "from twisted.web.client import GzipDecoder",
            "from twisted.web.http import HTTPChannel, HTTPFactory",
            "from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory",
            "from websockets.sync.client import connect",
            "import codecs\ncodecs.decode(data, 'zlib')",
        ):
            self.assertEqual(len(decompressors_in(source)), 1, source)

    def test_checksums(self):
        """A checksum is not a decompressor."""
        for source in (
            "from zlib import crc32",
            "from isal.isal_zlib import crc32",
            "import zlib\nzlib.crc32(b'')",
            "from twisted.web.http import HTTPChannel",
            "from websockets.server import ServerProtocol",
            "import os",
        ):
            self.assertEqual(decompressors_in(source), [], source)

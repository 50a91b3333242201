"""`load_page`: the files that a browser loads, read once at the start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PageFile", "load_page"]

_PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".webmanifest": b"application/manifest+json",
}
"""The media type of each kind of file; files of other kinds are not served."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page.

    Attributes:
        content: Its bytes.
        media_type: Its `Content-Type`.
        etag: Its `ETag`, which changes with its content.
    """

    content: bytes
    media_type: bytes
    etag: bytes


def load_page(directory: Path = _PAGE) -> Mapping[bytes, PageFile]:
    """Read the files of the page.

    Args:
        directory: The directory with the files; that of the package by default.

    Returns:
        The files by their paths on the server, such as `/app/main.js`; `/` is `index.html`.
    """
    found = {}
    for path in directory.rglob("*"):
        parts = path.relative_to(directory).parts
        is_hidden = any(part.startswith(".") for part in parts)
        if path.suffix in _TYPES and path.is_file() and not is_hidden:
            found["/" + "/".join(parts)] = _file(path)
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return {path.encode(): each for path, each in found.items()}


def _file(path: Path) -> PageFile:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode()
    return PageFile(content, _TYPES[path.suffix], etag)

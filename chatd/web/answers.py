"""`Answer`: the answer to an HTTP request, and the header fields of all answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from chatd.web.pagefiles import PageFile

__all__ = ["POLICY", "Answer", "file_answer", "refusal"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the page may load, run and do: its own files alone, and no HTML that was put together."""

_ALWAYS = {
    b"Content-Security-Policy": POLICY.encode(),
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Cache-Control": b"no-cache",
}
_TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to an HTTP request.

    Attributes:
        status: The status code.
        body: The body.
        fields: Its own header fields, by their names.
    """

    status: int
    body: bytes = b""
    fields: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def all_fields(self) -> dict[bytes, bytes]:
        """All header fields, by their names."""
        length = {} if self.status == HTTPStatus.NOT_MODIFIED else _length(self.body)
        return {**_ALWAYS, **length, **self.fields}


def file_answer(file: PageFile, known: str | None) -> Answer:
    """Return the answer with a file of the page.

    Args:
        file: The file.
        known: The value of the request's `If-None-Match`: the versions that the browser has.
    """
    tags = [] if known is None else [tag.strip().removeprefix("W/") for tag in known.split(",")]
    if "*" in tags or file.etag.decode() in tags:
        return Answer(HTTPStatus.NOT_MODIFIED, fields={b"ETag": file.etag})
    return Answer(
        HTTPStatus.OK, file.content, {b"ETag": file.etag, b"Content-Type": file.media_type}
    )


def refusal(status: HTTPStatus, why: str = "", fields: Mapping[bytes, bytes] = {}) -> Answer:
    """Return the answer to a request that is refused.

    Args:
        status: The status code.
        why: A sentence for the person who made the request.
        fields: More header fields.
    """
    told = f"{status.value} {status.phrase}" + (f": {why}" if why else "")
    return Answer(status, f"{told}\n".encode(), {b"Content-Type": _TEXT, **fields})


def _length(body: bytes) -> dict[bytes, bytes]:
    return {b"Content-Length": b"%d" % len(body)}

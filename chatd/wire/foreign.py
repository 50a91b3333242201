"""Names the protocol of bytes that are no frame and no record, for the error about them."""

from __future__ import annotations

__all__ = ["PROXY_HEADER", "describe_foreign"]

PROXY_HEADER = "a PROXY header, which only a haproxy: endpoint reads"
"""The words for the header of HAProxy's PROXY protocol."""

# HAProxy's proxy-protocol.txt, sections 2.1 and 2.2; RFC 8446 section 5.1; RFC 9110 section 9.3.
_SIGNATURES = (
    (b"PROXY ", PROXY_HEADER),
    (b"\r\n\r\n\0\r\nQUIT\n", PROXY_HEADER),
    (b"\x16\x03", "TLS, which only a tls: or ssl: endpoint reads"),
    *((method, "an HTTP request") for method in (b"GET ", b"HEAD ", b"POST ", b"OPTIONS ")),
)
_LONGEST = max(len(signature) for signature, _ in _SIGNATURES)


def describe_foreign(data: bytes, offset: int) -> str:
    """Return `"; it is …"` if bytes begin as another protocol does, else an empty text.

    Args:
        data: The bytes, two or more after the offset.
        offset: The offset at which they begin.
    """
    start = data[offset : offset + _LONGEST]
    for signature, words in _SIGNATURES:
        if start.startswith(signature) or signature.startswith(start):
            return f"; it is {words}"
    return ""

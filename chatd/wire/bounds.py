"""The bounds of the fields of headers."""

from __future__ import annotations

__all__ = [
    "MAX_CONTENT_TYPE",
    "MAX_FIRST_ROOMS",
    "MAX_HEARTBEAT_S",
    "MAX_ID",
    "MAX_MAX_CONTENT",
    "MAX_PLACE",
    "MIN_HEARTBEAT_S",
    "MIN_MAX_CONTENT",
]

MAX_ID = 64
"""Longest id of a message or command, in characters."""
MAX_PLACE = 64
"""Longest name of a room or of a recipient, in characters."""
MAX_FIRST_ROOMS = 20
"""Maximum number of rooms that a session begins in: the welcome, a short frame, lists them."""
MAX_CONTENT_TYPE = 255
"""Longest content type, in characters (RFC 6838 section 4.2 allows 127 for each half)."""

MIN_MAX_CONTENT = 4
"""Smallest content limit that a server may set, in bytes: the content of a heartbeat."""
MAX_MAX_CONTENT = 2**32 - 1 - 2**20
"""Largest content limit, in bytes: frames have 32-bit lengths, and hold more than the content."""
MIN_HEARTBEAT_S = 0.01
"""Shortest interval between two pings, in seconds."""
MAX_HEARTBEAT_S = 86_400.0
"""Longest interval between two pings, in seconds."""

"""`chatd invite`: prints a link to the page of a server, with its key and a room."""

from __future__ import annotations

import argparse
import base64
import io
import sys
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from chatd.chat.names import check_room
from chatd.cli.status import Status
from chatd.cli.streams import complain, tell
from chatd.config.keyfile import load_key
from chatd.errors import ConfigurationError, RequestError

__all__ = ["invite", "invite_link"]

_SCHEMES = ("http", "https")


def invite(options: argparse.Namespace) -> Status:
    """Print a link, and at a terminal a QR code of it; warn if browsers will refuse the page.

    Args:
        options: The `url` of the page; a `key_file` and a `room`, or None.

    Raises:
        ConfigurationError: The address is no page's, the room has no such name, or the key file
            cannot be read.
    """
    key = None if options.key_file is None else load_key(options.key_file)
    link = invite_link(options.url, key, options.room)
    if not _is_secure(options.url):
        complain(
            "warning: with http:// the page works only in browsers on the server's own machine, at "
            "http://localhost; serve it over https://, and give that address"
        )
    if not tell(link):
        return Status.LOST
    if not sys.stdout.isatty():
        return Status.DONE
    return Status.DONE if tell(_code(link), end="") else Status.LOST


def invite_link(url: str, key: bytes | None = None, room: str | None = None) -> str:
    """Return the link to a page. What follows its `#` never leaves the browser.

    Args:
        url: The address of the page, such as `https://chat.example.org/`.
        key: The key, 32 bytes.
        room: The room that the person joins.

    Raises:
        ConfigurationError: The address is no page's, or the room has no such name.
    """
    given = {}
    if key is not None:
        given["key"] = base64.urlsafe_b64encode(key).decode().rstrip("=")
    if room is not None:
        try:
            given["room"] = quote(check_room(room), safe="")
        except RequestError as error:
            raise ConfigurationError(f"--room: {error}") from error
    fragment = "&".join(f"{name}={value}" for name, value in given.items())
    page = _checked(url)
    return f"{page}#{fragment}" if fragment else page


def _checked(url: str) -> str:
    """Return the address of a page, with its path, after a check."""
    mistake = ConfigurationError(
        "the URL is that of the page, such as https://chat.example.org/, without ? and #"
    )
    try:
        parts = urlsplit(url)
        is_page = parts.scheme in _SCHEMES and parts.hostname is not None and parts.port != 0
    except ValueError as error:
        raise mistake from error
    is_plain = not set("?#@\\") & {*url} and url.isprintable() and " " not in url
    if not is_page or not is_plain:
        raise mistake
    return url if parts.path else f"{url}/"


def _is_secure(url: str) -> bool:
    """Return whether browsers give the page at an address the cryptography that it needs.

    They do over HTTPS, and on their own machine: `localhost`, names below it, and loopback
    addresses.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _code(link: str) -> str:
    """Return the QR code of a link, in characters; without the package for it, nothing."""
    try:
        import segno  # noqa: PLC0415  (needs the extra)
    except ImportError:
        complain("the QR code needs segno: install chatd with its extra, web")
        return ""
    drawn = io.StringIO()
    segno.make_qr(link, error="l").terminal(drawn, compact=True)
    return drawn.getvalue()

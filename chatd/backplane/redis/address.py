"""`RedisAddress`: where Redis is, from the URL that an operator gives."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import quote, unquote, urlsplit

import msgspec

from chatd.errors import ConfigurationError

__all__ = ["FORMS", "Place", "RedisAddress", "parse_address"]

FORMS = (
    "redis://HOST[:PORT][/DB]",
    "rediss://HOST[:PORT][/DB]",
    "unix:/PATH",
    "redis+sentinel://HOST[:PORT][,HOST...]/NAME[/DB]",
    "rediss+sentinel://HOST[:PORT][,HOST...]/NAME[/DB]",
)
"""The forms of a URL."""
_SENTINEL = "+sentinel"
_SCHEMES = ("redis", "rediss", f"redis{_SENTINEL}", f"rediss{_SENTINEL}")
_PORT, _SENTINEL_PORT = 6379, 26379
_MAX_PORT = 65535
_MAX_DIGITS = 9


class Place(msgspec.Struct, frozen=True):
    """Where a server listens.

    Attributes:
        host: Its host; empty for a UNIX socket.
        port: Its port.
        path: The path of its UNIX socket.
        is_tls: Whether to connect over TLS.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    is_tls: bool = False

    def __str__(self) -> str:
        """Return the place for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis is.

    Attributes:
        hosts: Hosts and ports: of Redis, or of its Sentinels.
        path: The path of a UNIX socket; empty for hosts.
        is_tls: Whether to connect over TLS, to Sentinels, too.
        master: The name by which the Sentinels know the server; empty without Sentinels.
        database: The number of the database.
        user: The user of Redis's ACL; empty for its default user.
        password: The password, or None.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    is_tls: bool = False
    master: str = ""
    database: int = 0
    user: str = ""
    password: str | None = None

    def __str__(self) -> str:
        """Return the address for people, without the password."""
        places = ", ".join(map(str, self.places))
        return f"the Sentinels {places}" if self.master else places

    @property
    def url(self) -> str:
        """The URL, without the password."""
        if self.path:
            return f"unix:{self.path}" + (f"?db={self.database}" if self.database else "")
        scheme = f"redis{'s' if self.is_tls else ''}{_SENTINEL if self.master else ''}"
        login = f"{quote(self.user, safe='')}@" if self.user else ""
        hosts = ",".join(map(str, self.places))
        master = f"/{quote(self.master, safe='')}" if self.master else ""
        return f"{scheme}://{login}{hosts}{master}/{self.database}"

    @property
    def places(self) -> tuple[Place, ...]:
        """The place of Redis, or those of its Sentinels."""
        if self.path:
            return (Place(path=self.path),)
        return tuple(Place(host=h, port=p, is_tls=self.is_tls) for h, p in self.hosts)


def parse_address(url: str) -> RedisAddress:
    """Return the address in a URL.

    Raises:
        ConfigurationError: The URL has none of `FORMS`.
    """
    try:
        return _parse(url)
    except ValueError as error:
        if "@" in url:  # the text of the error may have a part of the password
            raise ConfigurationError(
                "the backplane's URL is wrong; write / : @ ? # % in a name or password as %2F %3A "
                "%40 %3F %23 %25"
            ) from None
        raise ConfigurationError(str(error)) from error


def _parse(url: str) -> RedisAddress:
    scheme, _, rest = url.partition(":")
    if scheme == "unix":
        return _unix(rest)
    if scheme not in _SCHEMES or not rest.startswith("//"):
        raise ValueError(f"a backplane is {', '.join(FORMS)}")
    if not url.isprintable() or " " in url:  # urlsplit drops some of these
        raise ValueError("a backplane's URL has no spaces and no control characters")
    try:
        split = urlsplit(f"//{rest[2:]}")
    except ValueError as error:  # in the words of some versions of Python, no reason for people
        raise ValueError(f"not an IPv6 address in brackets: {url}") from error
    if split.query or split.fragment:
        raise ValueError("a backplane's URL has no ? and no #")
    user, password, place = _login(split.netloc)
    parts = [unquote(part) for part in split.path.split("/")[1:] if part]
    master = ""
    if scheme.endswith(_SENTINEL):
        if not parts:
            raise ValueError(f"give the name of the server that the Sentinels watch: {FORMS[3]}")
        master = parts.pop(0)
    if len(parts) > 1:
        raise ValueError(f"too many parts behind the host: {FORMS[0]}")
    port = _SENTINEL_PORT if master else _PORT
    hosts = tuple(_host(each, port) for each in place.split(","))
    if len(hosts) > 1 and not master:
        raise ValueError("only Sentinels can be several hosts")
    return RedisAddress(
        hosts=hosts,
        is_tls=scheme.startswith("rediss"),
        master=master,
        database=_database(parts[0]) if parts else 0,
        user=user,
        password=password,
    )


def _unix(rest: str) -> RedisAddress:
    path = rest.removeprefix("//")
    if not path.startswith("/"):
        raise ValueError(f"the path of a socket begins with /: {FORMS[2]}")
    path, _, query = path.partition("?")
    database = 0
    if query:
        name, _, number = query.partition("=")
        if name != "db":
            raise ValueError("behind ? only db=NUMBER can follow")
        database = _database(number)
    return RedisAddress(path=path, database=database)


def _login(place: str) -> tuple[str, str | None, str]:
    login, at, hosts = place.rpartition("@")
    if not at:
        return "", None, place
    user, colon, password = login.partition(":")
    return unquote(user), unquote(password) if colon else None, hosts


def _host(text: str, usual_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"not an address: {text}")
        if not _is_ipv6(host):  # Python 3.10 splits a URL without a look at it
            raise ValueError(f"not an IPv6 address in brackets: redis://{text}")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
        if ":" in port:
            raise ValueError(f"write an IPv6 address in brackets: [{text}]")
    if not host:
        raise ValueError(f"a host is missing: {FORMS[0]}")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"not the name of a host: {host}") from None
    if not port:
        return host, usual_port
    number = _number(port)
    if number is None or not 0 < number <= _MAX_PORT:
        raise ValueError(f"not a port: {port}")
    return host, number


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _database(text: str) -> int:
    number = _number(text)
    if number is None:
        raise ValueError(f"a database is a number, not {text}")
    return number


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if is_number else None

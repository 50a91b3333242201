"""`make_front`: makes the web front that the operator's settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatd.errors import ConfigurationError
from chatd.listening.endpoints import is_stdio
from chatd.server.factory import ChatFactory

if TYPE_CHECKING:
    from chatd.web.site import WebFront

__all__ = ["make_front"]


def make_front(
    factory: ChatFactory[Any],
    endpoints: Sequence[str],
    origins: Sequence[str],
    proxies: Sequence[str],
) -> WebFront:
    """Make the web front.

    Args:
        factory: Serves the sessions.
        endpoints: The endpoint strings on which the front will listen.
        origins: More origins whose pages may connect.
        proxies: The proxies that name their clients.

    Raises:
        ConfigurationError: An origin, a proxy or an endpoint is wrong, or the extra `web` is not
            installed.
    """
    for endpoint in endpoints:
        if is_stdio(endpoint):
            raise ConfigurationError(f"--web {endpoint}: browsers do not connect to stdio")
    try:
        from chatd.web.origins import Origins  # noqa: PLC0415  (needs the extra)
        from chatd.web.proxies import Proxies  # noqa: PLC0415  (needs the extra)
        from chatd.web.site import WebFront  # noqa: PLC0415  (needs the extra)
    except ImportError as error:
        raise ConfigurationError(
            "--web needs websockets: install chatd with its extra, web"
        ) from error
    return WebFront(factory, Origins(origins), Proxies(proxies))

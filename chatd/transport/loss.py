"""The reason of a transport's end, as text."""

from __future__ import annotations

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

__all__ = ["NO_TLS", "UNTRUSTED", "reasons_of", "why_lost"]

UNTRUSTED = "certificate verify failed"
"""OpenSSL's text for a certificate that no trusted authority has signed."""
NO_TLS = "wrong version number"
"""OpenSSL's text for bytes that are not TLS."""


def why_lost(reason: Failure) -> str:
    """Return the reason why a connection ended, or an empty text for an ordinary end.

    Args:
        reason: The failure from Twisted.
    """
    error = reason.value
    if isinstance(error, (ConnectionDone, ConnectionLost, ConnectionAborted)):
        return ""
    if isinstance(error, SSL.Error):
        return f"TLS: {reasons_of(error)}"
    if isinstance(error, VerificationError):
        return "TLS: the certificate does not match the host"
    return str(error)


def reasons_of(error: SSL.Error | crypto.Error) -> str:
    """Return the reasons in OpenSSL's error queue, without its libraries and functions."""
    queue = error.args[0] if error.args else []
    # If a system call failed, the arguments are its errno and its text.
    reasons = [entry[-1] for entry in queue] if isinstance(queue, list) else [error.args[-1]]
    return "; ".join(str(reason) for reason in reasons if reason) or "it failed"

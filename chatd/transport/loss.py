"""What a transport says of its end, in words."""

from __future__ import annotations

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

__all__ = ["UNTRUSTED", "reasons_of", "why_lost"]

UNTRUSTED = "certificate verify failed"
"""OpenSSL's words where nobody who is trusted has signed a certificate."""


def why_lost(reason: Failure) -> str:
    """Return why a connection ended; empty where there is no more to say than that it did.

    Args:
        reason: What Twisted tells of it.
    """
    error = reason.value
    if isinstance(error, (ConnectionDone, ConnectionLost, ConnectionAborted)):
        return ""
    if isinstance(error, SSL.Error):
        return f"TLS: {reasons_of(error)}"
    if isinstance(error, VerificationError):
        return "TLS: the certificate is not that host's"
    return str(error)


def reasons_of(error: SSL.Error | crypto.Error) -> str:
    """Return the reasons in OpenSSL's queue of errors, which it holds with where they arose."""
    queue = error.args[0] if error.args else []
    # Where the system failed it is the number of its error, and the words follow.
    reasons = [entry[-1] for entry in queue] if isinstance(queue, list) else [error.args[-1]]
    return "; ".join(str(reason) for reason in reasons if reason) or "it failed"

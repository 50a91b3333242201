"""All exceptions that chatd raises, and all error codes that it sends.

::

    ChatError
    ├── ConfigurationError       an option, a key file or an endpoint string is wrong
    │   └── StartupError         a port cannot be bound: ends the daemon with status 1
    ├── LocalProtocolError       the caller did something that the session does not allow now
    ├── RemoteProtocolError      the peer broke the protocol; has an ErrorCode
    │   ├── WireError            a fault in the bytes: ends the connection
    │   │   ├── FrameLengthError     bad-length
    │   │   ├── FrameTooLargeError   too-large
    │   │   ├── MagicError           bad-magic
    │   │   ├── VersionError         bad-version
    │   │   ├── ChecksumError        bad-crc
    │   │   ├── SignatureError       bad-mac
    │   │   ├── HeaderError          bad-header
    │   │   └── RecordError          bad-record
    │   └── KeyMismatchError     the two sides do not have the same key
    │       ├── KeyRequiredError     key-required
    │       ├── KeyUnexpectedError   key-unexpected
    │       └── WrongKeyError        wrong-key
    ├── RequestError             a faulty request: the session goes on
    ├── StoreError               a store failed: not-stored
    └── SessionEnded             the session ended or never began; has code, reason and retry
        └── SessionRefused       the server refused this client, or the keys do not match
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

__all__ = [
    "ChatError",
    "ChecksumError",
    "ConfigurationError",
    "ErrorCode",
    "FrameLengthError",
    "FrameTooLargeError",
    "HeaderError",
    "KeyMismatchError",
    "KeyRequiredError",
    "KeyUnexpectedError",
    "LocalProtocolError",
    "MagicError",
    "RecordError",
    "RemoteProtocolError",
    "RequestError",
    "SessionEnded",
    "SessionRefused",
    "SignatureError",
    "StartupError",
    "StoreError",
    "VersionError",
    "WireError",
    "WrongKeyError",
]


class ErrorCode(str, Enum):
    """The codes in ERROR and DISCONNECT frames, and in the exceptions made from them.

    `docs/reference/codes.md` has the meaning of each code.
    """

    # Faults in the bytes: one ERROR, then the end of the connection.
    BAD_LENGTH = "bad-length"
    TOO_LARGE = "too-large"
    BAD_MAGIC = "bad-magic"
    BAD_VERSION = "bad-version"
    BAD_CRC = "bad-crc"
    BAD_MAC = "bad-mac"
    BAD_HEADER = "bad-header"
    BAD_RECORD = "bad-record"
    # Faulty requests: one ERROR, and the session goes on.
    UNKNOWN_TYPE = "unknown-type"
    UNEXPECTED_TYPE = "unexpected-type"
    BAD_REQUEST = "bad-request"
    UNKNOWN_COMMAND = "unknown-command"
    BAD_ROOM = "bad-room"
    NO_SUCH_ROOM = "no-such-room"
    NOT_IN_ROOM = "not-in-room"
    TOO_MANY_ROOMS = "too-many-rooms"
    NOT_INVITED = "not-invited"
    PRIVATE_LIMIT = "private-limit"
    NEEDS_ACCOUNTS = "needs-accounts"
    NOT_ALLOWED = "not-allowed"
    BAD_PASSWORD = "bad-password"
    PASSWORD_FIXED = "password-fixed"
    ID_REUSED = "id-reused"
    NOT_STORED = "not-stored"
    INTERNAL_ERROR = "internal-error"
    # Refusals: ERROR and DISCONNECT before the session is established.
    BAD_SESSION = "bad-session"
    BAD_NAME = "bad-name"
    NAME_TAKEN = "name-taken"
    AUTH_REQUIRED = "auth-required"
    AUTH_FAILED = "auth-failed"
    AUTH_IN_CLEAR = "auth-in-clear"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    TOO_MANY_SESSIONS = "too-many-sessions"
    BANNED = "banned"
    # Ends of a session: DISCONNECT.
    GOODBYE = "goodbye"
    KICKED = "kicked"
    SHUTTING_DOWN = "shutting-down"
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    HEARTBEAT_TIMEOUT = "heartbeat-timeout"
    SLOW_CONSUMER = "slow-consumer"
    OVERLOADED = "overloaded"
    # Never sent: each side finds these faults by itself.
    CONNECTION_LOST = "connection-lost"
    KEY_REQUIRED = "key-required"
    KEY_UNEXPECTED = "key-unexpected"
    WRONG_KEY = "wrong-key"

    def __str__(self) -> str:
        return self.value


class ChatError(Exception):
    """The base class of all exceptions that chatd raises on purpose."""


class ConfigurationError(ChatError):
    """The configuration is wrong; the text is one line that says what to do."""


class StartupError(ConfigurationError, SystemExit):
    """The daemon cannot start; as a `SystemExit`, it ends twistd with one line and status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message  # SystemExit prints its code


class LocalProtocolError(ChatError):
    """The caller did something that the session does not allow, such as exceed a limit."""


class RemoteProtocolError(ChatError):
    """The peer broke the protocol.

    Attributes:
        code: The code for the ERROR frame.
    """

    code: ClassVar[ErrorCode]


class WireError(RemoteProtocolError):
    """A fault in the bytes; it ends the connection."""


class FrameLengthError(WireError):
    """A length is impossible, or lengths contradict each other."""

    code = ErrorCode.BAD_LENGTH


class FrameTooLargeError(WireError):
    """A frame, header or content exceeds its limit; it is refused before it is buffered."""

    code = ErrorCode.TOO_LARGE


class MagicError(WireError):
    """The envelope does not begin with chatd's magic: the peer speaks another protocol."""

    code = ErrorCode.BAD_MAGIC


class VersionError(WireError):
    """The envelope has a version that this side does not support."""

    code = ErrorCode.BAD_VERSION


class ChecksumError(WireError):
    """A CRC32 does not match: the bytes were damaged on the way."""

    code = ErrorCode.BAD_CRC


class SignatureError(WireError):
    """The HMAC does not match: the envelope was not made with this key."""

    code = ErrorCode.BAD_MAC


class HeaderError(WireError):
    """The header is not one JSON object in UTF-8, or is nested too deep."""

    code = ErrorCode.BAD_HEADER


class RecordError(WireError):
    """A record of the secure channel was replayed, reordered, cut short or forged."""

    code = ErrorCode.BAD_RECORD


class KeyMismatchError(RemoteProtocolError):
    """The two sides do not have the same key; the text says what to do."""


class KeyRequiredError(KeyMismatchError):
    """The server has a key and this client has none."""

    code = ErrorCode.KEY_REQUIRED

    def __init__(self) -> None:
        super().__init__(
            "the server requires a key: give its key file (--key-file; in Python, "
            "key=chatd.load_key(path))"
        )


class KeyUnexpectedError(KeyMismatchError):
    """This client has a key and the server has none."""

    code = ErrorCode.KEY_UNEXPECTED

    def __init__(self) -> None:
        super().__init__(
            "the server has no key: start it with --key-file, or connect without a key"
        )


class WrongKeyError(KeyMismatchError):
    """Both sides have a key, but not the same one."""

    code = ErrorCode.WRONG_KEY

    def __init__(self) -> None:
        super().__init__("the keys differ: both sides need a copy of the same key file")


class RequestError(ChatError):
    """A faulty request; the session goes on.

    If a server's `message_received` raises it, the client gets an ERROR frame, and the client's
    call that sent the faulty frame raises it again.

    Attributes:
        code: A value of `ErrorCode`, or a lower-case word of your own.
        message: A text for people.
        ref: The id of the faulty frame, if it is known.
    """

    def __init__(self, code: str, message: str, *, ref: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = str(code)
        self.message = message
        self.ref = ref


class StoreError(ChatError):
    """A store failed: its disk is full, read-only or broken.

    The store has done no part of the request. The text is for the operator's log, not for clients.
    """


class SessionEnded(ChatError):
    """The session is over, or it never began.

    Attributes:
        code: The code from the DISCONNECT frame, or the code of a fault that this side found.
        reason: A text for people.
        retry: Whether the side that ended the session invites the client to come back.
    """

    def __init__(self, code: str, reason: str, *, retry: bool = False) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = str(code)
        self.reason = reason
        self.retry = retry

    def again(self) -> SessionEnded:
        """Return a copy of the exception, to raise it again without the old traceback."""
        return type(self)(self.code, self.reason, retry=self.retry)

    @property
    def is_clean(self) -> bool:
        """Whether either side ended the session on purpose."""
        return self.code == ErrorCode.GOODBYE


class SessionRefused(SessionEnded):
    """The server refused this client, for example its name, or the two keys do not match.

    A session that does not begin for another reason raises `SessionEnded` itself: the server is
    silent (`handshake-timeout`), speaks another protocol (`bad-magic`) or is lost.
    """

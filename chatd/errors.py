"""Every error that chatd raises, and every code that it puts on the wire.

::

    ChatError
    ├── ConfigurationError       an option, a key file or an endpoint string is wrong
    │   └── StartupError         a port cannot be bound: ends the daemon with status 1
    ├── LocalProtocolError       the caller did what the session does not allow now
    ├── RemoteProtocolError      the peer broke the protocol; carries an ErrorCode
    │   ├── WireError            a fault in the bytes: ends the connection
    │   │   ├── FrameLengthError     bad-length
    │   │   ├── FrameTooLargeError   too-large
    │   │   ├── MagicError           bad-magic
    │   │   ├── VersionError         bad-version
    │   │   ├── ChecksumError        bad-crc
    │   │   ├── SignatureError       bad-mac
    │   │   ├── HeaderError          bad-header
    │   │   └── RecordError          bad-record
    │   └── KeyMismatchError     the two sides do not hold the same key
    │       ├── KeyRequiredError     key-required
    │       ├── KeyUnexpectedError   key-unexpected
    │       └── WrongKeyError        wrong-key
    ├── RequestError             a fault in what was asked: the session goes on
    ├── StoreError               a store cannot do what it was asked: not-stored
    └── SessionEnded             the session is over: its code, reason, and whether to come back
        └── SessionRefused       it was over before it was established
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

    `docs/reference/codes.md` says what each means and who sends it.
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
    # Faults in what was asked: one ERROR, and the session goes on.
    UNKNOWN_TYPE = "unknown-type"
    UNEXPECTED_TYPE = "unexpected-type"
    BAD_REQUEST = "bad-request"
    UNKNOWN_COMMAND = "unknown-command"
    BAD_ROOM = "bad-room"
    NO_SUCH_ROOM = "no-such-room"
    NOT_IN_ROOM = "not-in-room"
    TOO_MANY_ROOMS = "too-many-rooms"
    NOT_ALLOWED = "not-allowed"
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
    # Never on the wire: what one side finds out by itself.
    CONNECTION_LOST = "connection-lost"
    KEY_REQUIRED = "key-required"
    KEY_UNEXPECTED = "key-unexpected"
    WRONG_KEY = "wrong-key"

    def __str__(self) -> str:
        return self.value


class ChatError(Exception):
    """The root of all errors that chatd raises on purpose."""


class ConfigurationError(ChatError):
    """Something that a person configured is wrong; the text is one line that says what to do."""


class StartupError(ConfigurationError, SystemExit):
    """The daemon cannot start: as a `SystemExit` it ends twistd with one line and status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message  # what a SystemExit prints


class LocalProtocolError(ChatError):
    """The caller asked for what the session does not allow, such as a content over the limit."""


class RemoteProtocolError(ChatError):
    """The peer broke the protocol.

    Attributes:
        code: What an ERROR frame says of it.
    """

    code: ClassVar[ErrorCode]


class WireError(RemoteProtocolError):
    """A fault in the bytes; the connection cannot go on after it."""


class FrameLengthError(WireError):
    """A length that is impossible, or lengths that contradict each other."""

    code = ErrorCode.BAD_LENGTH


class FrameTooLargeError(WireError):
    """A frame, header or content that is over its limit; refused before it is buffered."""

    code = ErrorCode.TOO_LARGE


class MagicError(WireError):
    """The envelope does not begin with chatd's eight bytes: the peer speaks something else."""

    code = ErrorCode.BAD_MAGIC


class VersionError(WireError):
    """An envelope of a version that this side does not speak."""

    code = ErrorCode.BAD_VERSION


class ChecksumError(WireError):
    """A CRC32 that does not fit: the bytes were damaged on the way."""

    code = ErrorCode.BAD_CRC


class SignatureError(WireError):
    """An HMAC that does not fit: the envelope was not made with this key."""

    code = ErrorCode.BAD_MAC


class HeaderError(WireError):
    """A header that is not one JSON object in UTF-8."""

    code = ErrorCode.BAD_HEADER


class RecordError(WireError):
    """A record of the secure channel that was replayed, reordered, cut short or forged."""

    code = ErrorCode.BAD_RECORD


class KeyMismatchError(RemoteProtocolError):
    """The two sides do not hold the same key; the text says what to do about it."""


class KeyRequiredError(KeyMismatchError):
    """The server has a key and this client has none."""

    code = ErrorCode.KEY_REQUIRED

    def __init__(self) -> None:
        super().__init__("the server requires a key: give its key file (--key-file)")


class KeyUnexpectedError(KeyMismatchError):
    """This client has a key and the server has none."""

    code = ErrorCode.KEY_UNEXPECTED

    def __init__(self) -> None:
        super().__init__("the server has no key: start it with --key-file, or connect without one")


class WrongKeyError(KeyMismatchError):
    """Both sides have a key, but not the same one."""

    code = ErrorCode.WRONG_KEY

    def __init__(self) -> None:
        super().__init__("the keys differ: both sides need a copy of the same key file")


class RequestError(ChatError):
    """A fault in what was asked; the session goes on.

    Raised in a server's `message_received`, it reaches the client as an ERROR frame; there it is
    raised again by the call whose frame was at fault.

    Attributes:
        code: One of `ErrorCode`'s values, or another lower-case word of your own.
        ref: The id of the frame at fault, where it is known.
    """

    def __init__(self, code: str, message: str, *, ref: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = str(code)
        self.message = message
        self.ref = ref


class StoreError(ChatError):
    """A store cannot do what it was asked: its disk is full, read-only or broken.

    Nothing of what it was asked is done. Its text is for the operator's log, not for clients.
    """


class SessionEnded(ChatError):
    """The session is over.

    Attributes:
        code: Why, as in the DISCONNECT frame, or `connection-lost` where there was none.
        reason: The same for a person.
        retry: Whether whoever ended it invites the client to come back.
    """

    def __init__(self, code: str, reason: str, *, retry: bool = False) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = str(code)
        self.reason = reason
        self.retry = retry

    def again(self) -> SessionEnded:
        """Return the same as a new exception, to be raised again without its old traceback."""
        return type(self)(self.code, self.reason, retry=self.retry)

    @property
    def is_clean(self) -> bool:
        """Whether this end was asked for by either side, not suffered."""
        return self.code == ErrorCode.GOODBYE


class SessionRefused(SessionEnded):
    """The session ended before it was established: the key, the name or the server said no."""

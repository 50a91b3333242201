"""chatd: a chat and message daemon on Twisted, and the library it is made of.

The public names are here; everything else may change.

- `connect`, `ChatClient`, `ChatClientService`, `ChatClientFactory`: talk to a server.
- `asyncio_reactor`: the reactor of a program that runs under asyncio.
- `ChatFactory`, `Session`: subclass the factory to write a server. `ChatService` runs a server;
  `Policy` has the operator's settings, `Limits` the limits for peers, `FactoryOptions` the types
  of the factory's arguments.
- `IMessageStore`: the interface of message stores; `MemoryStore` and `SqliteStore` (with
  `Durability` and a `StoreThread`) implement it. `Retention` limits what they keep.
- `Joined`, `History`, `RoomInfo`, `PersonInfo`, `Conversation`, `BanInfo`, `MadePrivate`: the
  results of a client's commands.
- `Codec`, `Message`, `MessageType`: encode and decode messages.
- `generate_key`, `load_key`, `write_key_file`: the shared key.
- `ChatError` and its subclasses: see `chatd.errors`.
- `chatd.testing`: tests for programs that use chatd.
"""

from chatd._version import __version__
from chatd.chat.policy import Policy
from chatd.client.client import ChatClient
from chatd.client.connect import connect
from chatd.client.factory import ChatClientFactory
from chatd.client.results import (
    BanInfo,
    Conversation,
    History,
    Joined,
    MadePrivate,
    PersonInfo,
    RoomInfo,
)
from chatd.client.service import ChatClientService
from chatd.config.keyfile import generate_key, load_key, write_key_file
from chatd.daemon.service import ChatService
from chatd.errors import (
    ChatError,
    ConfigurationError,
    ErrorCode,
    KeyMismatchError,
    LocalProtocolError,
    RemoteProtocolError,
    RequestError,
    SessionEnded,
    SessionRefused,
    WireError,
)
from chatd.server.factory import ChatFactory
from chatd.server.factoryoptions import FactoryOptions
from chatd.server.limits import Limits
from chatd.server.session import Session
from chatd.storage.interface import IMessageStore
from chatd.storage.memory import MemoryStore
from chatd.storage.runner import StoreThread
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.values import Durability, Retention
from chatd.transport.eventloop import asyncio_reactor
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType

__all__ = [
    "BanInfo",
    "ChatClient",
    "ChatClientFactory",
    "ChatClientService",
    "ChatError",
    "ChatFactory",
    "ChatService",
    "Codec",
    "ConfigurationError",
    "Conversation",
    "Durability",
    "ErrorCode",
    "FactoryOptions",
    "History",
    "IMessageStore",
    "Joined",
    "KeyMismatchError",
    "Limits",
    "LocalProtocolError",
    "MadePrivate",
    "MemoryStore",
    "Message",
    "MessageType",
    "PersonInfo",
    "Policy",
    "RemoteProtocolError",
    "RequestError",
    "Retention",
    "RoomInfo",
    "Session",
    "SessionEnded",
    "SessionRefused",
    "SqliteStore",
    "StoreThread",
    "WireError",
    "__version__",
    "asyncio_reactor",
    "connect",
    "generate_key",
    "load_key",
    "write_key_file",
]

"""The public names of `chatd`, which it imports when a program first uses one of them."""

from chatd._version import __version__
from chatd.chat.moderation import Ban, Bans
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
from chatd.config.banfile import BanFile
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
from chatd.server.accounts import Accounts
from chatd.server.attempts import Attempts
from chatd.server.checkers import IPasswordChanger
from chatd.server.factory import ChatFactory
from chatd.server.factoryoptions import FactoryOptions
from chatd.server.limits import Limits
from chatd.server.session import Session
from chatd.storage.interface import IMessageStore
from chatd.storage.memory import MemoryStore
from chatd.storage.runner import StoreRunner, StoreThread
from chatd.storage.sqlite.store import SqliteStore
from chatd.storage.values import Durability, Retention
from chatd.transport.eventloop import asyncio_reactor
from chatd.wire.codec import Codec
from chatd.wire.messages import Message, MessageType

__all__ = [
    "Accounts",
    "Attempts",
    "Ban",
    "BanFile",
    "BanInfo",
    "Bans",
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
    "IPasswordChanger",
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
    "StoreRunner",
    "StoreThread",
    "WireError",
    "__version__",
    "asyncio_reactor",
    "connect",
    "generate_key",
    "load_key",
    "write_key_file",
]

"""chatd: a chat and message daemon on Twisted, and the library it is made of.

The public names are here; everything else may change.

- `connect`, `ChatClient`, `ChatClientService`, `ChatClientFactory`: talk to a server.
- `asyncio_reactor`: the reactor of a program that runs under asyncio.
- `ChatFactory`, `Session`: subclass the factory to write a server. `ChatService` runs a server;
  `Policy` has the operator's settings, `Limits` the limits for peers, `Accounts` checks logins
  (`Attempts` limits them, an `IPasswordChanger` changes passwords), `Bans` has each `Ban` in force,
  `BanFile` keeps them, `FactoryOptions` has the types of the factory's arguments.
- `IMessageStore`: the interface of message stores; `MemoryStore` and `SqliteStore` (with
  `Durability` and a `StoreRunner`, such as `StoreThread`) implement it. `Retention` limits what
  they keep.
- `Joined`, `History`, `RoomInfo`, `PersonInfo`, `Conversation`, `BanInfo`, `MadePrivate`: the
  results of a client's commands.
- `Codec`, `Message`, `MessageType`: encode and decode messages.
- `generate_key`, `load_key`, `write_key_file`: the shared key.
- `ChatError` and its subclasses: see `chatd.errors`.
- `chatd.testing`: tests for programs that use chatd.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatd.public import *  # noqa: F403  (what it names in its __all__)
    from chatd.public import __all__ as __all__
else:

    def __getattr__(name: str) -> Any:  # noqa: ANN401
        """Return a public name: the `chatd` command does without them, and so starts sooner."""
        public = import_module("chatd.public")
        if name == "__all__" or name in public.__all__:
            globals()[name] = getattr(public, name)
        if name not in globals():  # else it is a module, such as `chatd.errors`
            raise AttributeError(f"module 'chatd' has no attribute {name!r}")
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module("chatd.public").__all__})

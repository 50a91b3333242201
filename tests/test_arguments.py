"""Tests that the public functions name a wrong type in one line, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import chatd
from chatd.testing import MemoryServer

ENDPOINT = "tcp:localhost:9999"


class ArgumentTests(SynchronousTestCase):
    """The error names the program's wrong value, and the wanted type."""

    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        self.server = MemoryServer()
        self.client: Any = self.server.connect("alice")
        self.session: Any = self.server.session_of(self.client)

    def check(self, *mistakes: tuple[Callable[[], object], str]) -> None:
        for mistake, told in mistakes:
            error = self.assertRaises(TypeError, mistake)
            self.assertEqual(str(error), told)

    def test_codec(self) -> None:
        """A codec encodes messages and decodes bytes."""
        codec: Any = chatd.Codec()
        text: Any = "hello"
        message = chatd.Message(4, chatd.Message.chat("hello").header, text)
        self.check(
            (
                lambda: codec.encode("hello"),
                'the message must be a Message, such as Message.chat("hello"), not str',
            ),
            (
                lambda: codec.encode(message),
                "the content must be bytes (Message.chat takes text too), not str",
            ),
            (lambda: codec.decode("hello"), "the frame must be bytes, not str"),
        )

    def test_content(self) -> None:
        """Content is text or bytes."""
        wanted = "the content must be text or bytes, not dict"
        content: Any = {"a": 1}
        self.check(
            (lambda: chatd.Message.chat(content), wanted),
            (lambda: self.client.send(content), wanted),
            (lambda: self.session.send(content), wanted),
            (lambda: self.server.factory.send_to_room("lobby", content), wanted),
        )

    def test_key(self) -> None:
        """A key is bytes, not the path of a key file."""
        wanted = "the key must be 32 bytes, as chatd.load_key returns them, not str"
        key: Any = "team.key"
        self.check(
            (lambda: chatd.Codec(key), wanted),
            (lambda: chatd.ChatFactory(self.clock, key=key), wanted),
            (lambda: chatd.ChatClientFactory(self.clock, key=key), wanted),
        )

    def test_names(self) -> None:
        """A list of names is not a string, which has letters."""
        rooms: Any = "lobby"
        name: Any = b"alice"
        self.check(
            (
                lambda: chatd.ChatClientFactory(self.clock, rooms=rooms),
                'rooms must be a list of names, such as ["lobby"], not str',
            ),
            (
                lambda: chatd.Policy(operators=rooms),
                'operators must be a list of names, such as ["lobby"], not str',
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, name=name),
                "the name must be text, not bytes",
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, password=name),
                "the password must be text, not bytes",
            ),
            (
                lambda: self.server.factory.when_active(self.session),
                "the name must be text, not Session",
            ),
            (lambda: self.client.send("hello", id=1), "the id must be text, not int"),
            (lambda: self.client.send("hello", room=1), "room must be text, not int"),
            (lambda: self.client.send("hello", to=1), "to must be text, not int"),
            (
                lambda: self.client.send("hello", content_type=1),
                "content_type must be text, not int",
            ),
        )

    def test_messages(self) -> None:
        """An answer is to a message or a command."""
        text: Any = "hello"
        self.check(
            (
                lambda: self.client.reply("hello", "yes"),
                "the message must be the Message that this client answers, not str",
            ),
            (
                lambda: self.session.reply("hello", "yes"),
                "the message must be the Message that the session sent, not str",
            ),
            (
                lambda: self.session.send_result("roll", sides=6),
                "the command must be the COMMAND that the session sent, not str",
            ),
            (
                lambda: self.session.send_result(chatd.Message.chat("roll"), sides=6),
                "the command must be the COMMAND that the session sent, not ChatHeader",
            ),
            (
                lambda: self.server.factory.publish(self.session, text),
                "the message must be a Message (send_to_room takes text), not str",
            ),
        )

    def test_parts_of_a_client(self) -> None:
        """A client's factory takes a class and names, and its service takes the factory."""
        not_entered: Any = chatd.asyncio_reactor()
        number: Any = 5
        wrong_class: Any = object
        self.check(
            (
                lambda: chatd.ChatClientFactory(self.clock, protocol=self.client),
                "protocol must be a class such as ChatClient, not an object of ChatClient",
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, protocol=wrong_class),
                "protocol must be ChatClient or a subclass, not the class object",
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, rooms=number),
                'rooms must be a list of names, such as ["lobby"], not int',
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, rooms=[number]),
                "each of rooms must be text, not int",
            ),
            (
                lambda: chatd.ChatClientService(self.clock, ENDPOINT, self.client),
                "the factory must be a ChatClientFactory, such as ChatClientFactory(reactor), "
                "not ChatClient",
            ),
            (
                lambda: chatd.ChatClientService(
                    self.clock, ENDPOINT, chatd.ChatClientFactory(self.clock), number
                ),
                "retry_policy must be a function that returns seconds, not int",
            ),
            (
                lambda: chatd.ChatClientFactory(number),
                "the clock must be the reactor or a Clock, not int",
            ),
            (
                lambda: chatd.ChatClientFactory(not_entered),
                "the clock must be the reactor of `async with chatd.asyncio_reactor() as reactor`, "
                "not _AsyncGeneratorContextManager",
            ),
            (
                lambda: chatd.ChatClientService(
                    number, ENDPOINT, chatd.ChatClientFactory(self.clock)
                ),
                "the reactor must be a reactor, not int",
            ),
            (
                lambda: self.client.command(number),
                "the command must be the name of a command, not int",
            ),
        )

    def test_commands(self) -> None:
        """A client's commands take names and texts, and places in history as numbers."""
        call, room = self.client, "lobby"
        mistakes: list[tuple[Callable[[Any], object], str]] = [
            *((method, "room") for method in (call.join, call.leave, call.who, call.people)),
            *((method, "room") for method in (call.topic, call.make_private, call.make_public)),
            (call.invited, "room"),
            (call.rename, "name"),
            (call.away, "text"),
        ]
        for method, argument in mistakes:
            for wrong, kind in ((None, "NoneType"), (b"x", "bytes")):
                self.check((lambda: method(wrong), f"{argument} must be text, not {kind}"))  # noqa: B023
        texts: list[tuple[Any, tuple[str, ...], dict[str, Any]]] = [
            (call.invite, (room,), {"name": 5}),
            (call.uninvite, (room,), {"name": 5}),
            (call.join, (room,), {"epoch": 5}),
            (call.join, (room,), {"after_id": 5}),
            (call.topic, (room,), {"topic": 5}),
            *((each, (), {"name": 5}) for each in (call.kick, call.ban, call.unban)),
            *((each, (), {"address": 5}) for each in (call.kick, call.ban, call.unban)),
            *((each, ("bob",), {"reason": 5}) for each in (call.kick, call.ban)),
            *((call.history, (), {name: 5}) for name in ("room", "other", "epoch", "after_id")),
            (call.change_password, ("old",), {"new": 5}),
            (call.change_password, (), {"old": 5, "new": "new"}),
        ]
        for method, arguments, more in texts:
            (wrong_one,) = (name for name, value in more.items() if value == 5)
            self.check((lambda: method(*arguments, **more), f"{wrong_one} must be text, not int"))  # noqa: B023
        for method, arguments, argument in (
            (call.join, (room,), "after"),
            *((call.history, (room,), name) for name in ("after", "before", "limit")),
            (call.ban, ("bob",), "until"),
        ):
            self.check(
                (
                    lambda: method(*arguments, **{argument: "5"}),  # noqa: B023
                    f"{argument} must be a number, not str",
                )
            )

    def test_fields(self) -> None:
        """The fields of commands and results are JSON values, and have names of their own."""
        command = chatd.Message(chatd.MessageType.COMMAND, {"id": "1", "command": "roll"})
        cycle: list[Any] = []
        cycle.append(cycle)
        mistakes: tuple[tuple[dict[str, Any], str], ...] = (
            ({"id": "mine"}, "a field cannot be named id: chatd uses this name itself"),
            ({"a": {1}}, "the field a must be a JSON value, and has set"),
            ({"a": [b"x"]}, "the field a must be a JSON value, and has bytes"),
            ({"a": {"b": float("nan")}}, "the field a must be a JSON value, and has nan"),
            ({"a": {1: "b"}}, "the field a must be a JSON value, and has a key that is int"),
            ({"a": cycle}, "the field a is nested too deeply"),
        )
        for fields, told in mistakes:
            for call in (
                lambda: self.client.command("roll", **fields),  # noqa: B023
                lambda: self.session.send_result(command, **fields),  # noqa: B023
            ):
                self.assertEqual(str(self.assertRaises(chatd.LocalProtocolError, call)), told)
        with self.assertRaises(chatd.LocalProtocolError):
            self.client.command("roll", command="mine")

    def test_good_fields(self) -> None:
        """All JSON values arrive as they are, and a tuple as a list."""
        fields = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
        command = chatd.Message(chatd.MessageType.COMMAND, {"id": "1", "command": "roll"})
        event = {**fields, "d": (1, 2), "command": "allowed"}
        self.client._answers.add("1", is_command=True).addCallback(event.update)
        self.session.send_result(command, **fields, d=(1, 2))
        self.server.pump()
        self.assertEqual(event["d"], [1, 2])
        self.assertEqual({"a": event["a"], "b": event["b"]}, fields)

    def test_numbers(self) -> None:
        """A number is not the text of a number."""
        text: Any = "5"
        factory: Any = chatd.ChatFactory
        self.check(
            (
                lambda: factory(self.clock, heartbeat_s=text),
                "heartbeat_s must be a number, not str",
            ),
            (
                lambda: factory(self.clock, max_content=text),
                "max_content must be a number, not str",
            ),
            (
                lambda: chatd.ChatClientFactory(self.clock, max_content=text),
                "max_content must be a number, not str",
            ),
            (lambda: chatd.Limits(max_waiting=text), "max_waiting must be a number, not str"),
            (lambda: chatd.Policy(max_rooms=text), "max_rooms must be a number, not str"),
            (lambda: chatd.Policy(presence_limit=text), "presence_limit must be a number, not str"),
        )

    def test_accounts(self) -> None:
        """Accounts take a list of checkers."""
        accounts: Any = chatd.Accounts
        self.check(
            (lambda: accounts(5, []), "the clock must be the reactor or a Clock, not int"),
            (
                lambda: accounts(self.clock, object()),
                "checkers must be a list of checkers, not object",
            ),
            (
                lambda: accounts(self.clock, [], attempts=5),
                "attempts must be an Attempts, not int",
            ),
            (
                lambda: accounts(self.clock, [], max_checks="5"),
                "max_checks must be a number, not str",
            ),
        )

    def test_parts_of_a_server(self) -> None:
        """A server checks its parts when it gets them."""
        factory: Any = chatd.ChatFactory
        wrong: Any = {}
        self.check(
            (
                lambda: chatd.ChatService(self.clock, factory, ENDPOINT),
                "the factory must be a ChatFactory, such as ChatFactory(reactor), "
                "not the class ChatFactory",
            ),
            (
                lambda: chatd.ChatService(self.clock, self.server.factory, wrong),
                "endpoints must be an endpoint string or a list of them, not dict",
            ),
            (lambda: factory(ENDPOINT), "the clock must be the reactor or a Clock, not str"),
            (
                lambda: factory(self.clock, unix_time=5),
                "unix_time must be a function such as time.time, not int",
            ),
            (lambda: factory(self.clock, accounts=wrong), "accounts must be an Accounts, not dict"),
            (lambda: factory(self.clock, bans=wrong), "bans must be a Bans, not dict"),
            (lambda: factory(self.clock, name=wrong), "the name must be text, not dict"),
            (lambda: chatd.MemoryStore(wrong), "retention must be a Retention, not dict"),
            (lambda: factory(self.clock, limits=wrong), "limits must be a Limits, not dict"),
            (lambda: factory(self.clock, policy=wrong), "policy must be a Policy, not dict"),
            (
                lambda: factory(self.clock, store=wrong),
                "store must be a message store, such as MemoryStore(), not dict",
            ),
            (
                lambda: MemoryServer(factory(self.clock)),
                "factory must be a class such as ChatFactory, or a function, not ChatFactory",
            ),
        )

"""Tests that the code agrees with docs/reference/protocol.md and its test vectors."""

import base64
import inspect
import json
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from noise.connection import Keypair, NoiseConnection
from twisted.trial.unittest import SynchronousTestCase

from chatd.backplane.interface import BACKPLANE_RETENTION
from chatd.chat import commands, presence
from chatd.chat.access import MAX_INVITED, MAX_PRIVATE_ROOMS
from chatd.chat.away import MAX_AWAY
from chatd.chat.commands import Commands
from chatd.chat.history import DEFAULT_LIMIT, MAX_PAGE, PAGE_BYTES
from chatd.chat.names import MAX_NAME, MAX_ROOM, MAX_TOPIC
from chatd.chat.rooms import MAX_ROOMS, PRESENCE_LIMIT
from chatd.config.keyfile import load_key
from chatd.connection.keepalive import SILENT_INTERVALS
from chatd.connection.limits import HANDSHAKE_TIMEOUT_S, MAX_UNESTABLISHED_FRAME
from chatd.errors import ErrorCode, SignatureError
from chatd.storage.memory import MEMORY_RETENTION
from chatd.storage.sqlite.store import SQLITE_RETENTION
from chatd.transport.closing import CLOSE_TIMEOUT_S
from chatd.transport.protocol import MAX_PENDING
from chatd.wire import bounds, messages
from chatd.wire.channel import MAX_RECORD_PLAINTEXT, PREAMBLE, SecureChannel
from chatd.wire.codec import MAX_DEPTH, Codec
from chatd.wire.envelope import ENVELOPE_BYTES, MAGIC, MAX_CONTENT, MAX_HEADER, VERSION
from chatd.wire.keys import mac_key, noise_psk
from chatd.wire.messages import MessageType
from chatd.wire.noise import HANDSHAKE_BYTES, MAX_NOISE_MESSAGE, PROTOCOL_NAME, TAG_BYTES, Handshake

PAGE = (Path(__file__).parents[1] / "docs/reference/protocol.md").read_text(encoding="utf-8")
(_VECTORS,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
VECTORS = json.loads(_VECTORS)
KEYS = {name: bytes.fromhex(text) for name, text in VECTORS["keys"].items() if name != "key_file"}
FRAMES = {vector["name"]: vector for vector in VECTORS["frames"]}
NOISE = VECTORS["noise"]
CONNECTION = VECTORS["connection"]

TYPES_OF_STRUCTS = {
    messages.SessionInit: "SESSION_INIT",
    messages.SessionAck: "SESSION_ACK",
    messages.Heartbeat: "HEARTBEAT",
    messages.ChatHeader: "MESSAGE",
    messages.Error: "ERROR",
    messages.Disconnect: "DISCONNECT",
}
LOCAL_CODES = {"connection-lost", "key-required", "key-unexpected", "wrong-key"}


def from_hex(name):
    """Return a value of the Noise vectors as bytes."""
    return bytes.fromhex(NOISE[name])


def section(title, level="##"):
    """Return the text under a heading, up to the next heading of its level."""
    return PAGE.split(f"\n{level} {title}\n")[1].split(f"\n{level} ")[0].split("\n## ")[0]


def rows(text):
    """Return the cells of each row of all tables in a text, with the title rows."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


class KeyVectorTests(SynchronousTestCase):
    """The shared key, and the keys derived from it."""

    def test_key_file(self):
        """A key file with the text of the vector holds the key."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "key"
        path.touch(mode=0o600)
        path.write_text(VECTORS["keys"]["key_file"])
        self.assertEqual(load_key(path), KEYS["key"])
        encoded = base64.urlsafe_b64encode(KEYS["key"]).decode()
        self.assertEqual(VECTORS["keys"]["key_file"], encoded)

    def test_derived_keys(self):
        """The derived MAC key and psk equal those of the vectors."""
        self.assertEqual(mac_key(KEYS["key"]), KEYS["mac_key"])
        self.assertEqual(noise_psk(KEYS["key"]), KEYS["noise_psk"])
        self.assertEqual(mac_key(None), KEYS["mac_key_without_key"])


class FrameVectorTests(SynchronousTestCase):
    """The frames."""

    def codec(self, vector):
        """Return the codec of a vector."""
        return Codec(KEYS["key"] if vector["with_key"] else None)

    def test_decode(self):
        """Each frame decodes to the type, header and content of its vector."""
        for vector in FRAMES.values():
            message = self.codec(vector).decode(bytes.fromhex(vector["frame"]))
            self.assertEqual(message.type, vector["type"])
            header = msgspec.to_builtins(message.header)
            for field, value in json.loads(vector["header"]).items():
                self.assertEqual(header[field], value)
            self.assertEqual(message.content, bytes.fromhex(vector["content"]))

    def test_encode(self):
        """The header text and the content of each vector make its frame."""
        for vector in FRAMES.values():
            frame = self.codec(vector).encode_parts(
                vector["type"],
                msgspec.Raw(vector["header"].encode()),
                bytes.fromhex(vector["content"]),
            )
            self.assertEqual(frame.hex(), vector["frame"])

    def test_other_key(self):
        """The codec refuses each frame under another key than that of its signature."""
        for vector in FRAMES.values():
            codec = self.codec(vector | {"with_key": not vector["with_key"]})
            self.assertRaises(SignatureError, codec.decode, bytes.fromhex(vector["frame"]))

    def test_kinds(self):
        """There are frames with a key and without a key."""
        self.assertEqual({vector["with_key"] for vector in FRAMES.values()}, {True, False})


class NoiseVectorTests(SynchronousTestCase):
    """The secure channel, made by chatd and by another implementation of Noise."""

    def ephemeral(self, side):
        """Return the fixed ephemeral key of a side."""
        return X25519PrivateKey.from_private_bytes(from_hex(f"{side}_ephemeral_private"))

    def test_names(self):
        """The protocol name, the prologue and the public keys equal those of the code."""
        self.assertEqual(NOISE["protocol_name"].encode(), PROTOCOL_NAME)
        self.assertEqual(from_hex("prologue"), PREAMBLE)
        for side in ("server", "client"):
            public = self.ephemeral(side).public_key().public_bytes_raw()
            self.assertEqual(public, from_hex(f"{side}_ephemeral_public"))

    def test_handshake(self):
        """The handshake writes both messages of the vectors, and reads both."""
        psk = KEYS["noise_psk"]
        server = Handshake(psk, PREAMBLE, initiator=True, ephemeral=self.ephemeral("server"))
        client = Handshake(psk, PREAMBLE, initiator=False, ephemeral=self.ephemeral("client"))
        self.assertEqual(server.write_message().hex(), NOISE["server_message"])
        client.read_message(from_hex("server_message"))
        self.assertEqual(client.write_message().hex(), NOISE["client_message"])
        server.read_message(from_hex("client_message"))
        to_client, to_server = server.split()
        for cipher, name in ((to_client, "server_to_client"), (to_server, "client_to_server")):
            sealed = AESGCM(from_hex(f"{name}_key")).encrypt(bytes(12), b"probe", b"")
            self.assertEqual(cipher.encrypt(b"probe"), sealed)

    def test_connection(self):
        """Both channels write the bytes of the vectors, and read them from each other."""
        channels = {
            side: SecureChannel(
                KEYS["noise_psk"], initiator=side == "server", ephemeral=self.ephemeral(side)
            )
            for side in ("server", "client")
        }
        for entry in CONNECTION:
            sender = channels.pop(entry["from"])
            (receiver,) = channels.values()
            plaintext = b"".join(bytes.fromhex(FRAMES[name]["frame"]) for name in entry["frames"])
            written = sender.seal(plaintext) if plaintext else sender.handshake_to_send()
            self.assertEqual(written.hex(), entry["bytes"])
            receiver.receive_data(written)
            self.assertEqual(receiver.next_plaintext(), plaintext)
            channels[entry["from"]] = sender

    def other_side(self, side):
        """Return a side of the handshake in the other implementation."""
        noise = NoiseConnection.from_name(NOISE["protocol_name"].encode())
        noise.set_psks(psk=KEYS["noise_psk"])
        noise.set_prologue(from_hex("prologue"))
        if side == "server":
            noise.set_as_initiator()
        else:
            noise.set_as_responder()
        private = from_hex(f"{side}_ephemeral_private")
        noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, private)
        with warnings.catch_warnings():  # it warns that fixed keys are for tests only
            warnings.simplefilter("ignore", UserWarning)
            noise.start_handshake()
        return noise

    def test_other_implementation(self):
        """Another implementation makes the same messages, hash, keys and records."""
        sides = {"server": self.other_side("server"), "client": self.other_side("client")}
        for sender, receiver in (("server", "client"), ("client", "server")):
            message = sides[sender].write_message()
            self.assertEqual(message.hex(), NOISE[f"{sender}_message"])
            self.assertEqual(sides[receiver].read_message(message), b"")
        for side, key in (("server", "server_to_client_key"), ("client", "client_to_server_key")):
            self.assertEqual(sides[side].get_handshake_hash(), from_hex("handshake_hash"))
            self.assertEqual(sides[side].noise_protocol.cipher_state_encrypt.k, from_hex(key))
        records = [entry for entry in CONNECTION if entry["frames"]]
        self.assertEqual({entry["from"] for entry in records}, {"server", "client"})
        for entry in records:
            plaintext = b"".join(bytes.fromhex(FRAMES[name]["frame"]) for name in entry["frames"])
            record = sides[entry["from"]].encrypt(plaintext)
            self.assertEqual((len(record).to_bytes(2, "big") + record).hex(), entry["bytes"])


class PageTests(SynchronousTestCase):
    """The tables of the page."""

    def test_message_types(self):
        """The table has each message type with its number, and each type has a section."""
        listed = [(cells[0], cells[1]) for cells in rows(section("Messages").split("\n### ")[0])]
        expected = [
            (str(int(type_)), f"[{type_.name}](#{type_.name.lower()})") for type_ in MessageType
        ]
        self.assertEqual(listed[1:], expected)
        for type_ in MessageType:
            self.assertIn(f"\n### {type_.name}\n", PAGE)

    def test_header_fields(self):
        """The section of each type has each field of its header, and no others."""
        structs = [
            value
            for value in vars(messages).values()
            if isinstance(value, type)
            and issubclass(value, msgspec.Struct)
            and value is not messages.Message
        ]
        self.assertEqual(set(structs), set(TYPES_OF_STRUCTS))
        for struct in structs:
            text = section(TYPES_OF_STRUCTS[struct], "###")
            listed = {cells[0] for cells in rows(text)} - {"field"}
            fields = {f"`{field.encode_name}`" for field in msgspec.structs.fields(struct)}
            self.assertEqual(listed, fields, struct)

    def test_open_header_fields(self):
        """The sections of the open headers have the required fields."""
        for name, fields in (
            ("COMMAND", {"`id`", "`command`"}),
            ("RESULT", {"`id`"}),
            ("EVENT", {"`event`"}),
        ):
            (table, *_) = section(name, "###").split("\n\nFurther")
            self.assertEqual({cells[0] for cells in rows(table)} - {"field"}, fields)

    def test_commands(self):
        """The table has each command with all of its fields, and no others."""
        table = section("Commands").split("\n\nA `?`")[0]
        listed = {cells[0]: set(re.findall(r"`([a-z_]+)`", cells[1])) for cells in rows(table)}
        nothing: Any = None
        commands = Commands(*[nothing] * 7)._commands
        expected = {
            f"`{name}`": {field.encode_name for field in msgspec.structs.fields(fields)}
            for name, (fields, _) in commands.items()
        }
        self.assertEqual({**listed, "command": set()}, {**expected, "command": set()})

    def test_commands_in_the_docstring(self):
        """The docstring of the commands has the fields of the page's table, and no others."""
        table = section("Commands").split("\n\nA `?`")[0]
        listed = {
            cells[0]: sorted(re.findall(r"`([a-z_]+)`", " ".join(cells[1:])))
            for cells in rows(table)
            if cells[0] != "command"
        }
        name = ""
        found: dict[str, list[str]] = {}
        for line in commands.__doc__.split("\n======")[2].splitlines()[1:]:
            name = line[:24].replace("``", "`").strip() or name  # a row may have further lines
            fields = line[24:].replace("the messages, then", "").replace("nothing", "")
            found.setdefault(name, []).extend(re.findall(r"[a-z_]+", fields))
        self.assertEqual({name: sorted(fields) for name, fields in found.items()}, listed)

    def test_refusals(self):
        """Each code that refuses a SESSION_ACK is sent in an ERROR and in a DISCONNECT."""
        text = " ".join(section("SESSION_ACK", "###").split())
        (listed,) = re.findall(r"ERROR and DISCONNECT of the same code: (.*?)\. If", text)
        codes = re.findall(r"`([a-z-]+)`", listed)
        self.assertGreater(len(codes), 10)
        frames = {cells[0].strip("`"): cells[1] for cells in rows(section("Errors"))}
        for code in codes:
            self.assertEqual(frames[code], "ERROR, DISCONNECT", code)

    def test_events(self):
        """The table has each event of the chat with all of its fields, and the welcome."""
        table = section("EVENT", "###").split("Further fields are the event's:")[1]
        listed = {
            event: set(re.findall(r"`([a-z_]+)`", fields)) for event, fields, _ in rows(table)
        }
        del listed["event"]
        welcome = {"session_id", "name", "room", "rooms"}
        made = {}
        for make in (getattr(presence, name) for name in presence.__all__ if name != "event"):
            header = make(**dict.fromkeys(inspect.signature(make).parameters, "x")).header
            event = header.pop("event")
            made[f"`{event}`"] = set(header)
        self.assertEqual(listed, {"`welcome`": welcome, **made})

    def test_error_codes(self):
        """The tables have each code; codes that are never sent have their own table."""
        sent, local = section("Errors").split("never go over the wire")
        codes = [code.value for code in ErrorCode]
        for text, expected in (
            (sent, [code for code in codes if code not in LOCAL_CODES]),
            (local, [code for code in codes if code in LOCAL_CODES]),
        ):
            listed = [cells[0].strip("`") for cells in rows(text) if cells[0] != "code"]
            self.assertEqual(listed, expected)

    def test_codes_in_the_text(self):
        """Each code in the text of the page is in the enum, or is a word that the page defines."""
        words = set(re.findall(r"`([a-z]+-[a-z-]+)`", PAGE))
        events = {"room-changed"}  # the only event whose name has a hyphen
        self.assertEqual(words - events - {code.value for code in ErrorCode}, set())

    def test_bytes(self):
        """The magic, the version and the preamble equal those of the code."""
        for data in (MAGIC, PREAMBLE):
            self.assertIn(f"`{data.hex(' ').upper()}` (`\\x89{data[1:6].decode()}\\r\\n`)", PAGE)
        self.assertTrue(PAGE.startswith(f"# The chatd protocol, version {VERSION}\n"))

    def test_limits(self):
        """The limits equal those of the code."""
        limits = {cells[0]: cells[1] for cells in rows(section("Limits"))}
        for what, expected in {
            "header": f"{MAX_HEADER:,} bytes",
            "content": f"{MAX_CONTENT:,} bytes, unless SESSION_INIT tells another `max_content`",
            "frame, established": f"{ENVELOPE_BYTES} + {MAX_HEADER:,} + `max_content` bytes",
            "frame, before the welcome": f"{MAX_UNESTABLISHED_FRAME:,} bytes",
            "record": f"{TAG_BYTES} to {MAX_NOISE_MESSAGE:,} bytes",
            "handshake record": f"{HANDSHAKE_BYTES} bytes exactly",
            "nesting of a COMMAND's, RESULT's or EVENT's header": f"{MAX_DEPTH} deep",
            "`id`": f"1 to {bounds.MAX_ID} characters",
            "`command`, `event`": f"1 to {bounds.MAX_ID} characters",
            "`room`, `to`": f"to {bounds.MAX_PLACE} characters",
            "name of a room": f"1 to {MAX_ROOM} characters",
            "rooms of a session": f"{MAX_ROOMS}, and {bounds.MAX_FIRST_ROOMS} in SESSION_ACK",
            "private rooms of a server": f"{MAX_PRIVATE_ROOMS:,}",
            "names invited to a room": f"{MAX_INVITED}",
            "topic": f"{MAX_TOPIC} characters",
            "`text` of `away`": f"{MAX_AWAY} characters",
            "`content_type`": (
                f"1 to {bounds.MAX_CONTENT_TYPE} characters, none of them a control character"
            ),
            "name": f"1 to {MAX_NAME} characters",
            "`heartbeat`": f"{bounds.MIN_HEARTBEAT_S} to {bounds.MAX_HEARTBEAT_S:,.0f} seconds",
            "`max_content`": f"{bounds.MIN_MAX_CONTENT} to {bounds.MAX_MAX_CONTENT:,} bytes",
            "time until the welcome": f"{HANDSHAKE_TIMEOUT_S:g} seconds",
            "silence": f"{SILENT_INTERVALS} intervals",
            "what waits for a peer that does not read": (
                f"{MAX_PENDING:,} bytes and one frame of the largest size"
            ),
            "time to read the end of a session": f"{CLOSE_TIMEOUT_S:g} seconds",
        }.items():
            self.assertEqual(limits.pop(what), expected)
        self.assertEqual(limits, {"what": "limit"})
        self.assertIn(f"at most {MAX_RECORD_PLAINTEXT:,} bytes of\nplaintext", PAGE)
        text = " ".join(PAGE.split())
        memory, disk, backplane = MEMORY_RETENTION, SQLITE_RETENTION, BACKPLANE_RETENTION
        for told in (
            f"last {memory.max_messages:,} messages, fewer if they hold more than "
            f"{memory.max_bytes >> 20} MiB",
            f"{disk.max_messages:,} messages and {disk.max_bytes >> 20} MiB",
            f"{backplane.max_messages:,} messages and {backplane.max_bytes >> 20} MiB",
            f"None is older than {disk.max_age_s / 86400:g} days",
            f"a room of more than {PRESENCE_LIMIT} sessions",
            f"`limit` is 1 to {MAX_PAGE}, and {DEFAULT_LIMIT} where",
            f"ends after {PAGE_BYTES >> 20} MiB of content",
        ):
            self.assertIn(told, text)

    def test_links(self):
        """Each link within the page leads to a heading."""
        titles = re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)
        anchors = {title.lower().replace(" ", "-") for title in titles}
        self.assertEqual(set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - anchors, set())

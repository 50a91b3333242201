"""The formulas of the protocol's handshake: run as they stand, they give the test vectors."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import blocks, page

PROTOCOL = blocks(page("docs/reference/protocol.md"))
FORMULAS = [code for language, code in PROTOCOL if not language and " = " in code]
FUNCTIONS, BEGINNING, END = FORMULAS
SERVERS, CLIENTS = [
    code for language, code in PROTOCOL if code.startswith("MixHash(") and not language
]
VECTORS = json.loads(next(code for language, code in PROTOCOL if language == "json"))
NOISE = VECTORS["noise"]

_WORDS = (
    (
        r"AES-256-GCM\(key (\w+), nonce (\d+), associated data (\w+), plaintext (\w+)\)",
        r"seal(\1, \2, \3, \4)",
    ),
    (r"server's public key", "server_public"),
    (r"client's public key", "client_public"),
    (r"own private key", "own_private"),
    (r"the other's public key", "other_public"),
    (r"the first n of (o1, o2, o3)", r"return [\1][:n]"),
    (r"\b0([1-3])\b", r'b"\\x0\1"'),
    (r"\|", "+"),
    (r"\(32 bytes[^)]*\)", ""),
    (r"(\w+) has (\d+) bytes", r"check(len(\1) == \2)"),
)


def to_python(line: str) -> str:
    """Return a line of the formulas as Python."""
    for pattern, other in _WORDS:
        line = re.sub(pattern, other, line)
    return line.strip()


def definitions() -> str:
    """Return the functions of the first block as Python."""
    source = ""
    for each in FUNCTIONS.splitlines():
        line = each
        defined = re.match(r"(\w+)\(([\w, ]*)\):(.*)", each)
        if defined:
            name, arguments, line = defined.groups()
            shared = {"h", "ck", "k", "c"} - set(arguments.split(", "))
            source += f"def {name}({arguments}):\n    global {', '.join(sorted(shared))}\n"
        source += f"    {to_python(line)}\n"
    return source


class Side:
    """A side of the handshake, which does what the page says.

    Args:
        name: `server` or `client`.
    """

    def __init__(self, name: str) -> None:
        private = bytes.fromhex(NOISE[f"{name}_ephemeral_private"])
        other = "client" if name == "server" else "server"
        self.names: dict[str, Any] = {
            "HMAC": lambda key, data: hmac.digest(key, data, "sha256"),
            "SHA256": lambda data: hashlib.sha256(data).digest(),
            "X25519": lambda mine, theirs: X25519PrivateKey.from_private_bytes(mine).exchange(
                X25519PublicKey.from_public_bytes(theirs)
            ),
            "seal": lambda key, nonce, data, text: AESGCM(key).encrypt(
                bytes(4) + nonce.to_bytes(8, "big"), text, data
            ),
            "check": self._check,
            "empty": b"",
            "preamble": bytes.fromhex(NOISE["prologue"]),
            "psk": bytes.fromhex(VECTORS["keys"]["noise_psk"]),
            "own_private": private,
            "other_public": bytes.fromhex(NOISE[f"{other}_ephemeral_public"]),
            "server_public": bytes.fromhex(NOISE["server_ephemeral_public"]),
            "client_public": bytes.fromhex(NOISE["client_ephemeral_public"]),
        }
        exec(definitions(), self.names)

    @staticmethod
    def _check(is_true: bool) -> None:
        if not is_true:
            raise ValueError("the page says otherwise")

    def do(self, block: str) -> None:
        """Do the steps of a block."""
        for line in block.splitlines():
            step = to_python(line)
            if step.startswith("h = ck ="):
                step = re.sub(r'("[^"]*")', r"\1.encode()", step)
            exec(step, self.names)


class FormulaTests(SynchronousTestCase):
    """The blocks of the section on the handshake."""

    def test_handshake(self) -> None:
        """Both sides get the messages, the hash and the keys of the vectors."""
        for name in ("server", "client"):
            side = Side(name)
            side.do(BEGINNING)
            for sender, block in (("server", SERVERS), ("client", CLIENTS)):
                side.do(block)
                message = bytes.fromhex(NOISE[f"{sender}_ephemeral_public"]) + side.names["c"]
                self.assertEqual(message.hex(), NOISE[f"{sender}_message"])
            self.assertEqual(side.names["h"].hex(), NOISE["handshake_hash"])
            side.do(END)
            self.assertEqual(side.names["k1"].hex(), NOISE["server_to_client_key"])
            self.assertEqual(side.names["k2"].hex(), NOISE["client_to_server_key"])

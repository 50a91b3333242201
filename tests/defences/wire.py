"""What is claimed of the bytes on the way."""

from __future__ import annotations

from tests.defences import Defence

WIRE = (
    Defence(
        "Without the key nobody gets a session, nor finds out anything by trying.",
        "tests/wire/test_noise.py::HandshakeTests::test_another_psk",
        "chatd/wire/noise.py",
        "_hkdf(name, psk, 3)",
        "_hkdf(name, bytes(32), 3)",
    ),
    Defence(
        "The secure channel is the published Noise pattern, as another implementation has it.",
        "tests/wire/test_noise.py::OtherImplementationTests::test_initiator",
        "chatd/wire/noise.py",
        "        self._mix_key(public)  # an `e` token in a PSK handshake (section 9.2)\n",
        "",
    ),
    Defence(
        "Each connection has keys of its own, so that what was recorded stays unreadable to who "
        "finds the key later.",
        "tests/wire/test_noise.py::HandshakeTests::test_new_keys_each_time",
        "chatd/wire/noise.py",
        "ephemeral or X25519PrivateKey.generate()",
        "ephemeral or X25519PrivateKey.from_private_bytes(psk)",
    ),
    Defence(
        "A record that is replayed, or comes at another place in the order, ends the connection.",
        "tests/wire/test_noise.py::CipherStateTests::test_replayed",
        "chatd/wire/noise.py",
        "        self._nonce = nonce + 1\n",
        "",
    ),
    Defence(
        "A public key that gives no secret is refused.",
        "tests/wire/test_noise.py::HandshakeTests::test_low_order_answer",
        "chatd/wire/noise.py",
        """        except ValueError:
            raise RecordError("the peer's public key is of low order") from None
""",
        """        except ValueError:
            secret = bytes(32)
""",
    ),
    Defence(
        "Any bit of a message that is damaged is found before anything acts on it.",
        "tests/wire/test_envelope.py::OrderOfChecksTests::test_either_crc",
        "chatd/wire/envelope.py",
        "        if crc32(header) != header_crc:\n",
        "        if False:\n",
    ),
    Defence(
        "A message that was forged without the key, checksums and all, is found, and so is one "
        "whose type or lengths were changed.",
        "tests/wire/test_envelope.py::ForgeryTests::test_crcs_made_to_fit",
        "chatd/wire/envelope.py",
        "        if not compare_digest(outer.digest(), buffer[mac_start:header_start]):\n",
        "        if False:\n",
    ),
    Defence(
        "Signatures are compared in constant time.",
        "tests/test_secrets.py::ConstantTimeTests::test_compare_digest",
        "chatd/wire/envelope.py",
        "        if not compare_digest(outer.digest(), buffer[mac_start:header_start]):\n",
        "        if outer.digest() != buffer[mac_start:header_start]:\n",
    ),
    Defence(
        "A frame over its limit is refused at its length, and nothing of it is kept.",
        "tests/wire/test_frames.py::RefusalTests::test_refused_at_the_length_prefix",
        "chatd/wire/frames.py",
        "            if length > self.max_frame:\n",
        "            if False:\n",
    ),
    Defence(
        "A frame that is none is refused at its first bytes, however long it says it is.",
        "tests/wire/test_frames.py::RefusalTests::test_refused_at_its_start",
        "chatd/wire/frames.py",
        "            self._check_start(self._buffer, start, length)\n",
        "",
    ),
    Defence(
        "Before there is a session, no frame is longer than a greeting needs.",
        "tests/server/test_flood.py::CrowdTests::test_first_frame",
        "chatd/connection/connection.py",
        "codec.reader(handshake.max_frame)",
        "codec.reader()",
    ),
    Defence(
        "A session that has ended reads nothing more, and lets go of what it held.",
        "tests/server/test_flood.py::ArrivingTests::test_lost",
        "chatd/connection/connection.py",
        "        self._reader.discard()  # nothing more is read\n",
        "",
    ),
)

"""Claims about the bytes on the network."""

from __future__ import annotations

from tests.defences import Defence

WIRE = (
    Defence(
        "Without the key, nobody gets a session, and attempts reveal nothing.",
        "tests/wire/test_noise.py::HandshakeTests::test_another_psk",
        "chatd/wire/noise.py",
        "_hkdf(name, psk, 3)",
        "_hkdf(name, bytes(32), 3)",
    ),
    Defence(
        "The secure channel is the published Noise pattern: an independent implementation agrees "
        "with it.",
        "tests/wire/test_noise.py::OtherImplementationTests::test_initiator",
        "chatd/wire/noise.py",
        "        self._mix_key(public)  # an `e` token in a PSK handshake (section 9.2)\n",
        "",
    ),
    Defence(
        "Each connection has its own keys, so recorded traffic stays unreadable even if the key "
        "leaks later.",
        "tests/wire/test_noise.py::HandshakeTests::test_new_keys_each_time",
        "chatd/wire/noise.py",
        "ephemeral or X25519PrivateKey.generate()",
        "ephemeral or X25519PrivateKey.from_private_bytes(psk)",
    ),
    Defence(
        "A replayed or reordered record ends the connection.",
        "tests/wire/test_noise.py::CipherStateTests::test_replayed",
        "chatd/wire/noise.py",
        "        self._nonce = nonce + 1\n",
        "",
    ),
    Defence(
        "A public key that yields no secret is refused.",
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
        "A flipped bit anywhere in a message is found before anything acts on the message.",
        "tests/wire/test_envelope.py::OrderOfChecksTests::test_either_crc",
        "chatd/wire/envelope.py",
        "        if crc32(header) != header_crc:\n",
        "        if False:\n",
    ),
    Defence(
        "A message forged without the key is found even if its checksums are right, and so is a "
        "changed type or length.",
        "tests/wire/test_envelope.py::ForgeryTests::test_crcs_made_to_fit",
        "chatd/wire/envelope.py",
        "        if not compare_digest(outer.digest(), buffer[mac_start:header_start]):\n",
        "        if False:\n",
    ),
    Defence(
        "A flipped bit in one of many messages that arrive together is found as well.",
        "tests/wire/test_envelope_runs.py::FaultTests::test_damaged",
        "chatd/wire/envelope.py",
        "            if crc32(header) != header_crc or crc32(content) != content_crc:\n",
        "            if False:\n",
    ),
    Defence(
        "So is a forged message among others.",
        "tests/wire/test_envelope_runs.py::FaultTests::test_forged",
        "chatd/wire/envelope.py",
        "            if not compare_digest(outer.digest(), view[mac_start:header_start]):\n",
        "            if False:\n",
    ),
    Defence(
        "So is a message beyond the limits among others.",
        "tests/wire/test_envelope_runs.py::FaultTests::test_too_long",
        "chatd/wire/envelope.py",
        "            if header_length > MAX_HEADER or content_length > max_content:\n",
        "            if False:\n",
    ),
    Defence(
        "Signatures are compared in constant time.",
        "tests/test_secrets.py::ConstantTimeTests::test_compare_digest",
        "chatd/wire/envelope.py",
        "        if not compare_digest(outer.digest(), buffer[mac_start:header_start]):\n",
        "        if outer.digest() != buffer[mac_start:header_start]:\n",
    ),
    Defence(
        "A frame over the limit is refused at its length prefix, and none of it is kept.",
        "tests/wire/test_frames.py::RefusalTests::test_refused_at_the_length_prefix",
        "chatd/wire/frames.py",
        "        if length > self.max_frame:\n",
        "        if False:\n",
    ),
    Defence(
        "Bytes that are not a frame are refused at their start, with any announced length.",
        "tests/wire/test_frames.py::RefusalTests::test_refused_at_its_start",
        "chatd/wire/frames.py",
        "            gathering = self._check_start(self._buffer, start, length)\n",
        "            gathering = None\n",
    ),
    Defence(
        "A server cannot make a client take longer messages than the client allows: 64 MiB by "
        "default.",
        "tests/client/test_connect.py::FactoryTests::test_longest_content",
        "chatd/connection/client.py",
        "min(init.max_content, self.codec.max_content)",
        "init.max_content",
    ),
    Defence(
        "Before the session, no frame may be longer than a greeting needs.",
        "tests/server/test_flood.py::CrowdTests::test_first_frame",
        "chatd/connection/connection.py",
        "codec.reader(handshake.max_frame)",
        "codec.reader()",
    ),
    Defence(
        "A session that has ended reads nothing more, and frees its buffers.",
        "tests/server/test_flood.py::ArrivingTests::test_lost",
        "chatd/connection/connection.py",
        "        self._reader.discard()  # nothing more is read\n",
        "",
    ),
)

"""The Noise handshake and its cipher states, against another implementation of Noise."""

from random import Random
from weakref import ref

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import RecordError
from chatd.wire import noise
from chatd.wire.noise import (
    MAX_CIPHERS,
    MAX_NOISE_MESSAGE,
    TAG_BYTES,
    CipherState,
    Handshake,
)
from tests.wire.hostile import flip_bit
from tests.wire.samples import (
    CLIENT_EPHEMERAL,
    LOW_ORDER_KEYS,
    SERVER_EPHEMERAL,
    LowOrderKey,
    other_noise,
    some_examples,
)

PSK = bytes(range(100, 132))
PROLOGUE = b"what was said before"


def initiator(**changes):
    given = {"psk": PSK, "prologue": PROLOGUE, "initiator": True, "ephemeral": SERVER_EPHEMERAL}
    return Handshake(**{**given, **changes})


def responder(**changes):
    return initiator(**{"initiator": False, "ephemeral": CLIENT_EPHEMERAL, **changes})


def shake_hands():
    """Do a handshake, and return each side's cipher states for sending and receiving."""
    first, second = initiator(), responder()
    second.read_message(first.write_message())
    first.read_message(second.write_message())
    return first.split(), second.split()


class RecordedKey:
    """A public key in a recording; a thief has to guess the private key."""

    def __init__(self, public):
        self.public_bytes_raw = lambda: public

    def public_key(self):
        return self

    def exchange(self, peer):
        return X25519PrivateKey.generate().exchange(peer)


def raises_record_error(text=None):
    return pytest.raises(RecordError, match=text)


class OtherImplementationTests(SynchronousTestCase):
    def test_initiator(self):
        """The initiator's messages are valid for the other implementation, and the keys agree."""
        ours = initiator()
        twin = other_noise(PSK, initiator=True, ephemeral=SERVER_EPHEMERAL, prologue=PROLOGUE)
        peer = other_noise(PSK, initiator=False, prologue=PROLOGUE)
        first = ours.write_message()
        self.assertEqual(first, twin.write_message())
        self.assertEqual(peer.read_message(first), b"")
        ours.read_message(bytes(peer.write_message()))
        self.assertTrue(peer.handshake_finished)
        self.talk(ours, peer)

    def test_responder(self):
        """The responder's messages are valid for the other implementation, and the keys agree."""
        ours = responder()
        twin = other_noise(PSK, initiator=False, ephemeral=CLIENT_EPHEMERAL, prologue=PROLOGUE)
        peer = other_noise(PSK, initiator=True, prologue=PROLOGUE)
        first = bytes(peer.write_message())
        ours.read_message(first)
        twin.read_message(first)
        second = ours.write_message()
        self.assertEqual(second, twin.write_message())
        self.assertEqual(peer.read_message(second), b"")
        self.assertTrue(peer.handshake_finished)
        self.talk(ours, peer)

    def talk(self, ours, peer):
        """Send messages of several lengths both ways."""
        sending, receiving = ours.split()
        for length in (0, 1, 100, MAX_NOISE_MESSAGE - TAG_BYTES):
            plaintext = bytes(length)
            self.assertEqual(peer.decrypt(sending.encrypt(plaintext)), plaintext)
            self.assertEqual(receiving.decrypt(peer.encrypt(plaintext)), plaintext)

    def test_refused_by_the_other(self):
        """The other implementation refuses a message made with another psk."""
        peer = other_noise(bytes(32), initiator=False, prologue=PROLOGUE)
        with pytest.raises(InvalidTag):
            peer.read_message(initiator().write_message())


class HandshakeTests(SynchronousTestCase):
    def test_both_sides(self):
        """After the handshake, each side decrypts the other's messages, with two different keys."""
        (first_out, first_in), (second_out, second_in) = shake_hands()
        there, back = first_out.encrypt(b"same"), second_out.encrypt(b"same")
        self.assertNotEqual(there, back)
        self.assertEqual(second_in.decrypt(there), b"same")
        self.assertEqual(first_in.decrypt(back), b"same")

    def test_length(self):
        """A handshake message is a public key and a tag."""
        self.assertEqual(len(initiator().write_message()), 32 + 16)

    def test_new_keys_each_time(self):
        """Without a given ephemeral key, each handshake generates a new key."""
        messages = {initiator(ephemeral=None).write_message()[:32] for _ in range(3)}
        self.assertEqual(len(messages), 3)

    def test_recorded_traffic(self):
        """With the psk and a recording of everything, a thief can decrypt it as neither side."""
        first, second = initiator(ephemeral=None), responder(ephemeral=None)
        offer = first.write_message()
        second.read_message(offer)
        answer = second.write_message()
        first.read_message(answer)
        said = [side.split()[0].encrypt(b"said") for side in (first, second)]
        thief = responder(ephemeral=RecordedKey(answer[:32]))
        thief.read_message(offer)
        thief.write_message()
        for keys, message in zip(thief.split(), reversed(said), strict=True):
            with raises_record_error():
                keys.decrypt(message)
        thief = initiator(ephemeral=RecordedKey(offer[:32]))
        self.assertEqual(thief.write_message(), offer)
        with raises_record_error():
            thief.read_message(answer)
        self.assertEqual(second.split()[1].decrypt(said[0]), b"said")

    def test_another_psk(self):
        """The responder and the initiator refuse a message made with another psk."""
        with raises_record_error("another key"):
            responder(psk=bytes(32)).read_message(initiator().write_message())
        first, other = initiator(), initiator(psk=bytes(32))
        second = responder()
        second.read_message(first.write_message())
        other.write_message()
        with raises_record_error("another key"):
            other.read_message(second.write_message())

    def test_another_prologue(self):
        """Two sides with different prologues refuse each other's messages."""
        with raises_record_error():
            responder(prologue=b"").read_message(initiator().write_message())

    def test_every_bit(self):
        """A handshake message with any flipped bit is an error."""
        message = initiator().write_message()
        for bit in range(8 * len(message)):
            with raises_record_error():
                responder().read_message(flip_bit(message, bit))

    def test_every_bit_of_the_answer(self):
        """An answer with any flipped bit is an error."""
        second = responder()
        second.read_message(initiator().write_message())
        answer = second.write_message()
        for bit in range(8 * len(answer)):
            first = initiator()
            first.write_message()
            with raises_record_error():
                first.read_message(flip_bit(answer, bit))

    def test_answer_to_another_handshake(self):
        """The handshake refuses a recorded answer in another handshake."""
        second = responder()
        second.read_message(initiator().write_message())
        first = initiator(ephemeral=None)
        first.write_message()
        with raises_record_error():
            first.read_message(second.write_message())

    def test_own_message(self):
        """A side that receives its own message refuses it."""
        first = initiator()
        with raises_record_error():
            first.read_message(first.write_message())

    def test_wrong_length(self):
        """The handshake refuses a message of the wrong length before it is parsed."""
        message = initiator().write_message()
        for data in (b"", message[:32], message[:47], message + b"\0"):
            with raises_record_error("has 48 bytes"):
                responder().read_message(data)

    def test_low_order_answer(self):
        """The handshake refuses a public key of low order in the answer."""
        for public in LOW_ORDER_KEYS:
            first = initiator()
            first.write_message()
            with raises_record_error("low order"):
                first.read_message(public + bytes(TAG_BYTES))

    def test_low_order_offer(self):
        """The handshake refuses a public key of low order even if its sender has the psk."""
        for public in LOW_ORDER_KEYS:
            second = responder()
            second.read_message(initiator(ephemeral=LowOrderKey(public)).write_message())
            with raises_record_error("low order"):
                second.write_message()


class CipherStateTests(SynchronousTestCase):
    def test_nonces(self):
        """Message n is AES-256-GCM; its nonce is four zero bytes and n in big-endian."""
        state, aead = CipherState(PSK), AESGCM(PSK)
        for n in range(300):
            nonce = bytes(4) + n.to_bytes(8, "big")
            self.assertEqual(state.encrypt(b"text", b"data"), aead.encrypt(nonce, b"text", b"data"))

    @some_examples
    @given(st.lists(st.tuples(st.binary(), st.binary())))
    def test_any_messages(self, messages):
        """Messages decrypt to the same plaintexts, in the order in which they were encrypted."""
        sending, receiving = CipherState(PSK), CipherState(PSK)
        sealed = [(sending.encrypt(text, data), data) for text, data in messages]
        self.assertEqual(
            [receiving.decrypt(text, data) for text, data in sealed], [t for t, _ in messages]
        )

    def test_views(self):
        """Views of a buffer are encrypted and decrypted like bytes."""
        sealed = CipherState(PSK).encrypt(memoryview(b"-text-")[1:5])
        self.assertEqual(sealed, CipherState(PSK).encrypt(b"text"))
        self.assertEqual(CipherState(PSK).decrypt(memoryview(b"-" + sealed)[1:]), b"text")

    def test_replayed(self):
        """The handshake refuses a repeated message."""
        receiving = CipherState(PSK)
        sealed = CipherState(PSK).encrypt(b"text")
        self.assertEqual(receiving.decrypt(sealed), b"text")
        with raises_record_error():
            receiving.decrypt(sealed)

    def test_reordered_or_left_out(self):
        """The handshake refuses a message that comes before its turn."""
        sending = CipherState(PSK)
        sending.encrypt(b"first")
        with raises_record_error():
            CipherState(PSK).decrypt(sending.encrypt(b"second"))

    def test_every_bit(self):
        """A message with any flipped bit is an error."""
        sealed = CipherState(PSK).encrypt(b"text")
        for bit in range(8 * len(sealed)):
            with raises_record_error():
                CipherState(PSK).decrypt(flip_bit(sealed, bit))

    def test_cut_short(self):
        """The handshake refuses a message that is cut short at any length."""
        sealed = CipherState(PSK).encrypt(b"text")
        for length in range(len(sealed)):
            with raises_record_error():
                CipherState(PSK).decrypt(sealed[:length])

    def test_other_data(self):
        """The handshake refuses a message with other associated data than at its encryption."""
        sealed = CipherState(PSK).encrypt(b"text", b"data")
        with raises_record_error():
            CipherState(PSK).decrypt(sealed, b"else")

    def talk(self, pairs, rounds=1):
        """Pass messages from state to state, in turns; return how many ciphers were made."""
        made = []

        def make(key):
            made.append(key)
            return AESGCM(key)

        self.patch(noise, "AESGCM", make)
        sealed = bytearray(4 + TAG_BYTES)
        for _ in range(rounds):
            for sending, receiving in pairs:
                sending.encrypt_into(b"text", memoryview(sealed))
                self.assertEqual(receiving.decrypt(sealed), b"text")
        return len(made)

    def pairs(self, number):
        """Return pairs of states; no others have ciphers."""
        self.patch(CipherState, "_with_cipher", [])
        self.patch(noise, "random", Random(1).random)
        return [(CipherState(PSK), CipherState(PSK)) for _ in range(number)]

    def test_kept_ciphers(self):
        """A state makes its cipher once, as long as there are not too many."""
        self.assertEqual(self.talk(self.pairs(MAX_CIPHERS // 2), rounds=3), MAX_CIPHERS)

    def test_dropped_ciphers(self):
        """If there are too many, a state without a cipher makes another, and many have theirs."""
        pairs = self.pairs(MAX_CIPHERS)
        self.assertEqual(self.talk(pairs), 2 * MAX_CIPHERS)
        for _ in range(3):
            made = self.talk(pairs)
            self.assertTrue(MAX_CIPHERS < made < 1.9 * MAX_CIPHERS, made)

    def test_handshakes(self):
        """Handshakes take no place of the sessions' ciphers, also those of strangers."""
        pairs = self.pairs(MAX_CIPHERS // 2)
        self.talk(pairs)
        shake_hands()
        with raises_record_error():
            responder(psk=bytes(32)).read_message(initiator().write_message())
        self.assertEqual(self.talk(pairs), 0)

    def test_end(self):
        """When a session ends, nothing keeps its key."""
        state = CipherState(PSK)
        state.encrypt(b"text")
        left = ref(state)
        del state
        self.assertIsNone(left())

    def test_last_nonce(self):
        """A state without further nonces neither encrypts nor decrypts."""
        state = CipherState(PSK)
        state._nonce = 2**64 - 2  # a test cannot count this far
        nonce = bytes(4) + (2**64 - 2).to_bytes(8, "big")
        self.assertEqual(state.encrypt(b"last"), AESGCM(PSK).encrypt(nonce, b"last", b""))
        for function in (state.encrypt, state.decrypt):
            with raises_record_error("used up"):
                function(b"one more")

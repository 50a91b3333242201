"""The keys derived from the shared key."""

import pytest
from twisted.trial.unittest import SynchronousTestCase

from chatd.errors import ConfigurationError
from chatd.wire.keys import KEY_BYTES, mac_key, noise_psk
from tests.wire.samples import KEY, OTHER_KEY, derive


class DerivedKeyTests(SynchronousTestCase):
    def test_mac_key_is_hkdf(self):
        """The MAC key is HKDF-SHA256 of the shared key, with its own info."""
        self.assertEqual(mac_key(KEY), derive(KEY, b"chatd v1 envelope mac"))

    def test_psk_is_hkdf(self):
        """The psk is HKDF-SHA256 of the shared key, with another info."""
        self.assertEqual(noise_psk(KEY), derive(KEY, b"chatd v1 noise psk"))

    def test_known_values(self):
        """The keys derived from bytes 0 to 31 have these values, for authors of other peers."""
        self.assertEqual(
            mac_key(KEY).hex(), "7131c16f1f554f272a0a88f74843d9abf9b11dd9af8f7d95fe98845c394fa9f3"
        )
        self.assertEqual(
            noise_psk(KEY).hex(), "1ddc5f651662196df4edc19a597b614179c9c6d9a79c36b8625825f9d3944442"
        )

    def test_no_key_is_zero_bytes(self):
        """Without a key, the MAC uses 32 zero bytes."""
        self.assertEqual(mac_key(None), mac_key(bytes(32)))
        self.assertEqual(mac_key(bytes(32)), derive(bytes(32), b"chatd v1 envelope mac"))

    def test_keys_differ(self):
        """Each purpose and each shared key has its own derived key."""
        derived = {mac_key(KEY), noise_psk(KEY), mac_key(OTHER_KEY), noise_psk(OTHER_KEY), KEY}
        self.assertEqual(len(derived), 5)
        self.assertEqual({len(key) for key in derived}, {KEY_BYTES})

    def test_wrong_length(self):
        """The error of a shared key that is not 32 bytes long has both lengths."""
        for length in (0, 1, 31, 33, 64):
            for function in (mac_key, noise_psk):
                with pytest.raises(
                    ConfigurationError, match=f"32 bytes, not {length}: chatd.load_key "
                ):
                    function(bytes(length))

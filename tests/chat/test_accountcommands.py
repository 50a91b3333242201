"""Tests of the command `password`."""

from chatd.chat.accountcommands import _Password
from tests.chat.cases import ChatCase


class PasswordTests(ChatCase):
    is_over_redis = True

    def setUp(self):
        super().setUp()
        self.ann = self.chat.arrive("Ann", account=True)
        self.chat.passwords["ann"] = "open sesame"

    def test_change(self):
        """The command changes the password, and the log names only the account."""
        result = self.ask(self.ann, "password", old="open sesame", new="open barley")
        self.assertEqual(result, {})
        self.assertEqual(self.chat.passwords, {"ann": "open barley"})
        self.assertEqual(self.chat.notes, ["Ann changed the password of the account"])

    def test_refused(self):
        """The member gets a refusal's error, and the log has no line."""
        self.assert_refused("auth-failed", self.ann, "password", old="x", new="y")
        self.assert_refused("bad-request", self.ann, "password", new="y")
        self.assertEqual(self.chat.notes, [])

    def test_never_shown(self):
        """The fields of the command do not show the passwords."""
        self.assertNotIn("sesame", repr(_Password(old="sesame", new="sesame")))

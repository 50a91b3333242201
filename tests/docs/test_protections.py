"""Each cell of the security page's table of attackers has the tests that show it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page, section
from tests.docs.promises import PAGE, Cells, missing, named, rows, table, untested

TITLE = "What each protection gives"
COLUMNS = (
    "against",
    "nothing",
    "a key file",
    "`tls:` on both sides",
    "`ssl:HOST:PORT` on the client",
    "accounts",
)

ACCOUNTS = "tests/server/test_admission_accounts.py::AccountTests"
CERTIFICATES = "tests/listening/test_certificates.py"
CHANNEL = "tests/wire/test_channel.py"
FACTORY = "tests/server/test_factory.py::KeyTests"
HANDSHAKE = "tests/wire/test_noise.py::HandshakeTests"
KEY_FILE = "tests/config/test_keyfile.py"
NAMES = "tests/chat/test_names.py::NamesTests"
PASSWORDS = "tests/config/test_passwordfile.py"
RECORDS = "tests/wire/test_channel_faults.py::BadRecordTests"
STORED = "tests/storage/sqlite/test_directory.py::DirectoryTests::test_plain_text"
TLS = "tests/integration/test_tls.py"

UNLIKE = (f"{NAMES}::test_taken", f"{NAMES}::test_any_two")
"""The tests of names, which depend neither on the key nor on the transport."""

PROTECTIONS: Cells = {
    "a listener on the network": [
        ("it reads everything", (f"{FACTORY}::test_without_a_key",)),
        (
            "it sees lengths and times",
            (f"{FACTORY}::test_with_a_key", f"{CHANNEL}::TransportTests::test_both_ways"),
        ),
        ("it sees lengths and times", (f"{TLS}::test_no_word_in_the_clear",)),
        ("it sees lengths and times", (f"{TLS}::test_no_word_in_the_clear",)),
        (
            "it reads every message, but no password: the server takes none that a listener could "
            "read",
            (
                f"{ACCOUNTS}::test_in_the_clear",
                "tests/client/test_connect.py::FactoryTests::test_password_in_the_clear",
                "tests/server/test_passwordchange.py::WhoTests::test_in_the_clear",
            ),
        ),
    ],
    "an attacker on the way who can change bytes": [
        (
            "it changes messages at will, and signs them: everyone knows the key of a server "
            "without a key file",
            (
                "tests/wire/test_codec.py::RoundTripTests::test_without_a_key",
                "tests/wire/test_keys.py::DerivedKeyTests::test_no_key_is_zero_bytes",
            ),
        ),
        (
            "without the key, it can only cut the connection",
            (
                f"{RECORDS}::test_every_bit",
                f"{RECORDS}::test_replayed",
                f"{RECORDS}::test_reordered",
                f"{RECORDS}::test_left_out",
                f"{HANDSHAKE}::test_another_psk",
            ),
        ),
        (
            "it can only cut the connection",
            (f"{TLS}::test_untrusted_certificate", f"{TLS}::test_certificate_of_another_host"),
        ),
        (
            "it can pose as the server: the client checks no certificate",
            (f"{TLS}::test_ssl_without_a_check",),
        ),
        ("no help", (f"{ACCOUNTS}::test_guests_in_the_clear",)),
    ],
    "another member": [
        ("it cannot take a name that is in use", UNLIKE),
        ("the same", UNLIKE),
        ("the same", UNLIKE),
        ("the same", UNLIKE),
        (
            "it cannot take the name of an account, even while nobody uses it",
            (f"{ACCOUNTS}::test_none", f"{ACCOUNTS}::test_guests"),
        ),
    ],
    "a thief of the key file": [
        ("", ()),
        (
            "it cannot read recorded traffic; until you replace the key, it can join, and can pose "
            "as the server",
            (
                f"{HANDSHAKE}::test_new_keys_each_time",
                f"{FACTORY}::test_with_a_key",
                f"{HANDSHAKE}::test_both_sides",
            ),
        ),
        (
            "it can join, but cannot pose as the server: it has no certificate that clients trust",
            (f"{TLS}::test_exchange", f"{TLS}::test_thief_of_the_key"),
        ),
        ("the same as with the key file alone", (f"{TLS}::test_ssl_without_a_check",)),
        (
            "it cannot take the name of an account without the password; if it poses as the "
            "server, it gets the passwords that clients send",
            (f"{ACCOUNTS}::test_none", f"{ACCOUNTS}::test_with_a_key"),
        ),
    ],
    "a thief of the disk": [
        ("it reads all stored messages", (STORED,)),
        ("it also has the key", (f"{KEY_FILE}::WriteKeyFileTests::test_contents",)),
        (
            "it also has the certificate's key",
            (f"{CERTIFICATES}::TlsTests::test_wrong",),
        ),
        ("the same", (f"{CERTIFICATES}::SslTests::test_wrong",)),
        (
            "it has the passwords of a `--password-file` as argon2id hashes, and can guess weak "
            "ones; it reads those of `--auth file:…`",
            (
                "tests/config/test_passwordedit.py::SetTests::test_parameters",
                f"{PASSWORDS}::VerifyTests::test_verify",
                "tests/server/test_accounts.py::TwistedCheckersTests::test_file",
            ),
        ),
    ],
}
"""The cells of each attacker, in the order of the columns, with the tests that show each cell."""


class ProtectionTests(SynchronousTestCase):
    """The table of attackers and protections."""

    def test_table(self) -> None:
        """The page has these cells: look at the tests of each cell that changes."""
        self.assertEqual(rows(section(page(PAGE), TITLE)), table(COLUMNS, PROTECTIONS))

    def test_every_cell(self) -> None:
        """Each cell with a text has a test, and no empty cell has one."""
        self.assertEqual(untested(PROTECTIONS), [])

    def test_tests_exist(self) -> None:
        """Each named test exists."""
        self.assertEqual(missing(named(PROTECTIONS)), [])

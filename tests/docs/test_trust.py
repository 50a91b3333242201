"""Each cell of the security page's table of trust has the tests that show it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page, section
from tests.docs.promises import (
    CHECKED,
    PAGE,
    RECORDED,
    SECRET,
    Cells,
    missing,
    named,
    rows,
    table,
    untested,
)

TITLE = "Who is trusted with what"
COLUMNS = ("who", "is trusted with", "is not trusted with")

ACCOUNTS = "tests/server/test_admission_accounts.py::AccountTests"
CHANNEL = "tests/wire/test_channel.py::TransportTests"
COMMANDS = "tests/chat/test_operatorcommands.py"
CONNECT = "tests/client/test_connect.py::FactoryTests"
CROWD = "tests/server/test_flood.py::CrowdTests"
DIALLING = "tests/backplane/redis/test_dialling.py"
DIRECTORY = "tests/storage/sqlite/test_directory.py::DirectoryTests"
FACTORY = "tests/server/test_factory.py::KeyTests"
FLOOD = "tests/server/test_flood.py"
HANDSHAKE = "tests/wire/test_noise.py::HandshakeTests"
OPERATORS = "tests/chat/test_moderation.py::OperatorTests"
OWN_FILE = "tests/config/test_ownfile.py::OwnerTests"
RECORDS = "tests/wire/test_channel_faults.py::BadRecordTests"
REDIS = "tests/backplane/redis"
TLS = "tests/integration/test_tls.py"

TRUST: Cells = {
    "the machine's administrator, and the user that the daemon runs as": [
        (
            "everything: messages are plain text in the daemon's memory and in `--data`",
            (f"{FACTORY}::test_read_by_the_server", f"{DIRECTORY}::test_plain_text"),
        ),
        ("", ()),
    ],
    "anyone who can reach the Redis of [several daemons](../how-to/several-daemons.md), with its "
    "password": [
        (
            "everything that the daemons store there: reading, changing and deleting messages, "
            "names, private rooms and bans",
            (
                f"{REDIS}/test_chat.py::test_plain_text",
                f"{REDIS}/test_streams.py::test_changed_by_others",
                f"{REDIS}/test_names.py::test_changed_by_others",
                f"{REDIS}/test_link.py::test_wiped",
            ),
        ),
        (
            "the key file, and the passwords of accounts",
            (
                "tests/daemon/test_sameness.py::SamenessTests::test_digests_hide",
                "tests/integration/test_backplane_start.py::test_no_secrets",
            ),
        ),
    ],
    "holders of the key file": [
        (
            "connecting; unless the server asks for a password, reading the rooms that they join, "
            "and speaking there under a free name; without TLS, a holder between a client and the "
            "server can pose as the server",
            (
                f"{FACTORY}::test_with_a_key",
                f"{ACCOUNTS}::test_key_alone",
                f"{HANDSHAKE}::test_both_sides",
                f"{TLS}::test_thief_of_the_key",
            ),
        ),
        (
            "names in use; recorded traffic of other connections",
            ("tests/chat/test_names.py::NamesTests::test_taken", *RECORDED),
        ),
    ],
    "holders of an account": [
        (
            "its name",
            (f"{ACCOUNTS}::test_right_password", f"{ACCOUNTS}::test_several_sessions"),
        ),
        (
            "other accounts' names; kicking and banning",
            (
                f"{ACCOUNTS}::test_wrong",
                "tests/chat/test_hub.py::RenameTests::test_account",
                f"{OPERATORS}::test_a_name_of_another",
                f"{COMMANDS}::RefusalTests::test_only_operators",
            ),
        ),
    ],
    "operators (`--operator`, `--operator-file`)": [
        (
            "kicking and banning, and the list of bans with its addresses; on a server with "
            "accounts, all private rooms, and who is invited to them; on a server without "
            "accounts, anyone who takes the name is an operator",
            (
                f"{COMMANDS}::KickTests::test_by_name",
                f"{COMMANDS}::BanTests::test_by_address",
                "tests/chat/test_lists.py::ListedTests::test_bans",
                "tests/chat/test_access.py::WhoTests::test_private",
                "tests/chat/test_privaterooms.py::CommandTests::test_invited",
                f"{OPERATORS}::test_account_needed",
                f"{OPERATORS}::test_taken_name",
            ),
        ),
        (
            "direct messages between other accounts",
            ("tests/chat/test_history.py::AccountTests::test_operator",),
        ),
    ],
    "users of the same machine": [
        (
            "connecting to a UNIX socket of mode 666, which is the default, and to ports on "
            "loopback",
            (
                "tests/listening/test_endpoints.py::ServerEndpointTests::test_mode",
                "tests/integration/test_daemon.py::test_several_endpoints",
            ),
        ),
        (
            "the key file and the `--password-file`: chatd does not read them if others can, "
            "except a group to which root gave them; the data, whose files chatd makes for the "
            "daemon's user alone. chatd does not check who can read the file of `--auth file:…`, "
            "or the key of a certificate",
            (
                "tests/config/test_keyfile.py::LoadKeyTests::test_open_to_others",
                "tests/config/test_passwordfile.py::LoadTests::test_open_to_others",
                f"{OWN_FILE}::test_lent_by_root",
                f"{OWN_FILE}::test_lent_by_others",
                f"{DIRECTORY}::test_modes",
                "tests/config/test_banfile.py::BanFileTests::test_mode",
                "tests/server/test_accounts.py::TwistedCheckersTests::test_open_to_others",
                f"{TLS}::test_key_open_to_others",
            ),
        ),
    ],
    "the network, and everyone on the way": [
        (
            "delivering, or not; lengths and times",
            (f"{RECORDS}::test_left_out", f"{CHANNEL}::test_one_record_for_a_flush"),
        ),
        (
            "everything else, if there is a key that they do not have, or TLS and clients that "
            "check the certificate; between daemons and Redis, only with `rediss://`",
            (
                f"{RECORDS}::test_every_bit",
                f"{RECORDS}::test_replayed",
                f"{RECORDS}::test_reordered",
                f"{RECORDS}::test_left_out",
                f"{HANDSHAKE}::test_another_psk",
                *SECRET,
                *CHECKED,
                f"{DIALLING}::test_untrusted_certificate",
                f"{DIALLING}::test_in_the_clear",
            ),
        ),
    ],
    "any client, before and after its session begins": [
        (
            "the daemon's memory, time and file descriptors within the "
            "[bounds](../reference/bounds.md)",
            (
                f"{FLOOD}::MessageRateTests::test_burst",
                f"{FLOOD}::CommandRateTests::test_burst",
                "tests/server/test_answers.py::TransactionTests::test_as_much_as_is_allowed",
                "tests/server/test_connections.py::WaitingTests::test_as_many_as_may_be",
            ),
        ),
        (
            "more of them",
            (
                f"{CROWD}::test_first_frame",
                f"{CROWD}::test_handshake_timeout",
                f"{CROWD}::test_let_in_at_once",
                f"{CROWD}::test_those_that_do_not_go",
                f"{CROWD}::test_too_many_of_an_address",
                f"{FLOOD}::AnsweredTests::test_in_turns",
                f"{FLOOD}::ArrivingTests::test_the_oldest_goes",
                f"{FLOOD}::CommandRateTests::test_refill",
                f"{FLOOD}::MessageRateTests::test_refill",
                "tests/server/test_answers.py::TransactionTests::test_too_much",
                "tests/server/test_turnbudget.py::CommandTests::test_others",
                "tests/transport/test_protocol_ends.py::SlowConsumerTests::test_cut_off",
                "tests/listening/test_accepting.py::DoorTests::test_spared",
                "tests/storage/test_memory.py::MemoryStoreTests::test_too_much_in_all",
            ),
        ),
    ],
    "a server, for its clients": [
        (
            "delivering messages, reading them, their senders' names, and the passwords that "
            "clients send",
            (
                "tests/client/test_client_session.py::IterationTests::test_sender",
                f"{FACTORY}::test_read_by_the_server",
                f"{CONNECT}::test_password_with_a_key",
            ),
        ),
        (
            "a client's memory beyond `max_content` for each message, 64 MiB by default",
            (
                f"{CONNECT}::test_longest_content",
                f"{CONNECT}::test_announced_too_much",
            ),
        ),
    ],
}
"""The cells of each row, in the order of the columns, with the tests that show each cell."""


class TrustTests(SynchronousTestCase):
    """The table of the people and programs that somebody has to trust."""

    def test_table(self) -> None:
        """The page has these cells: look at the tests of each cell that changes."""
        self.assertEqual(rows(section(page(PAGE), TITLE)), table(COLUMNS, TRUST))

    def test_every_cell(self) -> None:
        """Each cell with a text has a test, and no empty cell has one."""
        self.assertEqual(untested(TRUST), [])

    def test_tests_exist(self) -> None:
        """Each named test exists."""
        self.assertEqual(missing(named(TRUST)), [])

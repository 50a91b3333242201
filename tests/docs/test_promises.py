"""Each sentence of the security page that promises something has the tests that hold it."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page, section
from tests.docs.promises import CHECKED, PAGE, RECORDED, SECRET, Holders, missing, sentences

ACCOUNTS = "tests/server/test_admission_accounts.py::AccountTests"
BACKPLANE = "tests/daemon/test_backplane_options.py::BackplaneOptionsTests"
CHANNEL = "tests/wire/test_channel.py::TransportTests"
CONNECT = "tests/client/test_connect.py::KeyRefusalTests"
DIALLING = "tests/backplane/redis/test_dialling.py"
DIRECTORY = "tests/storage/sqlite/test_directory.py::DirectoryTests"
ENVELOPE = "tests/wire/test_envelope.py"
FACTORY = "tests/server/test_factory.py::KeyTests"
HIDDEN = "tests/chat/test_private_hidden.py::HiddenTests"
HISTORY = "tests/chat/test_history.py"
KEYS = "tests/wire/test_keys.py::DerivedKeyTests"
NAMES = "tests/chat/test_names.py"
OPEN = "tests/daemon/test_service.py::OpenServerTests"
OPERATORS = "tests/chat/test_operatorcommands.py"
PRIVATE = "tests/chat/test_privaterooms.py"
PROXIES = "tests/integration/test_pages_proxies.py"
REDIS = "tests/backplane/redis"
RETENTION = "tests/storage/test_contract_retention.py::RetentionContract"
ROOMS = "tests/chat/test_rooms.py::JoiningTests"
SEALER = "tests/wire/test_sealer.py"
TLS = "tests/integration/test_tls.py"
WEB = "tests/web"
WEB_BOUNDS = "tests/web/test_websocket_bounds.py"
WITHOUT_KEY = "tests/wire/test_codec.py::RoundTripTests::test_without_a_key"

AT_THE_SERVER: Holders = (
    f"{FACTORY}::test_read_by_the_server",
    f"{DIRECTORY}::test_plain_text",
    f"{REDIS}/test_chat.py::test_plain_text",
)
"""The tests that the server, its directory and its Redis have messages in plain text."""

PROMISES: dict[str, dict[str, Holders]] = {
    "Is it encrypted?": {
        "With a key file: yes, between every client and the server.": SECRET,
        "Anyone with the key file can connect and sign.": (
            f"{CONNECT}::test_same_key",
            f"{KEYS}::test_mac_key_is_hkdf",
        ),
        "They can also join and read, unless the server asks for a password.": (
            f"{FACTORY}::test_with_a_key",
            f"{ACCOUNTS}::test_key_alone",
        ),
        "Without the key file you can neither connect nor read the traffic; recorded traffic stays "
        "unreadable even if the key leaks later, because each connection has keys of its own.": (
            f"{CONNECT}::test_key_required",
            f"{CONNECT}::test_wrong_key",
            "tests/wire/test_noise.py::HandshakeTests::test_another_psk",
            *SECRET,
            *RECORDED,
        ),
        "With TLS: yes, between each client that checks the certificate (`tls:`) and the program "
        "that has the certificate: the daemon, or a proxy before it.": (
            *CHECKED,
            f"{PROXIES}::test_proxy",
            f"{PROXIES}::test_tls_at_chatd",
        ),
        "With neither: no.": (f"{FACTORY}::test_without_a_key",),
        "The signatures then use a key that everyone knows.": (
            f"{KEYS}::test_no_key_is_zero_bytes",
            WITHOUT_KEY,
        ),
        "They show damage, not the sender, and anyone on the way can read along.": (
            f"{ENVELOPE}::DamageTests::test_every_bit",
            WITHOUT_KEY,
            f"{FACTORY}::test_without_a_key",
        ),
        "Anyone who can reach a TCP port can join, unless the server asks for passwords: then "
        "nobody can, because chatd takes no passwords in the clear.": (
            f"{FACTORY}::test_without_a_key",
            f"{ACCOUNTS}::test_in_the_clear",
        ),
        "The daemon warns of a port without a key or TLS that other machines can reach.": (
            f"{OPEN}::test_open",
            f"{OPEN}::test_where_nobody_can_log_in",
        ),
        "In no case from end to end: the server can read every message, and so can anyone who can "
        "read its memory, its `--data` directory or the Redis of several daemons.": AT_THE_SERVER,
        "Between daemons and [their Redis](../how-to/several-daemons.md): only with `rediss://`.": (
            f"{REDIS}/test_address.py::AddressTests::test_hosts",
            f"{DIALLING}::test_untrusted_certificate",
            f"{DIALLING}::test_in_the_clear",
        ),
        "The key file encrypts nothing there.": (f"{REDIS}/test_chat.py::test_plain_text",),
    },
    "Who is trusted with what": {
        "Rooms are open: everyone with a session may join every room that is not private; `/rooms` "
        "lists those that have members or kept messages.": (
            f"{ROOMS}::test_made",
            f"{ROOMS}::test_alike",
            f"{PRIVATE}::CommandTests::test_public",
            "tests/chat/test_commands.py::CommandTests::test_rooms",
        ),
        "On a server with accounts, operators can make [private rooms](../how-to/private-rooms.md),"
        " which only operators and invited accounts may enter.": (
            f"{PRIVATE}::CommandTests::test_private",
            f"{PRIVATE}::CommandTests::test_only_operators",
            f"{PRIVATE}::NoAccountsTests::test_refused",
            "tests/chat/test_access.py::WhoTests::test_private",
        ),
        "Others learn nothing of a private room, except that its name is taken if they try to join "
        "it.": (
            f"{HIDDEN}::test_commands",
            f"{HIDDEN}::test_join",
            f"{HIDDEN}::test_messages",
            f"{HIDDEN}::test_rooms",
            f"{HIDDEN}::test_events",
        ),
        "A direct message goes to the sessions of its two names and to nobody else.": (
            "tests/chat/test_hub.py::DirectTests::test_both_ends",
            f"{HISTORY}::DirectTests::test_both_ends",
        ),
        "A name without an account belongs to the session that has it now, which can read all "
        "direct messages that the server keeps for the name.": (
            f"{HISTORY}::DirectTests::test_next_of_the_name",
            f"{HISTORY}::AccountTests::test_next_guest",
        ),
        "Clients do not learn each other's addresses; only operators see those in the list of "
        "bans.": (
            "tests/chat/test_addresses.py::HiddenTests::test_others",
            f"{OPERATORS}::RefusalTests::test_only_operators",
        ),
    },
    "What each protection gives": {
        "You can combine a key and TLS; an attacker must then break both.": (
            f"{TLS}::test_thief_of_the_key",
            f"{TLS}::test_without_the_key",
        ),
    },
    "What is not promised": {
        "**Secrecy from the server.** Messages are not encrypted from end to end.": AT_THE_SERVER,
        "**The sender, against holders of the key.** The signature of a message shows that a "
        "holder of the key made it.": (
            f"{ENVELOPE}::ForgeryTests::test_mac_of_another_key",
            f"{ENVELOPE}::ForgeryTests::test_crcs_made_to_fit",
        ),
        "It does not show which holder: you rely on the server for the sender's name.": (
            f"{KEYS}::test_mac_key_is_hkdf",
            "tests/client/test_client_session.py::IterationTests::test_sender",
        ),
        "**Hiding who talks when.** Lengths and times of messages are visible on the network; "
        "names and addresses are in the log.": (
            f"{CHANNEL}::test_one_record_for_a_flush",
            "tests/server/test_sessionlog.py::EndedTests::test_established",
        ),
        "**Deletion.** A message that is no longer kept may remain on the disk, and in backups, "
        "for a while.": (
            "tests/storage/sqlite/test_retention.py::DeletingTests::test_left_on_the_disk",
        ),
        "**Names that look alike.** Case, Unicode form and invisible characters do not make "
        "another name, but letters of different scripts do.": (
            f"{NAMES}::FoldTests::test_same",
            f"{NAMES}::CheckNameTests::test_bad_characters",
            f"{NAMES}::CheckNameTests::test_unseen_characters",
            f"{NAMES}::CheckNameTests::test_variations",
            f"{NAMES}::FoldTests::test_scripts",
        ),
        "**The disk.** The size of each room, and of each pair's direct messages, is bounded; "
        "their number is not.": (
            f"{RETENTION}::test_max_messages",
            f"{RETENTION}::test_max_bytes",
            "tests/storage/sqlite/test_retention.py::RoomsTests::test_many",
        ),
        "When it is full, senders get `not-stored`.": (
            "tests/storage/sqlite/test_store_faults.py::FaultTests::test_disk_full",
            "tests/chat/test_commits.py::BrokenStoreTests::test_not_stored",
            "tests/integration/test_faults_disk.py::test_full",
        ),
        "**Addresses behind a proxy.** Bounds and bans apply to the address of the connection.": (
            "tests/server/test_connections.py::SessionTests::test_of_an_address",
            f"{OPERATORS}::BanTests::test_by_address",
            "tests/transport/test_identity.py::ProxyTests::test_no_header",
        ),
        "[Behind a proxy](../how-to/proxies.md), use the PROXY protocol, and keep others from "
        "reaching the port.": (
            "tests/transport/test_identity.py::ProxyTests::test_header",
            "tests/server/test_behind_proxy.py::SiteTests::test_first_bytes",
            f"{PROXIES}::test_proxy",
        ),
        "**Passwords in the list of processes.** `--auth memory:…` and a password in the URL of "
        "`--backplane` show there; the contents of password files do not.": (
            "tests/integration/test_data.py::test_list_of_processes",
            f"{BACKPLANE}::test_password_in_the_url",
        ),
        "**`ssl:HOST:PORT` on the client** checks no certificate; use `tls:` unless there is a "
        "key.": (f"{TLS}::test_ssl_without_a_check",),
        "With `caCertsDir=`, `ssl:` checks that an authority of yours signed the certificate.": (
            f"{TLS}::test_ssl_without_a_host",
            f"{TLS}::test_ssl_of_another_authority",
        ),
        "Only with `hostname=`, it also checks that the certificate is for that host.": (
            f"{TLS}::test_ssl_without_a_host",
            f"{TLS}::test_certificate_of_another_host",
        ),
        "chatd compresses and decompresses nothing: a received message is no longer than its bytes "
        "on the network, and no length shows how well a secret compresses.": (
            "tests/wire/test_no_compression.py::NoCompressionTests::test_every_module",
            "tests/wire/test_no_compression.py::NoCompressionTests::test_c_module",
        ),
        "The optional C module does most of the signing and checking of messages, in place of the "
        "same code in Python.": (
            f"{SEALER}::ChoiceTests::test_pure",
            f"{SEALER}::ChoiceTests::test_native",
        ),
        "The tests of that code in `tests/wire/test_envelope.py` and "
        "`tests/wire/test_envelope_runs.py` run over both, and `NativeSealerTests` in "
        "`tests/wire/test_sealer.py` compares the two.": (
            f"{SEALER}::BothTests::test_each_case",
            f"{SEALER}::NativeSealerTests::test_any_run",
        ),
        "`nox -s sanitizers` runs these tests and a fuzzer of the module under AddressSanitizer "
        "and UBSan.": ("tests/test_habits.py::SessionTests::test_sanitizers",),
        "With `CHATD_PURE=1`, `pip install` leaves the module out.": (
            f"{SEALER}::BuildTests::test_pure",
        ),
    },
    "In browsers": {
        "With `--web`, browsers have sessions like other clients: with a key, nothing that is said "
        "can be read on the way, and [the bounds](../reference/bounds.md) hold for WebSockets, "
        "too.": (
            "tests/integration/test_web.py::test_no_word_in_the_clear",
            f"{WEB_BOUNDS}::BoundTests::test_slow_reader",
            f"{WEB_BOUNDS}::BoundTests::test_paused",
            f"{WEB_BOUNDS}::BoundTests::test_arriving",
            f"{WEB_BOUNDS}::BoundTests::test_handshake_timeout",
        ),
        "**Other pages.** A browser lets any page open a WebSocket; the daemon refuses those of "
        "other origins.": (
            f"{WEB}/test_websocket.py::OpeningTests::test_other_origin",
            f"{WEB}/test_origins.py::AdmitTests::test_other_origins",
        ),
        "A page that points its own name at your machine is refused on loopback by that name.": (
            f"{WEB}/test_site.py::HostTests::test_rebound",
        ),
        "On another address, only the key and accounts keep it out.": (
            f"{WEB}/test_site.py::HostTests::test_reachable",
        ),
        "**Messages are never HTML.** The page's policy lets the browser run nothing but the "
        "files of the page, and put no HTML together.": (
            f"{WEB}/test_site.py::PageTests::test_page",
            f"{WEB}/test_site.py::PageTests::test_policy",
        ),
        "**Passwords.** Without a key, the daemon takes them over TLS only: its own, or that of a "
        "proxy on the same machine that `--web-proxy` names and that sends "
        "`X-Forwarded-Proto: https`.": (
            f"{WEB_BOUNDS}::PasswordTests::test_in_the_clear",
            f"{WEB_BOUNDS}::PasswordTests::test_tls",
            f"{WEB_BOUNDS}::PasswordTests::test_behind_a_proxy",
        ),
    },
}
"""The sentences of each section that promise something of chatd, with the tests that hold them."""

OTHERS: dict[str, str] = {
    "For most attacks, the cells of the key file and of the accounts sum up the "
    "[claims](#claims-and-the-tests-that-hold-them).": "it says where the tests are",
    "In the columns of TLS, chatd relies on Twisted and OpenSSL, with the options of the endpoint "
    "string.": "it is what other programs do",
    "After a theft, [replace the key](../how-to/keys-and-tls.md#replace-a-key) or [change the "
    "password](../how-to/accounts.md#change-or-remove-an-account).": "advice",
    "[Files](../reference/files.md) says which permissions of secret files chatd accepts.": (
        "it says where the permissions are"
    ),
    "**The network.** chatd cannot keep a flooded line free, nor a machine whose memory is less "
    "than the [bounds](../reference/bounds.md#memory) allow.": "nothing is promised",
    "Set them to what the machine has.": "advice",
    "If you do not trust the clients, give `--data` a file system of its own.": "advice",
    "**The page comes from the server.** Anyone who can change it on the way can read what people "
    "say there.": "nothing is promised",
    "So give it over HTTPS, from the daemon or from a proxy: only then, and on `localhost`, "
    "browsers allow the cryptography that it needs.": "advice, and what other programs do",
}
"""The other sentences, each with the reason why it has no test."""


class SentenceTests(SynchronousTestCase):
    """The sentences of the page."""

    def test_sentences(self) -> None:
        """The page has these sentences: look at the tests of each sentence that changes."""
        others = []
        for title, promises in PROMISES.items():
            there = sentences(section(page(PAGE), title))
            others += [each for each in there if each in OTHERS]
            self.assertEqual([each for each in there if each not in OTHERS], list(promises))
        self.assertEqual(others, list(OTHERS))

    def test_sections(self) -> None:
        """Each section is here, except the claims, which `tests/test_defences.py` holds."""
        titles = re.findall(r"^## (.+)$", page(PAGE), re.MULTILINE)
        self.assertEqual(titles, [*PROMISES, "Claims, and the tests that hold them"])

    def test_every_promise(self) -> None:
        """Each promise has a test, and each other sentence has a reason."""
        promised = [each for promises in PROMISES.values() for each in promises.items()]
        self.assertEqual([each for each, tests in promised if not tests], [])
        self.assertEqual([each for each, reason in OTHERS.items() if not reason], [])

    def test_tests_exist(self) -> None:
        """Each named test exists."""
        named = [test for each in PROMISES.values() for tests in each.values() for test in tests]
        self.assertEqual(missing(named), [])


class ReadingTests(SynchronousTestCase):
    """The check itself."""

    def test_sentences(self) -> None:
        """A sentence ends at its point, in a list or out of it, and no table has one."""
        text = (
            "First: one\nline. `Two` is it.\n\n| a | b. C |\n|---|---|\n\n"
            "- **Bold.** Three (`x.y`), e.g. z.\n  Four?\n- [Five](a.md) ends.\n\nSix.\n"
        )
        found = ["First: one line.", "`Two` is it.", "**Bold.** Three (`x.y`), e.g. z.", "Four?"]
        self.assertEqual(sentences(text), [*found, "[Five](a.md) ends.", "Six."])

    def test_missing(self) -> None:
        """A test is missing without its module, its class or itself."""
        own = "tests/docs/test_promises.py::ReadingTests::test_missing"
        wrong = (
            "tests/docs/no.py::ReadingTests::test_missing",
            "tests/docs/test_promises.py::NoTests::test_missing",
            "tests/docs/test_promises.py::ReadingTests::test_no",
            "tests/docs/test_promises.py::test_missing",
        )
        self.assertEqual(missing([own, *wrong, own]), sorted(wrong))

"""What is claimed of who gets in, and of what is secret."""

from __future__ import annotations

from tests.defences import Defence

PEOPLE = (
    Defence(
        "A key file that others can read or write is refused.",
        "tests/test_keyfile.py::LoadKeyTests::test_open_to_others",
        "chatd/files.py",
        "    if is_secret and mode & _OTHERS:\n",
        "    if False:\n",
    ),
    Defence(
        "So is a password file.",
        "tests/test_passwords.py::LoadTests::test_open_to_others",
        "chatd/files.py",
        "    if is_secret and mode & _OTHERS:\n",
        "    if False:\n",
    ),
    Defence(
        "An operator file that others can write is refused.",
        "tests/test_operatorfile.py::LoadTests::test_written_by_others",
        "chatd/files.py",
        "    if mode & _OTHERS_WRITE:\n",
        "    if False:\n",
    ),
    Defence(
        "A new key file is its owner's alone, whatever the umask, and none is overwritten.",
        "tests/test_keyfile.py::WriteKeyFileTests::test_mode",
        "chatd/keyfile.py",
        "            os.fchmod(descriptor, 0o600)\n",
        "            os.fchmod(descriptor, 0o644)\n",
    ),
    Defence(
        "What is kept in --data is the daemon's user's alone, also where its socket is everyone's.",
        "tests/storage/test_sqlite.py::FilesTests::test_modes",
        "chatd/storage/database.py",
        "            self.path.chmod(0o600)  # whatever the umask\n",
        "            self.path.chmod(0o644)\n",
    ),
    Defence(
        "Passwords are kept as argon2id hashes, and checking takes as long for a name that is "
        "not there.",
        "tests/test_passwords.py::VerifyTests::test_unknown_name",
        "chatd/passwords.py",
        "_matches(self._decoy if account is None else account.hash, secret)",
        "account is not None and _matches(account.hash, secret)",
    ),
    Defence(
        "Passwords are not taken over TCP in the clear.",
        "tests/net/test_admission_accounts.py::AccountTests::test_in_the_clear",
        "chatd/net/admission.py",
        "        if not is_guest and not self.takes_passwords(identity):\n",
        "        if False:\n",
    ),
    Defence(
        "Each address may try only so many passwords.",
        "tests/net/test_accounts.py::LimitTests::test_too_many",
        "chatd/net/accounts.py",
        "        if wait_s:\n            raise RequestError(\n",
        "        if False:\n            raise RequestError(\n",
    ),
    Defence(
        "All of an IPv6 address's /64 count as one address.",
        "tests/chat/test_attempts.py::AttemptsTests::test_same_bucket",
        "chatd/chat/addresses.py",
        "    return str(IPv6Network((int(ip), _SITE_BITS), strict=False))\n",
        "    return address\n",
    ),
    Defence(
        "The name of an account is its holder's, and guests' names are marked.",
        "tests/net/test_accounts.py::GuestTests::test_name",
        "chatd/net/accounts.py",
        "        if account.is_guest and name is not None and not fold(name).startswith(GUEST):\n",
        "        if False:\n",
    ),
    Defence(
        "A name in use is not given out again, in whatever case or Unicode form.",
        "tests/chat/test_names.py::NamesTests::test_any_two",
        "chatd/chat/names.py",
        "        if key in self._holders and not (is_account and key in self._accounts):\n",
        "        if False:\n",
    ),
    Defence(
        "On a UNIX socket the system says which user it is, not the peer.",
        "tests/net/test_identity.py::UNIXTests::test_credentials",
        "chatd/net/identity.py",
        'return Identity(f"uid:{uid}", _login_name(uid), is_clear_tcp=False)',
        "return Identity(LOCAL, None, is_clear_tcp=False)",
    ),
    Defence(
        "Only operators kick and ban, and where there are accounts, only with the account.",
        "tests/chat/test_moderation.py::OperatorTests::test_account_needed",
        "chatd/chat/moderation.py",
        "        if member.key not in self._keys or not is_proven:\n",
        "        if member.key not in self._keys:\n",
    ),
    Defence(
        "Who is banned does not come in, whether by name, by address or by an address beside it.",
        "tests/chat/test_moderation.py::BanTests::test_by_address",
        "chatd/chat/moderation.py",
        "            if _is_in_force(ban, now):\n",
        "            if False:\n",
    ),
    Defence(
        "Nobody says anything in a room that it is not in.",
        "tests/chat/test_journal.py::RefusalTests::test_at_once",
        "chatd/chat/hub.py",
        "            room = self.room_of(member, header.room)\n            member.unsettled += 1\n",
        "            room = next(iter(self.rooms.values()))\n            member.unsettled += 1\n",
    ),
    Defence(
        "Who speaks is what the server says, not what the sender writes.",
        "tests/chat/test_journal.py::BatchTests::test_header",
        "chatd/chat/hub.py",
        "            speaker.name,\n            self.unix_time(),\n",
        "            header.sender or speaker.name,\n            self.unix_time(),\n",
    ),
    Defence(
        "Keys, passwords and contents are in no log, no traceback and no error to a peer.",
        "tests/test_secrets.py::LogTests::test_client_error",
        "chatd/net/server.py",
        'self.log.debug("{who}: client\'s error: {code!r}", who=self, code=code)',
        'self.log.debug("{who}: client\'s error: {code!r}", who=self, code=event.header)',
    ),
    Defence(
        "A peer is not told how the server failed.",
        "tests/test_secrets.py::LogTests::test_hook_that_fails",
        "chatd/net/server.py",
        "            error = RequestError(ErrorCode.INTERNAL_ERROR, FAILED)\n",
        "            error = RequestError(ErrorCode.INTERNAL_ERROR, str(error))\n",
    ),
    Defence(
        "Nothing that is shown at a terminal can command it.",
        "tests/cli/test_display.py::PlainTests::test_plain",
        "chatd/cli/display.py",
        "char if char.isprintable() or char in _HARMLESS else",
        "char if True else",
    ),
)

"""Claims about admission, and about secrets."""

from __future__ import annotations

from tests.defences import Defence

PEOPLE = (
    Defence(
        "A key file that others can read or write is refused.",
        "tests/config/test_keyfile.py::LoadKeyTests::test_open_to_others",
        "chatd/config/ownfile.py",
        "    if is_secret and status.st_mode & _OTHERS and not _is_lent_by_root(status):\n",
        "    if False:\n",
    ),
    Defence(
        "A password file that others can read or write is refused.",
        "tests/config/test_passwordfile.py::LoadTests::test_open_to_others",
        "chatd/config/ownfile.py",
        "    if is_secret and status.st_mode & _OTHERS and not _is_lent_by_root(status):\n",
        "    if False:\n",
    ),
    Defence(
        "A secret file that its group can read is accepted only if root owns it.",
        "tests/config/test_ownfile.py::OwnerTests::test_lent_by_others",
        "chatd/config/ownfile.py",
        "    return status.st_uid == 0 and lets_group_read and has_group\n",
        "    return lets_group_read and has_group\n",
    ),
    Defence(
        "An operator file that others can write is refused.",
        "tests/config/test_operatorfile.py::LoadTests::test_written_by_others",
        "chatd/config/ownfile.py",
        "    elif status.st_mode & _OTHERS_WRITE:\n",
        "    elif False:\n",
    ),
    Defence(
        "Only its owner can read or write a new key file, with any umask, and keygen "
        "overwrites no file.",
        "tests/config/test_keyfile.py::WriteKeyFileTests::test_mode",
        "chatd/config/keyfile.py",
        "            os.fchmod(descriptor, 0o600)\n",
        "            os.fchmod(descriptor, 0o644)\n",
    ),
    Defence(
        "Only the daemon's user can read or write the files in --data, even if everyone can use "
        "its socket.",
        "tests/storage/sqlite/test_directory.py::DirectoryTests::test_modes",
        "chatd/storage/sqlite/directory.py",
        "            self.database.chmod(0o600)  # with any umask\n",
        "            self.database.chmod(0o644)\n",
    ),
    Defence(
        "As root, `chatd backup` opens a database only with its owner's rights, and only if nobody "
        "else can change its directory.",
        "tests/storage/sqlite/test_ownership.py::OwnershipTests::test_directory_of_others",
        "chatd/storage/sqlite/ownership.py",
        "    is_open = bool(status.st_mode & _OTHERS_WRITE)\n",
        "    is_open = False\n",
    ),
    Defence(
        "A `--password-file` holds argon2id hashes, and checking an unknown name takes as long as "
        "checking most known names.",
        "tests/config/test_passwordfile.py::VerifyTests::test_unknown_name",
        "chatd/config/passwordfile.py",
        "matches(self._decoy if account is None else account.hash, secret)",
        "account is not None and matches(account.hash, secret)",
    ),
    Defence(
        "Passwords are not accepted over TCP in the clear.",
        "tests/server/test_admission_accounts.py::AccountTests::test_in_the_clear",
        "chatd/server/admission.py",
        "        if not is_guest and not self.takes_passwords(applicant.identity):\n",
        "        if False:\n",
    ),
    Defence(
        "The number of password attempts of each address is limited.",
        "tests/server/test_accounts.py::LimitTests::test_too_many",
        "chatd/server/accounts.py",
        "        if wait_s:\n            raise RequestError(\n",
        "        if False:\n            raise RequestError(\n",
    ),
    Defence(
        "Logins of different addresses are checked in turn: an address waits for at most one "
        "login of each other address.",
        "tests/server/test_fairqueue.py::OrderTests::test_one_of_every_other",
        "chatd/server/fairqueue.py",
        "        self._sites.move_to_end(site)\n",
        "",
    ),
    Defence(
        "A login gives up its turn as soon as its connection ends, so that such logins do not "
        "pile up.",
        "tests/server/test_admission_waits.py::WaitingTests::test_hung_up",
        "chatd/server/sessionprotocol.py",
        "            self._engine.admission.withdraw(self.connection.session_id)\n",
        "",
    ),
    Defence(
        "A client that has hung up loses its turn even before the server reads the end of its "
        "connection.",
        "tests/server/test_admission_waits.py::WaitingTests::test_end_not_read",
        "chatd/server/sessionprotocol.py",
        "not (self.connection.is_over or has_hung_up(self.stream))",
        "not self.connection.is_over",
    ),
    Defence(
        "An IPv6 address counts as its whole /64.",
        "tests/server/test_attempts.py::AttemptsTests::test_same_bucket",
        "chatd/chat/addresses.py",
        "str(IPv6Network((int(ip), _SITE_BITS), strict=False))\n",
        "address\n",
    ),
    Defence(
        "All loopback addresses of a machine count as one, as every user of the machine can take "
        "any of them.",
        "tests/chat/test_addresses.py::SiteTests::test_networks",
        "chatd/chat/addresses.py",
        '        return _LOOPBACK if address.startswith("127.") else address\n',
        "        return address\n",
    ),
    Defence(
        "Names contain no invisible characters that would make them look like other names.",
        "tests/chat/test_names.py::CheckNameTests::test_unseen_characters",
        "chatd/chat/names.py",
        "    if not name.isascii() and _UNSEEN.search(name):\n",
        "    if False:\n",
    ),
    Defence(
        "Only its holder can use an account's name, and guests' names have a prefix.",
        "tests/server/test_accounts.py::GuestTests::test_name",
        "chatd/server/accounts.py",
        "        if account.is_guest and name is not None and not fold(name).startswith(GUEST):\n",
        "        if False:\n",
    ),
    Defence(
        "A name in use is not given out again, in any case or Unicode form.",
        "tests/chat/test_names.py::NamesTests::test_any_two",
        "chatd/chat/names.py",
        "            if key not in self._holders or (is_account and key in self._accounts):\n",
        "            if True:\n",
    ),
    Defence(
        "On a UNIX socket, the system identifies the user; the client does not.",
        "tests/transport/test_identity.py::UNIXTests::test_credentials",
        "chatd/transport/identity.py",
        'return Identity(f"uid:{uid}", _login_name(uid), is_clear_tcp=False)',
        "return Identity(LOCAL, None, is_clear_tcp=False)",
    ),
    Defence(
        "A private room is hidden from everybody but operators and invited accounts, except that "
        "its name is taken.",
        "tests/chat/test_private_hidden.py::HiddenTests::test_commands",
        "chatd/chat/access.py",
        "        return person.key in room.invited or self._operators.includes(person)\n",
        "        return True\n",
    ),
    Defence(
        "A password can be changed only with the present password.",
        "tests/config/test_passwordedit_change.py::ChangeTests::test_wrong",
        "chatd/config/passwordedit.py",
        "            if known.verify(name, old) is None:\n",
        "            if fold(name) not in accounts:\n",
    ),
    Defence(
        "Only operators can kick and ban, and on a server with accounts only after a login.",
        "tests/chat/test_moderation.py::OperatorTests::test_account_needed",
        "chatd/chat/moderation.py",
        " and (person.has_account or not self.needs_account)\n",
        "\n",
    ),
    Defence(
        "A ban keeps a client out by name and by address; the ban of an IPv6 address covers its "
        "whole /64.",
        "tests/chat/test_operatorcommands.py::BanTests::test_by_address",
        "chatd/chat/moderation.py",
        "            if _is_in_force(ban, now):\n",
        "            if False:\n",
    ),
    Defence(
        "A client cannot send to a room that it is not in.",
        "tests/chat/test_commits.py::RefusalTests::test_at_once",
        "chatd/chat/hub.py",
        "            room = self.roster.room_of(member, header.room)\n            return",
        "            room = next(iter(self.roster.rooms.values()))\n            return",
    ),
    Defence(
        "The server sets the sender of each message; the client cannot.",
        "tests/chat/test_commits.py::StoredTests::test_header",
        "chatd/chat/hub.py",
        "                sender=sender,\n",
        "                sender=header.sender or sender,\n",
    ),
    Defence(
        "Keys, passwords and contents appear in no log, traceback or error to a peer.",
        "tests/test_secrets.py::LogTests::test_client_error",
        "chatd/server/protocol.py",
        'self._log_client_error(getattr(error.header, "code", ""))',
        "self._log_client_error(str(error.header))",
    ),
    Defence(
        "A client cannot forge a line of the log, or fill a line with its own text.",
        "tests/server/test_sessionlog.py::EndedTests::test_own_words",
        "chatd/server/sessionlog.py",
        "reason=_quoted(end.reason, MAX_LOGGED_REASON)",
        "reason=end.reason[:MAX_LOGGED_REASON]",
    ),
    Defence(
        "Peers get no details of the server's failures.",
        "tests/test_secrets.py::LogTests::test_hook_that_fails",
        "chatd/server/sessionprotocol.py",
        "            error = RequestError(ErrorCode.INTERNAL_ERROR, FAILED)\n",
        "            error = RequestError(ErrorCode.INTERNAL_ERROR, str(error))\n",
    ),
    Defence(
        "Displayed text cannot send commands to the terminal.",
        "tests/cli/test_printable.py::PlainTests::test_controls",
        "chatd/cli/printable.py",
        'char if char.isprintable() or char in _JOINERS or char == "\\t" else',
        "char if True else",
    ),
)

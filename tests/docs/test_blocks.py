"""Every block of every page has a test: a new block without a test fails here."""

from __future__ import annotations

import ast

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import ROOT, blocks, page, page_names

DOCUMENTS = "tests/test_documents.py"
VECTORS = "tests/test_vectors.py"
TRANSCRIPTS = "tests/docs/test_transcripts.py"
CLIENT = "tests/docs/test_client_page.py"
COMMANDS = "tests/docs/test_commands.py"
DRAWINGS = "tests/docs/test_drawings.py"
FORMULAS = "tests/docs/test_formulas.py"
CERTIFICATES = "tests/integration/test_pages_certificates.py"
CONTAINERS = "tests/integration/test_pages_containers.py"
FAIL2BAN = "tests/integration/test_pages_fail2ban.py"
JAVASCRIPT = "tests/integration/test_javascript.py"
LINES = "tests/integration/test_pages_lines.py"
LOG = "tests/integration/test_pages_log.py"
LOG_PAGE = "tests/server/test_sessionlog_page.py"
PROXIES = "tests/integration/test_pages_proxies.py"
SERVER_CHECK = "tests/backplane/redis/test_servercheck.py"
SEVERAL = "tests/integration/test_pages_several_daemons.py"
SSH = "tests/integration/test_pages_ssh.py"
WEB = "tests/integration/test_pages_web.py"
SYSTEMD = "tests/integration/test_pages_systemd.py"

EVERYWHERE = {
    "console": f"{TRANSCRIPTS}::test_every_page",
    "sh": f"{TRANSCRIPTS}::test_every_page",
    "python": f"{DOCUMENTS}::test_programs_are_the_examples",
    "{eval-rst}": f"{DOCUMENTS}::test_reference",
    "{toctree}": f"{DOCUMENTS}::test_site",
}
"""The languages whose blocks a test checks on each page, with that test."""

HELD: dict[str, list[tuple[str, str]]] = {
    "CONTRIBUTING.md": [
        ("text", f"{COMMANDS}::test_set_up"),
        *[("text", f"{COMMANDS}::test_release")] * 3,
        *[("text", f"{COMMANDS}::test_build_and_upload")] * 3,
    ],
    "docs/explanation/design.md": [("text", f"{DRAWINGS}::test_way_of_a_message")],
    "docs/how-to/accounts.md": [("text", f"{LINES}::test_refused_login")],
    "docs/how-to/asyncio.md": [("text", f"{COMMANDS}::test_web_hook")],
    "docs/how-to/backup.md": [
        *[("ini", f"{SYSTEMD}::test_backup")] * 2,
        ("text", f"{LINES}::test_copied_directory"),
    ],
    "docs/how-to/certificates.md": [("text", f"{CERTIFICATES}::test_renewed")] * 5,
    "docs/how-to/containers.md": [
        ("dockerfile", f"{CONTAINERS}::test_image_commands"),
        ("text", f"{CONTAINERS}::test_mounts"),
        ("text", f"{CONTAINERS}::test_daemon"),
    ],
    "docs/how-to/fail2ban.md": [
        ("text", f"{FAIL2BAN}::test_filter"),
        ("ini", f"{FAIL2BAN}::test_jail"),
        ("ini", f"{FAIL2BAN}::test_jail"),
        ("text", f"{FAIL2BAN}::test_filter"),
    ],
    "docs/how-to/health-check.md": [
        ("text", f"{LINES}::test_warnings"),
        ("text", f"{LINES}::test_new_directory"),
    ],
    "docs/how-to/keys-and-tls.md": [
        ("text", f"{CERTIFICATES}::test_endpoints_of_keys"),
        ("text", f"{CERTIFICATES}::test_client"),
    ],
    "docs/how-to/log-rotation.md": [
        ("text", f"{LOG}::test_rotated"),
        ("text", f"{LOG}::test_rotated"),
    ],
    "docs/how-to/measure.md": [("text", f"{COMMANDS}::test_set_up")],
    "docs/how-to/profiles.md": [("toml", f"{TRANSCRIPTS}::test_profiles")],
    "docs/how-to/proxies.md": [
        ("text", f"{LINES}::test_behind_a_proxy"),
        *[("text", f"{PROXIES}::test_proxy")] * 4,
    ],
    "docs/how-to/several-daemons.md": [
        ("text", f"{SEVERAL}::test_install"),
        ("text", f"{SEVERAL}::test_one_chat"),
        ("text", f"{SEVERAL}::test_own_user"),
        ("text", f"{SEVERAL}::test_own_user"),
        ("text", f"{SEVERAL}::test_one_chat"),
        ("text", f"{SEVERAL}::test_behind_a_proxy"),
    ],
    "docs/how-to/ssh.md": [
        ("text", f"{SSH}::test_client_there"),
        ("text", f"{SSH}::test_forwarded_socket"),
        ("text", f"{SSH}::test_daemon_for_one_connection"),
        ("ini", f"{SYSTEMD}::test_inetd"),
        ("text", f"{SYSTEMD}::test_tried_inetd"),
    ],
    "docs/how-to/systemd.md": [
        ("text", f"{SYSTEMD}::test_installing"),
        ("ini", f"{SYSTEMD}::test_service"),
        *[("ini", f"{SYSTEMD}::test_sockets")] * 5,
        ("text", f"{SYSTEMD}::test_tried_sockets"),
        ("text", f"{SYSTEMD}::test_removing"),
    ],
    "docs/how-to/test-your-service.md": [
        ("text", f"{COMMANDS}::test_example_commands"),
        ("text", f"{COMMANDS}::test_example_commands"),
        ("text", "tests/integration/test_examples.py::test_pytest_asyncio"),
        ("text", f"{COMMANDS}::test_example_commands"),
    ],
    "docs/how-to/upgrade.md": [
        ("text", f"{COMMANDS}::test_upgrade"),
        ("text", f"{LINES}::test_newer_database"),
        ("text", f"{SERVER_CHECK}::test_newer_layout"),
        ("text", f"{COMMANDS}::test_upgrade"),
    ],
    "docs/how-to/web.md": [
        ("text", f"{WEB}::test_install"),
        ("text", f"{WEB}::test_one_machine"),
        ("text", f"{WEB}::test_nginx"),
        ("text", f"{WEB}::test_nginx"),
        ("text", f"{WEB}::test_caddy"),
    ],
    "docs/reference/api.md": [
        ("text", f"{COMMANDS}::test_site"),
        ("text", f"{COMMANDS}::test_types"),
        ("text", f"{DOCUMENTS}::test_errors_are_drawn"),
    ],
    "docs/reference/client.md": [
        ("toml", f"{CLIENT}::test_profile"),
        ("text", f"{CLIENT}::test_completion"),
        ("text", f"{CLIENT}::test_manual"),
        ("text", f"{CLIENT}::test_manual_is_found"),
        ("text", f"{CLIENT}::test_many_lines"),
        ("text", f"{CLIENT}::test_many_lines"),
        ("text", f"{CLIENT}::test_lost"),
    ],
    "docs/reference/javascript.md": [
        ("js", f"{JAVASCRIPT}::test_example"),
        ("text", f"{JAVASCRIPT}::test_example"),
    ],
    "docs/reference/log.md": [
        *[("text", f"{LOG_PAGE}::test_example")] * 2,
        *[("text", f"{LOG_PAGE}::test_operators")] * 2,
    ],
    "docs/reference/terminal.md": [("text", f"{DOCUMENTS}::test_status_line")],
    "docs/reference/protocol.md": [
        ("", f"{DRAWINGS}::test_layers"),
        *[("", f"{FORMULAS}::test_handshake")] * 5,
        ("", f"{DRAWINGS}::test_types"),
        ("json", f"{VECTORS}::test_decode"),
    ],
}
"""The other blocks of each page, in their order: the language, and the test that checks it."""


def names_in(path: str) -> set[str]:
    """Return the names of the tests in a module."""
    tree = ast.parse(page(path))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


class BlockTests(SynchronousTestCase):
    """The blocks of code, configuration, output and drawing in the pages."""

    def test_every_block(self) -> None:
        """Each block is in a table above, with its language and its place among the others."""
        for name in page_names():
            others = [language for language, _ in blocks(page(name)) if language not in EVERYWHERE]
            held = [language for language, _ in HELD.get(name, [])]
            self.assertEqual(others, held, name)

    def test_every_fence(self) -> None:
        """Each fence belongs to a block, so that no fence escapes the check."""
        for name in page_names():
            lines = [line.strip() for line in page(name).splitlines()]
            fences = sum(line.startswith(("```", "~~~")) for line in lines)
            self.assertEqual(fences, 2 * len(blocks(page(name))), name)

    def test_tests_exist(self) -> None:
        """Each test in the tables exists."""
        named = [*EVERYWHERE.values(), *(test for held in HELD.values() for _, test in held)]
        for test in named:
            path, _, function = test.partition("::")
            self.assertTrue((ROOT / path).is_file(), path)
            self.assertIn(function, names_in(path), path)

    def test_pages_exist(self) -> None:
        """Each page in the table exists."""
        self.assertEqual(set(HELD) - set(page_names()), set())

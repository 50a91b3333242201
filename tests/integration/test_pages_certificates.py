"""The pages on certificates: certbot's hook renews them, and the endpoints serve them."""

import os
import re
import shlex
import signal

import pytest
from cryptography import x509
from twisted.internet import reactor

import chatd
from tests.docs.pages import block
from tests.fakes.pems import make_pair
from tests.integration.daemons import tcp_port
from tests.integration.onpage import ENVIRONMENT, with_words
from tests.integration.processes import Process, daemon, run_command
from tests.integration.sessions import leave
from tests.integration.tls import tls_client
from tests.integration.tools import tool

PAGE = "docs/how-to/certificates.md"
KEYS = "docs/how-to/keys-and-tls.md"
ENDPOINTS = block(PAGE, "--endpoint tls:").splitlines()
HOOK = block(PAGE, "RENEWED_LINEAGE/$name.pem")
BY_HAND = block(PAGE, "sudo RENEWED_LINEAGE")
READ_AGAIN = block(PAGE, "read again").strip()
SHOW = block(PAGE, "openssl s_client")
# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


class Lineage:
    """A directory with certbot's files for a host, and the page's hook for it.

    Args:
        directory: The test's directory; the hook copies the files to its folder `tls`.
    """

    def __init__(self, directory):
        self._live = directory / "live" / "chat.example.org"
        self._live.mkdir(parents=True)
        self._hook = directory / "hook"
        words = {
            "/etc/chatd": str(directory),
            "/run/chatd": str(directory),
            "-o root -g chatd": f"-o {os.getuid()} -g {os.getgid()}",
        }
        self._hook.write_text(with_words(HOOK, words))
        self._hook.chmod(0o755)

    def renew(self):
        """Put a new certificate there, as certbot does, and return its serial number."""
        key, certificate = make_pair()
        (self._live / "privkey.pem").write_bytes(key)
        for name in ("cert", "chain"):  # the certificate signs itself
            (self._live / f"{name}.pem").write_bytes(certificate)
        return x509.load_pem_x509_certificate(certificate).serial_number

    def run(self):
        """Run the hook by hand, as the page says."""
        words = {
            "sudo ": "",
            "/etc/letsencrypt/live/chat.example.org": str(self._live),
            "/etc/letsencrypt/renewal-hooks/deploy/chatd": str(self._hook),
        }
        done = run_command("sh", "-c", with_words(BY_HAND, words))
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def lineage(tmp_path):
    return Lineage(tmp_path)


def options_of(line, directory):
    """Return the daemon's options in a line of the page, on a free port."""
    adapted = with_words(line, {"/etc/chatd": str(directory), ":9999": ":0"})
    return shlex.split(adapted.partition(" chatd ")[2])


def served(port):
    """Return the serial number of the certificate that the page's command shows."""
    words = {"chat.example.org:9999": f"127.0.0.1:{port}", "-dates": "-dates -serial"}
    shown = run_command("bash", "-c", with_words(SHOW, words), env=ENVIRONMENT)
    assert "notAfter=" in shown.stdout, shown.stderr
    return int(re.findall("serial=([0-9A-F]+)", shown.stdout)[0], 16)


@pytest.mark.parametrize("line", ENDPOINTS, ids=["tls", "ssl"])
async def test_renewed(lineage, tmp_path, line):
    """The hook gives the daemon new certificates; the log tells so; open sessions go on."""
    tool("openssl")
    first = lineage.renew()
    lineage.run()
    directory = tmp_path / "tls"
    assert directory.stat().st_mode & 0o777 == 0o750
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o640}
    flag, endpoint = options_of(line, tmp_path)
    assert flag == "--endpoint"
    program = ("twistd", "-n", f"--pidfile={tmp_path}/chatd.pid")
    with daemon(endpoint=endpoint, program=program) as process:
        port = tcp_port(process)
        roots = tmp_path / "roots"
        roots.mkdir()
        (roots / "cert.pem").write_bytes((directory / "cert.pem").read_bytes())
        alice = await chatd.connect(reactor, tls_client(roots, port), name="alice")
        assert served(port) == first
        second = lineage.renew()
        lineage.run()
        said = with_words(READ_AGAIN, {"tls:/etc/chatd/tls:9999": endpoint})
        process.output.wait_for(re.escape(said))
        assert served(port) == second
        assert (await alice.send("still here")).text == "still here"
        await leave(alice)
        process.send_signal(signal.SIGTERM)
        process.wait()


async def test_endpoints_of_keys(tmp_path):
    """The endpoints in the page on keys serve, with relative paths from the daemon's directory."""
    key, certificate = make_pair()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(certificate)
    for line in block(KEYS, "--endpoint ssl:9999").splitlines():
        there = line.replace("DIRECTORY", ".").replace("9999", "0")
        with Process(
            "twistd", "-n", "--pidfile=", "chatd", *there.split(), cwd=tmp_path
        ) as process:
            port = tcp_port(process)
            (tmp_path / "roots").mkdir(exist_ok=True)
            (tmp_path / "roots" / "cert.pem").write_bytes(certificate)
            client = await chatd.connect(reactor, tls_client(tmp_path / "roots", port))
            assert (await client.send("hello")).text == "hello"
            await leave(client)


def test_client(certificates):
    """The page's client refuses a certificate that no trusted authority signed."""
    pem = certificates / "localhost.pem"
    endpoint = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    with daemon(endpoint=endpoint) as process:
        address = f"localhost:{tcp_port(process)}"
        text = block(KEYS, "chatd connect tls:")
        command = with_words(text, {"chat.example.org:9999": address}).split()
        refused = run_command(*command, input="hello\n")
        assert refused.returncode != 0
        assert "certificate" in refused.stderr
        command[-1] += f":trustRoots={certificates}"
        trusted = run_command(*command, input="hello\n")
        assert trusted.returncode == 0, trusted.stderr

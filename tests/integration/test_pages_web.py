"""The page on browsers: its commands run, and nginx and Caddy pass clients on as it says."""

import json
import os
import re
import shlex
import socket
import ssl
import urllib.error
import urllib.request

import pytest

from chatd import write_key_file
from chatd.config.passwordedit import set_password
from tests.docs.pages import block, page
from tests.fakes.passwords import CHEAP
from tests.fakes.pems import write_certificate
from tests.integration.caddy import running_caddy
from tests.integration.daemons import stop
from tests.integration.nginx import running_nginx
from tests.integration.onpage import with_words
from tests.integration.processes import daemon, run_command

PAGE = "docs/how-to/web.md"
NGINX = block(PAGE, "proxy_pass ")
CADDY = block(PAGE, "reverse_proxy ")
ADDRESS = r"alice: established: address=127\.0\.0\.1 "
"""What the daemon logs of a client, with its own address."""
PROXY = "127.0.0.2"
"""The address from which nginx connects; clients connect from 127.0.0.1."""


def options_of(words, key_file):
    """Return the daemon's options in a command of the page, with a free port and a key file."""
    text = with_words(block(PAGE, words), {"team.key": str(key_file), "tcp:8080": "tcp:0"})
    return shlex.split(text.partition(" chatd ")[2])


def web_port(process):
    """Return the port that the system gave a daemon for browsers."""
    return int(process.output.wait_for(r"WebFront starting on (\d+)")[1])


def get(url, **options):
    """Get a page; return the status and the body."""
    try:
        with urllib.request.urlopen(url, timeout=10, **options) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def behind_proxy(directory, *, has_key):
    """Write a certificate, a key file and passwords.

    Returns:
        The certificate, the options of the page's daemon behind a proxy, and those of its clients.
    """
    pem, key_file = directory / "localhost.pem", directory / "team.key"
    write_certificate(pem)
    write_key_file(key_file)
    set_password(directory / "passwords", "alice", "secret", hasher=CHEAP)
    (directory / "alice.password").write_text("secret\n")
    (directory / "alice.password").chmod(0o600)
    options = options_of("--web-proxy 127.0.0.1", key_file)
    key = ["--key-file", str(key_file)]
    if not has_key:
        assert options[:2] == key
        options, key = options[2:], []
    return pem, [*options, "--password-file", str(directory / "passwords")], key


def log_in(directory, host, key):
    """Send a message through a proxy, with a password."""
    done = run_command(
        *("chatd", "connect", f"wss://{host}/ws", "--name", "alice", *key),
        *("--password-file", str(directory / "alice.password")),
        input="hello\n",
        env={**os.environ, "SSL_CERT_FILE": str(directory / "localhost.pem")},
    )
    assert (done.returncode, done.stderr) == (0, "")


def check_origins(host, context):
    """Check that behind a proxy, which ends TLS, the page's own origin alone may connect."""
    for origin, status in (
        (f"https://{host}", 426),  # admitted, and then this is no request for a WebSocket
        (f"http://{host}", 403),
        ("https://localhost", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ):
        there = urllib.request.Request(f"https://{host}/ws", headers={"Origin": origin})
        assert get(there, context=context)[0] == status, origin


@pytest.fixture
def front():
    """Return a socket that listens on a free port, for the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


def test_install():
    """The page names the extra that the daemon and the client name."""
    (extra,) = re.findall(r"\[(\w+)\]", block(PAGE, "pip install"))
    assert re.search(rf"(?m)^{extra} =\n.*\n    websockets", page("setup.cfg"))


def test_one_machine(tmp_path):
    """The command of the page serves the page and the WebSocket, and nothing to other names."""
    write_key_file(tmp_path / "team.key")
    options = options_of("--web tcp:8080:interface=127.0.0.1\n", tmp_path / "team.key")
    with daemon(*options, endpoint=f"unix:{tmp_path}/chat.sock") as process:
        port = web_port(process)
        status, body = get(f"http://localhost:{port}/")
        assert (status, b"<!doctype html>" in body.lower()) == (200, True)
        there = f"ws://localhost:{port}/ws"
        client = ("connect", there, "--key-file", tmp_path / "team.key", "--name", "alice")
        done = run_command("chatd", *client, "--json", input="hello\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout.splitlines()[-1])["text"] == "hello"
        request = urllib.request.Request(f"http://localhost:{port}/", headers={"Host": "evil"})
        status, body = get(request)
        assert (status, b"this server does not know the name evil" in body) == (403, True)
        stop(process)


@pytest.mark.parametrize("has_key", [False, True], ids=["password", "key"])
def test_nginx(tmp_path, front, has_key):
    """Behind nginx, browsers and programs connect over TLS, each with its own address."""
    pem, options, key = behind_proxy(tmp_path, has_key=has_key)
    options[options.index("--web-proxy") + 1] = PROXY
    with daemon(*options, endpoint=f"unix:{tmp_path}/chat.sock") as process:
        host = f"localhost:{front.getsockname()[1]}"
        words = {
            "listen 443": "listen {}:{}".format(*front.getsockname()),
            "chat.example.org": "localhost",
            "127.0.0.1:8080;": f"127.0.0.1:{web_port(process)};\n        proxy_bind {PROXY};",
            "/etc/nginx/tls.crt": str(pem),
            "/etc/nginx/tls.key": str(pem),
        }
        text = f"http {{\naccess_log off;\n{with_words(NGINX, words)}}}\n"
        with running_nginx(tmp_path, "", text, front):
            context = ssl.create_default_context(cafile=str(pem))
            assert get(f"https://{host}/", context=context)[0] == 200
            check_origins(host, context)
            log_in(tmp_path, host, key)
            process.output.wait_for(ADDRESS)
            missing = run_command(
                *("chatd", "connect", f"wss://{host}/nowhere", *key),
                input="",
                env={**os.environ, "SSL_CERT_FILE": str(pem)},
            )
            assert missing.stderr == (
                f"chatd: cannot connect: wss://{host}/nowhere answered 404 Not Found; "
                "the address of the WebSocket ends in /ws\n"
            )
        stop(process)


@pytest.fixture
def kept_port():
    """Return a port that only this user's programs can listen on: Caddy can share it."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("127.0.0.1", 0))
        yield made.getsockname()[1]


@pytest.mark.parametrize("has_key", [False, True], ids=["password", "key"])
def test_caddy(tmp_path, kept_port, has_key):
    """Behind Caddy, browsers and programs connect over TLS, each with its own address."""
    pem, options, key = behind_proxy(tmp_path, has_key=has_key)
    web = tmp_path / "web.sock"
    options[options.index("--web") + 1] = f"unix:{web}"
    options[options.index("--web-proxy") + 1] = "unix"
    host = f"localhost:{kept_port}"
    words = {
        "chat.example.org {": f"{host} {{\n    bind 127.0.0.1\n    tls {pem} {pem}",
        "127.0.0.1:8080": f"unix/{web}",
    }
    with (
        daemon(*options, endpoint=f"unix:{tmp_path}/chat.sock") as process,
        running_caddy(tmp_path, with_words(CADDY, words)),
    ):
        context = ssl.create_default_context(cafile=str(pem))
        assert get(f"https://{host}/", context=context)[0] == 200
        check_origins(host, context)
        log_in(tmp_path, host, key)
        process.output.wait_for(ADDRESS)
        stop(process)

"""The page on proxies: HAProxy and nginx take its configurations, and pass clients on."""

import re
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.internet import reactor

import chatd
from chatd.config.passwordedit import set_password
from tests.docs.pages import block, page
from tests.fakes.passwords import CHEAP
from tests.fakes.pems import write_certificate
from tests.integration.daemons import stop, tcp_port
from tests.integration.nginx import running_nginx
from tests.integration.onpage import with_words
from tests.integration.processes import Process, daemon, run_command
from tests.integration.sessions import leave
from tests.integration.tls import ssl_server, tls_client
from tests.integration.tools import tool

PAGE = "docs/how-to/proxies.md"
HAPROXY = block(PAGE, "defaults\n")
HAPROXY_TLS = block(PAGE, "crt /etc/haproxy/chat.pem")
NGINX = block(PAGE, "stream {")
NGINX_TLS = block(PAGE, "ssl_certificate ")
STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
OWN_ADDRESS = "127.0.0.2"
"""The address from which clients connect; the proxies connect from 127.0.0.1."""
FROM = f"bindAddress={OWN_ADDRESS}"
BACKEND = "haproxy:tcp:0:interface=127.0.0.1"
# Twisted reads certificates with functions that pyOpenSSL has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pyOpenSSL:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:X509:DeprecationWarning"),
]


@contextmanager
def haproxy(directory, backend, front, is_tls, options="send-proxy-v2"):
    """Run HAProxy with the page's configuration, on a socket that is open already."""
    program = tool("haproxy")
    text = HAPROXY
    if is_tls:
        before, _, after = text.partition("frontend chat\n")
        text = before + HAPROXY_TLS + "\nbackend chatd" + after.partition("\nbackend chatd")[2]
    words = {"bind :9999": f"bind fd@{front.fileno()}", "127.0.0.1:9998": backend}
    words["send-proxy-v2"] = options
    if is_tls:
        words["/etc/haproxy/chat.pem"] = str(directory / "localhost.pem")
    config = directory / "haproxy.cfg"
    config.write_text(with_words(text, words))
    fds = [front.fileno()]
    checked = run_command(program, "-c", "-f", config, pass_fds=fds)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with Process(program, "-db", "-f", config, pass_fds=fds) as process:
        yield process


@contextmanager
def nginx(directory, backend, front, is_tls):
    """Run nginx with the page's configuration, on a socket that is open already."""
    text = NGINX
    words = {"listen 9999": "listen {}:{}".format(*front.getsockname())}
    words["127.0.0.1:9998"] = backend
    if is_tls:
        text = text.replace("        listen 9999;\n", NGINX_TLS)
        pem = str(directory / "localhost.pem")
        words |= {"/etc/nginx/tls.crt": pem, "/etc/nginx/tls.key": pem}
    load = f"load_module {STREAM_MODULE};\n" if STREAM_MODULE.exists() else ""
    with running_nginx(directory, load, with_words(text, words), front) as process:
        yield process


def address_of(process):
    """Return the address on which a daemon listens."""
    return f"127.0.0.1:{tcp_port(process)}"


@pytest.fixture
def front():
    """Return a socket that listens on a free port, for the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("proxy", [haproxy, nginx])
async def test_proxy(tmp_path, front, proxy, is_tls):
    """The proxy passes a session on, and chatd knows the client's address, not the proxy's."""
    write_certificate(tmp_path / "localhost.pem")
    key = chatd.write_key_file(tmp_path / "key")
    with (
        daemon("--key-file", tmp_path / "key", endpoint=BACKEND) as process,
        proxy(tmp_path, address_of(process), front, is_tls),
    ):
        port = front.getsockname()[1]
        tls = rf"{tls_client(tmp_path, port)}\:{FROM}"
        there = tls if is_tls else f"tcp:127.0.0.1:{port}:{FROM}"
        client = await chatd.connect(reactor, there, key=key, name="alice")
        assert (await client.send("hello")).text == "hello"
        process.output.wait_for(rf"established: address={re.escape(OWN_ADDRESS)} ")
        await leave(client)
        stop(process)


def test_health_check(tmp_path, front):
    """Chatd logs each of HAProxy's health checks as not established."""
    with daemon(endpoint=BACKEND) as process:
        with haproxy(tmp_path, address_of(process), front, False, "send-proxy-v2 check inter 10ms"):
            process.output.wait_for("not established: code=")
        stop(process)


async def test_unix_socket(tmp_path, front):
    """The proxy also reaches chatd on a UNIX socket, with the address of the client."""
    (there,) = re.findall(r"`haproxy:unix:(\S+):mode=660`", page(PAGE))
    path = with_words(there, {"/run/chatd": str(tmp_path)})
    with (
        daemon(endpoint=f"haproxy:unix:{path}:mode=660") as process,
        haproxy(tmp_path, f"unix@{path}", front, False),
    ):
        client = await chatd.connect(reactor, f"tcp:127.0.0.1:{front.getsockname()[1]}:{FROM}")
        process.output.wait_for(rf"established: address={re.escape(OWN_ADDRESS)} ")
        await leave(client)
        stop(process)


async def test_tls_at_chatd(certificates, tmp_path, front):
    """If the proxy passes TLS on, chatd takes passwords, and sees the proxy, not the client."""
    set_password(tmp_path / "passwd", "alice", "secret", hasher=CHEAP)
    options = ("--password-file", tmp_path / "passwd")
    with (
        daemon(*options, endpoint=ssl_server(certificates)) as process,
        haproxy(tmp_path, address_of(process), front, False, ""),
    ):
        there = rf"{tls_client(certificates, front.getsockname()[1])}\:{FROM}"
        client = await chatd.connect(reactor, there, name="alice", password="secret")
        process.output.wait_for(r"alice: established: address=127\.0\.0\.1 ")
        await leave(client)
        stop(process)


@pytest.mark.parametrize("kind", ["ssl", "tls"])
async def test_header_inside_of_tls(certificates, tmp_path, front, kind):
    """An endpoint `haproxy:ssl:` or `haproxy:tls:` refuses the bytes that HAProxy sends."""
    endpoint = {
        "ssl": f"haproxy:{ssl_server(certificates)}",
        "tls": f"haproxy:tls:{certificates}:0:interface=127.0.0.1",
    }[kind]
    with (
        daemon(endpoint=endpoint) as process,
        haproxy(tmp_path, address_of(process), front, False),
    ):
        with pytest.raises(chatd.SessionEnded):
            await chatd.connect(reactor, tls_client(certificates, front.getsockname()[1]))
        stop(process)

"""Endpoint strings of TLS, with a certificate that the client verifies."""

import socket


def has_ipv6():
    """Return whether this machine has an IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def ssl_server(certificates):
    """Return the string of an `ssl:` server endpoint."""
    pem = certificates / "localhost.pem"
    return f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"


def tls_server(kind, certificates):
    """Return the string of a server endpoint of a kind: `ssl`, or `tls`."""
    tls = f"tls:{certificates}:0:interface=127.0.0.1"
    return {"ssl": ssl_server(certificates), "tls": tls}[kind]


def ssl_client(certificates, port):
    """Return the string of an `ssl:` client endpoint, which verifies the certificate."""
    return f"ssl:127.0.0.1:{port}:caCertsDir={certificates}:hostname=localhost"


def tls_client(certificates, port, host="127.0.0.1"):
    """Return the string of a `tls:` client endpoint, which verifies the certificate."""
    host = host.replace(":", r"\\\:")
    return rf"tls:localhost:{port}:trustRoots={certificates}:endpoint=tcp\:{host}\:{port}"

"""A daemon as a process: its port, its clients, its end, and its refusal to start."""

import signal

import pytest
from twisted.internet import reactor

import chatd
from chatd import SessionRefused


def tcp_port(process):
    """Return the port that the system gave a daemon."""
    return int(process.output.wait_for(r"starting on (\d+)")[1])


def stop(process):
    """Stop a daemon, which must end with the expected status and without logging a failure."""
    process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    assert "Traceback" not in process.output.text + process.errors.text


async def connect(endpoint, name=None, **options):
    return await chatd.connect(reactor, endpoint, name=name, **options)


async def refusal(endpoint, name=None, **options):
    """Connect, expect a refusal, and return its code."""
    with pytest.raises(SessionRefused) as caught:
        await connect(endpoint, name, **options)
    return caught.value.code


def complaint_of(completed):
    """Return the last line of a failed process, its only error."""
    output = completed.stdout + completed.stderr
    assert completed.returncode != 0
    assert "Traceback" not in output
    return output.splitlines()[-1]  # before it, there may be Twisted's log

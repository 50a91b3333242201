"""Tests of chatd in programs under asyncio, each in a process, which has a single reactor."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.fakes.pems import write_certificate

TIMEOUT_S = 30

SERVED = """
import asyncio, logging, sys
import chatd
from chatd.testing import running_server

# On a busy machine, asyncio's checks call any step slow.
logging.getLogger("asyncio").addFilter(lambda record: " took " not in record.msg)

async def talk(endpoint, reactor):
    async with await chatd.connect(reactor, endpoint, name="alice") as alice:
        bob = await asyncio.wait_for(chatd.connect(reactor, endpoint, name="bob"), 10)
        receipt, names = await asyncio.gather(alice.send("hello"), alice.who("lobby"))
        assert (receipt.text, names) == ("hello", ["alice", "bob"])
        async for message in bob:
            assert message.text == "hello"
            break
        try:
            await bob.command("dance")
        except chatd.RequestError as error:
            assert error.code == "unknown-command"
        assert await bob.ping() >= 0
        await bob.disconnect()

async def serve_and_talk(sockets):
    async with chatd.asyncio_reactor() as reactor:
        factory = chatd.ChatFactory(reactor)
        async with running_server(reactor, factory, sockets) as server:
            await talk(server.endpoint, reactor)
            assert (await factory.send_to_room("lobby", "bye")).text == "bye"
"""


def run(program, *arguments):
    """Run a program to its end, with asyncio's checks; return its status and its errors."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SERVED + textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("sockets", ["tcp", "unix"])
def test_client_and_server(sockets):
    """A client and a server work under `asyncio.run`, also a second time in a process."""
    program = """
        for _ in range(2):
            asyncio.run(serve_and_talk(sys.argv[1]))
        assert "twisted.internet.reactor" not in sys.modules
    """
    assert run(program, sockets) == (0, "")


def test_host_name():
    """The client looks up a host's name, which takes a thread."""
    program = """
        async def main():
            async with chatd.asyncio_reactor() as reactor:
                async with running_server(reactor, chatd.ChatFactory(reactor)) as server:
                    await talk(server.endpoint.replace("127.0.0.1", "localhost"), reactor)

        asyncio.run(main())
    """
    assert run(program) == (0, "")


def test_tls(tmp_path):
    """A session over TLS works, which needs Twisted's global reactor."""
    write_certificate(tmp_path / "localhost.pem")
    program = """
        async def main(directory):
            async with chatd.asyncio_reactor() as reactor:
                factory = chatd.ChatFactory(reactor)
                here = f"ssl:0:interface=127.0.0.1:privateKey={directory}/localhost.pem"
                service = chatd.ChatService(reactor, factory, here)
                service.startService()
                port = service.listeners[0].port.getHost().port
                await talk(f"tls:localhost:{port}:trustRoots={directory}", reactor)
                await service.stopService()

        asyncio.run(main(sys.argv[1]))
    """
    status, errors = run(program, str(tmp_path))
    # Twisted reads certificates with functions that pyOpenSSL has deprecated.
    assert (status, "Traceback" in errors) == (0, False), errors


def test_hooks():
    """The methods of clients and services may wait for tasks of asyncio."""
    program = """
        class Bot(chatd.ChatClient):
            async def message_received(self, message, is_receipt):
                text = await asyncio.ensure_future(asyncio.sleep(0, f"you said {message.text}"))
                if not is_receipt:
                    await self.reply(message, text)

        class SlowFactory(chatd.ChatFactory):
            async def message_received(self, session, message):
                await asyncio.ensure_future(asyncio.sleep(0))
                await super().message_received(session, message)

        async def main():
            async with chatd.asyncio_reactor() as reactor:
                async with running_server(reactor, SlowFactory(reactor), "unix") as server:
                    async with await chatd.connect(reactor, server.endpoint, name="alice") as alice:
                        await chatd.connect(reactor, server.endpoint, name="bot", protocol=Bot)
                        await alice.send("hello")
                        async for message in alice:
                            assert message.text == "you said hello"
                            break

        asyncio.run(main())
    """
    assert run(program) == (0, "")


CONNECT = "await talk('tcp:127.0.0.1:9', reactor)"
KEEP = (
    "chatd.ChatClientService(reactor, 'tcp:x:9', chatd.ChatClientFactory(reactor)).startService()"
)
SERVE = "chatd.ChatService(reactor, chatd.ChatFactory(reactor), 'tcp:0').startService()"


@pytest.mark.parametrize("line", [CONNECT, KEEP, SERVE])
def test_wrong_reactor(line):
    """With a reactor outside of the event loop, one line names the right function."""
    program = f"""
        from twisted.internet import reactor

        async def main():
            {line}

        asyncio.run(main())
    """
    status, errors = run(program)
    assert status == 1
    assert errors.splitlines()[-1].endswith(
        " does not run in asyncio's event loop; use the reactor of "
        "`async with chatd.asyncio_reactor() as reactor:`"
    )


def test_under_the_asyncio_reactor():
    """A program that Twisted's asyncio reactor runs has a single reactor, which goes on."""
    program = """
        from twisted.internet import asyncioreactor

        asyncioreactor.install()
        from twisted.internet import reactor

        async def main():
            async with chatd.asyncio_reactor() as given:
                assert given is reactor
            async with running_server(reactor, chatd.ChatFactory(reactor), "unix") as server:
                await talk(server.endpoint, reactor)

        def begin():
            task = asyncio.ensure_future(main())
            task.add_done_callback(lambda done: (reactor.stop(), done.result()))

        reactor.callWhenRunning(begin)
        reactor.run()
    """
    assert run(program) == (0, "")


def test_stopped_by_the_program():
    """A program may stop the reactor itself; the event loop goes on."""
    program = """
        async def main():
            async with chatd.asyncio_reactor() as reactor:
                reactor.callLater(1000, print)
                reactor.stop()
                while reactor.running:
                    await asyncio.sleep(0)

        asyncio.run(main())
    """
    assert run(program) == (0, "")


def test_service_that_still_runs():
    """A service that runs at the context's end is stopped: no send or loop waits for ever."""
    program = """
        async def main():
            async with chatd.asyncio_reactor() as reactor:
                factory = chatd.ChatFactory(reactor)
                async with running_server(reactor, factory, "unix") as server:
                    clients = chatd.ChatClientFactory(reactor, name="alice")
                    service = chatd.ChatClientService(reactor, server.endpoint, clients)
                    service.startService()
                    await service.send("hello")
                    ended = chatd.ChatClientService(
                        reactor, server.endpoint, chatd.ChatClientFactory(reactor)
                    )
                    ended.startService()
                    await ended.stopService()
                loop = asyncio.ensure_future(anext(aiter(service)))
                pending = asyncio.ensure_future(service.send("nobody is there"))
                await asyncio.sleep(0)
            for waiting in (pending, service.send("too late"), loop):
                try:
                    await asyncio.wait_for(waiting, 10)
                except chatd.SessionEnded as end:
                    assert end.code == "goodbye", end
                except StopAsyncIteration:
                    assert waiting is loop
                else:
                    raise AssertionError(waiting)

        asyncio.run(main())
    """
    assert run(program) == (0, "")


def test_contexts_that_overlap():
    """Two tasks with a context each share the reactor; the first to leave does not end it."""
    program = """
        async def serve(is_there, may_leave):
            async with chatd.asyncio_reactor() as reactor:
                is_there.set()
                await may_leave.wait()

        async def main():
            is_there, may_leave = asyncio.Event(), asyncio.Event()
            first = asyncio.ensure_future(serve(is_there, may_leave))
            await is_there.wait()
            async with chatd.asyncio_reactor() as reactor:
                async with running_server(reactor, chatd.ChatFactory(reactor), "unix") as server:
                    may_leave.set()
                    await first
                    await talk(server.endpoint, reactor)

        asyncio.run(main())
    """
    assert run(program) == (0, "")

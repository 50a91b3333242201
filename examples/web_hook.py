"""A web application under asyncio: it says the body of each POST in a room.

Run it beside a server: python web_hook.py ENDPOINT PORT
Then: curl -d "build 512 is done" http://127.0.0.1:PORT/
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from twisted.internet.error import ConnectError
from twisted.logger import STDLibLogObserver, globalLogBeginner

import chatd

MAX_BODY = 10_000
WAIT_S = 10.0


@asynccontextmanager
async def lifespan(endpoint: str) -> AsyncIterator[chatd.ChatClientService]:
    """Keep a client connected for as long as the web application runs."""
    async with chatd.asyncio_reactor() as reactor:
        factory = chatd.ChatClientFactory(reactor, name="web")
        service = chatd.ChatClientService(reactor, endpoint, factory)
        service.startService()
        try:
            await service.whenConnected(failAfterFailures=1)
            yield service
        finally:
            await service.stopService()


async def answer(
    service: chatd.ChatClientService, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one HTTP request: 200 when the message is confirmed, 202 if that takes too long."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].split()[0])
        body = await reader.readexactly(min(length, MAX_BODY))
        receipt = await asyncio.wait_for(service.send(body), timeout=WAIT_S)
        status, text = "200 OK", f"message {receipt.seq} in {receipt.room}\n"
    except asyncio.TimeoutError:  # the service keeps the message, and still sends it
        status, text = "202 Accepted", "the chat does not answer; it gets the message later\n"
    except chatd.ChatError as error:
        status, text = "503 Service Unavailable", f"{error}\n"
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, LookupError, ValueError):
        status, text = "400 Bad Request", "POST a text\n"
    writer.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
    writer.close()


async def main(endpoint: str, port: int) -> None:
    """Serve until the program is interrupted, or end with one line if there is no chat."""
    try:
        async with lifespan(endpoint) as service:
            server = await asyncio.start_server(partial(answer, service), "127.0.0.1", port)
            print("listening on port", server.sockets[0].getsockname()[1], flush=True)
            async with server:
                await server.serve_forever()
    except (ConnectError, OSError, OverflowError, chatd.ChatError) as error:
        raise SystemExit(f"web_hook.py: {error}") from error


if __name__ == "__main__":
    match sys.argv[1:]:
        case [endpoint, port] if port.isdecimal():
            running = main(endpoint, int(port))
        case _:
            sys.exit("usage: python web_hook.py ENDPOINT PORT")
    logging.basicConfig(level=logging.WARNING)
    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)
    with suppress(KeyboardInterrupt):
        asyncio.run(running)

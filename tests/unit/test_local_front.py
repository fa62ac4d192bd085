"""The short address passes on what it gets, byte by byte, also where a client sends more than ASCII."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from infra.local.front import Front, Rules


async def _through(path: bytes, header: bytes) -> tuple[bytes, bytes]:
    """What the API behind the front receives for one raw request, and the first line of the answer."""
    received = b""

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        received = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    upstream = await asyncio.start_server(api, "127.0.0.1", 0)
    runner = web.AppRunner(Front(f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}", Rules()).app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + header + b"\r\n\r\n")
        answer = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
    finally:
        await runner.cleanup()
        upstream.close()
    return received, answer


@pytest.mark.parametrize("name", [b"Idempotency-Key", b"X-Forwarded-For", b"Content-Type", b"Authorization"])
def test_no_byte_of_a_header_is_lost(name: bytes) -> None:
    arrived = set()
    for value in (b"z-", b"z-\xc3\xa9", b"z-\xc3\xa8", b"z-\xe9", b"z-\xe8", b"z-\xff", b"\xf0\x9f\xa7\xba"):
        received, answer = asyncio.run(_through(b"/x?q=%C3%A9", name + b": " + value))
        assert b" 204 " in answer, (value, answer)
        (line,) = [line for line in received.split(b"\r\n") if line.startswith(name + b":")]
        said = line.removeprefix(name + b": ").split(b", ")[0].decode()
        assert said == value.decode("latin-1")
        arrived.add(said)
        assert received.startswith(b"GET /x?q=%C3%A9 ")
    assert len(arrived) == 7

"""A WebSocket client, with nothing changed but its URL."""

import asyncio
import os
import socket
import struct
import time

import websockets
from websockets.asyncio.client import connect

BASE, DUMMY = os.environ["BASE_URL"], os.environ["DUMMY"]
URL = BASE.replace("http://", "ws://") + "/echo"
OWN = {"Authorization": f"Bearer {DUMMY}"}


async def messages():
    async with connect(URL, additional_headers=OWN, max_size=4 << 20) as connection:
        for text in ("hello", "", "ä€😀"):
            await connection.send(text)
            assert await connection.recv() == text
        binary = os.urandom(1 << 20)
        await connection.send(binary)
        assert await connection.recv() == binary
        begin = time.monotonic()
        await (await connection.ping())
        took = time.monotonic() - begin
        # Fragments stay a message.
        await connection.send(["one ", "two ", "three"])
        assert await connection.recv() == "one two three"
    assert connection.close_code == 1000, connection.close_code
    return took


async def closed_by_the_server():
    async with connect(URL, additional_headers=OWN) as connection:
        await connection.send("close")
        try:
            await connection.recv()
        except websockets.ConnectionClosedError as closed:
            assert closed.rcvd.code == 4001 and closed.rcvd.reason == "as you like", closed
        else:
            raise AssertionError("it was not closed")


async def closed_by_the_client():
    connection = await connect(URL, additional_headers=OWN)
    await connection.close(4002, "enough")
    assert connection.close_code == 4002, connection.close_code


def frame(opcode, payload):
    """A masked frame of RFC 6455, section 5.2; a mask of zeroes changes nothing."""
    return struct.pack("!BB4x", 0x80 | opcode, 0x80 | len(payload)) + payload


def half_closed():
    """The sending side is closed before the server's goodbye is read."""
    address, path = BASE.removeprefix("http://").split("/", 1)
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        head = (
            f"GET /{path}/echo HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        # The first frame does not wait for the answer.
        stream.sendall(head.encode() + frame(1, b"first words"))
        answer = b""
        while not answer.endswith(b"\x81\x0bfirst words"):
            piece = stream.recv(4096)
            assert piece, answer
            answer += piece
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer, answer
        stream.sendall(frame(8, struct.pack("!H", 1000)))
        stream.shutdown(socket.SHUT_WR)
        rest = b""
        while piece := stream.recv(4096):
            rest += piece
    assert rest == b"\x88\x02\x03\xe8", rest


async def many():
    async def one(number):
        async with connect(URL, additional_headers=OWN) as connection:
            for turn in range(20):
                await connection.send(f"{number} {turn}")
                assert await connection.recv() == f"{number} {turn}"

    await asyncio.gather(*(one(number) for number in range(50)))


async def main():
    ping = await messages()
    await closed_by_the_server()
    await closed_by_the_client()
    await asyncio.to_thread(half_closed)
    await many()
    print(
        f"websockets {websockets.__version__} text, 1 MiB both ways, ping in {ping * 1000:.1f} ms,",
        "closes 1000, 4001, 4002, a half-close, 50 connections at one time",
    )


asyncio.run(main())

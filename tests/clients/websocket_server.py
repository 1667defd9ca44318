"""A WebSocket echo behind TLS that wants one credential."""

import asyncio
import http
import os
import ssl

import websockets
from websockets.asyncio.server import serve

KEY, DUMMY = os.environ["KEY"], os.environ["DUMMY"]


def refuse(connection, request):
    given = request.headers.get_all("Authorization")
    everything = request.path + str(request.headers)
    if given != [f"Bearer {KEY}"] or DUMMY in everything:
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")


async def echo(connection):
    async for message in connection:
        if message == "close":
            await connection.close(4001, "as you like")
            return
        await connection.send(message)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERTIFICATE"], os.environ["CERTIFICATE_KEY"])
    server = await serve(
        echo, "127.0.0.1", 0, ssl=context, process_request=refuse, max_size=4 << 20
    )
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())

"""A gRPC server behind TLS that wants one credential in its metadata."""

import os
import threading
from concurrent import futures

import grpc

KEY, DUMMY = os.environ["KEY"], os.environ["DUMMY"]
cancelled = threading.Event()


def allow(context):
    metadata = context.invocation_metadata()
    given = [value for name, value in metadata if name == "authorization"]
    if given != [f"Bearer {KEY}"] or any(DUMMY in str(value) for _, value in metadata):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "another credential")


def unary(request, context):
    allow(context)
    context.send_initial_metadata([("echo-leading", "first")])
    context.set_trailing_metadata([("echo-trailing", "last"), ("echo-bin", b"\x00\xff")])
    return request[::-1]


def down(request, context):
    allow(context)
    for number in range(int(request)):
        yield b"%d" % number


def up(requests, context):
    allow(context)
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    allow(context)
    yield from requests


def fail(request, context):
    allow(context)
    context.set_trailing_metadata([("echo-trailing", "sorry")])
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100% ä")


def wait(request, context):
    allow(context)
    cancelled.clear()
    context.add_callback(cancelled.set)
    cancelled.wait()
    return b""


def was_cancelled(request, context):
    allow(context)
    return b"yes" if cancelled.wait(20) else b"no"


# Bytes are messages as they are: no code need be generated.
handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Down": grpc.unary_stream_rpc_method_handler(down),
    "Up": grpc.stream_unary_rpc_method_handler(up),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers(
    [grpc.method_handlers_generic_handler("credence.test.Echo", handlers)]
)
with open(os.environ["CERTIFICATE_KEY"], "rb") as key, open(os.environ["CERTIFICATE"], "rb") as chain:
    credentials = grpc.ssl_server_credentials([(key.read(), chain.read())])
port = server.add_secure_port("127.0.0.1:0", credentials)
server.start()
print("port", port, flush=True)
server.wait_for_termination()

"""A gRPC client, with nothing changed but its target."""

import os
import queue
from concurrent import futures

import grpc

# What is called on a port of its own has no prefix.
target, _, prefix = os.environ["BASE_URL"].removeprefix("http://").partition("/")
own = [("authorization", f"Bearer {os.environ['DUMMY']}"), ("x-app", "kept")]
channel = grpc.insecure_channel(target)
SERVICE = f"/{prefix}/" if prefix else "/credence.test.Echo/"

unary = channel.unary_unary(SERVICE + "Unary")
answer, call = unary.with_call(b"stressed", metadata=own, timeout=30)
assert answer == b"desserts", answer
assert ("echo-leading", "first") in call.initial_metadata(), call.initial_metadata()
trailing = dict(call.trailing_metadata())
assert trailing["echo-trailing"] == "last" and trailing["echo-bin"] == b"\x00\xff", trailing
large = os.urandom(3 << 20)
assert unary(large, metadata=own, timeout=30) == large[::-1]

down = channel.unary_stream(SERVICE + "Down")
numbers = [int(number) for number in down(b"1000", metadata=own, timeout=30)]
assert numbers == list(range(1000)), numbers

up = channel.stream_unary(SERVICE + "Up")
assert up((b"x" * 1000 for _ in range(1000)), metadata=own, timeout=30) == b"1000000"

# Each is said only when the one before has been heard back.
both = channel.stream_stream(SERVICE + "Both")
said = queue.Queue()
heard = both(iter(said.get, None), metadata=own, timeout=30)
for number in range(100):
    said.put(b"%d" % number)
    assert next(heard) == b"%d" % number
said.put(None)
assert list(heard) == []

try:
    channel.unary_unary(SERVICE + "Fail")(b"", metadata=own, timeout=30)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
    assert error.details() == "not today: 100% ä", error
    assert ("echo-trailing", "sorry") in error.trailing_metadata(), error
else:
    raise AssertionError("a failure came back as a success")

try:
    channel.unary_unary(SERVICE + "Wait")(b"", metadata=own, timeout=0.5)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
else:
    raise AssertionError("the deadline was not kept")
# The server was told that nobody waits any more.
assert channel.unary_unary(SERVICE + "WasCancelled")(b"", metadata=own, timeout=30) == b"yes"

try:
    channel.unary_unary(SERVICE + "NotThere")(b"", metadata=own, timeout=30)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
else:
    raise AssertionError("a method that is not there has answered")

with futures.ThreadPoolExecutor(16) as callers:
    questions = [b"%d" % number for number in range(500)]
    answers = callers.map(lambda question: unary(question, metadata=own, timeout=30), questions)
    assert list(answers) == [question[::-1] for question in questions]

print(
    f"grpcio {grpc.__version__} at /{prefix}: unary (3 MiB), 1000 down, 1000 up, 100 both ways,",
    "trailers, status, deadline, 500 at 16 at one time",
)

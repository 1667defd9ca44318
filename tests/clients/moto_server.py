"""AWS as moto plays it, behind TLS, with every signature checked."""

import os
import ssl

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from moto.iam.models import iam_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

backend = iam_backends["123456789012"]["aws"]
backend.create_user("aws", "app")
backend.put_user_policy(
    "app",
    "everything",
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
)
key = backend.create_access_key("app")
# The one that Credence is given, so that it stands in no log.
key.access_key_id, key.secret_access_key = os.environ["KEY_ID"], os.environ["KEY"]


class Handler(WSGIRequestHandler):
    # With chunked bodies and connections that are kept.
    protocol_version = "HTTP/1.1"


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ["CERTIFICATE"], os.environ["CERTIFICATE_KEY"])
server = make_server(
    "127.0.0.1",
    0,
    DomainDispatcherApplication(create_backend_app),
    threaded=True,
    request_handler=Handler,
    ssl_context=context,
)
print("port", server.port, flush=True)
server.serve_forever()

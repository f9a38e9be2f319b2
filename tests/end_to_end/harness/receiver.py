"""A receiver of events: what it was told, checked as the libraries of Standard Webhooks check it."""
import base64
import hashlib
import hmac
import json

from harness.upstream_http import HttpServer, Reply, Request

SECRET = "whsec_" + base64.b64encode(b"a secret of Standard Webhooks...").decode()


class Receiver(HttpServer):
    """`taken` are the bodies that were answered with a 2xx, in order; `broken` is what a receiver would not believe."""

    def __init__(self, secret=SECRET, **options):
        super().__init__(**options)
        self.secret, self.taken, self.broken = secret, [], []

    def section(self, name, more=""):
        """What the configuration says of it."""
        return f"[webhook {name}]\nurl = {self.url}/hook\nallow_private_address = yes\n{more}"

    def read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            block = connection.recv(65536)
            if not block:
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        request = Request(method, target, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)})
        while len(body) < int(request["content-length"] or 0):
            body += connection.recv(65536)
        request.body = body
        with self.lock:
            self.requests.append(request)
        return request

    def reply(self, request):
        return Reply(204)

    def spoil(self, request, reply):
        super().spoil(request, reply)
        if not self.is_signed(request):
            self.broken.append(request)
        if 200 <= reply.status < 300 and not reply.silent and not reply.mute:
            with self.lock:
                self.taken.append(request)

    def is_signed(self, request):
        if self.secret is None:
            return request["webhook-signature"] is None
        key = base64.b64decode(self.secret[6:]) if self.secret.startswith("whsec_") else self.secret.encode()
        content = f"{request['webhook-id']}.{request['webhook-timestamp']}.".encode() + request.body
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return request["webhook-signature"] == f"v1,{expected}"

    def events(self):
        """Those of distribution's envelope, one of each id, in the order in which they were taken first."""
        found = {}
        with self.lock:
            for request in self.taken:
                [event] = json.loads(request.body)["events"]
                assert event["id"] == request["webhook-id"]
                found.setdefault(event["id"], event)
        return list(found.values())

    def told(self):
        """Action, repository, and tag or digest."""
        return [(event["action"], event["target"]["repository"], event["target"].get("tag") or event["target"]["digest"]) for event in self.events()]

"""A raw HTTP/1.1 client: it sends exactly the bytes that a test asks for and reads exactly one answer.

One connection per request and "Connection: close", so that whatever follows the answer (the body of an answer to HEAD, a
second answer) is seen. Nothing is followed, decoded or retried.
"""
import json
import socket
import urllib.parse

from harness.process import PATIENCE

# Error Codes: "The code field MUST be one of the following".
CODES = {"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
         "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
         "UNSUPPORTED", "TOOMANYREQUESTS"}


class BrokenAnswer(Exception):
    """The answer was cut short, malformed, or had bytes after its end."""


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name):
        """The one value of a header; None when absent. Twice is a fault of the server."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} was sent {len(values)} times: {values}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def codes(self):
        """The codes of an error document, in order; its shape is checked on the way (spec: Error Codes)."""
        document = self.json()
        assert list(document) == ["errors"], document
        assert document["errors"], document
        for error in document["errors"]:
            assert set(error) <= {"code", "message", "detail"}, error
            assert error["code"] in CODES or self.status >= 500, error
            assert error["code"].replace("_", "").isalpha() and error["code"].isupper(), error
            assert isinstance(error.get("message", ""), str), error
        return [error["code"] for error in document["errors"]]

    def link(self):
        """The target of Link: <...>; rel="next", or None."""
        value = self["Link"]
        if value is None:
            return None
        target, _, parameters = value.partition(">")
        assert target.startswith("<") and parameters.replace(" ", "") == ';rel="next"', value
        return target[1:]

    def __repr__(self):
        lines = "".join(f"\n  {key}: {value}" for key, value in self.headers)
        return f"<{self.status}{lines}\n  {self.body[:600]!r}>"


class Client:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.authority = f"{host}:{port}"

    def connect(self, timeout=PATIENCE):
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def request(self, method, target, headers=None, body=None, chunks=None):
        """Sends a request with its whole body (or `chunks` with chunked transfer coding) and returns the answer.

        `headers` is a mapping or a list of pairs; it may override Host, Connection and Content-Length (None leaves one out).
        """
        with self.connect() as connection:
            early = send(connection, self.head(method, target, headers, body, chunks), body, chunks)
            return receive(connection, method, early)

    def head(self, method, target, headers=None, body=None, chunks=None):
        """The bytes of request line and header fields, up to and including the empty line."""
        given = list(headers.items()) if hasattr(headers, "items") else list(headers or [])
        names = {name.lower() for name, _ in given}
        fields = [("Host", self.authority), ("Connection", "close")]
        if chunks is not None:
            fields.append(("Transfer-Encoding", "chunked"))
        elif body is not None or method in ("POST", "PUT", "PATCH"):
            fields.append(("Content-Length", str(len(body or b""))))
        fields = [field for field in fields if field[0].lower() not in names]
        fields += [(name, value) for name, value in given if value is not None]
        lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"

    def raw(self, data):
        """Sends `data` as it is, ends the sending side, returns the answer (None when the server sent nothing at all)."""
        with self.connect() as connection:
            early = send(connection, data, None, None)
            if not early:
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            return receive(connection, data.split(b" ", 1)[0].decode("latin-1"), early, may_be_empty=True)

    def get(self, target, headers=None):
        return self.request("GET", target, headers)

    def exists(self, target, headers=None):
        return self.request("HEAD", target, headers)

    def put(self, target, body=b"", headers=None):
        return self.request("PUT", target, headers, body)

    def post(self, target, body=b"", headers=None):
        return self.request("POST", target, headers, body)

    def patch(self, target, body=b"", headers=None):
        return self.request("PATCH", target, headers, body)

    def delete(self, target, headers=None):
        return self.request("DELETE", target, headers)


def send(connection, head, body, chunks):
    """Sends everything; True when the server stopped listening before the end (it has answered early)."""
    try:
        connection.sendall(head)
        if chunks is not None:
            for chunk in chunks:
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            connection.sendall(b"0\r\n\r\n")
        elif body:
            connection.sendall(body)
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def receive(connection, method, early=False, may_be_empty=False):
    data = bytearray()
    while True:
        try:
            block = connection.recv(1 << 20)
        except ConnectionResetError:
            if not data and not may_be_empty:
                raise
            break  # after an early answer the rest of our body is answered with a reset
        if not block:
            break
        data += block
    if not data and (may_be_empty or early):
        return None
    return parse(bytes(data), method)


def parse(data, method):
    while True:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            raise BrokenAnswer(f"no end of header fields in {data[:200]!r}")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ")
        if version not in ("HTTP/1.0", "HTTP/1.1"):
            raise BrokenAnswer(first)
        if not 100 <= int(status) < 200:
            break
        data = rest
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BrokenAnswer(f"header line {line!r}")
        headers.append((name, value.strip()))
    response = Response(int(status), headers, b"")
    response.body = body_of(response, rest, method)
    return response


def body_of(response, rest, method):
    if method == "HEAD" or response.status in (204, 304):
        if rest:
            raise BrokenAnswer(f"{response.status} to {method} with a body: {rest[:200]!r}")
        return b""
    if (response["Transfer-Encoding"] or "").lower() == "chunked":
        return unchunk(rest)
    length = response["Content-Length"]
    if length is not None and int(length) != len(rest):
        raise BrokenAnswer(f"Content-Length {length}, but {len(rest)} bytes came ({response.status})")
    return rest


def unchunk(rest):
    body = bytearray()
    while True:
        size, separator, rest = rest.partition(b"\r\n")
        if not separator:
            raise BrokenAnswer("chunked answer without its end")
        count = int(size.split(b";")[0], 16)
        if count == 0:
            if rest != b"\r\n":
                raise BrokenAnswer(f"bytes after the last chunk: {rest[:200]!r}")
            return bytes(body)
        if rest[count:count + 2] != b"\r\n":
            raise BrokenAnswer("chunk cut short")
        body += rest[:count]
        rest = rest[count + 2:]


def quote(value):
    return urllib.parse.quote(value, safe="")

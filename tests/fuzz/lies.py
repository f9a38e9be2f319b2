# SPDX-License-Identifier: Apache-2.0
"""Answers of a registry that lies: an honest one, spoiled in one way or several, as a random generator has it."""
import gzip
import hashlib
import json

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
OTHERS = "11.255.77.3"  # another host than the upstream, as public
PRIVATE = ["10.9.9.9", "127.0.0.1", "[::1]", "localhost", "0x7f.1", "2130706433", "[::ffff:10.9.9.9]", "[64:ff9b::a09:909]"]
NUMBERS = ["0", "1", "-1", "+5", "0x10", "00005", "5, 5", " 7 ", "1e3", "4294967296", "9007199254740993", "9223372036854775807",
           "18446744073709551615", "99999999999999999999999", "", "NaN", "5;q=1"]
STATUSES = [100, 101, 102, 103, 199, 200, 201, 202, 203, 204, 205, 206, 206, 206, 207, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308,
            400, 401, 401, 403, 404, 405, 410, 416, 418, 429, 451, 500, 501, 502, 503, 504, 599, 600, 999]
LINES = ["HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/0.9 200 OK", "HTTP/2 200", "HTTP/3 200 OK", "ICY 200 OK", "HTTP/1.1 20", "HTTP/1.1 2000 OK",
         "HTTP/1.1  200 OK", "HTTP/1.1 -200 OK", "http/1.1 200 ok", "HTTP/1.1 099 OK", "200 OK", "", "GET / HTTP/1.1", "HTTP/1.1 200 " + "x" * 70000]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Answer:
    """`lines` are the header's, in order, names and all; `stalls` after so many bytes, `cut` there."""

    def __init__(self, status=200, body=b"", headers=()):
        self.status_line = f"HTTP/1.1 {status} Whatever"
        self.headers = [("Connection", "close"), *headers]
        self.body, self.length = body, str(len(body))
        self.chunked = False
        self.before = b""  # what comes in front of it
        self.chunks = None  # bytes instead of the chunked body
        self.cut = self.stalls = None

    def replace(self, name, value):
        self.headers = [each for each in self.headers if each[0].lower() != name.lower()] + [(name, value)]

    def encode(self, with_body=True):
        headers = list(self.headers)
        if self.chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif self.length is not None:
            headers.append(("Content-Length", self.length))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        body = self.chunks if self.chunks is not None else chunk(self.body) if self.chunked else self.body
        data = self.before + f"{self.status_line}\r\n{head}\r\n".encode("latin-1", "replace") + (body if with_body else b"")
        return data if self.cut is None else data[:self.cut]


def chunk(body, size=1000):
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def spoil_bytes(chance, data):
    data = bytearray(data)
    how = chance.randrange(7)
    at = chance.randrange(len(data) + 1)
    if how == 0:
        return bytes(data[:at])
    if how == 1:
        return bytes(data) + chance.randbytes(chance.choice([1, 100, 70000]))
    if how == 2 and data:
        data[at % len(data)] ^= 1 << chance.randrange(8)
    elif how == 3:
        data[at:at] = chance.choice([b"\0", b"\xff\xfe", b"[" * 2000, b'{"a":' * 500, b" " * 100000, b'"', b"\xef\xbb\xbf"])
    elif how == 4:
        return b""
    elif how == 5:
        return chance.randbytes(len(data))
    else:
        return bytes(data[at:] + data[:at])
    return bytes(data)


def spoil_json(chance, value, depth=0):
    """The same document with one place exchanged."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(sorted(value))
        changed = dict(value)
        if chance.random() < 0.1:
            del changed[key]
        else:
            changed[key] = spoil_json(chance, value[key], depth + 1)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value * chance.choice([0, 2, 300])
        return [*value[:at], spoil_json(chance, value[at], depth + 1), *value[at + 1:]]
    return chance.choice([None, True, -1, 0, 1.5, 1e300, 2 ** 53, 2 ** 63, 2 ** 64, "", "x", "\0", "\r\nX: y", "a" * 5000, [], {}, [[]],
                          [None], {"a": {"b": {}}}, "sha256:" + "0" * 64, "sha256:../../../../x", "sha512:" + "a" * 128, "../../x",
                          "application/vnd.x+json", "text/html", IMAGE, INDEX, f"http://{PRIVATE[0]}/", "…\ud7ff"])


def spoil_body(chance, answer):
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if document is not None and chance.random() < 0.7:
        answer.body = json.dumps(spoil_json(chance, document)).encode("utf-8", "replace")
    else:
        answer.body = spoil_bytes(chance, answer.body)
    if chance.random() < 0.7:
        answer.length = str(len(answer.body))


def spoil_status(chance, answer):
    if chance.random() < 0.25:
        answer.status_line = chance.choice(LINES)
    else:
        answer.status_line = f"HTTP/1.1 {chance.choice(STATUSES)} {chance.choice(['', 'OK', 'x' * 300, 'Ünwort'])}"


def spoil_length(chance, answer):
    how = chance.randrange(5)
    if how == 0:
        answer.length = chance.choice(NUMBERS)
    elif how == 1:
        answer.length = None
    elif how == 2:
        answer.headers.append(("Content-Length", chance.choice([*NUMBERS, str(len(answer.body))])))
    elif how == 3:
        answer.length = str(max(0, len(answer.body) + chance.choice([-1000, -1, 1, 1000])))
    else:
        answer.headers.append(("Transfer-Encoding", chance.choice(["chunked", "gzip, chunked", "identity", "xchunked", "chunked, chunked"])))


def spoil_chunks(chance, answer):
    answer.chunked = True
    data = chunk(answer.body, chance.choice([1000, 1, 65536]) if len(answer.body) < 5000 else 5000)
    how = chance.randrange(6)
    if how == 0:
        data = data[:chance.randrange(len(data) + 1)]
    elif how == 1:
        data = chance.choice([b"-1\r\n", b"ffffffffffffffff\r\n", b"fffffffffffffffffff\r\n", b"zz\r\n", b"\r\n", b"5\n", b"0x5\r\n"]) + data
    elif how == 2:
        data = data.replace(b"\r\n", b";ext=" + b"x" * chance.choice([1, 10000]) + b"\r\n", 1)
    elif how == 3:
        data = data[:-2] + b"".join(b"Content-Length: 5\r\n" for _ in range(chance.choice([1, 1000]))) + b"\r\n"
    elif how == 4:
        data = spoil_bytes(chance, data)
    answer.chunks = data


def spoil_headers(chance, answer):
    lines = answer.headers
    how = chance.randrange(9)
    if how == 0:
        lines += [(f"X-{number}", "y" * chance.choice([1, 100])) for number in range(chance.choice([50, 300, 5000]))]
    elif how == 1:
        lines.append(("X-Long", "x" * chance.choice([1000, 60000, 300000])))
    elif how == 2:
        lines.append((chance.choice(["X\0Y", " folded", "", "a b", "X\x1b", "Location", "Set-Cookie"]),
                      chance.choice(["a\0b", "a\rb", "a\x1bb", "\xe4", "a\r\n b", "a\r\n\tb", "", "a\x7f"])))
    elif how == 3:
        lines.insert(0, ("Content-Encoding", chance.choice(["gzip", "br", "identity", "gzip, gzip", "x" * 1000])))
        if chance.random() < 0.5:
            answer.body = gzip.compress(answer.body)
            answer.length = str(len(answer.body))
    elif how == 4:
        answer.replace("Docker-Content-Digest", chance.choice(
            ["", "sha256:" + "0" * 64, "x", digest(b"other"), "sha512:" + "a" * 128, "sha256:" + "G" * 64, "sha256:" + "a" * 7000]))
    elif how == 5:
        answer.replace("Content-Type", chance.choice(["", "text/html", "application/json", IMAGE + "; charset=x", INDEX, "application/" + "x" * 300,
                                                      "*/*", IMAGE + ", text/html", "application/vnd.oci.image.manifest.v1+json\t"]))
    elif how == 6:
        answer.replace("Link", chance.choice([
            '</v2/REPOSITORY/tags/list?last=x>; rel="next"', '</v2/REPOSITORY/../../../x>; rel="next"', "<>; rel=next", "next", "<",
            '<http://10.9.9.9/v2/REPOSITORY/tags/list>; rel="next"', '</v2/REPOSITORY/ x>; rel="next"', '</v2/REPOSITORY/' + "x" * 30000 + ">;next",
            "</v2/REPOSITORY/>; rel=next", '</v2/REPOSITORY/manifests/%0d%0aX:y>;next', "</v2/REPOSITORY/#?>;next"]))
    elif how == 7:
        lines += [(chance.choice(["RateLimit-Remaining", "RateLimit-Limit", "Retry-After", "Age", "Date", "Warning"]), chance.choice(NUMBERS))
                  for _ in range(3)]
    else:
        chance.shuffle(lines)
        del lines[chance.randrange(len(lines)):]


def spoil_range(chance, answer):
    size = len(answer.body)
    first = chance.randrange(size + 1)
    if chance.random() < 0.7:
        answer.status_line = f"HTTP/1.1 {chance.choice([206, 206, 200, 416])} Partial"
    answer.replace("Content-Range", chance.choice([
        f"bytes {first}-{size - 1}/{size}", f"bytes 0-{size - 1}/{size}", f"bytes 0-{size}/{size + 1}", "bytes 5-2/10", "bytes */5", "bytes 0-0/*",
        "bytes 0-18446744073709551615/18446744073709551616", "bytes -5", "lines 0-1/2", "bytes=0-1/2", f"bytes {first}-{first + 5}", ""]))


def spoil_redirect(chance, answer):
    answer.status_line = f"HTTP/1.1 {chance.choice([301, 302, 303, 307, 308, 300, 304])} Elsewhere"
    host = chance.choice([*PRIVATE, OTHERS, OTHERS, "HOST", "HOST", "HOST", "bob:secret@HOST", f"HOST@{PRIVATE[0]}", f"HOST@{OTHERS}", "..", ""])
    scheme = chance.choice(["http", "http", "http", "http", "https", "ftp", "file", "gopher", "dict", "HTTP", "javascript", ""])
    port = chance.choice(["PORT", "PORT", "PORT", "80", "443", "22", "0", "65536", "-1", ""])
    path = chance.choice(["PATH", "PATH", "PATH", "/", "", "/\r\n X: y", "/../../etc/passwd", "?" + "a" * 30000, "#x", "/\0", "/ a b"])
    answer.replace("Location", chance.choice([f"{scheme}://{host}:{port}{path}", f"//{host}:{port}{path}", path, "", f"{scheme}:{path}"]))


def spoil_challenge(chance, answer):
    answer.status_line = f"HTTP/1.1 {chance.choice([401, 401, 401, 407, 403])} Who are you"
    host = chance.choice(["HOST", "HOST", "HOST", OTHERS, OTHERS, *PRIVATE, f"bob@HOST"])
    scheme = chance.choice(["http", "http", "http", "https", "ftp", "file"])
    realm = f"{scheme}://{host}:{chance.choice(['PORT', 'PORT', '443', '22'])}/token"
    answer.headers += chance.choice([
        [("WWW-Authenticate", f'Bearer realm="{realm}",service="s",scope="repository:REPOSITORY:pull"')],
        [("WWW-Authenticate", f'Bearer realm="{realm}"')],
        [("WWW-Authenticate", 'Basic realm="x"')],
        [("WWW-Authenticate", f'Basic realm="x", Bearer realm="{realm}"'), ("WWW-Authenticate", "Negotiate")],
        [("WWW-Authenticate", f'Bearer realm="{realm}\\"x,service="' + "s" * chance.choice([1, 50000]))],
        [("WWW-Authenticate", "Bearer " + chance.choice(["", "realm", "realm=", 'realm="', "=" * 100, '"' * 999]))],
        [("WWW-Authenticate", "Digest realm=x"), ("WWW-Authenticate", "NTLM"), ("Proxy-Authenticate", "Basic")],
        [("WWW-Authenticate", f'bearer REALM="{realm}" , scope="a b c", error="x"')] * chance.choice([1, 3, 200]),
    ])


def spoil_beginning(chance, answer):
    answer.before = chance.choice([
        b"HTTP/1.1 100 Continue\r\n\r\n" * chance.choice([1, 3, 20, 5000]), b"HTTP/1.1 101 Switching\r\n\r\n", b"\r\n\r\n", b" ",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * chance.choice([1, 100]), b"\0", b"x" * 200000, b"<html>",
        b"HTTP/1.1 101 Switching\r\n\r\n" + b"x" * 3000000, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])


def spoil_end(chance, answer):
    size = len(answer.encode())
    at = chance.choice([0, chance.randrange(size + 1), max(0, size - chance.randrange(20)), min(size, chance.randrange(300))])
    if chance.random() < 0.25:
        answer.stalls = at
    else:
        answer.cut = at


KINDS = [spoil_status, spoil_length, spoil_chunks, spoil_headers, spoil_headers, spoil_headers, spoil_range, spoil_redirect, spoil_redirect,
         spoil_challenge, spoil_challenge, spoil_beginning, spoil_end, spoil_body, spoil_body]


def spoil(chance, answer):
    """In one way mostly, in two or three sometimes."""
    for kind in chance.sample(KINDS, chance.choice([1, 1, 1, 2, 3])):
        kind(chance, answer)

"""What nobody sends by mistake: traversal, encodings, floods, lies about lengths, bombs. The registry answers, and goes on."""
import re
import socket

import pytest

from harness import content
from harness.client import receive
from harness.process import wait_until
from harness.registry import closing

pytestmark = pytest.mark.quick

D = content.ABSENT
TRICKS = [
    "..", "../..", "../../../../../../etc/passwd", "%2e%2e", "%2e%2e/%2e%2e", "..%2f..%2f", "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252f", "..%252f", "..%c0%af..%c0%af", "%c0%ae%c0%ae/", "%e0%80%ae%e0%80%ae", "..%5c..%5c", "..\\..\\", "....//",
    "%00", "a%00b", "a%00/../b", "%0a", "%0d%0aX-Injected:%20yes", "a%0d%0a%0d%0abody", "%7f", "%1b[31m",
    "%ff%fe", "%", "%2", "%zz", ".", "./a", "a/./b", "a/../b", "//", "a//b", "_layers", "_manifests", "a/_manifests/tags", "a/_uploads",
    "_berth", "_berth/trash", "docker/registry/v2", "*", "?", "a;b", "a&b", "a=b", "$(id)", "`id`", "{{7*7}}", "%24%7Bjndi%7D", "~root",
    "-rf", "a:b", "a@b",
    "\u202e", "ａ", "%EF%BC%8E%EF%BC%8E", "x" * 256, "x" * 4000, "x/" * 500 + "x", "%61" * 300,
]
PLACES = [
    ("GET", "/v2/{}/manifests/latest"), ("GET", "/v2/{}/tags/list"), ("GET", f"/v2/{{}}/blobs/{D}"),
    ("POST", "/v2/{}/blobs/uploads/"), ("DELETE", "/v2/{}/manifests/latest"), ("GET", f"/v2/{{}}/referrers/{D}"),
    ("GET", "/v2/me/app/manifests/{}"), ("PUT", "/v2/me/app/manifests/{}"), ("DELETE", "/v2/me/app/manifests/{}"),
    ("GET", "/v2/me/app/blobs/{}"), ("GET", "/v2/me/app/blobs/sha256:{}"), ("DELETE", "/v2/me/app/blobs/{}"),
    ("GET", "/v2/me/app/blobs/uploads/{}"), ("PATCH", "/v2/me/app/blobs/uploads/{}"), ("DELETE", "/v2/me/app/blobs/uploads/{}"),
    ("PUT", f"/v2/me/app/blobs/uploads/{{}}?digest={D}"), ("GET", "/v2/me/app/referrers/{}"),
    ("POST", f"/v2/me/app/blobs/uploads/?mount={D}&from={{}}"), ("POST", "/v2/me/app/blobs/uploads/?mount={}"),
    ("POST", "/v2/me/app/blobs/uploads/?digest={}"), ("POST", "/v2/me/app/blobs/uploads/?digest-algorithm={}"),
    ("GET", "/v2/me/app/tags/list?last={}"), ("GET", "/v2/me/app/tags/list?n={}"), ("GET", "/v2/_catalog?last={}"),
    ("GET", f"/v2/me/app/referrers/{D}?artifactType={{}}"), ("GET", "/{}"), ("GET", "/v2/{}"), ("GET", "/_berth/registry/{}"),
    ("GET", "/v2/_berth/{}"),
]


def tree(server):
    """Every file and directory of the stores, apart from locks and from sessions that a POST may have opened."""
    passing = ("/_berth/locks/", "/_tmp/uploads/", "/_tmp/bodies/")
    return {path for path in server.storage.rglob("*") if not any(part in str(path) for part in passing)}


@pytest.fixture(scope="module", autouse=True)
def repository_with_content(server):
    server.client.repository("me/app").push_image("latest")
    (server.directory / "secret").write_text("not for you")


@pytest.mark.parametrize("method, place", PLACES, ids=[f"{method} {place}"[:70] for method, place in PLACES])
def test_no_trick_in_a_path_reaches_a_file(server, client, method, place):
    """Every trick in every place: an answer that is no fault of the server's, nothing made, nothing read, nothing injected."""
    client.get("/")  # the page has made what it needs
    before = tree(server)
    for trick in TRICKS:
        data = content.encode(content.index([])) if method == "PUT" else None
        target = place.format(trick)
        if any(ord(byte) < 33 for byte in target):
            continue
        answer = client.request(method, target, {"Content-Type": content.INDEX} if data else None, data)
        assert 200 <= answer.status < 500, (target, answer)
        assert b"root:" not in answer.body and b"not for you" not in answer.body, (target, answer)
        assert answer["X-Injected"] is None, (target, answer)
        assert b"/storage/" not in answer.body, (target, answer)
        if method == "PUT" and answer.status == 201:
            assert re.fullmatch(r"[\w][\w.-]{0,127}", trick.split("?")[0]), target
            assert client.delete(target).status == 202
            before = tree(server)
        assert tree(server) - before == set() or method == "PUT" or answer.status == 202, target


@pytest.mark.parametrize("line", [
    b"GET /../../../etc/passwd HTTP/1.1", b"GET /v2/../../../etc/passwd HTTP/1.1",
    b"GET /_berth/registry/../../secret HTTP/1.1",
    b"GET /v2/%2e%2e/%2e%2e/secret HTTP/1.1", b"GET http://other/v2/ HTTP/1.1", b"GET * HTTP/1.1", b"GET v2/ HTTP/1.1",
    b"GET  /v2/  HTTP/1.1", b"GET /v2/\x00 HTTP/1.1", b"GET /v2/\xff\xfe/tags/list HTTP/1.1", b"GET /v2/ HTTP/9.9",
    b"get /v2/ HTTP/1.1", b"\x16\x03\x01\x02\x00", b"", b"PRI * HTTP/2.0", b"CONNECT /v2/ HTTP/1.1", b"TRACE /v2/ HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"GET /v2/#fragment HTTP/1.1", b"A" * 100000 + b" /v2/ HTTP/1.1",
    b"GET /v2/" + b"a" * 100000 + b" HTTP/1.1", b"GET /v2/?" + b"a=b&" * 50000 + b" HTTP/1.1",
], ids=lambda line: f"{line[:50]!r}")
def test_no_odd_request_line_gets_out_of_the_registry(server, client, line):
    answer = client.raw(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer is None or answer.status < 500 or answer.status in (501, 505), answer
    assert answer is None or b"root:" not in answer.body and b"not for you" not in answer.body
    assert client.get("/v2/").status == 200


@pytest.mark.parametrize("path", ["/_berth/registry/docker/registry/v2/repositories/me/app/_manifests/tags/latest/current/link",
                                  "/_berth/stream", "/v2/_berth/stream", "/_berth/error", "/docker/registry/v2/",
                                  "/storage/",
                                  "/configuration.ini", "/_berth/", "/v2/_berth/", "/.git/config"])
def test_what_is_internal_cannot_be_asked_for(client, path):
    """X-Accel-Redirect's locations are for the web server alone."""
    answer = client.get(path)
    assert 400 <= answer.status < 500, answer
    assert b"sha256:" not in answer.body


@pytest.mark.parametrize("header", ["X-Accel-Redirect", "X-Sendfile", "BERTH-SENDFILE", "BERTH_SENDFILE", "Berth-Body-File",
                                    "BERTH_BODY_FILE", "REMOTE_USER", "Remote-User", "DOCUMENT_ROOT", "Proxy", "X-Original-URL",
                                    "X-HTTP-Method-Override", "X-Rewrite-URL", "Request-Id", "REQUEST_ID", "Status", "BERTH_PASS", "Berth-Pass",
                                    "FCGI-Role", "FCGI_ROLE", "Berth-Namespace", "BERTH_REQUEST_TIME"])
def test_a_client_cannot_set_what_the_web_server_says(server, client, header):
    """Contract: a client cannot set the parameters; its headers arrive as HTTP_*."""
    repository = client.repository("me/app")
    data = client.get(repository.manifest("latest")).body
    for value in ("/etc/passwd", "x-sendfile", "DELETE", str(server.directory / "secret"), "/v2/_berth/may", "AUTHORIZER"):
        answer = client.get(repository.manifest("latest"), {header: value})
        assert (answer.status, answer.body) == (200, data), answer
        answer = client.patch(repository.open_upload(), b"the body", {header: value})
        assert (answer.status, answer["Range"]) == (202, "0-7"), answer


@pytest.mark.parametrize("headers", [
    [(f"X-Header-{number}", "x" * 50) for number in range(2000)],
    [("X-Long", "x" * 200000)],
    [("Cookie", "a=b; " * 20000)],
    [("Range", "bytes=" + "0-1," * 5000 + "2-3")],
    [("If-None-Match", '"x", ' * 3000 + '"y"')],
    [("Accept", "application/x, " * 1000 + "*/*")],
    [("Authorization", "Basic " + "A" * 6000)],
], ids=["many", "long", "cookie", "ranges", "etags", "accept", "authorization"])
def test_a_flood_of_headers_is_refused_or_ignored(client, headers):
    repository = client.repository("me/app")
    answer = client.get(repository.manifest("latest"), headers)
    assert answer is None or answer.status in (200, 206, 304, 400, 413, 414, 416, 431), answer
    assert client.get(repository.manifest("latest")).status == 200


@pytest.mark.parametrize("data", [
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"Content-Length: -5\r\n\r\nhello",
    b"Content-Length: +5\r\n\r\nhello",
    b"Content-Length: 5, 5\r\n\r\nhello",
    b"Content-Length: 0x5\r\n\r\nhello",
    b"Content-Length: 99999999999999999999999999\r\n\r\nhello",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\nhello",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    b"Content-Length: 100\r\n\r\nhello",
], ids=lambda data: data.decode().replace("\r\n", "|")[:60])
def test_a_length_that_lies_never_becomes_a_blob_of_other_bytes(client, new_repository, data):
    """Request smuggling and truncation: whatever is stored has the digest that was named, whole."""
    repository = new_repository()
    digest = content.digest(b"hello world")
    target = closing(repository.open_upload(), digest)
    head = f"PUT {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    answer = client.raw(head + data)
    assert answer is None or 400 <= answer.status < 500 or answer.status == 501, answer
    assert client.get(repository.blob(digest)).status == 404
    assert client.get("/v2/").status == 200


def test_a_smuggled_request_is_not_executed(client, new_repository):
    """A body that looks like a request is a body."""
    repository = new_repository()
    repository.push_image("victim")
    smuggled = client.head("DELETE", repository.manifest("victim"))
    location = repository.open_upload()
    client.patch(location, smuggled)
    with client.connect() as connection:
        both = {"Transfer-Encoding": "chunked", "Content-Length": str(len(smuggled) + 5), "Connection": "keep-alive"}
        connection.sendall(client.head("PATCH", location, both) + b"0\r\n\r\n" + smuggled)
        connection.shutdown(socket.SHUT_WR)
        receive_all(connection)
    assert client.exists(repository.manifest("victim")).status == 200


def receive_all(connection):
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("document", [
    b"[" * 1000000,
    b'{"a":' * 500000,
    b'{"manifests":[' + b"{}," * 1000000 + b"{}]}",
    b'{"layers":[' + b'{"digest":"sha256:' + b"a" * 64 + b'"},' * 30000 + b"{}]}",
    b'{"annotations":{' + b",".join(b'"k%d":"v"' % number for number in range(150000)) + b"}}",
    b'{"x":"' + b"\\u0041" * 600000 + b'"}',
    b'{"x":' + b"9" * 3000000 + b"}",
    b'{"x":1e999999999}', b'{"x":-1e-999999999}',
    b'{"' + b"k" * 3000000 + b'":1}',
    b"{" + b'"mediaType":"a",' * 100000 + b'"mediaType":"b"}',
], ids=["arrays", "objects", "manifests", "layers", "annotations", "escapes", "digits", "huge", "tiny", "key", "duplicates"])
def test_a_json_bomb_is_answered_soon_and_costs_no_worker(server, client, new_repository, document):
    """Within the limit of size: an answer within the client's patience, and the worker lives."""
    repository = new_repository()
    with client.connect() as connection:
        head = client.head("PUT", repository.manifest("bomb"), {"Content-Type": content.INDEX}, document)
        connection.sendall(head + document)
        answer = receive(connection, "PUT")
    assert answer.status in (201, 400, 404, 413), answer


def test_an_index_with_twenty_thousand_children_can_be_asked_for(client, new_repository):
    """More than a manifest may name: told at once."""
    repository = new_repository()
    children = [{"mediaType": content.IMAGE, "digest": f"sha256:{number:064x}", "size": 1} for number in range(20000)]
    answer = repository.put_manifest("huge", content.index(children))
    assert (answer.status, answer.codes()) == (413, ["MANIFEST_INVALID"]), answer


def test_log_lines_cannot_be_forged(server, client):
    """Access lines are for eyes and tools: no control character of a client's reaches them."""
    client.get("/v2/%0aberth:%20forged/%1b%5b31m/manifests/x")
    client.raw(b"GET /v2/\x1b[31mred/\x07/tags/list HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x1b[0mb\r\nConnection: close\r\n\r\n")
    client.raw(b"BAD\x1b /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    client.get("/v2/last/tags/list")
    workers = wait_until(lambda: text if b"/v2/last/" in (text := (server.logs / "workers.log").read_bytes()) else b"", "the last line")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", workers), re.findall(rb".*[\x00-\x09\x0b-\x1f\x7f].*", workers)[:3]
    assert b"\nberth: forged" not in workers


def test_half_a_request_that_never_ends_holds_nobody_up(server, client):
    """More of them than workers."""
    held = []
    for _ in range(server.worker_count * 3):
        connection = client.connect()
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        held.append(connection)
    assert client.get("/v2/").status == 200
    for connection in held:
        connection.close()

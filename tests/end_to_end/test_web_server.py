"""What a browser may do with hostile bytes (DESIGN 8), and what the web servers say by themselves, in whose words."""
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import content
from harness.client import Client, receive, send
from harness.process import wait_until
from harness.server import ROOT, Server, free_port

pytestmark = [pytest.mark.quick, pytest.mark.httpd]

D = content.ABSENT
CLOSE = b"Host: x\r\nConnection: close\r\n"


def assert_harmless(answer):
    """Each header once: `answer[name]` fails on two."""
    assert answer["X-Content-Type-Options"] == "nosniff", answer
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox", answer
    assert answer["Docker-Distribution-API-Version"] == "registry/2.0", answer


def assert_is_error(answer, status, code):
    assert (answer.status, answer.codes()) == (status, [code]), answer
    assert answer["Content-Type"] == "application/json", answer
    assert_harmless(answer)
    assert status != 405 or answer["Allow"] is not None, answer  # RFC 9110 10.2.1: it may be empty, as Apache's is


# --- every kind of answer under /v2/

FAR = "Wed, 21 Oct 2065 07:28:00 GMT"
LONG_AGO = "Wed, 21 Oct 2005 07:28:00 GMT"
BLOB_HEADERS = [{}, {"Range": "bytes=1-3"}, {"Range": "bytes=1-2,4-5"}, {"Range": "bytes=99999-"}, {"Range": "bytes=5-3"},
                {"Range": "bytes=nonsense"}, {"Range": "bytes=99999999999999999999999-"}, {"Range": "lines=1-2"},
                {"Range": "bytes=1-3", "If-Range": '"x"'}, {"Range": "bytes=1-3", "If-Range": '"{digest}"'},
                {"Range": "bytes=99999-", "If-Range": '"{digest}"'},
                {"If-Match": '"{digest}"'}, {"If-Match": '"x"'}, {"If-None-Match": '"{digest}"'}, {"If-None-Match": "*"},
                {"If-Modified-Since": FAR}, {"If-Unmodified-Since": LONG_AGO}, {"If-Unmodified-Since": "nonsense"},
                {"Accept-Encoding": "gzip"}]
STATUSES = {200, 206, 304, 412, 416}


@pytest.fixture(scope="module")
def pushed(server):
    repository = server.client.repository("hostile/bytes")
    blob = b"<html><script>alert(document.domain)</script>" + content.noise(2000)
    return repository, repository.push_blob(blob), repository.push_image("v1")[1]


@pytest.mark.httpd_cgi
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", BLOB_HEADERS, ids=str)
def test_blobs_and_manifests_are_harmless_however_they_are_asked_for(client, pushed, method, headers):
    repository, *digests = pushed
    for target, digest in zip((repository.blob, repository.manifest), digests):
        answer = client.request(method, target(digest), {name: value.format(digest=digest) for name, value in headers.items()})
        assert answer.status in STATUSES, answer
        assert_harmless(answer)
        assert answer.status < 400 or method == "HEAD" or answer.codes() and answer["Content-Type"] == "application/json", answer


@pytest.mark.httpd_cgi
@pytest.mark.parametrize("method, target, status", [
    ("GET", "/v2/", 200), ("GET", "/v2", 200), ("GET", "/v2/_catalog", 200), ("GET", "/v2/hostile/bytes/tags/list", 200),
    ("GET", f"/v2/hostile/bytes/referrers/{D}", 200), ("GET", f"/v2/hostile/bytes/blobs/{D}", 404),
    ("HEAD", f"/v2/hostile/bytes/blobs/{D}", 404), ("GET", "/v2/hostile/bytes/manifests/absent", 404), ("GET", "/v2/no/such", 404),
    ("GET", "/v2/UPPER/tags/list", 404), ("POST", "/v2/", 405), ("PUT", "/v2/hostile/bytes/manifests/v2", 400),
    ("GET", "/v2/_berth/stream", 404), ("GET", "/v2/_berth/anything", 404), ("GET", "/v2/%2e%2e/", 404)])
def test_every_other_answer_is_harmless_too(client, pushed, method, target, status):
    answer = client.request(method, target)
    assert answer.status == status, answer
    assert_harmless(answer)


@pytest.mark.httpd_cgi
def test_a_push_is_answered_harmlessly_from_beginning_to_end(client, repository):
    data = content.noise()
    answer = client.post(repository.uploads)
    answers = [answer, client.patch(answer["Location"], data)]
    answers += [client.get(answers[-1]["Location"]), repository.finish(answers[-1]["Location"], content.digest(data))]
    answers += [client.delete(repository.open_upload()), repository.put_manifest("v1", content.index([]))]
    answers += [client.delete(repository.manifest("v1")), client.delete(repository.blob(content.digest(data)))]
    assert [answer.status for answer in answers] == [202, 202, 204, 201, 204, 201, 202, 202]
    for answer in answers:
        assert_harmless(answer)


def test_a_program_without_a_pool_answers_as_harmlessly(start):
    server = start("lighttpd", mode="cgi")
    repository = server.client.repository("hostile/bytes")
    digest = repository.push_blob(content.noise(1000))
    for headers in BLOB_HEADERS:
        assert_harmless(server.client.get(repository.blob(digest), headers))
    assert_is_error(server.client.raw(b"GET /v2/ HTTP/7.0\r\n" + CLOSE + b"\r\n"), 505, "UNSUPPORTED")


def test_a_blob_that_has_vanished_is_a_harmless_404(server, client, repository):
    """Between the worker's look and the web server's."""
    digest = repository.push_blob(content.noise())
    with server.expecting_faults():
        hidden = server.store / f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        hidden.rename(hidden.with_name("hidden"))
        answer = client.get(repository.blob(digest))
        hidden.with_name("hidden").rename(hidden)
    assert_is_error(answer, 404, "BLOB_UNKNOWN")


# --- what a manifest may call itself

@pytest.mark.parametrize("media_type", ["text/html", "text/plain", "text/x-odd", "image/svg+xml", "a/b", "application/", "application",
                                        "application/x/y", "application/.x", "multipart/form-data; boundary=x", "*/*",
                                        "application/x,text/html"])
def test_a_manifest_is_no_page(client, repository, media_type):
    """image-spec, media types: application/…; pushed under another name it would be what a browser makes of it."""
    answer = repository.put_manifest("v1", b'{"x":"<script>alert(1)</script>"}', media_type)
    assert (answer.status, answer.codes()) == (400, ["MANIFEST_INVALID"]), answer
    assert client.exists(repository.manifest("v1")).status == 404


def test_a_manifest_that_calls_itself_a_page_is_refused(repository):
    for headers in ("text/html", "", "application/json", content.IMAGE):
        answer = repository.put_manifest("v1", {"mediaType": "text/html", "x": "<script>"}, headers)
        assert (answer.status, answer.codes()) == (400, ["MANIFEST_INVALID"]), answer


# --- refused before a worker hears of it

def line(text, *fields, body=b""):
    return text.encode("latin-1") + b"\r\n" + CLOSE + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def put(*fields, body=b""):
    return line("PUT /v2/hostile/bytes/manifests/v2 HTTP/1.1", *fields, body=body)


LONG = "x" * 100000
CHUNKED = b"Transfer-Encoding: chunked"
# What it is, what is sent, what nginx and lighttpd answer: a status of their own, or None if a worker is asked.
ATTACKS = [
    ("TRACE", line("TRACE /v2/ HTTP/1.1"), 405, None),
    ("CONNECT", line("CONNECT /v2/ HTTP/1.1"), 405, None),
    ("OPTIONS", line("OPTIONS /v2/ HTTP/1.1"), None, None),
    ("a made-up method", line("BREW /v2/ HTTP/1.1"), None, 501),
    ("a method in lower case", line("get /v2/ HTTP/1.1"), 400, 501),
    ("a method with a control", line("G\x01T /v2/ HTTP/1.1"), 400, 501),
    ("a method of 300 bytes", line("X" * 300 + " /v2/ HTTP/1.1"), None, 501),
    ("HTTP/9.9", line("GET /v2/ HTTP/9.9"), 505, 505),
    ("HTTP/2.0 in text", line("GET /v2/ HTTP/2.0"), 505, 505),
    ("HTTP/11.1", line("GET /v2/ HTTP/11.1"), 505, 505),
    ("HTTP/1.9", line("GET /v2/ HTTP/1.9"), None, 505),
    ("HTTP/0.9 by name", line("GET /v2/ HTTP/0.9"), 400, 505),
    ("HTTX", line("GET /v2/ HTTX/1.1"), 400, 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100 + b"\r\n\r\n", 400, 400),
    ("no host", b"GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n", 400, 400),
    ("a host with a slash", b"GET /v2/ HTTP/1.1\r\nHost: x/y\r\nConnection: close\r\n\r\n", 400, 400),
    ("a host with a NUL", b"GET /v2/ HTTP/1.1\r\nHost: x\0y\r\nConnection: close\r\n\r\n", 400, 400),
    ("two hosts", line("GET /v2/ HTTP/1.1", b"Host: y"), 400, 400),
    ("a huge request line", line(f"GET /v2/{LONG} HTTP/1.1"), 414, 431),
    ("a huge header", line("GET /v2/ HTTP/1.1", b"X: " + LONG.encode()), 431, 431),
    ("very many headers", line("GET /v2/ HTTP/1.1", *[b"X-%d: %s" % (n, b"y" * 50) for n in range(3000)]), 431, 431),
    ("a header without a colon", line("GET /v2/ HTTP/1.1", b"no colon"), 400, 400),
    ("a space before the colon", line("GET /v2/ HTTP/1.1", b"X : y"), 400, 400),
    ("a NUL in a header", line("GET /v2/ HTTP/1.1", b"X: \0y"), 400, 400),
    ("a carriage return in a header", line("GET /v2/ HTTP/1.1", b"X: b\rY: d"), 400, 400),
    ("a path with a NUL", line("GET /v2/%00 HTTP/1.1"), 400, 400),
    ("a path out of the root", line("GET /v2/../../x HTTP/1.1"), 400, 404),
    ("no path", line("GET * HTTP/1.1"), 400, 400),
    ("Expect nonsense", put(b"Expect: nonsense", b"Content-Length: 2", body=b"{}"), None, None),
    ("an unknown transfer coding", put(b"Transfer-Encoding: nonsense", body=b"2\r\n{}\r\n0\r\n\r\n"), 501, 501),
    ("two transfer codings", put(b"Transfer-Encoding: gzip, chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), 501, 501),
    ("chunks in HTTP/1.0", line("PUT /v2/a/manifests/b HTTP/1.0", CHUNKED, body=b"2\r\n{}\r\n0\r\n\r\n"), 400, 400),
    ("a chunk of negative size", put(CHUNKED, body=b"-5\r\n"), 400, 400),
    ("a chunk of 2^72 bytes", put(CHUNKED, body=b"ffffffffffffffffff\r\n"), 400, 400),
    ("a chunk that is longer", put(CHUNKED, body=b"5\r\nhelloworld\r\n0\r\n\r\n"), 400, 400),
    ("a chunk with a huge extension", put(CHUNKED, body=b"2;" + b"x" * 50000 + b"\r\n{}\r\n0\r\n\r\n"), None, 400),
    ("a negative length", put(b"Content-Length: -1"), 400, 400),
    ("a length with a sign", put(b"Content-Length: +5"), 400, 400),
    ("two lengths in one", put(b"Content-Length: 5, 5"), 400, 400),
    ("two lengths", put(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"), 400, 400),
    ("a length beyond numbers", put(b"Content-Length: 99999999999999999999"), 400, 400),
    ("a length and chunks", put(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400, 400),
    ("no length", line("POST /v2/hostile/bytes/blobs/uploads/ HTTP/1.1"), None, 411),
    ("a GET with a body", line("GET /v2/ HTTP/1.1", b"Content-Length: 5", body=b"hello"), None, 400),
]
# Where Apache's answer is another one than lighttpd's.
APACHE = {"TRACE": 405, "CONNECT": 400, "a made-up method": None, "a method in lower case": None, "a method with a control": 400,
          "a method of 300 bytes": None, "HTTP/9.9": None, "HTTP/2.0 in text": None, "HTTP/11.1": 400, "HTTP/1.9": None,
          "HTTP/0.9 by name": 400, "a huge request line": 414, "a huge header": 400, "very many headers": 400, "a path with a NUL": 404,
          "a path out of the root": 400, "Expect nonsense": 417, "an unknown transfer coding": 400, "two transfer codings": None,
          "chunks in HTTP/1.0": None, "a chunk of 2^72 bytes": 413, "a chunk with a huge extension": 413, "a length and chunks": None,
          "no length": None, "a GET with a body": None}
CODES = {411: "SIZE_INVALID", 413: "SIZE_INVALID"}


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack[0] for attack in ATTACKS])
def test_what_the_web_server_refuses_by_itself_it_refuses_in_our_words(server, client, pushed, attack):
    """Error Codes: status, JSON, code, and nothing for a browser; the log has no fault, and the next request is answered."""
    name, data, nginx, lighttpd = attack
    with client.connect() as connection:
        answer = receive(connection, data.split(b" ")[0].decode("latin-1"), send(connection, data, None, None))
    status = {"nginx": nginx, "lighttpd": lighttpd, "apache": APACHE.get(name, lighttpd)}[server.web]
    if status:
        assert_is_error(answer, status, "NAME_UNKNOWN" if (server.web, status) == ("apache", 404) else CODES.get(status, "UNSUPPORTED"))
        assert answer["X-Request-Id"] or server.web != "nginx", answer
    else:
        assert answer["X-Request-Id"] and answer.status < 500, answer
        assert_harmless(answer)
    assert client.get("/v2/").status == 200


@pytest.mark.parametrize("first", ["GET /v2/ HTTP/9.9", "BREW /v2/ HTTP/1.1", "GET /v2/no/such HTTP/1.1"])
def test_what_follows_a_refused_request_is_no_answer_to_it(client, first):
    """Pipelining: one answer each, in order, or the connection ends."""
    with client.connect() as connection:
        connection.sendall(first.encode() + b"\r\nHost: x\r\n\r\n" + client.head("GET", "/v2/"))
        data = b""
        while block := connection.recv(65536):
            data += block
    statuses = re.findall(rb"HTTP/1\.[01] (\d+) ", data)
    assert len(statuses) in (1, 2) and statuses[1:] in ([], [b"200"]), data
    assert b"<html" not in data.lower()


@pytest.mark.httpd_cgi
def test_without_workers_the_web_server_says_so_in_our_words(server, client):
    """CGI has none: there it is the program that cannot be started."""
    if server.mode == "cgi":
        program = server.runtime / "public/berth.cgi"
        program.chmod(0o644)
        answer = client.get("/v2/")
        program.chmod(0o755)
        assert_is_error(answer, 500, "UNKNOWN")
        return
    with server.expecting_faults():
        path = server.runtime / "berth.sock"
        path.rename(path.with_name("hidden"))
        answers = [client.get("/v2/"), client.post("/v2/hostile/bytes/blobs/uploads/")]
        path.with_name("hidden").rename(path)
        wait_until(lambda: client.get("/v2/").status == 200, "workers that are found again")
        server.log()
    for answer in answers:
        assert_is_error(answer, 502 if server.web == "nginx" else 503, "UNAVAILABLE")
        assert answer["Retry-After"] or server.web == "lighttpd", answer


# --- nginx inside of somebody else's server

OWN_STATUSES = {400: "UNSUPPORTED", 401: "UNAUTHORIZED", 403: "DENIED", 404: "BLOB_UNKNOWN", 405: "UNSUPPORTED",
                411: "SIZE_INVALID", 413: "SIZE_INVALID", 414: "UNSUPPORTED", 421: "UNSUPPORTED", 429: "TOOMANYREQUESTS",
                500: "UNKNOWN", 501: "UNSUPPORTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE", 505: "UNSUPPORTED",
                507: "DENIED", 508: "UNAVAILABLE"}


@pytest.fixture(scope="module")
def surrounded(new_directory):
    """nginx with a server { } that has headers of its own, TLS, and places below /v2/ that fail in every way."""
    directory = pathlib.Path(new_directory("surrounded"))
    with Server(directory, "nginx") as server:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", directory / "key", "-out", directory / "certificate"],
                       check=True, capture_output=True)
        server.tls_port = free_port()
        outside, inside = server.runtime / "nginx.conf", server.runtime / "nginx-snippet.conf"
        outside.write_text(outside.read_text().replace("include nginx-snippet.conf;", f"""
            add_header X-Content-Type-Options nosniff always;
            add_header Content-Security-Policy "default-src 'self'" always;
            listen 127.0.0.1:{server.tls_port} ssl;
            ssl_certificate "{directory}/certificate";
            ssl_certificate_key "{directory}/key";
            include nginx-snippet.conf;"""))
        places = "".join(f"location = /v2/try/{status} {{ return {status}; }}\n" for status in OWN_STATUSES)
        places += """location = /v2/try/password { auth_basic "x"; auth_basic_user_file /dev/null; fastcgi_pass "unix:/none"; }\n"""
        inside.write_text(inside.read_text().replace("location ^~ /v2/ {", "location ^~ /v2/ {\n" + places))
        server.reload_nginx()
        server.note_workers()
        yield server


@pytest.mark.parametrize("status, code", OWN_STATUSES.items())
def test_every_status_of_nginx_has_its_words(surrounded, status, code):
    assert_is_error(surrounded.client.get(f"/v2/try/{status}"), status, code)


def test_a_password_of_nginx_is_asked_for_with_its_challenge(surrounded):
    answer = surrounded.client.get("/v2/try/password")
    assert_is_error(answer, 401, "UNAUTHORIZED")
    assert answer["WWW-Authenticate"] == 'Basic realm="x"'


def test_plain_http_on_the_tls_port_is_refused_in_our_words(surrounded):
    answer = Client("127.0.0.1", surrounded.tls_port).get("/v2/")
    assert_is_error(answer, 400, "UNSUPPORTED")


def test_headers_of_the_server_around_do_not_mix_with_ours(surrounded):
    repository = surrounded.client.repository("me/app")
    blob = repository.push_blob(content.noise())
    for target in ("/v2/", repository.blob(blob), repository.blob(D), repository.manifest("absent")):
        for headers in ({}, {"Range": "bytes=1-2"}, {"Range": "bytes=999-"}, {"If-None-Match": f'"{blob}"'},
                        {"Range": "bytes=1-2", "If-Range": f'"{blob}"'}, {"If-Unmodified-Since": LONG_AGO}):
            assert_harmless(surrounded.client.get(target, headers))


def test_what_lighttpd_is_told_to_refuse_stays_refused(new_directory):
    """It comes a second time, under another path, for files that it has missed; not for these."""
    server = Server(new_directory("refuses"), "lighttpd")
    deploy = server.directory / "deploy"
    shutil.copytree(ROOT / "deploy", deploy)
    complete = deploy / "lighttpd.conf"
    complete.write_text(complete.read_text().replace('( "mod_accesslog" )', '( "mod_access", "mod_accesslog" )')
                        + '\n$HTTP["url"] =~ "^/v2/secret/" { url.access-deny = ( "" ) }\n')
    server.program = deploy / "run"
    with server:
        public, secret = server.client.repository("public/app"), server.client.repository("secret/app")
        digest = public.push_blob(b"public")
        assert server.client.get(public.blob(digest)).status == 200
        for method in ("GET", "HEAD", "POST"):
            answer = server.client.request(method, secret.blob(digest))
            assert answer.status == 403, answer
            assert_harmless(answer)
        for target in ("/v2/_berth/again", "/v2/_berth/again?x", f"/v2/_berth/again{secret.blob(digest)}"):
            assert server.client.get(target).status in (403, 404)

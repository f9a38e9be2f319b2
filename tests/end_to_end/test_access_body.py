"""A body that nobody may send is not taken: web servers ask a worker first."""
import contextlib
import ctypes
import os
import select
import socket

import pytest

from harness import content
from harness.client import parse, receive
from harness.process import wait_until
from harness.server import Server
from test_access import As, basic, bearer, token_of, write_users

GIB = 1 << 30
IN_CREATE = 0x100
LIBC = ctypes.CDLL(None, use_errno=True)
ID = "00000000-0000-0000-0000-000000000000"
SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[access team]
repositories = team/**
pull = anonymous
push = alice
[access cache]
repositories = proxy/**
push = alice
"""


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def house(request, new_directory):
    server = Server(new_directory("house"), request.param, settings=SETTINGS)
    write_users(server.directory / "users", {"alice": "alice's password", "bob": "b"})
    with server:
        yield server


@pytest.fixture
def client(house):
    return house.client


@contextlib.contextmanager
def nothing_arriving(server):
    """In the directory of the bodies: not for a moment, not an empty file."""
    watch = LIBC.inotify_init1(os.O_NONBLOCK)
    assert LIBC.inotify_add_watch(watch, os.fsencode(server.temporary / "bodies"), IN_CREATE) >= 0
    try:
        yield
        with pytest.raises(BlockingIOError):
            raise AssertionError(os.read(watch, 4096)[16:40])
    finally:
        os.close(watch)


def pour(client, method, target, headers, length=GIB):
    """Sends a body of this length, or in chunks, for as long as nobody answers: the answer, and how much was sent by then."""
    piece = bytes(1 << 16)
    size = {"Content-Length": str(length)} if length else {}
    piece, chunks = (piece, None) if length else (b"%x\r\n%b\r\n" % (len(piece), piece), [])
    sent, rest = 0, b""
    with client.connect() as connection:
        connection.sendall(client.head(method, target, {**headers, **size}, chunks=chunks))
        connection.setblocking(False)
        while sent < GIB and not select.select([connection], [connection], [])[0]:
            rest = rest or piece
            with contextlib.suppress(BlockingIOError):
                count = connection.send(rest)
                sent, rest = sent + count, rest[count:]
        connection.setblocking(True)
        connection.shutdown(socket.SHUT_WR)  # otherwise nginx waits for more
        return receive(connection, method), sent


WHO = {"nobody": {}, "bob": basic("bob", "b"), "a wrong password": basic("alice", "x"), "a forged token": bearer("berth_a_x")}
WHERE = [("PUT", "team/app/manifests/1"), ("PUT", f"team/app/blobs/uploads/{ID}?digest={content.ABSENT}"), ("PATCH", f"team/app/blobs/uploads/{ID}"),
         ("POST", f"team/app/blobs/uploads/?digest={content.ABSENT}"), ("PUT", "hidden/app/manifests/1")]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("method, rest", WHERE, ids=[f"{method} {rest.split('/')[-1][:8]}" for method, rest in WHERE])
@pytest.mark.parametrize("length", [GIB, None], ids=["a length", "chunks"])
def test_a_body_of_a_gibibyte_is_refused_before_it_comes(house, client, who, method, rest, length):
    with nothing_arriving(house):
        answer, sent = pour(client, method, f"/v2/{rest}", WHO[who], length)
    assert sent < GIB // 16, answer
    small = client.request(method, f"/v2/{rest}", {**WHO[who], "Content-Length": "0"})
    assert (answer.status, answer.codes(), answer.json()) == (small.status, small.codes(), small.json()), (answer, small)
    assert answer.status == (403 if who == "bob" else 401)
    for name in ("WWW-Authenticate", "Content-Type", "Docker-Distribution-API-Version", "X-Content-Type-Options", "Content-Security-Policy"):
        assert answer[name] == small[name], name


EXPECTS = {"Expect": "100-continue", "Connection": "close"}


def whole(connection):
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize("chunks", [None, []], ids=["a length", "chunks"])
@pytest.mark.parametrize("who", WHO)
def test_who_asks_before_sending_is_told_at_once(house, client, who, chunks):
    head = client.head("PUT", "/v2/team/app/manifests/1", {**WHO[who], **EXPECTS, **({} if chunks == [] else {"Content-Length": str(GIB)})}, chunks=chunks)
    with nothing_arriving(house), client.connect() as connection:
        connection.sendall(head)
        assert connection.recv(12) == b"HTTP/1.1 403" if who == "bob" else b"HTTP/1.1 401"


@pytest.mark.parametrize("chunked", [False, True])
def test_who_may_push_is_told_to_go_on(house, client, chunked):
    data = content.noise(300_000)
    target = f"/v2/team/app/blobs/uploads/?digest={content.digest(data)}"
    length = {} if chunked else {"Content-Length": str(len(data))}
    with client.connect() as connection:
        connection.sendall(client.head("POST", target, {**basic("alice"), **EXPECTS, **length}, chunks=[] if chunked else None))
        told = b""
        while not told.endswith(b"\r\n\r\n"):
            told += connection.recv(1)
        assert told.startswith(b"HTTP/1.1 100 "), told
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if chunked else data)
        answer = parse(whole(connection), "POST")
    assert answer.status == 201, answer
    assert client.get(f"/v2/team/app/blobs/{content.digest(data)}").body == data


def test_a_push_works_by_every_way(house, client):
    token = bearer(token_of(client, "alice")["token"])
    for number, headers in enumerate((basic("alice"), token)):
        repository = As(client, headers).repository(f"team/ways{number}")
        data = [content.noise(size) for size in (0, 1, 70_000, 300_000)]
        for part in data:
            location = repository.open_upload()
            answer = repository.client.request("PATCH", location, chunks=[part] if part else [])
            assert answer.status == 202, answer
            assert len({name.lower() for name, _ in answer.headers}) == len(answer.headers), answer
            assert repository.finish(answer["Location"], content.digest(part)).status == 201
            assert repository.client.get(repository.blob(content.digest(part))).body == part
        repository.push_image("1", data[1:])
        assert client.request("DELETE", f"/v2/team/ways{number}/manifests/1", headers).status == 403


def test_what_is_short_touches_no_disk(house, client):
    """And is read before it is refused: containerd 1.6 waits for ever when it has not sent its manifest yet."""
    with nothing_arriving(house):
        for size in (1, 9_999, 59_999):
            with client.connect() as connection:
                connection.sendall(client.head("PUT", "/v2/team/app/manifests/1", {"Content-Length": str(size)}))
                assert not select.select([connection], [], [], 0.05)[0]
                connection.sendall(bytes(size))
                assert receive(connection, "PUT").status == 401
        As(client, basic("alice")).repository("team/short").push_image("1")


@pytest.mark.parametrize("lengths", [["5"], ["0"], ["0", "5"], [" 5"], ["+5"], ["5;"], ["00005"]])
def test_a_lie_about_the_length_lets_nothing_through(house, client, lengths):
    """Two lengths, or one beside chunks, or one that each may read otherwise: no more than that is taken."""
    head = client.head("PUT", "/v2/team/app/manifests/1", [("Content-Length", length) for length in lengths], chunks=[])
    head = head if b"ransfer-Encoding" in head else head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    with nothing_arriving(house), client.connect() as connection:
        connection.sendall(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        answer = receive(connection, "PUT", early=True, may_be_empty=True)
    assert answer is None or answer.status in (400, 401, 411), answer


@pytest.mark.parametrize("method, target, status", [
    ("PUT", "/v2/proxy/public.example/app/manifests/1", 405), ("POST", "/v2/", 405), ("POST", "/v2/_berth/setup", 404), ("PUT", "/v2/UPPER/manifests/1", 404),
    ("PUT", "/v2/nothing", 404), ("POST", "/v2/_catalog", 405), ("PUT", "/v2/_berth/body", 404), ("PUT", "/v2/_berth/may", 404), ("PUT", "/v2/_berth/why", 404)])
def test_what_cannot_be_pushed_is_refused_before_it_comes(house, client, method, target, status):
    with nothing_arriving(house):
        answer, sent = pour(client, method, target, basic("alice"))
    assert sent < GIB // 16 and answer.status == status and answer.codes(), answer
    assert status != 405 or "GET" in answer["Allow"], answer


@pytest.mark.parametrize("value", ["none", "alice", "0", "99999999", "/v2/_berth/may", "/v2/_berth/body", "AUTHORIZER", "https", "/v2/"])
def test_nobody_says_of_himself_what_the_web_server_says(client, value):
    names = ["Berth-Authentication", "Berth-Pass", "Berth-Namespace", "Berth-Request-Time", "Berth-User", "Berth-May", "Berth-Method", "FCGI-Role",
             "Remote-User", "Redirect-Remote-User", "X-Forwarded-User", "X-Forwarded-Proto", "X-Forwarded-For", "X-Original-URI", "Auth-Type"]
    for spelt in (names, [name.replace("-", "_").upper() for name in names]):
        for size in (10, 70_000):
            answer = client.put("/v2/team/app/manifests/1", bytes(size), {name: value for name in spelt})
            assert answer.status == 401 and answer.codes() == ["UNAUTHORIZED"], answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "BREW"])
def test_what_needs_no_body_fills_no_disk_either(house, client, method):
    with nothing_arriving(house):
        answer, sent = pour(client, method, "/v2/team/app/manifests/1", basic("alice"))
    assert 400 <= answer.status and sent < GIB // 16, answer


def test_a_store_that_is_out_of_reach_is_no_fault_of_the_client(house, client):
    """What would say who somebody is cannot be read: try again."""
    vault = house.registry_storage / "_berth/access"
    token = bearer(token_of(client, "alice")["token"])
    vault.rename(vault.with_name("away"))
    vault.write_text("no directory")
    try:
        with house.expecting_faults(), nothing_arriving(house):
            for headers in (token, basic("alice", "wrong")):
                answer, sent = pour(client, "PUT", "/v2/team/app/manifests/1", headers)
                assert answer.status == 503 and answer.codes() == ["UNAVAILABLE"] and int(answer["Retry-After"]) > 0, answer
                assert sent < GIB // 16
    finally:
        vault.unlink()
        vault.with_name("away").rename(vault)
    assert client.put("/v2/team/app/manifests/1", b"{}", token).status == 400


def test_a_virtual_host_is_asked_about_as_it_is(start, new_directory):
    """What a server { } of nginx's says of its users and names holds for the question as well."""
    server = start("nginx", directory=new_directory("virtual"), settings=SETTINGS)
    write_users(server.directory / "users", {"alice": "alice's password"})
    outside = server.runtime / "nginx.conf"
    plain = outside.read_text()
    data = content.noise(200_000)
    target = f"/v2/app/blobs/uploads/?digest={content.digest(data)}"
    for words, headers, base, status in [("set $berth_namespace team;", basic("alice"), 200, 201), ("set $berth_namespace other;", basic("alice"), 200, 403),
                                         ("set $berth_namespace team; set $berth_authentication none;", basic("alice"), 200, 403)]:
        outside.write_text(plain.replace("include nginx-snippet.conf;", f"include nginx-snippet.conf; {words}"))
        server.reload_nginx()
        assert server.client.get("/v2/", headers).status == base
        answer = server.client.post(target, data, headers)
        assert answer.status == status, answer
    outside.write_text(plain)
    server.reload_nginx()
    assert server.client.get(f"/v2/team/app/blobs/{content.digest(data)}").body == data


def test_without_users_nobody_is_refused_and_all_else_is_as_before(start):
    for web in ("nginx", "lighttpd"):
        server = start(web)
        repository = server.client.repository("me/app")
        data = content.noise(300_000)
        assert server.client.get(repository.blob(repository.push_blob(data))).body == data
        with nothing_arriving(server):
            assert pour(server.client, "PUT", "/v2/UPPER/manifests/1", {})[0].status == 404


@pytest.mark.parametrize("satisfy", ["all", "any"])
def test_a_password_that_nginx_asks_for_is_still_asked_for(start, new_directory, satisfy):
    """That a worker would take a body is no leave to pass by what the server around says."""
    server = start("nginx", directory=new_directory("satisfy"))
    write_users(server.directory / "passwords", {"alice": "alice's password"})
    (server.directory / "passwords").chmod(0o644)
    outside = server.runtime / "nginx.conf"
    lists = "deny all;" if satisfy == "any" else ""
    outside.write_text(outside.read_text().replace("include nginx-snippet.conf;", f"""include nginx-snippet.conf; satisfy {satisfy}; {lists}
        auth_basic "registry"; auth_basic_user_file "{server.directory}/passwords";"""))
    server.reload_nginx()
    data = content.noise(200_000)
    target = f"/v2/me/app/blobs/uploads/?digest={content.digest(data)}"
    for headers in ({}, basic("alice", "wrong")):
        with nothing_arriving(server):
            for method, path in (("POST", target), ("PUT", "/v2/me/app/manifests/1"), ("PUT", "/v2/UPPER/manifests/1")):
                answer, _ = pour(server.client, method, path, headers)
                assert answer.status == 401 and answer["WWW-Authenticate"] == 'Basic realm="registry"', answer
                assert answer.codes() == ["UNAUTHORIZED"], answer
    assert server.client.post(target, data, basic("alice")).status == 201
    with nothing_arriving(server):
        assert pour(server.client, "PUT", "/v2/UPPER/manifests/1", basic("alice"))[0].status == 404


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_body_for_which_there_is_no_room_is_refused_before_it_comes(start, web):
    """It would take what other files are to have."""
    data = content.noise(100)
    target = f"/v2/me/app/blobs/uploads/?digest={content.digest(data)}"
    full = start(web, settings="[hosted]\nminimum_free_space = 1000T\n")
    with full.expecting_faults(), nothing_arriving(full):
        for length in (GIB, None):
            answer, sent = pour(full.client, "POST", target, {}, length)
            assert (answer.status, answer.codes()) == (507, ["DENIED"]) and sent < GIB // 16, answer
    server = start(web)
    with server.expecting_faults(), nothing_arriving(server):
        if web == "nginx":  # lighttpd does not tell how long it is
            assert pour(server.client, "POST", target, {}, 10 ** 15)[0].status == 507
    assert server.client.post(target, data).status == 201

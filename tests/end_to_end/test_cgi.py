"""Berth as plain CGI behind lighttpd and Apache: a process per request, the same answers."""
import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from harness import content, images
from harness.engines import pull_layout, push_layout
from harness.registry import closing
from harness.process import PATIENCE, wait_until
from harness.server import BERTH, Server
from test_blob import DATA, RANGES, SIZE


@pytest.fixture(scope="module", params=["lighttpd-cgi", "apache-cgi"])
def server(request, new_directory):
    with Server(new_directory(request.param), request.param) as running:
        yield running


def test_no_worker_waits(server):
    assert server.client.get("/v2/").status == 200
    assert server.workers() == []


@pytest.mark.parametrize("tag", ["app", "multi"])
def test_skopeo_pushes_and_pulls(server, layout, new_directory, tag):
    reference = f"{server.authority}/me/app:{tag}"
    push_layout(layout, tag, reference, "--all")
    directory = new_directory("pulled")
    pull_layout(directory, reference, "--all")
    assert images.contents(directory)[1] == [layout.digest(tag)]


@pytest.mark.quick
@pytest.mark.parametrize("value, first, last", RANGES)
def test_ranges(client, repository, value, first, last):
    answer = client.get(repository.blob(repository.push_blob(DATA)), {"Range": value})
    assert (answer.status, answer["Content-Range"], answer.body) == (206, f"bytes {first}-{last}/{SIZE}", DATA[first:last + 1])


@pytest.mark.quick
@pytest.mark.parametrize("size", [0, 1, 70000, 3 * content.MIB])
def test_blobs_in_every_way(server, client, repository, size):
    data = content.noise(size)
    digest = content.digest(data)
    assert client.post(f"{repository.uploads}?digest={digest}", data).status == 201
    assert client.delete(repository.blob(digest)).status == 202
    location = client.request("PATCH", repository.open_upload(), chunks=[data] if data else [])["Location"]
    assert client.put(closing(location, digest)).status == 201
    assert client.get(repository.blob(digest)).body == data
    length = client.exists(repository.blob(digest))["Content-Length"]
    assert length == (None if (server.web, size) == ("apache", 0) else str(size))  # it never says 0 to HEAD


@pytest.mark.quick
def test_errors_and_headers(client, repository):
    data, digest = repository.push_image("latest")
    answer = client.get(repository.manifest("latest"))
    assert (answer.body, answer["Docker-Content-Digest"]) == (data, digest), answer
    assert answer["Docker-Distribution-API-Version"] == "registry/2.0"
    assert client.get(repository.manifest("latest"), {"If-None-Match": f'"{digest}"'}).status == 304
    for method, target, status in (("GET", repository.manifest("absent"), 404), ("HEAD", repository.manifest("absent"), 404),
                                   ("PUT", "/v2/", 405), ("GET", "/v2/UPPER/tags/list", 404)):
        answer = client.request(method, target)
        assert answer.status == status, answer
        assert method == "HEAD" or answer.codes()
    assert client.put(repository.manifest("large"), b" " * (5 * content.MIB), {"Content-Type": content.IMAGE}).status == 413
    assert client.delete(repository.manifest(digest)).status == 202


@pytest.mark.quick
def test_a_query_is_never_an_argument_of_the_program(client):
    """RFC 3875 4.4: a query without '=' may become the command line; it is the client's."""
    for query in ("version", "check+--repair", "-c+/etc/passwd", "configuration"):
        answer = client.get(f"/v2/?{query}")
        assert (answer.status, answer.json()) == (200, {}), answer


@pytest.mark.quick
def test_a_body_that_breaks_off_is_no_blob(client, repository):
    data = content.noise(5000)
    with client.connect() as connection:
        target = closing(repository.open_upload(), content.digest(data))
        connection.sendall(client.head("PUT", target, {"Content-Length": "6000"}) + data)
    client.get("/v2/")
    assert client.exists(repository.blob(content.digest(data))).status == 404


@contextlib.contextmanager
def program(server, target, method="GET", **options):
    """As a web server starts it: a process per request."""
    environment = {"REQUEST_METHOD": method, "REQUEST_URI": target, "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                   "GATEWAY_INTERFACE": "CGI/1.1", "BERTH_CONFIGURATION": str(server.configuration)}
    process = subprocess.Popen([BERTH], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.quick
def test_a_program_that_is_ended_behind_its_answer_writes_down_what_it_did(server):
    """As lighttpd does it. The log takes nothing for a moment, so that it is not faster."""
    log, into = os.pipe()
    os.set_blocking(into, False)
    filled = 0
    try:
        while True:
            filled += os.write(into, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(into, True)
    try:
        with program(server, "/v2/", stderr=into) as process:
            os.close(into)
            assert b"".join(iter(lambda: process.stdout.read1(1), b"}")).endswith(b"{")  # the last byte of the answer
            process.terminate()
            assert os.read(log, filled) == b"." * filled
            assert b"GET /v2/ 200" in os.read(log, 4096)
            assert process.wait(PATIENCE) == 0
    finally:
        os.close(log)


def test_a_program_that_waits_in_vain_ends_some_time_after_it_is_told_to(server, client, repository):
    """However often: for a lock that a host has which hangs. lighttpd has no other signal."""
    repository.push_image("latest")
    with contextlib.ExitStack() as held:
        for path in (server.registry_storage / "_berth/locks").glob("??"):
            fcntl.flock(held.enter_context(open(path, "rb")), fcntl.LOCK_EX)
        with program(server, repository.manifest("latest"), "DELETE") as process:
            wait_until(lambda: f"WRITE {process.pid} " in pathlib.Path("/proc/locks").read_text(), "the program waits")
            wait_until(lambda: process.terminate() or process.poll() is not None, "its end")
            assert process.returncode == -signal.SIGALRM and process.stdout.read() == b""
    assert client.get(repository.manifest("latest")).status == 200

"""What is Apache's own: broken answers on kept connections, slow clients, a pool that is away for a moment, real clients."""
import os
import signal

import pytest

from harness import content
from harness.client import parse
from harness.content import MIB
from harness.fixtures import APACHE
from harness.process import parents, send_signal, wait_until
from harness.upstream_site import Download, Site, download
from test_clients import (  # noqa: F401 pylint: disable=unused-import
    ctr, docker, test_containerd_pushes_pulls_and_runs_an_image, test_docker_pushes_pulls_and_runs_an_image,
    test_podman_pushes_pulls_and_runs_an_image, test_skopeo_copies_an_index_of_several_machines)

KEPT = {"Connection": "keep-alive"}


@pytest.fixture(scope="module", params=APACHE)
def site(request, new_directory):
    """A connection that Apache keeps although its answer has broken off is kept for an hour, not for five seconds."""
    with Site(new_directory(request.param), request.param, 10) as running:
        configuration = running.server.runtime / "apache.conf"
        configuration.write_text(configuration.read_text() + "KeepAliveTimeout 3600\n")
        send_signal(int((running.server.runtime / "web.pid").read_text()), signal.SIGUSR1)
        wait_until(lambda: "3600" in kept_for(running.client), "the new configuration")
        yield running


def kept_for(client):
    with client.connect() as connection:
        connection.sendall(client.head("HEAD", "/v2/", KEPT))
        return parse(connection.recv(65536), "HEAD")["Keep-Alive"] or ""


@pytest.fixture(scope="module")
def server(site):
    return site.server


@pytest.fixture
def upstream(site):
    return site.take()


def assert_right(got, data):
    assert got.status == 200 and got.is_whole and got.digest == content.digest(data), got


def senders(site):
    """Processes that wait for an upstream with a client: children of workers, or of Apache. Those that fill the cache are nobody's."""
    programs, above = site.children(), parents()
    others = set(site.server.processes()) - set(programs)
    return [pid for pid in programs if above.get(pid) in others]


def test_an_answer_that_is_broken_off_ends_its_connection(site, upstream):
    """kill -9 of who sends it: the client knows at once, although it had asked for the connection to be kept."""
    data = content.noise(8 * MIB)
    digest = upstream.add_blob(data)
    upstream.when(lambda reply, _: setattr(reply, "stall", 4 * MIB), "/blobs/")
    with site.expecting_cuts():
        client = Download(site.client, site.at(upstream).blob(digest), KEPT)
        wait_until(lambda: client.size > MIB, "some bytes")
        sender, = wait_until(lambda: found if len(found := senders(site)) == 1 else [], "the sender alone")
        os.kill(sender, signal.SIGKILL)
        assert not client.result().is_success, client
        upstream.free.set()
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)


def test_an_answer_that_turns_out_wrong_ends_its_connection(site, upstream):
    """The worker's own end of an answer: the last bytes of content with another digest are never sent."""
    data = content.noise(3 * MIB)
    digest = content.digest(data)
    upstream.blobs[digest] = bytes(len(data))
    with site.expecting_cuts():
        got = Download(site.client, site.at(upstream).blob(digest), KEPT).result()
        assert not got.is_success, got
        upstream.blobs[digest] = data
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)


@pytest.mark.parametrize("headers", [{"Content-Length": "100000"}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunks"])
def test_a_slow_push_holds_no_worker(server, client, repository, headers):
    """More half-sent requests than workers, and the registry answers all the same."""
    slow = []
    for _ in range(server.worker_count * 2):
        slow.append(client.connect())
        slow[-1].sendall(client.head("PATCH", repository.open_upload(), {**headers}) + b"10\r\n" + b"x" * 1000)
    repository.push_image("latest")
    for connection in slow:
        connection.close()


def test_nothing_is_left_of_a_push_that_breaks_off(server, client, repository):
    with client.connect() as connection:
        connection.sendall(client.head("PATCH", repository.open_upload(), {"Content-Length": str(MIB)}) + bytes(MIB // 2))
    wait_until(lambda: not list((server.temporary / "bodies").iterdir()), "Apache removes what it has collected")


def test_the_pool_may_be_away_for_a_moment(server, client):
    """No request is refused because another one was."""
    if server.mode == "cgi":
        return
    path = server.runtime / "berth.sock"
    with server.expecting_faults():
        path.rename(path.with_name("hidden"))
        assert client.get("/v2/").status == 503
        path.with_name("hidden").rename(path)
        assert client.get("/v2/").status == 200


def test_large_blobs_come_back_whole(client, repository):
    """Beyond 16 MiB, from where on Apache's module sends a file in pieces, and ranges across their border."""
    data = content.noise(16 * MIB + 5000)
    target = repository.blob(repository.push_blob(data))
    assert client.get(target).body == data
    for first, last in [(16 * MIB - 10, 16 * MIB + 10), (0, 16 * MIB), (16 * MIB, len(data) - 1)]:
        answer = client.get(target, {"Range": f"bytes={first}-{last}"})
        assert (answer.status, answer.body) == (206, data[first:last + 1]), answer.headers


def test_names_and_passwords_reach_the_program(new_directory, start):
    """Apache keeps Authorization to itself unless it is told otherwise."""
    server = start("apache-cgi")
    program = server.runtime / "public/berth.cgi"
    program.write_text('#!/bin/sh\nprintf "Status: 200 OK\\nContent-Type: text/plain\\n\\n%s" "$HTTP_AUTHORIZATION"\n')
    assert server.client.get("/v2/", {"Authorization": "Basic Ym9iOng="}).body == b"Basic Ym9iOng="

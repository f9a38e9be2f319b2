"""Clients that hang up while another registry takes its time: what works for them alone lets go, what others wait for goes on.

The upstreams are as good as silent for ever: that somebody ends at all is what is tested. nginx tells at once when a client
has gone; lighttpd (1.4.69) only when it has something to send, and now and then overlooks even a reset while it waits.
"""
import contextlib

import pytest

from harness import content
from harness.content import MIB
from harness.process import wait_until
from harness.upstream import error
from harness.upstream_site import Download, Site
from test_proxy_blob import assert_right, fillers, offered

PATIENT = {"stall_timeout": 600, "connect_timeout": 600, "proxy": "minimum_rate = 0"}


@pytest.fixture(scope="module")
def site(new_directory):
    with Site(new_directory("hang-up"), count=20, **PATIENT) as running:
        yield running


@pytest.fixture
def upstream(site):
    return site.take()


@contextlib.contextmanager
def client_of(site, target):
    """A client that waits for its answer, and then goes."""
    with site.client.connect() as connection:
        connection.sendall(site.client.head("GET", target, None, None, None))
        yield connection


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_who_waits_for_a_silent_upstream_lets_go(site, upstream, kind):
    upstream.when(lambda reply, _: setattr(reply, "mute", True))
    target = site.at(upstream).manifest("1") if kind == "manifests" else site.at(upstream).blob(content.ABSENT)
    with client_of(site, target):
        wait_until(upstream.asked, "the question")
        filling = wait_until(lambda: fillers(site), "the filler, when who has started it has gone") if kind == "blobs" else []
    wait_until(lambda: set(site.children()) <= set(filling), "the child's end")
    assert len(filling) == (kind == "blobs")
    upstream.free.set()
    wait_until(lambda: not site.children(), "the filler's end")


def test_who_waits_for_a_token_lets_go(site, upstream):
    service = site.take()
    service.when(lambda reply, _: setattr(reply, "mute", True))
    upstream.login = lambda _: error(401, "UNAUTHORIZED", "?", {"WWW-Authenticate": f'Bearer realm="{service.url}/token"'})
    with client_of(site, site.at(upstream).manifest("1")):
        wait_until(service.asked, "the question")
    wait_until(lambda: not site.children(), "the child's end")


def test_who_waits_for_another_clients_question_lets_go(site, upstream):
    """And the one that asks goes on, for its own client."""
    data, _ = upstream.add_image("app", "1")
    upstream.when(lambda reply, _: setattr(reply, "stall", 10), times=1)
    asking = Download(site.client, site.at(upstream).manifest("1"))
    wait_until(upstream.asked, "the question")
    first = set(site.children())
    with client_of(site, site.at(upstream).manifest("1")):
        wait_until(lambda: set(site.children()) - first, "who waits")
    wait_until(lambda: set(site.children()) <= first, "the end of who waits")
    assert asking.is_alive() and len(upstream.asked()) == 1
    upstream.free.set()
    assert asking.result().body == data


def test_who_reads_a_download_that_stalls_lets_go_and_the_download_goes_on(site, upstream):
    data, digest = offered(upstream, 4 * MIB)
    upstream.when(lambda reply, _: setattr(reply, "stall", MIB), "/blobs/", "GET")
    staying = Download(site.client, site.at(upstream).blob(digest))
    wait_until(lambda: staying.size > MIB // 2, "some bytes")
    before = set(site.children())
    with client_of(site, site.at(upstream).blob(digest)) as connection:
        wait_until(lambda: len(connection.recv(65536)) > 0, "some bytes")
        wait_until(lambda: set(site.children()) - before, "a reader")
    wait_until(lambda: set(site.children()) <= before, "the reader's end")
    assert len(fillers(site)) == 1 and staying.is_alive()
    upstream.free.set()
    assert_right(staying.result(), data)
    assert len(upstream.asked("/blobs/", "GET")) == 1


def test_what_is_passed_on_is_let_go(site, upstream):
    """A range far ahead of the download has a question of its own."""
    data, digest = offered(upstream, 40 * MIB)
    upstream.when(lambda reply, _: setattr(reply, "stall", MIB), "/blobs/", "GET")
    target = site.at(upstream).blob(digest)
    staying = Download(site.client, target)
    wait_until(lambda: staying.size > MIB // 2, "some bytes")
    before = set(site.children())
    head = site.client.head("GET", target, {"Range": f"bytes={30 * MIB}-{39 * MIB}"}, None, None)
    with site.client.connect() as connection:
        connection.sendall(head)
        wait_until(lambda: len(connection.recv(65536)) > 0, "some bytes")
    wait_until(lambda: set(site.children()) <= before, "the end of who passes on")
    upstream.free.set()
    assert_right(staying.result(), data)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_who_reads_a_slow_download_lets_go(new_directory, web):
    with Site(new_directory("slow"), web, **PATIENT) as site:
        upstream = site.take()
        data, digest = offered(upstream, 40 * MIB)
        upstream.when(lambda reply, _: setattr(reply, "rate", 500_000), "/blobs/", "GET")
        Download(site.client, site.at(upstream).blob(digest), leave_after=MIB).result()
        wait_until(lambda: set(site.children()) == set(fillers(site)), "the reader's end")
        assert len(fillers(site)) == 1 and upstream.sent() < len(data)
        upstream.free.set()
        wait_until(lambda: not site.children(), "the end of the fill")
        assert upstream.sent() == len(data)


def test_one_slow_upstream_leaves_fillers_to_others(new_directory):
    with Site(new_directory("fillers"), count=2, **{**PATIENT, "proxy": "maximum_waiting = 4\nminimum_rate = 0"}) as site:
        slow, other = site.take(), site.take()
        slow.when(lambda reply, _: setattr(reply, "stall", MIB), "/blobs/")
        for _ in range(2):
            _, digest = offered(slow, 2 * MIB)
            Download(site.client, site.at(slow).blob(digest), leave_after=MIB // 2).result()
        wait_until(lambda: set(site.children()) == set(fillers(site)), "only fillers to be left")
        assert len(fillers(site)) == 2
        _, third = offered(slow, MIB)
        answer = site.client.get(site.at(slow).blob(third))
        assert (answer.status, answer.codes()) == (429, ["TOOMANYREQUESTS"]), answer
        data, digest = offered(other, MIB)
        assert site.client.get(site.at(other).blob(digest)).body == data
        document, _ = slow.add_image("app", "1")
        assert site.client.get(site.at(slow).manifest("1")).body == document
        slow.free.set()
        wait_until(lambda: not site.children(), "the end of all fills")

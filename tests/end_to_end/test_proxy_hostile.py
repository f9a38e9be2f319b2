"""What an upstream may cost that wants to do harm: never more than its time-outs, never memory, and no process stays.

The time-outs of these sites are 2 s each, so that one question is over within 2 * (2 + 2) s. What is sent goes on for ever: that an
answer comes at all is what is tested, not when.
"""
import itertools
import threading

import pytest

from harness import content
from harness.process import read, wait_until
from harness.upstream import Upstream, error
from harness.upstream_http import Reply
from harness.upstream_site import Download, Site

BOUNDS = {"connect_timeout": 2, "stall_timeout": 2}
LOOK = 0.1  # seconds between two looks at a process
MARGIN = 32 * 1024  # kilobytes: a manifest of 16 MB is read before it is refused
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: " + content.IMAGE.encode() + b"\r\n"
BLOCK = b"x" * 65536


def forever(*parts):
    return itertools.cycle(parts)


def after(begin, *parts):
    return itertools.chain([begin], forever(*parts))


# name: (what is sent, status that a client may get)
HOSTILE = {
    "101 and a flood": (lambda: after(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", BLOCK), {502}),
    "101 and a drip": (lambda: after(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"x", 0.1), {502}),
    "100 Continue for ever": (lambda: forever(b"HTTP/1.1 100 Continue\r\n\r\n"), {502}),
    "100 Continue now and then": (lambda: forever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.5), {502, 504}),
    "a dripped status line": (lambda: after(b"HTTP/1.1 200 ", b"x", 0.1), {504}),
    "dripped headers": (lambda: after(OK, b"X: y\r\n", 0.1), {504}),
    "a flood of headers": (lambda: after(OK, b"X: " + BLOCK[:1000] + b"\r\n"), {502}),
    "a header line without an end": (lambda: after(OK + b"X: ", BLOCK), {502}),
    "a dripped document": (lambda: after(JSON + b"Content-Length: 100000\r\n\r\n", b" ", 0.1), {504}),
    "a dripped document without a length": (lambda: after(JSON + b"\r\n", b" ", 0.1), {504}),
    "a document at just the minimum rate": (lambda: after(JSON + b"\r\n", b" " * 500, 0.1), {504}),
    "endless trailers": (lambda: after(JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"), {502}),
    "dripped trailers": (lambda: after(JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", 0.1), {504}),
    "a chunk extension without an end": (lambda: after(JSON + b"Transfer-Encoding: chunked\r\n\r\n5;x=", BLOCK), {504}),
    "a flood of document": (lambda: after(JSON + b"\r\n", BLOCK), {502}),
    "HTTP/0.9": (lambda: iter([b"<html>hello</html>"]), {502}),
    "no words at all": (lambda: iter([b"HTTP/1.1 100 Continue\r\n\r\n"]), {502}),
}


def raw(parts):
    def spoil(reply, _):
        reply.raw = parts()
    return spoil


def peak(pid):
    """Kilobytes that a process has had at most."""
    found = [line.split()[1] for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


class Watch(threading.Thread):
    """The most memory that any process of a site has had that waits for an upstream."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.kilobytes, self.over = site, 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(LOOK):
            self.kilobytes = max([self.kilobytes, *(peak(pid) for pid in self.site.children())])


@pytest.fixture(scope="module")
def bounded_site(new_directory):
    with Site(new_directory("bounded"), count=50, **BOUNDS) as running:
        yield running


@pytest.fixture
def upstream(bounded_site):
    return bounded_site.take()


@pytest.fixture(scope="module")
def ordinary(bounded_site):
    """Kilobytes that waiting for an upstream takes that says nothing."""
    silent = bounded_site.take()
    silent.when(lambda reply, _: setattr(reply, "mute", True))
    with Watch(bounded_site) as watch:
        assert bounded_site.client.get(bounded_site.at(silent).manifest("1")).status == 504
    assert watch.kilobytes > 0
    return watch.kilobytes


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_costs_neither_time_nor_memory(bounded_site, upstream, ordinary, name):
    parts, statuses = HOSTILE[name]
    _, digest = upstream.add_image("app", "1")
    upstream.when(raw(parts))
    with Watch(bounded_site) as watch:
        for target in (bounded_site.at(upstream).manifest("1"), bounded_site.at(upstream).manifest(digest)):
            answer = bounded_site.client.get(target)
            assert answer.status in statuses, answer
            message = answer.json()["errors"][0]["detail"]["message"]
            assert message and "No error" not in message, answer
            bounded_site.forgive(upstream)
    assert watch.kilobytes < ordinary + MARGIN, f"{watch.kilobytes} KB, not {ordinary}"
    wait_until(lambda: not bounded_site.children(), "nobody to stay")


@pytest.mark.parametrize("name", ["101 and a flood", "dripped headers", "a flood of headers", "100 Continue for ever"])
def test_a_hostile_answer_to_a_blob_ends(bounded_site, upstream, ordinary, name):
    digest = upstream.add_blob(content.noise(1000))
    upstream.when(raw(HOSTILE[name][0]))
    with Watch(bounded_site) as watch:
        answer = bounded_site.client.get(bounded_site.at(upstream).blob(digest))
    assert answer.status in HOSTILE[name][1], answer
    assert watch.kilobytes < ordinary + MARGIN, f"{watch.kilobytes} KB, not {ordinary}"
    wait_until(lambda: not bounded_site.children(), "nobody to stay")


def test_nothing_is_not_served_for_a_blob_that_is_something(new_directory):
    """As CGI, where a process waits for the upstream and answers in one go."""
    with Site(new_directory("empty"), "lighttpd-cgi", **BOUNDS) as site:
        upstream = site.take()
        digest = upstream.add_blob(content.noise(1000))
        upstream.when(raw(lambda: iter([OK + b"Content-Length: 0\r\n\r\n"])), "/blobs/")
        for method in ("GET", "HEAD"):
            answer = site.client.request(method, site.at(upstream).blob(digest))
            assert answer.status == 502, answer
        wait_until(lambda: not site.children(), "nobody to stay")


@pytest.mark.parametrize("name", ["101 and a flood", "dripped headers", "a dripped document"])
def test_it_is_the_same_behind_lighttpd(new_directory, name):
    with Site(new_directory("lighttpd"), "lighttpd", **BOUNDS) as site:
        upstream = site.take()
        upstream.when(raw(HOSTILE[name][0]))
        assert site.client.get(site.at(upstream).manifest("1")).status in HOSTILE[name][1]
        wait_until(lambda: not site.children(), "nobody to stay")


@pytest.mark.parametrize("piece, pause", [(b"x", 0.1), (None, 0)])
def test_a_dripped_blob_does_not_live_for_ever(new_directory, piece, pause):
    """A byte now and then; or a byte and an end, again and again."""
    with Site(new_directory("dripped"), connect_timeout=2, stall_timeout=1) as site:
        upstream, data = site.take(), content.noise(100_000)
        digest = upstream.add_blob(data)

        def drip(reply, request):
            first = int((request["Range"] or "bytes=0-")[6:-1])
            head = b"HTTP/1.1 206 x\r\nContent-Range: bytes %d-99999/100000\r\n" % first if first else OK
            head += b"Content-Length: %d\r\n\r\n" % (len(data) - first)
            pieces = [data[at:at + 1] for at in range(first, len(data))]
            if not piece:
                reply.raw = iter([head + pieces[0]])
            else:
                reply.raw = itertools.chain([head], *([each, pause] for each in pieces))
        upstream.when(drip, "/blobs/", "GET")
        with site.expecting_cuts():
            got = Download(site.client, site.at(upstream).blob(digest)).result()
            assert not got.is_success, got
            wait_until(lambda: not site.children(), "nobody to stay")
        assert len(upstream.asked("/blobs/", "GET")) < 20


def test_a_blob_slower_than_its_window_but_above_the_rate_comes(new_directory):
    with Site(new_directory("slow"), proxy="minimum_rate = 2K", stall_timeout=2) as site:
        upstream, data = site.take(), content.noise(80_000)
        digest = upstream.add_blob(data)

        def slowly(reply, _):
            head = OK + b"Content-Length: %d\r\n\r\n" % len(data)
            reply.raw = itertools.chain([head], *([data[at:at + 4000], 0.2] for at in range(0, len(data), 4000)))
        upstream.when(slowly, "/blobs/")
        answer = site.client.get(site.at(upstream).blob(digest))
        assert (answer.status, answer.body) == (200, data)
        assert len(upstream.asked("/blobs/", "GET")) == 1


def test_pages_have_one_limit_together(bounded_site, upstream):
    """Each in time, all of them not."""
    def next_one(reply, request):
        page = b'{"name":"app","tags":["1"]}'
        head = OK + b"Content-Length: %d\r\nLink: <%sx>; rel=next\r\n\r\n" % (len(page), request.target.encode())
        reply.raw = iter([1.2, head + page])
    upstream.when(next_one, "/tags/list")
    answer = bounded_site.client.get(bounded_site.at(upstream).tags())
    assert answer.status == 504, answer
    assert 1 <= len(upstream.asked()) <= 8


def slow_redirects(upstream, seconds):
    """Each in time, together not."""
    def spoil(reply, request):
        step = int(request.query or 0)
        if step < 5:
            reply.raw = iter([seconds, b"HTTP/1.1 307 x\r\nContent-Length: 0\r\nLocation: %s?%d\r\n\r\n"
                              % (request.path.encode(), step + 1)])
    upstream.when(spoil)


def test_redirects_have_one_limit_together(bounded_site, upstream):
    upstream.add_image("app", "1")
    slow_redirects(upstream, 1.7)
    answer = bounded_site.client.get(bounded_site.at(upstream).manifest("1"))
    assert answer.status == 504, answer
    assert 1 <= len(upstream.asked()) <= 5


def test_a_log_in_is_part_of_the_question(bounded_site, upstream):
    """The token service drips; the upstream is asked once."""
    service = bounded_site.take()
    upstream.add_image("app", "1")
    upstream.login = lambda _: error(401, "UNAUTHORIZED", "?", {"WWW-Authenticate": f'Bearer realm="{service.url}/token"'})
    service.when(raw(lambda: after(OK + b"Content-Type: application/json\r\n\r\n", b" " * 500, 0.1)))
    answer = bounded_site.client.get(bounded_site.at(upstream).manifest("1"))
    assert answer.status == 504, answer
    assert "too long" in answer.json()["errors"][0]["detail"]["message"]
    assert len(upstream.asked()) == len(service.asked()) == 1


PROXIED = """
[upstream literal]
url = http://127.0.0.1
[upstream six]
url = http://[::1]
[upstream numeric]
url = http://2130706433
[upstream named]
url = http://localhost
[upstream outside]
url = http://registry.invalid
"""


@pytest.mark.parametrize("name", ["literal", "six", "numeric", "named"])
def test_an_outgoing_proxy_is_not_sent_to_private_addresses(new_directory, name):
    outgoing = Upstream()
    with Site(new_directory("outgoing"), proxy=f"http_proxy = {outgoing.url}", settings=PROXIED) as site:
        answer = site.client.get(f"/v2/proxy/{name}/app/manifests/1")
        assert (answer.status, answer.codes()) == (403, ["DENIED"]), answer
        assert outgoing.asked() == []
    outgoing.close()


@pytest.mark.parametrize("target", ["http://10.1.2.3/x", "http://localhost/x", "http://0x7f.1/x", "http://[::ffff:127.0.0.1]/x"])
def test_nor_by_a_redirect(new_directory, target):
    """A name that does not resolve here is the proxy's business; where that leads is ours again."""
    outgoing = Upstream()
    outgoing.when(lambda reply, _: reply.__dict__.update(Reply(307, b"", {"Location": target}).__dict__))
    with Site(new_directory("outgoing"), proxy=f"http_proxy = {outgoing.url}", settings=PROXIED) as site:
        answer = site.client.get("/v2/proxy/outside/app/manifests/1")
        assert (answer.status, answer.codes()) == (403, ["DENIED"]), answer
        assert [each.target for each in outgoing.asked()] == ["http://registry.invalid/v2/app/manifests/1"]
    outgoing.close()

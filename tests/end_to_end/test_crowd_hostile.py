"""64 hostile clients of each kind beside 8 honest ones: these get what they came for, and nothing is left of those."""
import concurrent.futures
import contextlib
import fcntl
import threading

import pytest

from harness import content
from harness.client import BrokenAnswer
from harness.content import MIB
from harness.process import PATIENCE, wait_until
from harness.upstream_site import Download, Site
from test_proxy_blob import assert_right, fillers, offered

HOSTILE, HONEST, ROUNDS = 64, 8, 4


class Hostile:
    """What one of them does, once; `over` is set when the honest ones have finished."""

    def __init__(self, client, repository, blob, over):
        self.client, self.repository, self.blob, self.over = client, repository, blob, over

    def send(self, connection, method, target, headers=None, body=b""):
        connection.sendall(self.client.head(method, target, headers, None, None) + body)

    def post(self, data):
        return f"{self.repository.uploads}?digest={content.digest(data)}"

    def drips(self, connection, number):
        """Half a head, or a head and some of the body, and no more until the end."""
        head = self.client.head("POST", self.post(b"never"), {"Content-Length": "1000000"}, None, None)
        connection.sendall(head[:40 + number % 20] if number % 2 else head)
        self.over.wait(PATIENCE)

    def hangs_up(self, connection, number):
        """In the middle of what it gets, or of what it sends."""
        if number % 2:
            self.send(connection, "GET", self.repository.blob(self.blob))
            connection.recv(1000)
        else:
            self.send(connection, "POST", self.post(b"never"), {"Content-Length": "1000000"}, bytes(500_000))

    def is_huge(self, connection, number):
        """A header, or a manifest, larger than anybody takes."""
        if number % 2:
            self.send(connection, "GET", "/v2/", {"X": "x" * 200_000})
        else:
            self.send(connection, "PUT", self.repository.manifest("huge"), {"Content-Type": content.IMAGE, "Content-Length": str(5 * MIB)},
                      bytes(5 * MIB))
        connection.recv(1000)

    def is_malformed(self, connection, number):
        """No HTTP, no path, no length, no chunk, no chunk's range, no JSON."""
        lies = [b"\0\1\2\3 HTTP/9.9\r\n\r\n",
                b"GET /v2/%zz/../..%2f%00/manifests/a?ns=..%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
                b"PATCH /v2/x/blobs/uploads/../.. HTTP/1.1\r\nHost: localhost\r\nContent-Range: 9-1\r\nContent-Length: 2\r\n\r\nxx",
                b"PUT /v2/x/manifests/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\n[{]}"]
        connection.sendall(lies[number % len(lies)])
        self.over.wait(PATIENCE)

    def act(self, kind, number):
        with contextlib.suppress(OSError, BrokenAnswer), self.client.connect() as connection:
            connection.settimeout(PATIENCE)
            getattr(self, kind)(connection, number)


def be_honest(client, repository, blob, document, number):
    """A push and a pull, again and again: what was not right."""
    for turn in range(ROUNDS):
        data = content.noise(30_000)
        digest = repository.push_blob(data)
        assert client.get(repository.blob(digest)).body == data, (number, turn)
        assert client.get(repository.manifest("latest")).body == document, (number, turn)
        answer = client.get(repository.blob(blob), {"Range": "bytes=100-199"})
        assert (answer.status, len(answer.body)) == (206, 100), (number, turn, answer)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_the_honest_get_what_they_came_for(start, web):
    server = start(web, workers=4, expected_faults=True)
    repository, victim = server.client.repository("honest/app"), server.client.repository("hostile/app")
    repository.push_image("latest")
    document = server.client.get(repository.manifest("latest")).body
    blob, over = repository.push_blob(content.noise(2 * MIB)), threading.Event()
    victim.push_blob(content.noise(2 * MIB))
    hostile = Hostile(server.client, victim, victim.push_blob(content.noise(4 * MIB)), over)
    kinds = ["drips", "hangs_up", "is_huge", "is_malformed"]
    with concurrent.futures.ThreadPoolExecutor(len(kinds) * HOSTILE + HONEST) as pool:
        bad = [pool.submit(hostile.act, kind, number) for number in range(HOSTILE) for kind in kinds]
        good = [pool.submit(be_honest, server.client, repository, blob, document, number) for number in range(HONEST)]
        try:
            for each in good:
                each.result()
        finally:
            over.set()
        for each in bad:
            each.result()
    assert set(server.pids) <= set(server.programs()), "a worker has ended"
    wait_until(lambda: set(server.programs()) == set(server.pids), "the end of all processes but the workers")
    temporary = server.storage / "_tmp"
    wait_until(lambda: not [path for path in temporary.rglob("*/*") if path.is_file()], "the end of all that was on its way")
    assert server.client.get(victim.manifest("huge")).status == 404
    assert server.client.get(repository.manifest("latest")).body == document


def held(site, kind):
    """The slots that somebody has."""
    taken = []
    for path in (site.cache / "_berth/slots").glob(f"*/{kind}/*/*"):
        with path.open("rb+") as slot:
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                taken.append(path)
    return taken


@contextlib.contextmanager
def waiting(site, targets):
    """A client for each, which asks and goes when the block ends."""
    with contextlib.ExitStack() as stack:
        for target in targets:
            stack.enter_context(site.client.connect()).sendall(site.client.head("GET", target, None, None, None))
        yield


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_those_who_pull_through_and_leave_hold_nothing(new_directory, web):
    """Neither a slot nor a process; what they have begun goes on without them, is kept, and leaves nothing either."""
    with Site(new_directory("gone"), web, count=2, proxy="minimum_rate = 0\nmaximum_waiting = 512", stall_timeout=600) as site:
        slow, silent = site.take(), site.take()
        blobs = [offered(slow, 4 * MIB) for _ in range(4)]
        slow.when(lambda reply, _: setattr(reply, "rate", 200_000), "/blobs/", "GET")
        silent.when(lambda reply, _: setattr(reply, "mute", True))
        leaving = [Download(site.client, site.at(slow).blob(blobs[number % len(blobs)][1]), leave_after=200_000)
                   for number in range(HOSTILE)]
        if web == "nginx":  # lighttpd does not notice, as long as there is nothing to send: stall_timeout
            with waiting(site, [site.at(silent).manifest(str(number)) for number in range(HOSTILE)]):
                wait_until(lambda: len(silent.asked()) == HOSTILE, "all questions")
                assert len(held(site, "waiting")) >= HOSTILE
        with waiting(site, [f"/v2/proxy/{slow.alias}/..%2f/{number}/manifests/%00" for number in range(HOSTILE)]):
            pass
        for each in leaving:
            each.result()
        wait_until(lambda: set(site.children()) == set(fillers(site)), "the end of all who waited")
        assert len(fillers(site)) == len(blobs) and slow.sent() < 4 * 4 * MIB
        assert not held(site, "waiting") and len(held(site, "filling")) == 2 * len(blobs)
        for upstream in (slow, silent):
            upstream.free.set()
        wait_until(lambda: not site.children(), "the end of the fillers")
        assert not held(site, "filling")
        assert not [path for path in (site.cache / "_berth/temporary").rglob("*") if path.is_file() and path.name != "swept"]
        for data, digest in blobs:
            assert_right(Download(site.client, site.at(slow).blob(digest)).result(), data)
        assert len(slow.asked("/blobs/", "GET")) == len(blobs)

"""64 hostile clients of each kind beside 8 honest ones: these get what they came for, and nothing is left of those."""
import concurrent.futures
import contextlib
import fcntl
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.hostile import KINDS, Hostile
from harness.process import wait_until
from harness.upstream_site import Download, Site
from test_proxy_blob import assert_right, fillers, offered

HOSTILE, HONEST, ROUNDS = 64, 8, 4


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
    with concurrent.futures.ThreadPoolExecutor(len(KINDS) * HOSTILE + HONEST) as pool:
        bad = [pool.submit(hostile.act, kind, number) for number in range(HOSTILE) for kind in KINDS]
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

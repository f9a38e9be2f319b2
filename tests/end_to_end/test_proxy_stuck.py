"""Whoever fills a blob hangs, or has no successor, or cannot say why it gave up: those who wait for it find another way."""
import contextlib
import fcntl
import mmap
import os
import pathlib
import re
import signal

import pytest

from harness import content
from harness.content import MIB
from harness.fastcgi import Worker
from harness.mounts import SmallMemory
from harness.process import read, send_signal, wait_until
from harness.upstream import Upstream
from harness.upstream_site import Download, Site, download
from test_crowd_hostile import held
from test_proxy_blob import assert_right, fillers, offered, shaped
from test_proxy_hang_up import client_of

DRIPPING = 200


@pytest.fixture
def impatient(new_directory):
    """Whoever fills has shown no sign of life for long after seconds."""
    with Site(new_directory("impatient"), stall_timeout=4, connect_timeout=1, proxy="maximum_waiting = 16\nminimum_rate = 0") as site:
        yield site


@contextlib.contextmanager
def stopped(pids):
    for pid in pids:
        send_signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            send_signal(pid, signal.SIGCONT)


def assert_goes_on(site, upstream, target, data, asked):
    """Who could not go on before can now, and the blob is cached in the end."""
    wait_until(lambda: not fillers(site), "the end of the fill")
    assert_right(download(site.client, target), data)
    count = len(upstream.asked("/blobs/"))
    assert_right(download(site.client, target), data)
    assert len(upstream.asked("/blobs/")) == count >= asked


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_who_reads_goes_on_without_a_filler_that_is_stopped(impatient, ranges):
    upstream = impatient.take()
    upstream.ranges = ranges
    data, digest = offered(upstream, 12 * MIB)
    target = impatient.at(upstream).blob(digest)
    shaped(upstream, 3 * MIB)
    first = Download(impatient.client, target)
    wait_until(lambda: first.size > MIB, "some bytes")
    filler, = fillers(impatient)
    with stopped([filler]):
        whole = Download(impatient.client, target)
        part = Download(impatient.client, target, {"Range": f"bytes={5 * MIB}-{11 * MIB - 1}"})
        upstream.free.set()
        for each in (first, whole):
            assert_right(each.result(), data)
        assert part.result().is_success and part.digest == content.digest(data[5 * MIB:11 * MIB]), part
        assert fillers(impatient) == [filler]
    assert_goes_on(impatient, upstream, target, data, 4)


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("is_wrong_first", [True, False], ids=["wrong first", "wrong then"])
def test_who_reads_goes_on_without_a_filler_and_gets_no_wrong_byte(impatient, is_wrong_first, ranges):
    """Also if what he was given before comes right when it is sent again."""
    upstream = impatient.take()
    upstream.ranges = ranges
    data, digest = offered(upstream, 12 * MIB)
    wrong = content.noise(len(data))
    first, then = (wrong, data) if is_wrong_first else (data, wrong)
    target = impatient.at(upstream).blob(digest)
    upstream.blobs[digest] = first
    shaped(upstream, 3 * MIB)
    with impatient.expecting_cuts():
        client = Download(impatient.client, target)
        wait_until(lambda: client.size > MIB, "some bytes")
        with stopped(fillers(impatient)):
            upstream.blobs[digest] = then
            upstream.free.set()
            assert not client.result().is_whole and client.size < len(data), client
            upstream.blobs[digest] = data
    assert_goes_on(impatient, upstream, target, data, 2)


def test_who_waits_for_the_first_byte_goes_on_without_a_filler_that_is_stopped(new_directory):
    """There is time to find the filler before it gives up by itself."""
    with Site(new_directory("first"), stall_timeout=4, connect_timeout=1) as site:
        upstream = site.take()
        data, digest = offered(upstream, 12 * MIB)
        target = site.at(upstream).blob(digest)
        upstream.when(lambda reply, _: setattr(reply, "mute", True), times=1)
        client = Download(site.client, target)
        wait_until(upstream.asked, "the question")
        filler, = wait_until(lambda: fillers(site), "the filler")
        with stopped([filler]):
            assert_right(client.result(), data)
            assert fillers(site) == [filler] and len(upstream.asked("/blobs/")) == 2
        wait_until(lambda: not fillers(site), "the end of the filler, which has had no answer")
        site.forgive(upstream)
        assert_goes_on(site, upstream, target, data, 2)


@pytest.mark.parametrize("begun", [True, False], ids=["some bytes", "none"])
def test_who_comes_long_after_a_filler_has_hung_does_not_wait_for_it(new_directory, begun):
    """Nor for as long again whom nginx sends a second time."""
    with Site(new_directory("late"), stall_timeout=600, connect_timeout=600) as site:
        upstream = site.take()
        data, digest = offered(upstream, 4 * MIB)
        target = site.at(upstream).blob(digest)
        upstream.when(lambda reply, _: reply.__dict__.update({"stall": MIB} if begun else {"mute": True}), times=1)
        with client_of(site, target):
            wait_until(lambda: upstream.asked() and upstream.sent() == begun * MIB, "all that comes")
            filler, = wait_until(lambda: fillers(site), "the filler")
        with stopped([filler]):
            for path in (site.cache / "_berth/temporary/partial").glob("*/*/*"):
                os.utime(path, (1e9, 1e9))
            for _ in range(2):
                assert_right(download(site.client, target), data)
            assert fillers(site) == [filler]
        upstream.free.set()
        wait_until(lambda: not fillers(site), "the end of the filler")
        site.forgive(upstream)
        assert_goes_on(site, upstream, target, data, 3)


def test_who_wants_a_tag_does_not_wait_for_ever_for_one_who_asks_for_it(new_directory):
    """Who asks, and who does that for him, are stopped, and have the one place for such questions."""
    with Site(new_directory("asking"), stall_timeout=4, connect_timeout=1, proxy="maximum_waiting = 64\nminimum_rate = 0") as site:
        upstream = site.take()
        document, _ = upstream.add_image("app", "1")
        target = site.at(upstream).manifest("1")
        upstream.when(lambda reply, _: setattr(reply, "mute", True), times=1)
        with client_of(site, target):
            wait_until(upstream.asked, "the question")
            with stopped(site.children()):
                crowd = [Download(site.client, target) for _ in range(8)]
                for each in crowd:
                    assert each.result().body == document
                assert 2 <= len(upstream.asked()) <= len(crowd) // 2, upstream.asked()
        upstream.free.set()
        wait_until(lambda: not site.children(), "the end of all questions")


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_who_wants_a_tag_whose_repository_is_locked_waits_beside_the_others_and_not_behind_them(new_directory, web):
    """A crowd is answered before one who has come after it to another repository, where he is alone."""
    with Site(new_directory("locked"), web) as site, contextlib.ExitStack() as stack:
        upstream = site.take()
        document, _ = upstream.add_image("crowded", "1")
        other, _ = upstream.add_image("alone", "1")
        assert site.client.get(site.at(upstream).manifest("1")).status == 404  # now there is a cache
        locks = site.cache / "_berth/locks"
        locks.mkdir(exist_ok=True)
        for number in range(256):
            fcntl.flock(stack.enter_context((locks / f"{number:02x}").open("ab")), fcntl.LOCK_EX)
        crowd = [Download(site.client, site.at(upstream, "crowded").manifest("1")) for _ in range(4)]
        wait_until(lambda: not all(each.is_alive() for each in crowd), "the first answer")
        alone = Download(site.client, site.at(upstream, "alone").manifest("1"))
        for each in crowd:
            assert each.result().body == document
        assert alone.is_alive(), "the crowd has waited for longer than one client"
        assert alone.result().body == other
        stack.close()
        for memo in (site.cache / "_berth/memos").rglob("*"):
            os.utime(memo, (1e9, 1e9))
        for _ in range(2):
            assert download(site.client, site.at(upstream, "crowded").manifest("1")).body == document
        assert len(upstream.asked()) == 1 + 4 + 1 + 1, "it is kept as soon as it can be"


def looks(pids):
    """How often these processes have waited for something."""
    return sum(int(count) for pid in pids for count in re.findall(r"\nvoluntary_ctxt_switches:\s*(\d+)", read(f"/proc/{pid}/status")))


@pytest.mark.parametrize("is_freed", [True, False], ids=["freed", "never freed"])
def test_who_reads_waits_for_a_slot_when_the_filler_has_died(impatient, is_freed):
    upstream = impatient.take()
    data, digest = offered(upstream, 12 * MIB)
    target = impatient.at(upstream).blob(digest)
    shaped(upstream, 10**9, until=6 * MIB)
    client = Download(impatient.client, target)
    wait_until(lambda: client.size > 5 * MIB, "some bytes")
    filler, = fillers(impatient)
    readers = [pid for pid in impatient.children() if pid != filler]
    with contextlib.ExitStack() as others, stopped(readers):
        send_signal(filler, signal.SIGKILL)
        wait_until(lambda: not held(impatient, "filling"), "the slot to be free")
        for directory in (impatient.cache / "_berth/slots").glob(f"*/filling/{upstream.alias}"):
            for number in range(8):
                slot = others.enter_context((directory / str(number)).open("ab"))
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert len(held(impatient, "filling")) == 8
        upstream.free.set()
        for pid in readers:
            send_signal(pid, signal.SIGCONT)
        if is_freed:
            before = looks(readers)
            wait_until(lambda: not client.is_alive() or looks(readers) > before + 100, "some looks at the slots")
            others.close()
        assert_right(client.result(), data)
    wait_until(lambda: not impatient.children(), "the end of the fill")
    assert [each["Range"] is not None for each in upstream.asked("/blobs/", "GET")] == [False, True]
    asked = len(upstream.asked("/blobs/", "GET"))
    assert_right(download(impatient.client, target), data)
    assert len(upstream.asked("/blobs/", "GET")) == asked + (not is_freed)


@pytest.mark.parametrize("has_data", [True, False], ids=["data", "no data"])
@pytest.mark.parametrize("is_there", [True, False], ids=["there", "not there"])
def test_a_filler_that_cannot_say_why_it_fails_is_not_tried_for_ever(new_directory, mounted, is_there, has_data):
    """No inode is left, and another one has left its lock."""
    directory = pathlib.Path(new_directory("mute"))
    mounted(SmallMemory(directory / "storage", 16, "nr_inodes=500"))
    cache, upstream = directory / "storage/proxy", Upstream(alias="up")
    settings = f"[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n[upstream up]\nurl = {upstream.url}\nallow_private_address = yes\n"
    with contextlib.closing(upstream), Worker(directory, settings, expected_faults=True) as worker:
        repository = worker.repository("proxy/up/app")
        data, digest = offered(upstream, 20_000)
        assert worker.get(repository.blob(digest)).body == data
        upstream.forget()
        data = content.noise(20_000)
        digest = upstream.add_blob(data) if is_there else content.digest(data)
        partial = cache / "_berth/temporary/partial/up" / digest
        partial.mkdir(parents=True)
        for name in ["lock", "data"] if has_data else ["lock"]:
            (partial / name).write_bytes(b"")
        for group in (cache / "_berth/slots").glob("*/*/*"):
            for number in range(8):
                (group / str(number)).touch()  # the one that is there may not be free yet
        with pytest.raises(OSError):
            for number in range(1000):
                os.symlink("x", directory / f"storage/{number}")
        answer = worker.get(repository.blob(digest))
        assert (answer.status, answer.body if is_there else answer.codes()) == ((200, data) if is_there else (404, ["BLOB_UNKNOWN"])), answer
        assert len(upstream.asked(digest)) <= 6


def test_who_wants_a_far_part_and_leaves_is_noticed_while_the_beginning_is_read_over(new_directory):
    """Of an upstream that knows no ranges, and never lets us wait."""
    with Site(new_directory("far")) as site:
        upstream, data, digest = site.take(), mmap.mmap(-1, 16 << 30), content.digest(b"far")
        upstream.ranges, upstream.blobs[digest] = False, data
        upstream.when(lambda reply, request: setattr(reply, "stall", None if request["Range"] else 0), "/blobs/")
        try:
            head = site.client.head("GET", site.at(upstream).blob(digest), {"Range": f"bytes={len(data) - 100}-"}, None, None)
            with site.client.connect() as connection:
                connection.sendall(head)
                wait_until(lambda: upstream.sent() > 64 * MIB, "the beginning to be read over")
            wait_until(lambda: set(site.children()) <= set(fillers(site)), "the end of who reads over")
            assert upstream.sent() < len(data) // 2
        finally:
            for pid in fillers(site):
                send_signal(pid, signal.SIGKILL)
            upstream.close()
            upstream.blobs.clear()


@contextlib.contextmanager
def dripping(site, target, count):
    """So many clients that take next to nothing of what they are sent."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(site.client.connect()) for _ in range(count)]
        for connection in connections:
            connection.sendall(site.client.head("GET", target, None, None, None))
        yield connections


def test_clients_that_drip_keep_out_nobody_but_from_their_upstream(new_directory):
    """And from that only whoever has to wait for it: half of maximum_waiting is for one upstream."""
    with Site(new_directory("drips"), count=2, stall_timeout=600) as site:
        upstream, other = site.take(), site.take()
        layer = content.noise(100_000)
        document, _ = upstream.add_image("app", "1", [layer])
        cached = {site.at(upstream).manifest("1"): document, site.at(upstream).blob(content.digest(layer)): layer}
        for target, body in cached.items():
            assert site.client.get(target).body == body
        data, digest = offered(upstream, 24 * MIB)
        target = site.at(upstream).blob(digest)
        upstream.when(lambda reply, _: setattr(reply, "stall", 20 * MIB), digest)
        repository = site.client.repository("hosted/app")
        with dripping(site, target, DRIPPING) as clients:
            statuses = [connection.recv(100).split(b" ")[1] for connection in clients]
            count = statuses.count(b"200")  # one that is asked twice by nginx may have two slots for a moment
            assert DRIPPING // 4 <= count <= 128 and statuses.count(b"429") == DRIPPING - count, statuses
            upstream.free.set()
            wait_until(lambda: not fillers(site), "the end of the fill")
            assert len(held(site, "waiting")) == 2 * count
            for known, body in [*cached.items(), (target, data)]:
                assert site.client.get(known).body == body
            if count == 128:
                assert site.client.get(site.at(upstream).manifest("2")).codes() == ["TOOMANYREQUESTS"]
            fresh, of_other = offered(other, 2 * MIB)
            assert_right(download(site.client, site.at(other).blob(of_other)), fresh)
            assert site.client.get(repository.blob(repository.push_blob(layer))).body == layer
        wait_until(lambda: not held(site, "waiting") and not site.children(), "the end of those who dripped")
        assert site.client.get(site.at(upstream).manifest("2")).status == 404

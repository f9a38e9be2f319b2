"""Blobs of other registries: one download for everybody, that survives whoever leaves, breaks or is killed."""
import os
import random
import re
import signal
import stat
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.mounts import SmallMemory
from harness.process import PATIENCE, parents, send_signal, wait_until
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_site import Download, Site, download, downloads

SLACK = 8 * MIB  # bytes that may have to be fetched again after a break


def fillers(site):
    """Processes that download: no worker, and no child of one that waits with a client."""
    children = site.children()
    above = parents()  # after the children, so that none is missing because it was born in between
    return [pid for pid in children if pid in above and above[pid] not in {*site.server.pids, *children}]


def offered(upstream, size, name="app"):
    data = content.noise(size)
    return data, upstream.add_blob(data)


def shaped(upstream, rate, until=None):
    """Sends blobs slowly, and no more than `until` bytes, before upstream.free is set."""
    def slow(reply, request):
        reply.rate = rate
        reply.stall = None if until is None else until - int((request["Range"] or "bytes=0-")[6:].split("-")[0])
    upstream.when(slow, "/blobs/")


def kill_fillers(site, upstream, at, clients):
    """As soon as the upstream has sent so many bytes; how many there were."""
    def someone_waits():
        return any(each.is_alive() for each in clients)
    wait_until(lambda: upstream.sent() >= at or not someone_waits(), f"{at} bytes")
    filling = wait_until(lambda: fillers(site) or not someone_waits(), "a filler")
    victims = [] if filling is True else filling
    for pid in victims:
        send_signal(pid, signal.SIGKILL)
    return len(victims)


def assert_right(got, data):
    assert got.status == 200 and got.is_whole, got
    assert got.digest == content.digest(data)
    assert got.answer["Docker-Content-Digest"] == content.digest(data)


@pytest.mark.parametrize("left", [b"", b"half", bytes(20_000), None], ids=["nothing", "less", "zeros", "all"])
def test_what_a_power_cut_may_have_damaged_is_read_before_it_is_served(site, upstream, left):
    """It is what bears no mark, and nobody has open who has written it."""
    data, digest = offered(upstream, 20_000)
    upstream.add_image("app", "v1", [data])
    repository = site.at(upstream)
    assert site.client.get(repository.manifest("v1")).status == 200
    assert_right(download(site.client, repository.blob(digest)), data)
    cached = site.cache / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    wait_until(lambda: cached.stat().st_mode & stat.S_ISVTX, "a blob that is synced")
    cached.chmod(0o644)
    if left is not None:    # as another file, since lighttpd has this one open still
        cached.unlink()
        cached.write_bytes(left)
    for method in ("HEAD", "GET"):
        assert site.client.request(method, repository.blob(digest))["Content-Length"] == str(len(data))
    assert_right(download(site.client, repository.blob(digest)), data)
    wait_until(lambda: cached.stat().st_mode & stat.S_ISVTX and cached.read_bytes() == data, "a blob that is right")
    asked = [each.method for each in upstream.asked("/blobs/")]
    assert asked == (["GET"] if left is None else ["GET", "HEAD", "GET"])


def test_a_damaged_blob_of_the_cache_is_found_and_fetched_again(nginx_site, upstream):
    """While links may lead to what is not cached yet."""
    data = content.noise(1 * MIB)
    digest = content.digest(data)
    upstream.add_image("app", "v1", [data, content.noise()])
    repository = nginx_site.at(upstream)
    assert nginx_site.client.get(repository.manifest("v1")).status == 200
    assert_right(download(nginx_site.client, repository.blob(digest)), data)
    assert "\nproxy: " in f"\n{nginx_site.server.check().stdout}" and nginx_site.server.check().returncode == 0
    cached = nginx_site.cache / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    cached.chmod(0o600)
    with open(cached, "r+b") as file:
        file.write(b"damaged")
    found = nginx_site.server.check()
    assert found.returncode == 1 and re.search(f"^proxy: .*{digest[7:]}/data: the bytes have another digest", found.stdout, re.MULTILINE), found
    assert nginx_site.server.check("--json").stdout.splitlines()[0].startswith('{"store":"proxy"')
    assert nginx_site.server.check("--repair").returncode == 1 and nginx_site.server.check().returncode == 0
    assert_right(download(nginx_site.client, repository.blob(digest)), data)


def test_fifty_clients_share_one_download_of_an_uncached_blob(site, upstream):
    """And everybody gets what has arrived while the rest is on its way."""
    data, digest = offered(upstream, 16 * MIB)
    upstream.when(lambda reply, _: setattr(reply, "stall", 8 * MIB), "/blobs/")
    target = site.at(upstream).blob(digest)
    with downloads(site.client, target, 50) as cold:
        wait_until(lambda: all(each.size > 7 * MIB for each in cold), "the first half")
        assert upstream.sent() <= 8 * MIB
        upstream.free.set()
    for each in cold:
        assert_right(each, data)
    assert [each.method for each in upstream.asked("/blobs/")] == ["GET"]
    assert upstream.sent() <= 1.01 * len(data)
    with downloads(site.client, target, 50) as warm:
        pass
    assert all(each.is_whole and each.digest == digest for each in warm)
    assert len(upstream.asked("/blobs/")) == 1


def test_a_download_goes_on_when_its_client_leaves(site, upstream):
    data, digest = offered(upstream, 24 * MIB)
    shaped(upstream, 4_000_000)
    Download(site.client, site.at(upstream).blob(digest), leave_after=MIB).result()
    assert upstream.sent() < len(data)
    upstream.free.set()
    wait_until(lambda: not fillers(site), "the end of the fill")
    assert upstream.sent() == len(data)
    assert_right(download(site.client, site.at(upstream).blob(digest)), data)
    assert len(upstream.asked("/blobs/")) == 1


def test_killed_downloads_are_resumed_where_they_stopped(site, upstream):
    """kill -9 of the filler: the client gets the right blob, or a clean cut; nothing is fetched twice but the last bytes."""
    data, digest = offered(upstream, 48 * MIB)
    shaped(upstream, 24_000_000, until=44 * MIB)
    target, kills, whole, cut = site.at(upstream).blob(digest), 0, 0, 0
    rng = random.Random(3)
    with site.expecting_cuts():
        clients = [Download(site.client, target) for _ in range(4)]
        for at in sorted(rng.randrange(MIB, 40 * MIB) for _ in range(4)):
            kills += kill_fillers(site, upstream, at, clients)
        upstream.free.set()
        for each in clients:
            each.result()
            if each.is_success:
                assert each.digest == digest
                whole += 1
            else:
                assert each.size < len(data)
                cut += 1
        assert_right(download(site.client, target), data)
    print(f"{kills} kills: {whole} whole, {cut} cut, {upstream.sent()} of {len(data)} bytes sent by the upstream")
    assert kills >= 4
    assert whole + cut == 4
    assert upstream.sent() <= len(data) + kills * SLACK


def test_killed_senders_cut_the_answer(site, upstream):
    """kill -9 of the process that sends to a client: a clean cut, at once, that cannot be taken for the end."""
    data, digest = offered(upstream, 64 * MIB)
    shaped(upstream, 4_000_000)
    with site.expecting_cuts():
        client = Download(site.client, site.at(upstream).blob(digest))
        wait_until(lambda: client.size > 2 * MIB, "some bytes")
        filling = wait_until(lambda: found if len(found := fillers(site)) == 1 else [], "the filler")
        sender, = wait_until(lambda: found if len(found := [pid for pid in site.children() if pid not in filling]) == 1 else [], "the sender alone")
        os.kill(sender, signal.SIGKILL)
        assert not client.result().is_success and client.size < len(data), client
        assert upstream.sent() < len(data), "at once, not when the download has ended"
        upstream.free.set()
        wait_until(lambda: not fillers(site), "the end of the fill")
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)
    assert len(upstream.asked("/blobs/")) == 1


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_stopping_the_server_leaves_no_process_behind(new_directory, web):
    """Not even one that downloads; the next start goes on where it was."""
    with Site(new_directory("stopped"), web, expected_faults=True) as site:
        upstream = site.take()
        data, digest = offered(upstream, 12 * MIB)
        upstream.when(lambda reply, _: setattr(reply, "stall", 4 * MIB), "/blobs/", times=1)
        client = Download(site.client, site.at(upstream).blob(digest))
        wait_until(lambda: client.size > 2 * MIB, "some bytes")
        site.server.stop()  # looks for processes
        assert upstream.sent() < len(data), "without waiting for the download"
        assert not client.result().is_success
        site.server.start()
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)
        assert upstream.asked("/blobs/")[1]["Range"]
        assert upstream.sent() <= len(data) + SLACK


def test_an_upstream_that_breaks_off_is_resumed(site, upstream):
    data, digest = offered(upstream, 40 * MIB)
    rng, cuts = random.Random(7), 20

    def cut(reply, _):
        reply.cut = rng.randrange(MIB // 2, 3 * MIB // 2)
    upstream.when(cut, "/blobs/", times=cuts)
    assert_right(download(site.client, site.at(upstream).blob(digest)), data)
    requests = upstream.asked("/blobs/")
    assert len(requests) == cuts + 1
    assert all(each["Range"] for each in requests[1:])
    print(f"{cuts} cuts: {upstream.sent()} of {len(data)} bytes")
    assert upstream.sent() <= len(data) + cuts * SLACK


def test_an_upstream_without_ranges_starts_over_and_cuts_nobody_short(site, upstream):
    """It sends everything again; what the client has already is not sent twice, and the digest decides."""
    data, digest = offered(upstream, 8 * MIB)
    upstream.ranges = False
    upstream.when(lambda reply, _: setattr(reply, "cut", 5 * MIB), "/blobs/", times=1)
    assert_right(download(site.client, site.at(upstream).blob(digest)), data)
    assert len(upstream.asked("/blobs/")) == 2
    assert_right(download(site.client, site.at(upstream).blob(digest)), data)
    assert len(upstream.asked("/blobs/")) == 2


def test_who_has_read_what_comes_otherwise_when_it_starts_over_gets_no_end(site, upstream):
    data, digest = offered(upstream, 8 * MIB)
    upstream.ranges = False
    upstream.blobs[digest] = content.noise(len(data))
    upstream.when(lambda reply, _: setattr(reply, "stall", 5 * MIB), "/blobs/", times=1)
    with site.expecting_cuts():
        client = Download(site.client, site.at(upstream).blob(digest))
        wait_until(lambda: client.size, "some bytes")
        upstream.blobs[digest] = data
        kill_fillers(site, upstream, 5 * MIB, [client])
        assert not client.result().is_whole and client.size < len(data), client
    upstream.free.set()
    assert_right(download(site.client, site.at(upstream).blob(digest)), data)


def test_a_download_goes_on_in_what_another_upstream_has_brought_when_its_own_filler_dies(site, upstream):
    data, digest = offered(upstream, 8 * MIB)
    other = site.take()
    other.add_blob(data)
    shaped(upstream, 10**9, until=5 * MIB)
    client = Download(site.client, site.at(upstream).blob(digest))
    wait_until(lambda: client.size > 4 * MIB, "some bytes")
    assert_right(download(site.client, site.at(other).blob(digest)), data)
    assert kill_fillers(site, upstream, 5 * MIB, [client]) == 1
    assert_right(client.result(), data)
    assert len(upstream.asked("/blobs/")) == 1


def test_a_download_goes_on_when_another_upstream_was_faster(site, upstream):
    """Both have the layer, as registries with images of one base do."""
    data, digest = offered(upstream, 4 * MIB)
    other = site.take()
    other.add_blob(data)
    shaped(upstream, MIB)
    client = Download(site.client, site.at(upstream).blob(digest))
    wait_until(lambda: client.size, "some bytes")
    assert_right(download(site.client, site.at(other).blob(digest)), data)
    assert upstream.sent() < 2 * MIB, "too much for what follows to mean anything"
    assert_right(client.result(), data)


def test_who_reads_slowly_gets_the_end_when_another_upstream_was_slower(nginx_site, upstream):
    """Then it is the other one's file that has the name."""
    data, digest = offered(upstream, 24 * MIB)
    other = nginx_site.take()
    other.add_blob(data)
    cached = nginx_site.cache / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
    for each in (upstream, other):
        each.when(lambda reply, _: setattr(reply, "stall", 2 * MIB), "/blobs/")
    target = nginx_site.at(upstream).blob(digest)
    with nginx_site.client.connect() as connection:
        connection.sendall(nginx_site.client.head("GET", target, None, None, None))
        answer = bytearray(connection.recv(1000))
        last = Download(nginx_site.client, nginx_site.at(other).blob(digest))
        wait_until(lambda: last.size, "some bytes")
        upstream.free.set()
        wait_until(cached.exists, "the blob of who is faster")
        first = cached.stat().st_ino
        other.free.set()
        assert_right(last.result(), data)
        assert cached.stat().st_ino != first
        while block := connection.recv(MIB):
            answer += block
    assert content.digest(answer.partition(b"\r\n\r\n")[2]) == digest


def test_ranges_are_answered_from_a_download_under_way(site, upstream):
    data, digest = offered(upstream, 32 * MIB)
    upstream.when(lambda reply, request: setattr(reply, "stall", None if request["Range"] else 8 * MIB), "/blobs/")
    target = site.at(upstream).blob(digest)
    whole = Download(site.client, target)
    wait_until(lambda: whole.size > 4 * MIB, "some bytes")
    for first, last in ((0, 99), (MIB, 2 * MIB - 1), (5 * MIB, 6 * MIB + 7)):
        part = download(site.client, target, {"Range": f"bytes={first}-{last}"})
        assert part.status == 206 and part.is_whole, part
        assert part.answer["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
        assert part.digest == content.digest(data[first:last + 1])
    assert len(upstream.asked("/blobs/", "GET")) == 1
    head = site.client.exists(target)
    assert (head.status, head["Content-Length"], head["Docker-Content-Digest"]) == (200, str(len(data)), digest)
    assert len(upstream.asked("/blobs/")) == 1
    # Far beyond what is there: passed through, and not when the rest has arrived.
    part = download(site.client, target, {"Range": f"bytes={31 * MIB}-{31 * MIB + 99}"})
    assert upstream.asked("/blobs/", "GET")[0].sent < 31 * MIB
    assert (part.status, part.digest) == (206, content.digest(data[31 * MIB:31 * MIB + 100])), part
    assert part.answer["Content-Range"] == f"bytes {31 * MIB}-{31 * MIB + 99}/{len(data)}"
    assert [each["Range"] for each in upstream.asked("/blobs/", "GET")] == [None, f"bytes={31 * MIB}-{31 * MIB + 99}"]
    all_of_it = Download(site.client, target, {"Range": f"bytes={31 * MIB}-", "If-Range": '"something else"'})
    wait_until(lambda: all_of_it.size > 4 * MIB or not all_of_it.is_alive(), "some bytes")
    upstream.free.set()
    assert_right(whole.result(), data)
    assert_right(all_of_it.result(), data)


def test_what_an_earlier_download_has_left_is_no_part_before_it_is_verified(nginx_site, upstream):
    """A power cut may have left zeros, and only the digest of all tells."""
    data, digest = offered(upstream, 4 * MIB)
    target = nginx_site.at(upstream).blob(digest)
    upstream.when(lambda reply, request: setattr(reply, "stall", MIB if request["Range"] else 2 * MIB), "/blobs/")
    with nginx_site.expecting_cuts():
        client = Download(nginx_site.client, target, leave_after=MIB)
        kill_fillers(nginx_site, upstream, 2 * MIB, [client])
        partial, = (nginx_site.cache / "_berth/temporary/partial").glob(f"*/*{digest[7:]}*/data")
        with open(partial, "r+b") as file:
            file.write(bytes(MIB))
        part = Download(nginx_site.client, target, {"Range": "bytes=0-99"})
        whole = Download(nginx_site.client, target)
        wait_until(lambda: whole.size > MIB, "that the next download goes on")
        upstream.free.set()
        whole.result()
        part.result()
        assert not part.is_success or part.digest == content.digest(data[:100]), part
    assert_right(download(nginx_site.client, target), data)


def test_a_range_of_an_uncached_blob_is_answered(site, upstream):
    data, digest = offered(upstream, 3 * MIB)
    part = site.client.get(site.at(upstream).blob(digest), {"Range": "bytes=1000000-1000099"})
    assert (part.status, part.body) == (206, data[1000000:1000100]), part
    assert part["Content-Range"] == f"bytes 1000000-1000099/{len(data)}"
    beyond = site.client.get(site.at(upstream).blob(digest), {"Range": f"bytes={len(data)}-"})
    assert (beyond.status, beyond["Content-Range"]) == (416, f"bytes */{len(data)}"), beyond
    whole = site.client.get(site.at(upstream).blob(digest))
    assert whole.body == data


def test_head_of_an_uncached_blob_answers_as_get_would(site, upstream):
    data, digest = offered(upstream, 100_000)
    head = site.client.exists(site.at(upstream).blob(digest))
    assert head.status == 200, head
    assert [each.method for each in upstream.asked()] == ["HEAD"]
    got = site.client.get(site.at(upstream).blob(digest))
    assert got.body == data
    for name in ("Content-Length", "Content-Type", "Docker-Content-Digest", "ETag", "Cache-Control", "Accept-Ranges"):
        assert head[name] == got[name], name
    absent = site.client.exists(site.at(upstream).blob(content.ABSENT))
    assert absent.status == 404


def test_an_empty_blob_comes_through(site, upstream):
    digest = upstream.add_blob(b"")
    got = site.client.get(site.at(upstream).blob(digest))
    assert (got.status, got.body, got["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 131073])
def test_blobs_around_what_is_held_back_come_through(nginx_site, upstream, size):
    data, digest = offered(upstream, size)
    got = nginx_site.client.get(nginx_site.at(upstream).blob(digest))
    assert (got.status, got.body) == (200, data)


@pytest.mark.parametrize("size", [1000, 3 * MIB])
def test_content_with_another_digest_reaches_nobody(nginx_site, upstream, size):
    wrong, digest = content.noise(size), content.digest(content.noise(10))
    upstream.blobs[digest] = wrong
    with nginx_site.expecting_cuts():
        got = download(nginx_site.client, nginx_site.at(upstream).blob(digest))
        assert not got.is_success, got
        again = download(nginx_site.client, nginx_site.at(upstream).blob(digest))
        assert not again.is_success, again
    assert not (nginx_site.cache / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:]).exists()


def test_a_blob_that_becomes_right_is_served(site, upstream):
    data = content.noise(2 * MIB)
    digest = content.digest(data)
    upstream.blobs[digest] = bytes(len(data))
    with site.expecting_cuts():
        assert not download(site.client, site.at(upstream).blob(digest)).is_success
        upstream.blobs[digest] = data
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)


@pytest.mark.parametrize("claimed", [-1000, 1000])
def test_a_wrong_content_length_never_completes_wrong_content(nginx_site, upstream, claimed):
    data, digest = offered(upstream, MIB)

    def lie(reply, _):
        reply.length = len(data) + claimed
    upstream.when(lie, "/blobs/", "GET")
    with nginx_site.expecting_cuts():
        got = download(nginx_site.client, nginx_site.at(upstream).blob(digest))
        assert not got.is_success, got
    upstream.well_again()
    assert_right(download(nginx_site.client, nginx_site.at(upstream).blob(digest)), data)


def test_a_blob_without_content_length_comes_through(site, upstream):
    """Chunked: its size is known at the end only, and Content-Length is sent all the same (§4)."""
    data, digest = offered(upstream, 2 * MIB)

    def chunked(reply, _):
        reply.headers["Transfer-Encoding"] = "chunked"
        reply.length = None
        reply.body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
    upstream.when(chunked, "/blobs/", "GET")
    got = download(site.client, site.at(upstream).blob(digest))
    assert_right(got, data)


def test_a_stalled_download_ends_for_the_client(hasty_site, upstream):
    """Silence longer than stall_timeout, again and again: tried again some times, then a cut; never a hang."""
    data, digest = offered(upstream, 4 * MIB)

    def stall(reply, request):
        reply.stall = MIB if not request["Range"] else 0
    upstream.when(stall, "/blobs/")
    with hasty_site.expecting_cuts():
        got = download(hasty_site.client, hasty_site.at(upstream).blob(digest))
        assert not got.is_success, got
    upstream.well_again()


def test_a_stall_is_overcome(hasty_site, upstream):
    data, digest = offered(upstream, 6 * MIB)
    upstream.when(lambda reply, _: setattr(reply, "stall", 3 * MIB), "/blobs/", times=1)
    got = download(hasty_site.client, hasty_site.at(upstream).blob(digest))
    assert_right(got, data)
    assert len(upstream.asked("/blobs/")) == 2
    assert upstream.asked("/blobs/")[1]["Range"].startswith("bytes=")


def use_up(directory):
    """Until not a byte is left."""
    descriptor = os.open(directory / "ballast", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, bytes(4096)):
            pass
    except OSError:
        pass
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_full_disk_stops_caching_not_serving(new_directory, mounted, web):
    directory = new_directory("full")
    memory = mounted(SmallMemory(f"{directory}/small", 12))
    site = Site(directory, web, 2, expected_faults=True)
    configuration = site.server.configuration.read_text()
    site.server.configuration.write_text(configuration.replace("proxy_storage = storage/proxy", f"proxy_storage = {memory.point}/proxy"))
    with site:
        upstream, other = site.take(), site.take()
        small, large = content.noise(MIB), content.noise(40 * MIB)
        upstream.add_image("app", "1", [small, large])
        assert site.client.get(site.at(upstream).manifest("1")).status == 200
        for _ in range(2):
            assert_right(download(site.client, site.at(upstream).blob(content.digest(large))), large)
        # For each client: the try that finds no room, what is passed through, and behind nginx a look before it is.
        assert len(upstream.asked(content.digest(large), "GET")) <= 4
        assert_right(download(site.client, site.at(upstream).blob(content.digest(small))), small)
        assert_right(download(site.client, site.at(upstream).blob(content.digest(small))), small)
        assert len(upstream.asked(content.digest(small), "GET")) == 1, "there was room for this one"
        use_up(memory.point)
        document, digest = other.add_image("app", "2", [content.noise(3 * MIB)])
        layer = max(other.blobs.values(), key=len)
        answer = site.client.get(site.at(other).manifest("2"))
        assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, document, digest), answer
        assert_right(download(site.client, site.at(other).blob(content.digest(layer))), layer)
        assert_right(download(site.client, site.at(upstream).blob(content.digest(small))), small)
        site.server.stop()


def test_a_download_keeps_nothing_of_the_client_back_from_the_upstream(nginx_site, upstream):
    """No header of the client's goes there but Range."""
    data, digest = offered(upstream, 1000)
    nginx_site.client.get(nginx_site.at(upstream).blob(digest), {
        "Authorization": "Bearer secret", "Cookie": "secret", "X-Secret": "secret", "User-Agent": "secret", "Referer": "http://secret/"})
    for request in upstream.asked():
        assert "secret" not in str(request.headers)
        assert set(request.headers) <= {"host", "accept", "accept-encoding", "range", "user-agent", "via"}, request.headers


def test_the_access_lines_of_a_pull_are_those_of_a_hosted_one(nginx_site, upstream):
    data, digest = offered(upstream, 1000)
    target = nginx_site.at(upstream).blob(digest)
    nginx_site.server.log()
    assert nginx_site.client.get(target).body == data
    wait_until(lambda: re.search(rf"GET {re.escape(target)} 200 1000 \d+ms - ", nginx_site.server.whole_log()), "the access line")


def test_many_clients_of_many_small_layers_get_them_all(site, upstream):
    """Fills that end while others are just joining: no lock is lost with its directory."""
    blobs = [offered(upstream, 1000) for _ in range(20)]
    begun = threading.Barrier(32)
    failed = []

    def pull():
        for data, digest in blobs:
            begun.wait(PATIENCE)
            got = site.client.get(site.at(upstream).blob(digest))
            if (got.status, got.body) != (200, data):
                failed.append(got)
    clients = [threading.Thread(target=pull) for _ in range(32)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert not failed, failed[:3]
    assert len(upstream.asked("/blobs/", "GET")) == len(blobs)
    wait_until(lambda: not site.children(), "the end of all fills")
    assert not [path for path in (site.cache / "_berth/temporary/partial").rglob("*") if path.is_file()]

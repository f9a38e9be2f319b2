"""Room on the disk: the cache leaves more of it than pushes need, counts what runs, and passes on what it cannot keep."""
import os
import signal

import pytest

from harness import content
from harness.content import MIB
from harness.mounts import SmallMemory
from harness.process import send_signal, wait_until
from harness.upstream_site import Download, Site, download
from test_proxy_blob import assert_right, fillers, offered


@pytest.fixture
def small(new_directory, mounted):
    """All stores on 64 MiB, of which the cache leaves 16."""
    directory = new_directory("small")
    mounted(SmallMemory(f"{directory}/storage", 64))
    with Site(directory, count=2, reserve="16M", stall_timeout=600, expected_faults=True) as site:
        yield site


def is_cached(site, digest):
    return (site.cache / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data").exists()


def test_pushes_go_on_when_the_cache_is_full(small):
    upstream = small.take()
    for size, fits in ((30, True), (20, False), (5, True)):
        data, digest = offered(upstream, size * MIB)
        assert_right(download(small.client, small.at(upstream).blob(digest)), data)
        wait_until(lambda: not fillers(small), "the end of the fill")
        assert is_cached(small, digest) == fits, size
    layer = content.noise(4 * MIB)
    repository = small.client.repository("me/app")
    repository.push_image("1", [layer])
    assert small.client.get(repository.blob(content.digest(layer))).body == layer
    document, _ = upstream.add_image("app", "1", [content.noise(15 * MIB)])
    assert small.client.get(small.at(upstream).manifest("1")).body == document


def test_fills_that_run_count_with_what_they_still_need(small):
    """Of two that fit alone, the second is passed on while the first has hardly begun; when that has ended it fits."""
    first, second = small.take(), small.take()
    _, digest = offered(first, 30 * MIB)
    other, other_digest = offered(second, 25 * MIB)
    first.when(lambda reply, _: setattr(reply, "stall", MIB), "/blobs/")
    Download(small.client, small.at(first).blob(digest), leave_after=MIB // 2).result()
    assert_right(download(small.client, small.at(second).blob(other_digest)), other)
    assert not is_cached(small, other_digest)
    for pid in fillers(small):
        send_signal(pid, signal.SIGKILL)
    wait_until(lambda: is_cached_in_the_end(small, second, other_digest), "room")


def test_a_part_is_right_where_nothing_can_be_kept(small):
    """Also one so far behind the beginning that the upstream is asked once more."""
    upstream = small.take()
    data, digest = offered(upstream, 60 * MIB)
    target = small.at(upstream).blob(digest)
    for first, last, asked in ((0, 9, None), (MIB, 2 * MIB, None), (59 * MIB + 5, 60 * MIB - 1, f"bytes={59 * MIB + 5}-{60 * MIB - 1}")):
        for header in (f"bytes={first}-{last}", f"bytes=-{60 * MIB - first}"):
            end = last if header.startswith(f"bytes={first}") else 60 * MIB - 1
            part = download(small.client, target, {"Range": header})
            assert (part.status, part.answer["Content-Range"]) == (206, f"bytes {first}-{end}/{60 * MIB}"), part
            assert part.is_whole and part.digest == content.digest(data[first:end + 1]), (header, part)
        assert upstream.asked("/blobs/", "GET")[-1]["Range"] == asked
    assert_right(download(small.client, target, {"Range": "bytes=5-9", "If-Range": '"another"'}), data)
    assert not is_cached(small, digest)


@pytest.mark.parametrize("wanted", [None, f"bytes={MIB}-"], ids=["whole", "part"])
def test_what_can_be_kept_no_longer_is_passed_on_from_there(small, wanted):
    """Somebody else has used the room that the cache has to leave, amid the download."""
    upstream = small.take()
    data, digest = offered(upstream, 30 * MIB)
    upstream.when(lambda reply, _: setattr(reply, "stall", 10 * MIB), "/blobs/", times=1)
    target = small.at(upstream).blob(digest)
    client = Download(small.client, target, {"Range": wanted} if wanted else None)
    wait_until(lambda: client.size > 8 * MIB, "some bytes")
    (small.server.storage / "other").write_bytes(bytes(40 * MIB))
    upstream.free.set()
    client.result()
    assert client.is_success and client.digest == content.digest(data[MIB if wanted else 0:]), client
    assert [each["Range"] is not None for each in upstream.asked("/blobs/", "GET")] == [False, True]
    assert not is_cached(small, digest)
    (small.server.storage / "other").unlink()
    wait_until(lambda: is_cached_in_the_end(small, upstream, digest), "room")


def is_cached_in_the_end(site, upstream, digest):
    """What found no room is not tried again for some seconds."""
    download(site.client, site.at(upstream).blob(digest))
    return is_cached(site, digest)


def test_a_blob_of_unknown_length_that_does_not_fit_leaves_nothing(small):
    upstream = small.take()
    data, digest = offered(upstream, 60 * MIB)

    def chunked(reply, request):
        if request.method == "GET":
            reply.headers["Transfer-Encoding"] = "chunked"
            reply.length = None
            reply.body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
    upstream.when(chunked, "/blobs/")
    answer = small.client.get(small.at(upstream).blob(digest))
    assert answer.status == 502 and "how long" in answer.body.decode(), answer
    wait_until(lambda: not fillers(small), "the end of the fill")
    assert sum(path.stat().st_size for path in (small.cache / "_berth/temporary/partial").rglob("data")) == 0
    upstream.well_again()
    small_one, small_digest = offered(upstream, 20 * MIB)
    assert_right(download(small.client, small.at(upstream).blob(small_digest)), small_one)
    assert is_cached(small, small_digest)


def test_what_is_cached_gives_way_where_inodes_lack(new_directory, mounted):
    """As it does where bytes lack, of which there are enough here: a quarter of either is to be left."""
    directory = new_directory("inodes")
    mounted(SmallMemory(f"{directory}/storage", 64, "mode=755,nr_inodes=1500"))
    with Site(directory, reserve="16M", proxy="maximum_size = 60M", stall_timeout=600, expected_faults=True) as site:
        upstream = site.take()
        digests = [offered(upstream, 100)[1] for _ in range(20)]
        for digest in digests:
            download(site.client, site.at(upstream).blob(digest))
        wait_until(lambda: not fillers(site), "the end of the fills")
        assert all(is_cached(site, digest) for digest in digests)
        others = site.server.storage / "other"
        others.mkdir()
        for number in range(os.statvfs(others).f_favail - 1500 // 4 + 10):
            (others / str(number)).touch()
        data, digest = offered(upstream, 100)
        assert_right(download(site.client, site.at(upstream).blob(digest)), data)
        wait_until(lambda: is_cached_in_the_end(site, upstream, digest), "room")
        assert sum(is_cached(site, each) for each in digests) > 10

"""The size of the cache: what was not used for the longest time goes, nobody's pull fails for it, and what is kept stays."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import re
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.process import wait_until
from harness.server import berth
from harness.upstream_site import Site, download
from test_proxy_blob import assert_right, fillers, offered

BLOBS = "docker/registry/v2/blobs/sha256"
REPOSITORIES = "docker/registry/v2/repositories"
LONG_AGO = 1_000_000_000


@pytest.fixture(params=["nginx", "lighttpd"])
def limited(request, new_directory):
    """A cache of 40 MiB."""
    with Site(new_directory("limited"), request.param, count=2, proxy="maximum_size = 40M", stall_timeout=600) as site:
        yield site


def data_of(site, digest):
    return site.cache / BLOBS / digest[7:9] / digest[7:] / "data"


def is_cached(site, digest):
    return data_of(site, digest).exists()


def used(site, digest, when):
    """As if it had come, and been used for the last time, so many seconds after a day of long ago."""
    os.utime(data_of(site, digest), (LONG_AGO + when, LONG_AGO + when))


def size(site):
    """Bytes of all blobs and manifests, while others take some away."""
    found = 0
    for directory, _, files in os.walk(site.cache / BLOBS):  # which passes over what has just gone; pathlib does not
        with contextlib.suppress(FileNotFoundError):
            found += sum(os.stat(os.path.join(directory, name)).st_size for name in files if name == "data")
    return found


def pull(site, upstream, digest, data, name="app"):
    assert_right(download(site.client, site.at(upstream, name).blob(digest)), data)
    wait_until(lambda: not fillers(site), "the end of the fill")


def test_the_least_recently_used_goes_first_and_room_is_made_before_it_is_used(limited):
    upstream = limited.take()
    blobs = [offered(upstream, 10 * MIB) for _ in range(4)]
    for when, (data, digest) in enumerate(blobs[:3]):
        pull(limited, upstream, digest, data)
        used(limited, digest, when)
    data, first = blobs[0]
    assert limited.client.request("HEAD", limited.at(upstream).blob(first)).status == 200  # which is a use
    asked = len(upstream.asked("/blobs/", "GET"))
    pull(limited, upstream, blobs[3][1], blobs[3][0])
    assert [is_cached(limited, digest) for _, digest in blobs] == [True, False, True, True]
    pull(limited, upstream, first, data)
    assert len(upstream.asked("/blobs/", "GET")) == asked + 1


def test_a_pull_under_way_is_not_cut(limited):
    """The client has read a little of a blob when it goes, and reads the rest then."""
    upstream = limited.take()
    data, digest = offered(upstream, 30 * MIB)
    pull(limited, upstream, digest, data)
    used(limited, digest, 0)
    client = limited.client
    with client.connect() as connection:
        connection.sendall(client.head("GET", limited.at(upstream).blob(digest), None, None, None))
        got = connection.recv(65536)
        wait_until(lambda: data_of(limited, digest).stat().st_atime > LONG_AGO + 1, "its use")
        used(limited, digest, 0)
        other, other_digest = offered(upstream, 20 * MIB)
        pull(limited, upstream, other_digest, other)
        assert not is_cached(limited, digest)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0]
        whole = hashlib.sha256(body)
        left = len(data) - len(body)
        while left:
            block = connection.recv(min(left, 1 << 20))
            assert block, f"{left} bytes before its end"
            whole.update(block)
            left -= len(block)
    assert f"sha256:{whole.hexdigest()}" == digest
    pull(limited, upstream, digest, data)  # which comes once more


def test_what_nginx_misses_comes_from_a_worker(new_directory):
    """A path that has gone when nginx opens it: here nginx looks for all of them in the wrong place."""
    with Site(new_directory("missed"), "nginx") as site:
        upstream = site.take()
        data, digest = offered(upstream, 3 * MIB)
        pull(site, upstream, digest, data)
        hosted = site.client.repository("me/app")
        hosted.push_blob(data)
        snippet = site.server.runtime / "nginx-snippet.conf"
        snippet.write_text(re.sub(r'alias ".*/(registry|proxy)/";', 'alias "/nowhere/";', snippet.read_text()))
        site.server.reload_nginx()
        for repository in (site.at(upstream), hosted):
            assert_right(download(site.client, repository.blob(digest)), data)
            part = download(site.client, repository.blob(digest), {"Range": "bytes=5-9"})
            assert (part.status, bytes(part.body)) == (206, data[5:10]), part
            assert site.client.get(repository.blob(content.ABSENT)).status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_makes_room_while_the_upstream_says_that_it_has_it_is_no_404(new_directory, method):
    """A repository that has no manifest with it has to be told so first."""
    with Site(new_directory("confirmed")) as site:
        upstream = site.take()
        data, digest = offered(upstream, 100_000)
        pull(site, upstream, digest, data)
        upstream.when(lambda *_: upstream.free.wait(), f"/other/blobs/{digest}", "HEAD", times=1)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(site.client.request, method, site.at(upstream, "other").blob(digest))
            wait_until(lambda: upstream.asked("/other/"), "the question")
            data_of(site, digest).unlink()
            upstream.free.set()
            answer = answer.result()
        assert (answer.status, answer["Content-Length"]) == (200, str(len(data))), answer
        assert answer.body == (data if method == "GET" else b"")


def test_one_that_is_larger_than_the_cache_is_passed_on(limited):
    upstream = limited.take()
    small = [offered(upstream, MIB) for _ in range(2)]
    for data, digest in small:
        pull(limited, upstream, digest, data)
    data, digest = offered(upstream, 41 * MIB)
    with limited.server.expecting_faults():
        pull(limited, upstream, digest, data)
    assert not is_cached(limited, digest)
    assert all(is_cached(limited, digest) for _, digest in small)


class Pullers:
    """Clients that pull, at once, what a trace says; what failed, and the largest size that was seen."""

    def __init__(self, site, upstream, blobs):
        self.site, self.upstream, self.blobs = site, upstream, blobs
        self.failed, self.trace, self.largest = [], [], 0

    def run(self, clients, traces):
        done = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(done,))
        pullers = [threading.Thread(target=self.pull, args=(trace,)) for trace in traces[:clients]]
        for thread in (watcher, *pullers):
            thread.start()
        for thread in pullers:
            thread.join()
        done.set()
        watcher.join()

    def watch(self, done):
        looks = iter(range(10 ** 9))

        def look():
            self.largest = max(self.largest, size(self.site))
            return done.is_set() or next(looks) % 50 == 49

        try:
            while not done.is_set():  # however long that is
                wait_until(look, "some looks")
        except Exception as fault:  # a thread's exception would be lost otherwise, and nobody would look any more
            self.failed.append(("the watcher", repr(fault)))

    def pull(self, trace):
        for which in trace:
            data, digest = self.blobs[which]
            self.trace.append(which)
            got = download(self.site.client, self.site.at(self.upstream).blob(digest))
            if not (got.status == 200 and got.is_whole and got.digest == digest):
                self.failed.append((which, got))


def zipf(generator, blobs, count):
    """Few are popular: which of so many blobs is pulled, `count` times."""
    return generator.choices(range(blobs), [1 / (n + 1) for n in range(blobs)], k=count)


def test_a_working_set_of_twice_the_size_is_pulled_without_a_failure(limited):
    upstream = limited.take()
    blobs = [offered(upstream, 2 * MIB) for _ in range(40)]
    generator = random.Random(1)
    pullers = Pullers(limited, upstream, blobs)
    pullers.run(8, [zipf(generator, 40, 10) for _ in range(8)])
    assert not pullers.failed
    assert 30 * MIB < pullers.largest <= 42 * MIB, pullers.largest


def test_what_nobody_has_used_for_long_goes_with_the_next_pulls(new_directory):
    """With its links, and the repository that has nothing else; what is in use, and what is new, stays."""
    with Site(new_directory("aged"), count=1, proxy="maximum_age = 1h") as site:
        upstream = site.take()
        old, new = (upstream.add_image(name, "1", [content.noise(50_000)]) for name in ("old", "new"))
        for name in ("old", "new"):
            for reference in [site.at(upstream, name).manifest("1"), *(
                    site.at(upstream, name).blob(layer["digest"]) for layer in json.loads({"old": old, "new": new}[name][0])["layers"])]:
                assert site.client.get(reference).status == 200
        wait_until(lambda: not fillers(site), "the end of the fills")
        for blob in (json.loads(old[0])["layers"][0]["digest"], old[1]):
            used(site, blob, 0)
        (site.cache / "_berth/evicted").unlink(missing_ok=True)  # as if the last look were long ago
        data, digest = offered(upstream, 1000)
        assert_right(download(site.client, site.at(upstream, "new").blob(digest)), data)
        wait_until(lambda: not (site.cache / REPOSITORIES / upstream.alias / "old").exists(), "the end of the old repository")
        assert not is_cached(site, old[1]) and is_cached(site, new[1]) and is_cached(site, digest)
        assert site.client.get(site.at(upstream, "old").manifest("1")).body == old[0]


def test_gc_says_what_would_go_and_takes_it(new_directory):
    with Site(new_directory("gc"), count=1, proxy="maximum_age = 1h") as site:
        upstream = site.take()
        data, digest = offered(upstream, 10_000)
        pull(site, upstream, digest, data)
        used(site, digest, 0)

        def line(*options):
            done = berth(site.server.configuration, "gc", "--json", *options)
            assert (done.returncode, done.stderr) == (0, ""), done
            return next(each for each in map(json.loads, done.stdout.splitlines()) if each.get("store") == "proxy")
        assert line("--dry-run")["evicted_blobs"] == 1 and is_cached(site, digest)
        assert line()["evicted_blobs"] == 1 and not is_cached(site, digest)
        assert line()["evicted_blobs"] == 0

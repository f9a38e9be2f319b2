"""Power cuts and disks that fail under the cache: what it had may be gone, and is fetched again; it is never wrong."""
import contextlib
import os
import pathlib
import random
import signal
import stat
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.mounts import LoopDisk, read_only
from harness.process import PATIENCE, read, wait_until
from harness.storm import LOST, assert_blobs_have_their_names
from harness.upstream_site import Site
from test_proxy_blob import fillers, offered

IMAGES = 40
PULLED = 15  # of them, when the power fails
SIZES = (0, 100, 5000, 300_000, 2_000_000)


class Puller(threading.Thread):
    """Pulls images of a list, from its own place on, until told to stop. What it is given whole is right."""

    def __init__(self, site, wanted, stop):
        super().__init__(daemon=True)
        self.client, self.wanted, self.stop = site.client, wanted, stop
        self.got = 0
        self.fault = None

    def run(self):
        for target, data in self.wanted:
            if self.stop.is_set():
                return
            try:
                answer = self.client.get(target)
            except LOST:
                continue
            if answer.status == 200 and answer.body != data:
                self.fault = f"{target} has other bytes"
            self.got += answer.status == 200


def offer_images(site, upstream, name):
    """[(target, bytes)]: manifests by tag and by digest, and what they name."""
    chance, wanted = random.Random(name), []
    repository = site.at(upstream, name)
    for number in range(IMAGES):
        layers = [chance.randbytes(chance.choice(SIZES)) for _ in range(3)]
        manifest, digest = upstream.add_image(name, f"v{number}", layers)
        wanted += [(repository.manifest(f"v{number}"), manifest), (repository.manifest(digest), manifest)]
        wanted += [(repository.blob(content.digest(layer)), layer) for layer in layers]
    return wanted


def cut_power_amid_pulls(site, upstream, disk, number):
    wanted, stop = offer_images(site, upstream, f"app{number}"), threading.Event()
    shares = [wanted[first:] for first in range(0, len(wanted), len(wanted) // 4)][:4]
    with site.server.expecting_faults():
        pullers = [Puller(site, share, stop) for share in shares]
        for each in pullers:
            each.start()
        wait_until(lambda: sum(each.got for each in pullers) >= 5 * PULLED, "some pulls")
        disk.power_cut()
        stop.set()
        for each in pullers:
            each.join(PATIENCE)
            assert not each.is_alive() and each.fault is None, each.fault
        site.server.stop(signal.SIGKILL)
        disk.unmount()
        disk.mount()
        site.server.start()
    assert_blobs_have_their_names(site.cache, but_unsettled=True)
    for target, data in wanted:
        answer = site.client.get(target)
        assert (answer.status, answer.body == data) == (200, True), f"{target} after a power cut: {answer.status}"
    assert_blobs_have_their_names(site.cache)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_power_cut_leaves_no_wrong_byte_in_the_cache(new_directory, mounted, kind):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", kind=kind))
    with Site(directory) as site:
        upstream = site.take()
        for number in range(2):
            cut_power_amid_pulls(site, upstream, disk, number)


def cut_power_amid_evictions(directory, mounted, cuts, mebibytes):
    """Of a cache that has room for a part of what is pulled."""
    disk = mounted(LoopDisk(directory / "disk", directory / "storage"))
    with Site(directory, proxy=f"maximum_size = {mebibytes}M") as site:
        upstream = site.take()
        for number in range(cuts):
            cut_power_amid_pulls(site, upstream, disk, number)
        blobs = (site.cache / "docker/registry/v2/blobs").rglob("data")
        assert sum(path.stat().st_size for path in blobs) <= 1.05 * mebibytes * content.MIB
        for repository in (site.cache / "docker/registry/v2/repositories/up0").iterdir():
            tags = site.client.get(f"/v2/proxy/up0/{repository.name}/tags/list")
            assert tags.status == 200, tags


def test_a_power_cut_amid_evictions_leaves_what_is_right_or_gone(new_directory, mounted):
    cut_power_amid_evictions(pathlib.Path(new_directory("power")), mounted, 1, 24)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_what_cannot_be_marked_is_served_all_the_same(new_directory, web):
    """From a disk that has come back read-only, or another user's file: it is read each time, and right."""
    with Site(new_directory("marks"), web) as site:
        upstream = site.take()
        data, digest = offered(upstream, 20_000)
        upstream.add_image("app", "v1", [data])
        repository = site.at(upstream)
        assert site.client.get(repository.manifest("v1")).status == 200
        assert site.client.get(repository.blob(digest)).body == data
        cached = site.cache / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        wait_until(lambda: cached.stat().st_mode & stat.S_ISVTX, "a blob that is synced")
        cached.chmod(0o644)
        with read_only(cached.parent):
            for method in ("HEAD", "GET") * 2:
                answer = site.client.request(method, repository.blob(digest))
                assert (answer.status, answer["Content-Length"]) == (200, str(len(data)))
                assert method == "HEAD" or answer.body == data
        assert [each.method for each in upstream.asked("/blobs/")] == ["GET"]


def is_stuck(pid, seen):
    """In the same call as when it was last looked at."""
    before, seen[pid] = seen.get(pid), read(f"/proc/{pid}/syscall")
    return seen[pid] == before != "running\n"


@pytest.mark.parametrize("web", ["nginx", "lighttpd", "apache"])
def test_an_answer_that_ends_inside_a_record_has_no_other_bytes(new_directory, web):
    """Of a file that becomes shorter, or that the disk does not give back, while the client takes its time."""
    with Site(new_directory("records"), web, stall_timeout=600) as site:
        upstream = site.take()
        data, digest = offered(upstream, 40 * MIB)
        upstream.when(lambda reply, _: setattr(reply, "stall", 30 * MIB), "/blobs/", "GET")
        with site.server.expecting_faults(), site.client.connect() as connection:
            connection.sendall(site.client.head("GET", site.at(upstream).blob(digest), None, None, None))
            growing = site.cache / "_berth/temporary/partial"
            file, = wait_until(lambda: [path for path in growing.rglob("data") if path.stat().st_size >= 29 * MIB], "some bytes")
            seen = {}
            wait_until(lambda: any(is_stuck(pid, seen) for pid in set(site.children()) - set(fillers(site))), "a full connection")
            os.truncate(file, 0)
            got = b""
            with contextlib.suppress(ConnectionError):
                while block := connection.recv(MIB):
                    got += block
        _, _, body = got.partition(b"\r\n\r\n")
        assert 0 < len(body) < len(data) and data.startswith(body)
        upstream.free.set()

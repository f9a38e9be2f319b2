"""Power cuts and disks that fail under the cache: what it had may be gone, and is fetched again; it is never wrong."""
import pathlib
import random
import signal
import threading

from harness import content
from harness.mounts import LoopDisk
from harness.process import PATIENCE, wait_until
from harness.storm import LOST, assert_blobs_have_their_names
from harness.upstream_site import Site

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


def test_a_power_cut_leaves_no_wrong_byte_in_the_cache(new_directory, mounted):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage"))
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

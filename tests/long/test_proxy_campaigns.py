"""Large blobs through the proxy: storms of clients, of kills and of cuts; power cuts."""
import pathlib
import random
import signal

import pytest

from harness import content
from harness.content import MIB
from harness.mounts import LoopDisk
from harness.process import send_signal, wait_until
from harness.upstream_site import Download, Site, download, downloads
from test_proxy_blob import SLACK, assert_right, kill_fillers, offered, shaped
from test_proxy_crash import cut_power_amid_pulls

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def eight(request, new_directory):
    """Eight workers."""
    with Site(new_directory("eight"), request.param, 40, workers=8) as running:
        yield running


def test_fifty_clients_share_one_download_of_256_mebibytes(eight):
    upstream = eight.take()
    data, digest = offered(upstream, 256 * MIB)
    for _ in ("cold", "warm"):
        with downloads(eight.client, eight.at(upstream).blob(digest), 50) as clients:
            pass
        for each in clients:
            assert_right(each, data)
    assert [each.method for each in upstream.asked("/blobs/")] == ["GET"]
    assert upstream.sent() <= 1.01 * len(data)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_kills(eight, seed):
    """The filler of a 256 MiB fill is killed at ten random points."""
    upstream, rng, kills = eight.take(), random.Random(seed), 0
    data, digest = offered(upstream, 256 * MIB)
    shaped(upstream, 60_000_000, until=250 * MIB)
    target = eight.at(upstream).blob(digest)
    with eight.expecting_cuts():
        clients = [Download(eight.client, target) for _ in range(8)]
        for at in sorted(rng.randrange(200_000, 240 * MIB) for _ in range(10)):
            kills += kill_fillers(eight, upstream, at, clients)
        upstream.free.set()
        whole = [each for each in clients if each.result().is_whole]
        assert all(each.digest == digest for each in whole)
        assert all(each.size < len(data) for each in clients if each not in whole)
        assert_right(download(eight.client, target), data)
    print(f"{kills} kills: {len(whole)} of 8 whole, {upstream.sent() - len(data)} bytes fetched twice")
    assert kills >= 10
    assert upstream.sent() <= len(data) + kills * SLACK


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_cuts(eight, seed):
    upstream, rng = eight.take(), random.Random(seed)
    data, digest = offered(upstream, 256 * MIB)
    ends = sorted(rng.randrange(1, 256 * MIB) for _ in range(20))

    def cut(reply, request):
        start = int((request["Range"] or "bytes=0-").partition("=")[2].rstrip("-"))
        reply.cut = next((end - start for end in ends if end > start), None)
    upstream.when(cut, "/blobs/", times=20)
    with downloads(eight.client, eight.at(upstream).blob(digest), 4) as clients:
        pass
    for each in clients:
        assert_right(each, data)
    print(f"{len(upstream.asked('/blobs/')) - 1} cuts: {upstream.sent() - len(data)} bytes fetched twice")
    assert len(upstream.asked("/blobs/")) >= 18
    assert upstream.sent() <= len(data) + 20 * SLACK


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_20_power_cuts_leave_no_wrong_byte_in_the_cache(new_directory, mounted, web, kind):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", 8192, kind))
    with Site(directory, web) as site:
        upstream = site.take()
        for number in range(20):
            cut_power_amid_pulls(site, upstream, disk, number)

"""Large blobs through the proxy: storms of clients, of kills and of cuts, and how fast it is."""
import random
import re
import signal
import subprocess
import time

import pytest

from harness import content
from harness.content import MIB
from harness.process import send_signal, wait_until
from harness.upstream_site import Download, Site, download, downloads
from test_proxy_blob import SLACK, assert_right, fillers, offered, shaped

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def eight(request, new_directory):
    """Eight workers."""
    with Site(new_directory("eight"), request.param, 40, workers=8) as running:
        yield running


def test_fifty_clients_share_one_download_of_256_mebibytes(eight):
    upstream = eight.take()
    data, digest = offered(upstream, 256 * MIB)
    target, seconds = eight.at(upstream).blob(digest), []
    for _ in ("cold", "warm"):
        begin = time.monotonic()
        with downloads(eight.client, target, 50) as clients:
            pass
        seconds.append(time.monotonic() - begin)
        for each in clients:
            assert_right(each, data)
    assert [each.method for each in upstream.asked("/blobs/")] == ["GET"]
    assert upstream.sent() <= 1.01 * len(data)
    print(f"50 clients, 256 MiB: cold {seconds[0]:.1f} s, cached {seconds[1]:.1f} s")
    assert seconds[0] <= 3 * seconds[1]


def test_the_first_byte_of_256_slow_mebibytes_comes_within_a_second(eight):
    upstream = eight.take()
    data, digest = offered(upstream, 256 * MIB)
    shaped(upstream, 20_000_000)
    with downloads(eight.client, eight.at(upstream).blob(digest), 50) as clients:
        pass
    slowest = max(each.first_byte for each in clients)
    print(f"first byte after {slowest:.2f} s at most")
    for each in clients:
        assert_right(each, data)
    assert slowest <= 1


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_kills(eight, seed):
    """The filler of a 256 MiB fill is killed at ten random points."""
    upstream, rng, kills = eight.take(), random.Random(seed), 0
    data, digest = offered(upstream, 256 * MIB)
    shaped(upstream, 60_000_000)
    target = eight.at(upstream).blob(digest)
    with eight.expecting_cuts():
        clients = [Download(eight.client, target) for _ in range(8)]
        for at in sorted(rng.randrange(200_000, 240 * MIB) for _ in range(10)):
            wait_until(lambda: upstream.sent() >= at or not any(each.is_alive() for each in clients), 60, f"{at} bytes")
            filling = wait_until(lambda: fillers(eight) or not any(each.is_alive() for each in clients), 20, "a filler")
            for pid in filling if filling is not True else []:
                send_signal(pid, signal.SIGKILL)
                kills += 1
        whole = [each for each in clients if each.result(180).is_whole]
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


def test_a_gibibyte_comes_as_fast_as_from_the_upstream(eight):
    """Shaped to 125 MB/s; the best of three, each of a new blob."""
    ratios = []
    for _ in range(3):
        upstream = eight.take()
        data, digest = offered(upstream, 1024 * MIB)
        shaped(upstream, 125_000_000)
        straight = curl(f"{upstream.url}/v2/app/blobs/{digest}")
        through = curl(f"http://{eight.server.authority}{eight.at(upstream).blob(digest)}")
        upstream.blobs.clear()
        del data
        ratios.append(straight / through)
        print(f"straight {straight:.2f} s, through us {through:.2f} s: {ratios[-1]:.3f}")
        if ratios[-1] >= 0.95:
            break
    assert max(ratios) >= 0.95


def curl(url):
    done = subprocess.run(["curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", "%{time_total}", url],
                          check=True, capture_output=True, text=True, timeout=120)
    return float(done.stdout)


def per_second(url):
    done = subprocess.run(["ab", "-q", "-c", "8", "-t", "3", "-n", "9999999", url], check=True, capture_output=True, text=True, timeout=60)
    assert re.search(r"Failed requests: +0\n", done.stdout) and "Non-2xx" not in done.stdout, done.stdout
    return float(re.search(r"Requests per second: +([0-9.]+)", done.stdout)[1])


def test_a_hit_costs_what_a_hosted_pull_costs(eight):
    """Requests per second of a manifest by tag, by digest, and of a small blob; hosted and cached in turn, the best of three each."""
    upstream, layer = eight.take(), content.noise(20_000)
    _, digest = upstream.add_image("app", "1", [layer])
    hosted = eight.client.repository("hosted/app")
    _, own = hosted.push_image("1", [layer])
    cached = eight.at(upstream)
    targets = {"tag": ("1", "1"), "digest": (own, digest), "blob": (content.digest(layer),) * 2}
    for what, (ours, theirs) in targets.items():
        make = (hosted.blob, cached.blob) if what == "blob" else (hosted.manifest, cached.manifest)
        urls = [f"http://{eight.server.authority}{make[0](ours)}", f"http://{eight.server.authority}{make[1](theirs)}"]
        assert eight.client.get(make[1](theirs)).status == 200
        rates = [max(figures) for figures in zip(*([per_second(url) for url in urls] for _ in range(3)))]
        print(f"{eight.server.web} {what}: hosted {rates[0]:.0f}/s, cached {rates[1]:.0f}/s, ratio {rates[1] / rates[0]:.2f}")
        assert rates[1] >= 0.9 * rates[0]

"""The size of the cache: what was not used for the longest time goes, nobody's pull fails for it, and what is kept stays."""
import os
import random
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.process import wait_until
from harness.upstream_site import Download, Site, download
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
    """Bytes of all blobs and manifests."""
    def of(path):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0
    return sum(of(path) for path in (site.cache / BLOBS).rglob("data"))


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

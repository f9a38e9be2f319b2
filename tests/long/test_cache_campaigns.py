"""A cache of half the size of what is pulled: it stays below its limit, no pull fails, and it keeps what an ideal one would keep."""
import collections
import pathlib
import random

import pytest

from harness.content import MIB
from harness.upstream_site import Site
from test_evict import Pullers, offered, zipf
from test_proxy_crash import cut_power_amid_evictions

pytestmark = pytest.mark.long

BLOBS, LIMIT, CLIENTS, PULLS = 200, 100, 8, 1200  # some five minutes


def ideal_hits(trace, capacity):
    """Of a cache that knows each use at once and lets go of one blob at a time, the least recently used one."""
    cache, hits = collections.OrderedDict(), 0
    for which in trace:
        if which in cache:
            hits += 1
            cache.move_to_end(which)
        else:
            cache[which] = True
            if len(cache) > capacity:
                cache.popitem(last=False)
    return hits


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_half_of_what_is_pulled_fits(new_directory, web):
    generator = random.Random(5)
    with Site(new_directory("half"), web, proxy=f"maximum_size = {LIMIT}M", stall_timeout=600) as site:
        upstream = site.take()
        blobs = [offered(upstream, MIB - 4096) for _ in range(BLOBS)]
        pullers = Pullers(site, upstream, blobs)
        pullers.run(CLIENTS, [zipf(generator, BLOBS, PULLS) for _ in range(CLIENTS)])
        asked = len(pullers.trace)
        hits = 100 - 100 * len(upstream.asked("/blobs/", "GET")) / asked
        ideal = 100 * ideal_hits(pullers.trace, LIMIT) / asked
        print(f"\n{web}: {asked} pulls, hits {hits:.1f} %, ideal {ideal:.1f} %, at most {pullers.largest / MIB:.1f} MiB of {LIMIT}")
        assert not pullers.failed
        assert pullers.largest <= LIMIT * MIB * 1.05
        assert ideal - hits <= 5


def test_twenty_power_cuts_amid_evictions(new_directory, mounted):
    cut_power_amid_evictions(pathlib.Path(new_directory("power")), mounted, 20, 6)

"""The torture's cache: clients pull more of another registry's images than it may hold, so that it loses some all the time."""
import functools
import random

from harness import content
from harness.torture import Puller
from harness.upstream import Upstream
from harness.upstream_site import SECTION

MAXIMUM = 6 * content.MIB
IMAGES, SHARED = 40, 6  # of them, and of layers that several have
LAYER = 300_000  # bytes: all of it is more than twice what the cache may hold


class WorkingSet:
    """`settings` are for all servers on the store, and `pullers` for Torture(more=…)."""

    def __init__(self):
        self.upstream = Upstream(alias="other")
        self.settings = f"[proxy]\nmaximum_size = {MAXIMUM}\nminimum_free_space = 0\ntag_ttl = 1s\n" + \
            SECTION.format(name=self.upstream.alias, url=self.upstream.url, more="")
        shared = [content.noise(LAYER) for _ in range(SHARED)]
        for number in range(IMAGES):
            self.upstream.add_image("app", f"v{number}", [random.choice(shared), content.noise(LAYER)])
        self.tags = {reference: content.digest(data) for (_, reference), (data, _) in self.upstream.manifests.items() if ":" not in reference}
        assert sum(map(len, self.upstream.blobs.values())) > 2 * MAXIMUM

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.upstream.close()

    def pullers(self, count=3):
        return [functools.partial(CachePuller, self)] * count

    def assert_was_too_small(self):
        """Something was fetched more than once: how much is a matter of luck, and of how fast the pullers are."""
        fetched = len(self.upstream.asked("/blobs/", "GET"))
        assert fetched > 1.1 * len(self.upstream.blobs), f"{len(self.upstream.blobs)} blobs were fetched {fetched} times: nothing was evicted"


class CachePuller(Puller):
    """Whatever the cache has lost meanwhile, an image that the other registry has can be pulled."""

    def __init__(self, cache, torture, number):
        super().__init__(torture, number)
        self.cache = cache

    def act(self):
        self.torture.let_them_push_before("pulls through the cache")
        cache = self.cache
        tag = self.random.choice(list(cache.tags))
        reference = self.random.choice((tag, cache.tags[tag]))
        trouble = self.pull(self.client.repository(f"proxy/{cache.upstream.alias}/app"), reference, cache.tags[tag])
        self.torture.counts["pulls through the cache"] += 1
        if trouble:
            self.torture.fail(f"a pull of {tag} through the cache", trouble)


def cached_bytes(server):
    """Of all blobs and manifests, as far as they stay while one looks."""
    total = 0
    for path in (server.storage / "proxy/docker/registry/v2/blobs").rglob("data"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass
    return total

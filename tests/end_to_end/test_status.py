"""berth status: how full everything is, and what is on its way."""
import json

from harness import content
from harness.content import MIB
from harness.process import wait_until
from harness.server import berth
from harness.upstream_site import Download, Site
from test_proxy_blob import offered


def told(site):
    """All members of what is said of each store, and the lines of upstreams."""
    done = berth(site.server.configuration, "status", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    stores = {"registry": {}, "proxy": {}}
    for line in lines:
        if "store" in line:
            stores[line["store"]].update(line)
    return stores["registry"], stores["proxy"], [line for line in lines if "upstream" in line]


def test_what_is_there_and_on_its_way_is_told(new_directory):
    with Site(new_directory("status"), count=2, proxy="maximum_size = 100M", stall_timeout=600) as site:
        first, second = site.take(), site.take()
        session = site.client.repository("me/app").open_upload()
        registry, proxy, upstreams = told(site)
        assert (registry["uploads"], registry["uploads_active"], registry["is_counted"]) == (1, 0, False)
        assert 0 < registry["free_bytes"] <= registry["disk_bytes"]
        assert (proxy["fetches"], proxy["maximum_bytes"], upstreams) == (0, 100 * MIB, [])
        assert "used_bytes" not in proxy
        assert site.client.delete(session).status == 204

        _, digest = offered(first, 10 * MIB)
        first.when(lambda reply, _: setattr(reply, "stall", 2 * MIB), "/blobs/")
        waiting = Download(site.client, site.at(first).blob(digest))
        wait_until(lambda: told(site)[1]["fetched_bytes"] >= MIB, "a part")
        assert [told(site)[1][key] for key in ("fetches", "fetching_bytes", "used_bytes")] == [1, 10 * MIB, 0]
        first.free.set()
        assert waiting.result().is_whole
        wait_until(lambda: told(site)[1]["used_bytes"] == 10 * MIB, "the blob in the cache")
        assert told(site)[1]["fetches"] == 0

        second.close()
        assert site.client.get(site.at(second).manifest("1")).status == 502
        trouble = told(site)[2]
        assert [each["upstream"] for each in trouble] == [second.alias] and trouble[0]["asked_again_in_seconds"] > 0, trouble
        text = berth(site.server.configuration, "status").stdout
        assert "10.0 MiB of 100.0 MiB, 0 images are kept" in text and second.alias in text, text


def test_whoever_only_asks_changes_nothing(new_directory):
    with Site(new_directory("status")) as site:
        site.client.repository("me/app").push_image("1", [content.noise()])
        before = {path: path.stat().st_mtime_ns for path in site.server.storage.rglob("*")}
        told(site)
        assert {path: path.stat().st_mtime_ns for path in site.server.storage.rglob("*")} == before


def test_what_gc_has_counted_is_told_with_its_age(new_directory):
    with Site(new_directory("status")) as site:
        site.client.repository("me/app").push_image("1", [content.noise(1000), content.noise(2000)])
        assert berth(site.server.configuration, "gc").returncode == 0
        registry, _, _ = told(site)
        assert [registry[key] for key in ("repositories", "tags", "manifests", "blobs")] == [1, 1, 1, 4], registry
        assert registry["bytes"] > 3000 and registry["counted_seconds_ago"] >= 0

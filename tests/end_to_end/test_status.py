"""berth status: how full everything is, and what is on its way."""
import json
import os
import re

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
        trouble = [line for line in told(site)[2] if not line["is_well"]]
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


def test_what_repositories_share_what_lies_in_the_trash_and_what_was_done_last_is_told(new_directory):
    with Site(new_directory("status"), settings="[collect]\ngrace = 0s\n") as site:
        shared, own = content.noise(1_000_000), content.noise(200_000)
        registry, _, _ = told(site)
        assert not [key for key in registry if key.startswith(("gc_", "check_", "trash_"))], registry
        for name in ("me/one", "me/two", "me/three"):
            site.client.repository(name).push_image("1", layers=[shared])
        garbage = site.client.repository("me/one").push_blob(own)
        deleted = site.client.repository("me/gone")
        _, digest = deleted.push_image("1")
        assert site.client.delete(deleted.manifest(digest)).status == 202
        assert berth(site.server.configuration, "gc").returncode == 0
        assert berth(site.server.configuration, "gc").returncode == 0
        blob = site.server.store / f"blobs/sha256/{garbage[7:9]}/{garbage[7:]}/data"
        assert not blob.exists()
        damaged = site.server.store / f"blobs/sha256/{content.digest(shared)[7:9]}/{content.digest(shared)[7:]}/data"
        damaged.write_bytes(b"damaged")
        assert berth(site.server.configuration, "check").returncode == 1
        damaged.write_bytes(shared)
        registry, _, _ = told(site)
        assert 2_000_000 <= registry["shared_bytes"] < registry["linked_bytes"] < 3_100_000, registry
        assert registry["trash_collected_bytes"] > 200_000 and registry["trash_deleted_files"] >= 3, registry
        assert (registry["gc_outcome"], registry["gc_problems"], registry["check_outcome"], registry["check_problems"]) == ("done", 0, "done", 1), registry
        text = berth(site.server.configuration, "status").stdout
        for said in ("registry   sharing   #", " of all repositories", "registry   gc        0 s ago: done after 0 s, 0 problems",
                     "registry   check     0 s ago: done after 0 s, 1 problems", "proxy      check     never"):
            assert said in re.sub(r"\d+ s (ago|,)|after \d+ s", lambda found: re.sub(r"\d+", "0", found.group()), text), text


def test_a_collector_that_was_killed_is_told_of(new_directory):
    with Site(new_directory("status")) as site:
        site.client.repository("me/app").push_image("1")
        last = site.server.registry_storage / "_berth/last/gc"
        last.parent.mkdir(parents=True)
        last.write_text("1700000000\n0\n0\n")
        assert told(site)[0]["gc_outcome"] == "running"
        os.utime(last, (1_700_000_100, 1_700_000_100))
        registry, _, _ = told(site)
        assert (registry["gc_outcome"], registry["gc_seconds"]) == ("interrupted", 100), registry
        for text in ("", "1700000000\n", "1700000000\n77\n0\n", "nonsense\n1\n0\n"):
            last.write_text(text)
            assert "gc_outcome" not in told(site)[0]


def test_what_is_left_of_a_rate_limit_is_told(new_directory):
    with Site(new_directory("status"), count=1) as site:
        upstream = site.take()
        upstream.add_image("app", "1")
        upstream.headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}
        assert site.client.get(site.at(upstream).manifest("1")).status == 200
        (line,) = told(site)[2]
        assert (line["is_well"], line["limit"], line["limit_remaining"]) == (True, 100, 76), line
        text = berth(site.server.configuration, "status").stdout
        assert f"proxy      upstream  {upstream.alias}: well, ###############----- 76 %, 76 of 100 requests left" in text, text

"""berth prefetch: other registries' images come into the cache before anybody asks for them."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import pty
import shutil
import stat
import subprocess

import pytest

from harness import content
from harness.content import MIB
from harness.engines import push_layout
from harness.fastcgi import Worker
from harness.mounts import read_only
from harness.peer import Peer
from harness.process import PATIENCE, TIED_TO_US, wait_until
from harness.server import BERTH, CONFIGURATION, berth
from harness.upstream import Upstream, error

SETTINGS = """
[hosted]
minimum_free_space = 0
[proxy]
minimum_free_space = 0
connect_timeout = 30s
stall_timeout = 60s
[upstream {name}]
url = {url}
allow_private_address = yes
"""


class Site:
    """A configuration with one upstream, "up", and nothing that serves."""

    def __init__(self, directory, url, name="up"):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "configuration.ini"
        self.file.write_text(CONFIGURATION + SETTINGS.format(name=name, url=url))
        self.cache = self.directory / "storage/proxy"
        self.blobs = self.cache / "docker/registry/v2/blobs/sha256"

    def prefetch(self, *arguments):
        return berth(self.file, "prefetch", *arguments)

    def has(self, digest):
        return (self.blobs / digest[7:9] / digest[7:] / "data").exists()


@pytest.fixture
def upstream():
    with contextlib.closing(Upstream()) as running:
        yield running


@pytest.fixture
def site(upstream, new_directory):
    return Site(new_directory("prefetch"), upstream.url)


def test_layers_come_over_fewer_connections_than_there_are(site, upstream):
    upstream.keeps = True
    upstream.add_image("app", "1", [content.noise(20_000) for _ in range(12)])
    result = site.prefetch("up/app:1")
    assert result.returncode == 0, result.stderr
    assert len(upstream.asked("/blobs/")) == 13
    assert upstream.connections < 13
    assert result.stderr == ""


def test_several_layers_come_at_the_same_time(site, upstream):
    """Nobody waits for the first byte of one before the next is asked for."""
    upstream.add_image("app", "1", [content.noise() for _ in range(9)])
    upstream.when(lambda reply, _: setattr(reply, "stall", 0), "/blobs/")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(site.prefetch, "up/app:1")
        wait_until(lambda: len(upstream.asked("/blobs/")) == 6, "six questions")
        assert not running.done()
        upstream.free.set()
        fine(running.result())
    assert len(upstream.asked("/blobs/")) == 10


def test_what_becomes_a_blob_after_its_last_byte_is_waited_for(site, upstream):
    """Each process's first rename takes half a second; a fetcher's is what makes it a blob. strace ends with the last fetcher: we
    do not wait for that."""
    upstream.add_image("app", "1", [content.noise()])
    slowly = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat,renameat2:delay_enter=500000:when=1"]
    with subprocess.Popen([*TIED_TO_US, *slowly, "sh", "-c", '"$0" prefetch up/app:1; echo "ended with $?"', BERTH], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "BERTH_CONFIGURATION": str(site.file)}) as running:
        ended = next(line for line in running.stdout if line.startswith("ended"))
        running.terminate()
    assert ended == "ended with 0\n" and len(upstream.asked("/blobs/", "GET")) == 2, ended


def test_what_is_cached_but_bears_no_mark_is_read_and_kept(site, upstream):
    """Also where it cannot be marked."""
    data = content.noise()
    digest = content.digest(data)
    upstream.add_image("app", "1", [data])
    fine(site.prefetch("up/app:1"))
    cached = site.blobs / digest[7:9] / digest[7:] / "data"
    wait_until(lambda: cached.stat().st_mode & stat.S_ISVTX, "a blob that is synced")
    cached.chmod(0o644)
    with read_only(cached.parent):
        fine(site.prefetch("up/app:1"))
    assert len(upstream.asked("/blobs/", "GET")) == 2


def offer_index(upstream, machines, name="app", tag="multi"):
    """An index of an image per machine; the digests of each one's manifest and blobs."""
    children, parts = [], {}
    for machine in machines:
        data, digest = upstream.add_image(name, layers=[content.noise(3000)])
        children.append(content.platform(machine, data))
        document = json.loads(data)
        parts[machine] = [digest, *(each["digest"] for each in [document["config"], *document["layers"]])]
    _, digest = upstream.add_manifest(name, content.index(children), tag)
    return digest, parts


def fine(done):
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


@pytest.mark.parametrize("tag", ["app", "multi"])
def test_a_whole_image_is_there_when_its_registry_has_gone(layout, new_directory, tag):
    directory = new_directory("peer")
    with Peer(directory, os.path.join(directory, "data")) as peer:
        push_layout(layout, tag, f"{peer.authority}/team/app:{tag}", "--all")
        site = Site(new_directory("prefetch"), f"http://127.0.0.1:{peer.port}")
        fine(site.prefetch(f"up/team/app:{tag}"))
    with Worker(site.directory) as worker:
        repository = worker.repository("proxy/up/team/app")
        todo = [layout.digest(tag)]
        assert worker.get(repository.manifest(tag)).body == layout.bytes_of(todo[0])
        while todo:
            document = json.loads(layout.bytes_of(todo.pop()))
            for child in document.get("manifests", []):
                assert worker.get(repository.manifest(child["digest"])).body == layout.bytes_of(child["digest"])
                todo.append(child["digest"])
            for blob in [document["config"], *document["layers"]] if "layers" in document else []:
                assert worker.get(repository.blob(blob["digest"])).body == layout.bytes_of(blob["digest"])
    assert "up/team/app" in fine(site.prefetch(f"proxy/up/team/app@{layout.digest(tag)}"))


def test_only_what_is_for_the_platforms_that_are_wanted(site, upstream):
    digest, parts = offer_index(upstream, ["amd64", "arm64", "s390x"])
    fine(site.prefetch("--platform", "linux/amd64", "--platform", "linux/s390x", "up/app:multi"))
    assert site.has(digest)
    assert all(site.has(part) for machine in ("amd64", "s390x") for part in parts[machine])
    assert not any(site.has(part) for part in parts["arm64"])
    assert not any(part in each.target for part in parts["arm64"] for each in upstream.asked())
    fine(site.prefetch("up/app:multi"))
    assert all(site.has(part) for part in parts["arm64"])


def test_a_platform_that_is_not_there_is_a_failure(site, upstream):
    offer_index(upstream, ["amd64"])
    done = site.prefetch("--platform", "linux/riscv64", "up/app:multi")
    assert done.returncode == 1 and "platform" in done.stderr, done


def test_what_is_cached_costs_nothing(site, upstream):
    digest, _ = offer_index(upstream, ["amd64", "arm64"])
    fine(site.prefetch("up/app:multi"))
    upstream.forget()
    output = fine(site.prefetch("up/app:multi", f"up/app@{digest}"))
    assert upstream.asked() == [] and "fetched 0 B" in output, output


def test_each_blob_is_asked_for_once(site, upstream):
    shared = content.noise(2 * MIB)
    for tag in ("one", "two"):
        upstream.add_image("app", tag, [shared, content.noise(5000), shared])
    fine(site.prefetch("up/app:one", "up/app:two"))
    gets = [each.target for each in upstream.asked("/blobs/", "GET")]
    assert len(gets) == len(set(gets)) == 5, gets


def test_what_is_elsewhere_is_not_fetched(site, upstream):
    """image-spec, layer.md: content with `urls` need not be in the registry."""
    config, foreign = b'{"os":"windows"}', content.noise()
    upstream.add_blob(config)
    layer = content.descriptor(foreign, content.DOCKER_FOREIGN_LAYER, urls=["https://example.org/layer"])
    upstream.add_manifest("app", content.image(content.descriptor(config, content.CONFIG), [layer]), "windows")
    fine(site.prefetch("up/app:windows"))
    assert site.has(content.digest(config)) and not site.has(content.digest(foreign))


def test_docker_hubs_images_have_short_names(upstream, new_directory):
    site = Site(new_directory("prefetch"), upstream.url, "docker.io")
    _, digest = upstream.add_image("library/debian", "12", [content.noise()])
    upstream.add_image("library/debian", "latest", [content.noise()])
    fine(site.prefetch("debian:12", "docker.io/debian", "registry-1.docker.io/library/debian:12", f"debian:7@{digest}"))
    assert (site.cache / "docker/registry/v2/repositories/docker.io/library/debian/_manifests/tags/12").is_dir()
    assert len(upstream.asked("/manifests/12", "GET")) == 1


def test_a_failure_has_the_upstreams_words_and_does_not_stop_the_rest(site, upstream):
    _, digest = upstream.add_image("app", "good", [content.noise()])

    def refuse(reply, _):
        reply.__dict__.update(error(403, "DENIED", "come back with a contract").__dict__)
    upstream.when(refuse, "/v2/secret/")
    done = site.prefetch("up/secret:1", "up/app:absent", "up/app:good")
    assert done.returncode == 1, done
    first, second = done.stderr.splitlines()
    assert "up/secret:1" in first and "come back with a contract" in first
    assert "up/app:absent" in second and "no manifest 'absent'" in second
    assert site.has(digest) and "up/app:good: " + digest in done.stdout


def test_a_missing_blob_is_named(site, upstream):
    config, layer = content.noise(), content.noise()
    upstream.add_blob(config)
    upstream.add_manifest("app", content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)]), "torn")
    done = site.prefetch("up/app:torn")
    assert done.returncode == 1 and content.digest(layer) in done.stderr, done


def test_an_upstream_that_is_down_is_a_failure(site, upstream):
    upstream.close()
    done = site.prefetch("up/app:1")
    assert done.returncode == 1 and done.stderr.count("cannot be reached") == 1, done


def test_a_tag_of_an_upstream_that_is_down_comes_from_the_cache_with_a_warning(upstream, new_directory):
    site = Site(new_directory("prefetch"), upstream.url)
    upstream.add_image("app", "1", [content.noise()])
    fine(site.prefetch("up/app:1"))
    site.file.write_text(site.file.read_text().replace("[proxy]", "[proxy]\ntag_ttl = 0s"))
    upstream.close()
    done = site.prefetch("up/app:1")
    assert done.returncode == 0 and "warning: served from the cache" in done.stderr, done


def test_a_broken_transfer_is_resumed(site, upstream):
    data = content.noise(4 * MIB)
    upstream.add_image("app", "1", [data])

    def cut(reply, _):
        reply.cut = MIB
    upstream.when(cut, content.digest(data), "GET", times=2)
    fine(site.prefetch("up/app:1"))
    assert site.has(content.digest(data))
    assert upstream.sent(content.digest(data)) <= 5 * MIB


def test_wrong_content_is_a_failure_and_is_not_kept(site, upstream):
    data = content.noise(200000)
    upstream.add_image("app", "1", [data])
    upstream.blobs[content.digest(data)] = content.noise(200000)
    done = site.prefetch("up/app:1")
    assert done.returncode == 1 and "up/app:1" in done.stderr, done
    assert not site.has(content.digest(data))


def test_a_full_disk_is_a_failure_and_nothing_is_fetched(upstream, new_directory):
    site = Site(new_directory("prefetch"), upstream.url)
    site.file.write_text(site.file.read_text().replace("minimum_free_space = 0", "minimum_free_space = 900T"))
    data = content.noise(100000)
    upstream.add_image("app", "1", [data])
    done = site.prefetch("up/app:1")
    assert done.returncode == 1 and "no room" in done.stderr, done
    assert upstream.asked("/blobs/", "GET") == []


def test_a_manifest_that_finds_no_room_is_a_failure_although_its_blobs_are_there(upstream, new_directory):
    site = Site(new_directory("prefetch"), upstream.url)
    data, digest = upstream.add_image("app", "1", [content.noise(1000)])
    upstream.add_manifest("app", data, "2")
    fine(site.prefetch("up/app:1"))
    site.file.write_text(site.file.read_text().replace("minimum_free_space = 0", "minimum_free_space = 900T"))
    fine(site.prefetch("up/app:1"))
    done = site.prefetch("up/app:2")
    assert done.returncode == 1 and f"the manifest {digest} could not be kept in the cache" in done.stderr, done


def test_machines_get_an_object_per_line(site, upstream):
    data = content.noise(5000)
    _, digest = upstream.add_image("app", "1", [data])
    done = site.prefetch("--json", "up/app:1", "up/app:absent")
    assert done.returncode == 1 and done.stderr == "", done
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"image": "up/app:1", "digest": content.digest(data), "bytes": 5000, "result": "fetched"} in lines
    summary, failure = lines[-2:]
    assert (summary["image"], summary["result"], summary["digest"]) == ("up/app:1", "done", digest)
    assert (summary["manifests"], summary["blobs"]) == (1, 2) and summary["fetched"] == summary["bytes"] > 5000
    assert (failure["image"], failure["result"]) == ("up/app:absent", "failed") and failure["message"]
    again = [json.loads(line) for line in fine(site.prefetch("--json", "up/app:1")).splitlines()]
    assert [each["result"] for each in again] == ["cached", "cached", "done"] and again[-1]["fetched"] == 0


def test_bars_are_drawn_on_a_terminal_only(site, upstream):
    data = content.noise(2 * MIB)
    upstream.add_image("app", "1", [data])

    def slow(reply, _):
        reply.rate = 2 * MIB
    upstream.when(slow, content.digest(data))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([BERTH, "-c", site.file, "prefetch", "up/app:1"], stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while block := os.read(ours, 65536):
            output += block
    os.close(ours)
    assert process.wait(PATIENCE) == 0, output
    redrawn = output.decode().replace("\x1b[K", "").replace("\n", "\r").split("\r")
    drawn = [line for line in redrawn if content.digest(data)[:19] in line]
    assert len(drawn) > 3 and "100%" in drawn[-1] and "2.0 MiB of 2.0 MiB" in drawn[-1] and "/s" in drawn[-1], output
    assert "=" in drawn[-1] and all(len(line) < 80 for line in drawn), drawn
    shutil.rmtree(site.cache)
    assert "\x1b" not in fine(site.prefetch("up/app:1"))


def test_root_leaves_files_that_the_stores_owner_can_change(site, upstream):
    site.cache.mkdir(parents=True)
    shutil.chown(site.cache, "www-data", "www-data")
    offer_index(upstream, ["amd64"])
    fine(site.prefetch("up/app:multi"))
    strangers = [path for path in site.cache.rglob("*") if path.owner() != "www-data"]
    assert site.cache.is_dir() and any(site.cache.rglob("data")) and not strangers, strangers


@pytest.mark.quick
@pytest.mark.parametrize("arguments", [[], ["--json"], ["--platform"], ["--platform", "linux"], ["--platform", "linux", "debian"],
                                       ["--nonsense", "debian"], ["Debian"], ["debian@sha256:abc"], ["proxy/debian"], ["debian", "--json"]])
def test_a_wrong_command_line_is_2_with_usage(site, upstream, arguments):
    done = site.prefetch(*arguments)
    assert done.returncode == 2 and done.stdout == "" and "usage" in done.stderr, done
    assert upstream.asked() == []


@pytest.mark.quick
def test_without_a_proxy_there_is_nothing_to_fill(site, upstream):
    site.file.write_text(site.file.read_text().replace("[proxy]", "[proxy]\nenabled = no"))
    done = site.prefetch("up/app:1")
    assert done.returncode == 2 and "enabled = no" in done.stderr, done


@pytest.mark.quick
def test_an_upstream_that_is_not_allowed_is_a_failure(site):
    site.file.write_text(site.file.read_text().replace("[proxy]", "[proxy]\nupstreams = up"))
    done = site.prefetch("quay.io/a/b:1")
    assert done.returncode == 1 and "not proxied here" in done.stderr, done


# --- images that stay

def limit(site, text):
    site.file.write_text(site.file.read_text().replace("[proxy]\n", f"[proxy]\n{text}\n"))


def parts_of(upstream, name, tag):
    data, _ = upstream.manifests[name, tag]
    document = json.loads(data)
    return [content.digest(data), *(each["digest"] for each in [document["config"], *document["layers"]])]


def test_what_is_kept_stays_however_full_the_cache_is_until_it_is_dropped(site, upstream):
    limit(site, "maximum_size = 10M")
    for number in range(5):
        upstream.add_image("app", f"{number}", [content.noise(3 * MIB)])
    assert "done" in fine(site.prefetch("--keep", "--json", "up/app:0"))
    kept = parts_of(upstream, "app", "0")
    for number in range(1, 5):
        fine(site.prefetch(f"up/app:{number}"))
    assert all(map(site.has, kept))
    assert not site.has(parts_of(upstream, "app", "1")[-1])
    assert fine(site.prefetch("--drop", "up/app:0")) == "up/app:0: is not kept any longer\n"
    done = site.prefetch("--drop", "up/app:0")
    assert (done.returncode, done.stderr) == (1, "berth prefetch: up/app:0: it is not kept\n")
    for number in range(1, 5):
        fine(site.prefetch(f"up/app:{number}"))
    assert not site.has(kept[-1])


def test_the_image_that_a_name_stands_for_now_is_kept_when_it_is_there(site, upstream):
    limit(site, "maximum_size = 10M\ntag_ttl = 0s")
    upstream.add_image("app", "1", [content.noise(3 * MIB)])
    fine(site.prefetch("--keep", "up/app:1"))
    old = parts_of(upstream, "app", "1")
    upstream.add_image("app", "1", [content.noise(3 * MIB)])
    upstream.when(lambda reply, _: setattr(reply, "status", 500), "/blobs/")
    assert site.prefetch("--keep", "up/app:1").returncode == 1
    upstream.well_again()
    marks = [path.read_text() for path in (site.cache / "_berth/kept").iterdir()]
    assert len(marks) == 1 and all(each in marks[0] for each in old)
    fine(site.prefetch("--keep", "up/app:1"))
    marks = [path.read_text() for path in (site.cache / "_berth/kept").iterdir()]
    assert len(marks) == 1 and not any(each in marks[0] for each in old)
    assert all(each in marks[0] for each in parts_of(upstream, "app", "1"))


def test_of_an_image_for_several_platforms_those_are_kept_that_were_fetched(site, upstream):
    limit(site, "maximum_size = 10M")
    index, parts = offer_index(upstream, ["amd64", "arm64"])
    fine(site.prefetch("--keep", "--platform", "linux/arm64", "up/app:multi"))
    mark = next((site.cache / "_berth/kept").iterdir()).read_text()
    assert set(mark.splitlines()[2:]) == {index, *parts["arm64"]}


def test_drop_stands_alone(site):
    done = site.prefetch("--drop", "--keep", "up/app:1")
    assert done.returncode == 2 and "--drop stands alone" in done.stderr, done

"""`berth gc` and `berth restore`: what nobody can reach goes, beside pushes and pulls, and comes back when it is needed."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from harness import content
from harness.mounts import LoopDisk
from harness.peer import Peer
from harness.process import PATIENCE, wait_until
from harness.server import berth
from harness.storm import Storm
from harness.torture import Torture, blob_path, named_blobs, stored_blobs
from harness.torture_cache import MAXIMUM, WorkingSet, cached_bytes
from test_crash import NO_RESERVE

NO_GRACE = "[collect]\ngrace = 0s\n"
BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])


def gc(server, *arguments):
    """The report."""
    done = berth(server.configuration, "gc", "--json", *arguments)
    assert done.returncode == 0, done
    return json.loads(done.stdout.splitlines()[-1])


def restore(server, what):
    done = berth(server.configuration, "restore", what)
    assert done.returncode == 0, done
    return done.stdout


def push_signed_index(repository, tag):
    """An index of two images, a signature of it and of one of them, and one as cosign tags it: all that can be asked for."""
    children = [repository.push_image(annotations={"n": str(number)}) for number in range(2)]
    document, digest = repository.push_manifest(content.index([content.descriptor(data, content.IMAGE) for data, _ in children]), tag)
    signatures = [repository.push_image(subject=content.descriptor(data, media_type))
                  for data, media_type in [(document, content.INDEX), (children[0][0], content.IMAGE)]]
    cosign = f"sha256-{digest[7:]}.sig"
    repository.push_image(cosign)
    answers = [repository.manifest(reference) for reference in
               [tag, digest, cosign, *(each for _, each in children + signatures)]] + [repository.referrers(digest)]
    for data, _ in children + signatures:
        parts = json.loads(data)
        answers += [repository.blob(part["digest"]) for part in [parts["config"], *parts["layers"]]]
    return digest, answers


def answers_to(client, targets):
    return {target: (answer.status, answer["Content-Type"], answer["Docker-Content-Digest"], answer.body)
            for target in targets for answer in [client.get(target)]}


def test_a_disk_without_a_byte_left_can_be_emptied(start, mounted, new_directory):
    """What is moved to the trash needs directories, which is no reason to keep what lies there, or to refuse a deletion."""
    directory = pathlib.Path(new_directory("full"))
    mounted(LoopDisk(directory / "disk", directory / "storage", 128))
    server = start("nginx", directory=directory, settings=NO_GRACE + NO_RESERVE, expected_faults=True)
    repository, last = server.client.repository("me/app"), server.client.repository("me/last")
    _, digest = repository.push_image("old", layers=[os.urandom(content.MIB)])
    assert server.client.delete(repository.manifest(digest)).status == 202
    assert gc(server)["collected_bytes"] > content.MIB
    garbage = [repository.push_blob(os.urandom(1000)) for _ in range(20)]
    _, digest = last.push_image("last")
    with open(server.storage / "ballast", "wb", buffering=0) as ballast:
        for size in (content.MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))
    assert server.client.delete(last.manifest(digest)).status == 202
    assert server.client.get(last.manifest("last")).status == 404
    with_a_second_s_grace(server)
    wait_until(lambda: is_beyond_its_grace(gc(server, "--empty-trash", "--dry-run"), garbage), "the end of the grace")
    done = berth(server.configuration, "gc", "--json", "--empty-trash")
    assert done.returncode == 1, done
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["emptied_bytes"] > content.MIB and sum(each.get("no_room", 0) for each in told) >= len(garbage), told
    assert gc(server, "--empty-trash")["collected_blobs"] >= len(garbage)


def is_beyond_its_grace(report, garbage):
    return report["emptied_bytes"] > content.MIB and report["collected_links"] >= len(garbage)


@pytest.mark.quick
def test_the_trash_is_not_emptied_from_under_a_push(start):
    """Who was told that a blob is there finds it at his manifest, whatever runs in between."""
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    layer = content.noise(5000)
    repository.push_blob(layer)
    assert server.client.exists(repository.blob(content.digest(layer))).status == 200
    wait_until(lambda: gc(server) and not stored_blobs(server), "the collection")
    done = berth(server.configuration, "gc", "--empty-trash")
    assert done.returncode == 2 and "grace has to be more than 0s" in done.stderr, done
    server.configuration.write_text(server.configuration.read_text().replace(NO_GRACE, "[collect]\ngrace = 1h\n"))
    for _ in range(3):
        assert gc(server, "--empty-trash")["emptied_files"] == 0
    repository.push_image("latest", layers=[layer])
    assert server.client.get(repository.blob(content.digest(layer))).body == layer


@BOTH
@pytest.mark.quick
def test_what_was_deleted_comes_back_identical_with_its_tags_and_signatures(start, web):
    server = start(web, settings=NO_GRACE)
    repository = server.client.repository("me/app")
    digest, targets = push_signed_index(repository, "latest")
    repository.put_manifest("second", server.client.get(repository.manifest(digest)).body, content.INDEX)
    before = answers_to(server.client, targets)
    assert {status for status, *_ in before.values()} == {200}
    assert server.client.delete(repository.manifest(digest)).status == 202
    for _ in range(3):
        gc(server)
    assert server.client.get(repository.manifest("latest")).status == 404
    assert not server.client.get(repository.manifest(f"sha256-{digest[7:]}.sig")).status == 200
    said = restore(server, f"me/app@{digest}")
    assert "tag latest is back" in said and "tag second is back" in said, said
    assert answers_to(server.client, targets) == before
    gc(server)
    assert answers_to(server.client, targets) == before


@pytest.mark.quick
def test_a_tag_and_a_whole_repository_come_back(start):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    document, digest = repository.push_image("one")
    repository.push_manifest(document, "two")
    other, _ = repository.push_image("other")
    assert server.client.delete(repository.manifest("one")).status == 202
    gc(server)
    assert restore(server, "me/app:one") == "tag one is back\n"
    assert server.client.get(repository.manifest("one")).body == document
    for reference in (digest, content.digest(other)):
        assert server.client.delete(repository.manifest(reference)).status == 202
    assert gc(server)["removed_repositories"] == 1
    assert server.client.get(repository.tags()).status == 404
    restore(server, "me/app")
    assert repository.tag_names() == ["one", "other", "two"]
    assert server.client.get(repository.manifest("other")).body == other


@pytest.mark.quick
def test_an_index_comes_back_with_a_child_that_was_deleted_before_it(start):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    child, _ = repository.push_image()
    _, index = repository.push_manifest(content.index([content.descriptor(child, content.IMAGE)]), "latest")
    for digest in (content.digest(child), index):
        assert server.client.delete(repository.manifest(digest)).status == 202
    gc(server)
    restore(server, f"me/app@{index}")
    assert server.client.get(repository.manifest(content.digest(child))).body == child


@pytest.mark.quick
def test_a_tag_that_was_pushed_again_is_not_moved_by_a_restore(start):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    _, old = repository.push_image("latest")
    assert server.client.delete(repository.manifest("latest")).status == 202
    new, _ = repository.push_image("latest")
    done = berth(server.configuration, "restore", "me/app:latest")
    assert done.returncode == 2 and "delete it first" in done.stderr, done
    assert server.client.delete(repository.manifest(old)).status == 202
    done = berth(server.configuration, "restore", f"me/app@{old}")
    assert done.returncode == 1 and "stays what it is now" in done.stdout, done
    assert server.client.get(repository.manifest("latest")).body == new
    assert server.client.get(repository.manifest(old)).status == 200


@pytest.mark.quick
@pytest.mark.parametrize("place", ["_manifests/revisions/sha256/{child}/link", "_manifests/revisions/sha256/{alone}/link",
                                   "_manifests/tags/alone/current/link", "_layers/sha256/{layer}/link"])
def test_what_cannot_be_read_in_the_trash_keeps_nothing_else_there(start, place):
    """It is told; what needs it stays away with its tags, and all other things come back."""
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    layer = content.noise(100)
    child, child_digest = repository.push_image(layers=[layer])
    alone, alone_digest = repository.push_image("alone", layers=[content.noise(100), layer])
    _, index = repository.push_manifest(content.index([content.descriptor(child, content.IMAGE)]), "index")
    whole, _ = repository.push_image("whole")
    assert server.client.delete(repository.blob(content.digest(layer))).status == 202
    assert berth(server.configuration, "delete", "me/app").returncode == 0
    trash = server.registry_storage / "_berth/trash/deleted"
    [path] = trash.glob("**/me/app/" + place.format(child=child_digest[7:], alone=alone_digest[7:], layer=content.digest(layer)[7:]))
    link = path.read_bytes()
    path.unlink()
    path.mkdir()
    done = berth(server.configuration, "restore", "me/app")
    assert done.returncode == 1 and "directory" in done.stdout, done
    assert server.client.get(repository.manifest("whole")).body == whole
    back = repository.tag_names()
    assert ("alone" in back) == ("{child}" in place) and ("index" in back) == ("alone" in place), done
    path.rmdir()
    path.write_bytes(link)
    restore(server, "me/app")
    assert repository.tag_names() == ["alone", "index", "whole"]


@pytest.mark.quick
@pytest.mark.parametrize("target", ["me/app", "me/app:latest", "me/app@{digest}"])
def test_a_layer_that_was_deleted_comes_back_for_what_needs_it(start, target):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    layer = content.noise(100)
    _, digest = repository.push_image("latest", layers=[layer])
    assert server.client.delete(repository.blob(content.digest(layer))).status == 202
    gc(server)
    assert server.client.get(repository.blob(content.digest(layer))).status == 404
    done = berth(server.configuration, "restore", target.format(digest=digest))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"blob {content.digest(layer)} is back\n", ""), done
    assert server.client.get(repository.blob(content.digest(layer))).body == layer
    done = berth(server.configuration, "restore", target.format(digest=digest))
    assert "nothing of" in done.stderr, done


@pytest.mark.quick
def test_what_comes_back_without_a_layer_that_is_nowhere_is_told(start):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    layer = content.noise(100)
    _, digest = repository.push_image("latest", layers=[layer])
    for target in (repository.manifest(digest), repository.blob(content.digest(layer))):
        assert server.client.delete(target).status == 202
    for path in (server.registry_storage / "_berth/trash/deleted").glob(f"**/_layers/sha256/{content.digest(layer)[7:]}/link"):
        path.unlink()
    done = berth(server.configuration, "restore", "me/app")
    assert done.returncode == 1 and f"{content.digest(layer)}: what comes back needs this" in done.stdout, done
    repository.push_blob(layer)
    assert server.client.get(repository.manifest("latest")).status == 200


@BOTH
@pytest.mark.quick
def test_who_was_told_that_a_blob_is_there_can_push_his_manifest_whatever_is_collected(start, web):
    """The race that other online collectors lose: HEAD 200, or 201, then a collection, then the manifest."""
    server = start(web, settings=NO_GRACE)
    repository, other = server.client.repository("me/app"), server.client.repository("other/app")
    config, layer, mounted = content.encode({"os": "linux"}), content.noise(5000), content.noise(5000)
    for blob in (config, layer):
        repository.push_blob(blob)
    other.push_blob(mounted)
    answer = server.client.post(f"{repository.uploads}?mount={content.digest(mounted)}&from=other/app")
    assert answer.status == 201, answer
    for blob in (config, layer, mounted):
        assert server.client.exists(repository.blob(content.digest(blob))).status == 200
    for _ in range(3):
        wait_until(lambda: gc(server)["collected_links"] == 0, "that nothing is left to be collected")
    assert stored_blobs(server) == set()
    document = content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer), content.descriptor(mounted)])
    data, _ = repository.push_manifest(document, "latest")
    gc(server)
    assert server.client.get(repository.manifest("latest")).body == data
    for blob in (config, layer, mounted):
        assert server.client.get(repository.blob(content.digest(blob))).body == blob


@BOTH
def test_bytes_that_were_collected_are_served(start, web):
    """Also where the web server itself sends them."""
    server = start(web, settings=NO_GRACE)
    repository = server.client.repository("me/app")
    data = content.noise(300_000)
    digest = repository.push_blob(data)
    for headers, expected in [({}, data), ({"Range": "bytes=100-199"}, data[100:200])]:
        wait_until(lambda: gc(server) and not stored_blobs(server), "the collection")
        assert server.client.get(repository.blob(digest), headers).body == expected


class Mover(threading.Thread):
    """Collects a blob whenever it is its turn, like a collector that never looks who needs it."""

    def __init__(self, server, digest):
        super().__init__(daemon=True)
        self.data = blob_path(server, digest)
        self.trash = server.registry_storage / "_berth/trash/collected" / self.data.relative_to(server.registry_storage)
        self.stop, self.turn, self.moves = threading.Event(), threading.Event(), 0

    def run(self):
        while self.turn.wait(PATIENCE) and not self.stop.is_set():
            self.turn.clear()
            with contextlib.suppress(FileNotFoundError, FileExistsError):  # it is not back yet, or the directory has gone again
                self.trash.parent.mkdir(parents=True, exist_ok=True)
                self.data.rename(self.trash)
                self.moves += 1


@BOTH
def test_who_pulls_what_is_collected_in_that_moment_gets_it(start, web):
    """Between a worker's looks at its place and at the trash, and between its answer and the web server's opening the file."""
    server = start(web, settings=NO_GRACE)
    repository = server.client.repository("me/app")
    data = content.noise(100_000)
    digest = repository.push_blob(data)
    mover, wrong, pulled = Mover(server, digest), [], []

    def pull():
        while not mover.stop.is_set() and not wrong:
            part = {"Range": "bytes=5-9"} if len(pulled) % 3 == 0 else {}
            mover.turn.set()
            answer = server.client.get(repository.blob(digest), part)
            right = answer.body == (data[5:10] if part else data) and answer.status == (206 if part else 200)
            pulled.append(1) if right and answer["Docker-Content-Digest"] == digest else wrong.append(answer)
    threads = [mover, *(threading.Thread(target=pull) for _ in range(4))]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: wrong or (mover.moves > 200 and len(pulled) > 200), "many moves and pulls")
    finally:
        mover.stop.set()
        mover.turn.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not wrong, wrong[0]


@pytest.mark.quick
def test_the_grace_spares_what_is_new_and_a_dry_run_everything(start):
    server = start(settings="[collect]\nuntagged = 1h\n")
    repository = server.client.repository("me/app")
    repository.push_blob(content.noise())
    repository.push_image()
    report = gc(server)
    assert report["collected_links"] == report["collected_blobs"] == report["collected_manifests"] == 0, report
    server.configuration.write_text(server.configuration.read_text().replace("[collect]\n", NO_GRACE))
    before = stored_blobs(server)
    done = berth(server.configuration, "gc", "--dry-run")
    assert done.returncode == 0 and "would go: docker/registry/v2/blobs/" in done.stdout and "no repository has this" in done.stdout, done
    assert stored_blobs(server) == before and not (server.registry_storage / "_berth/trash").exists()
    report = gc(server)
    assert report["collected_links"] == report["collected_blobs"] == 1, report


def in_trash(server):
    return [path for path in (server.registry_storage / "_berth/trash").rglob("*") if path.is_file()]


def with_a_second_s_grace(server):
    """Without any the trash is not emptied before its days are over."""
    server.configuration.write_text(server.configuration.read_text().replace(NO_GRACE, "[collect]\ngrace = 1s\n"))


def assert_only_what_is_named_is_left(server):
    """Two runs: the second for what the first one's end has made unreachable."""
    for _ in range(2):
        gc(server)
    with_a_second_s_grace(server)
    wait_until(lambda: gc(server, "--empty-trash") and not in_trash(server), "an empty trash")
    assert stored_blobs(server) == named_blobs(server)


ONE_ROUND = dict(pushes=150, pulls=150, collections=30, repairs=5, deletions=30, restores=8,
                 **{"killed workers": 8, "killed collectors": 5, "pulls through the cache": 100})


def torture(start, webs, new_directory, rounds=1):
    """A host for each web server, all on the same directories."""
    with WorkingSet() as cache:
        server = start(webs[0], settings=NO_GRACE + cache.settings)
        others = [start(web, settings=NO_GRACE + cache.settings, storage=str(server.storage)) for web in webs[1:]]
        with Torture(server, *others, pushers=3 + len(others), more=cache.pullers()) as run:
            for number in range(1, rounds + 1):
                run.wait_for(**{name: number * count for name, count in ONE_ROUND.items()})
        run.assert_nothing_failed()
        cache.assert_was_too_small()
    gc(server)
    assert cached_bytes(server) <= MAXIMUM
    server.check()
    assert_only_what_is_named_is_left(server)
    with Peer(new_directory("peer"), server.registry_storage) as peer:
        for (name, tag), (digest, _) in run.tags.items():
            answer = peer.client.get(f"/v2/{name}/manifests/{tag}", {"Accept": f"{content.IMAGE}, {content.INDEX}"})
            assert answer.status == 200 and content.digest(answer.body) == digest, answer
        assert "error" not in peer.collect_dry().lower()


@BOTH
def test_collectors_evictions_repairs_and_kills_beside_clients_cost_no_push_and_no_pull(start, web, new_directory):
    torture(start, [web], new_directory)


def test_two_hosts_with_a_collector_each_lose_nothing(start, new_directory):
    """Behind nginx and behind lighttpd, on the same directories."""
    torture(start, ["nginx", "lighttpd"], new_directory)


class Undoer(threading.Thread):
    """Pushes images, deletes them and takes them back, and knows what of that was done when the power went."""

    def __init__(self, server, stop):
        super().__init__(daemon=True)
        self.server, self.stop, self.repository = server, stop, server.client.repository("undo/app")
        self.images = {}  # tag -> what it stands for, layer, and whether it was deleted
        self.restored, self.fault = 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                self.act()
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            pass  # the disk has gone

    def act(self):
        tag, layer = f"v{len(self.images)}", content.noise(3000)
        document, digest = self.repository.push_image(tag, layers=[layer])
        self.images[tag] = [document, layer, False]
        self.images[tag][2] = None  # nobody knows
        if self.server.client.delete(self.repository.manifest(digest)).status != 202:
            self.stop.wait(PATIENCE)
            return
        self.images[tag][2] = True
        if int(tag[1:]) % 3:
            self.images[tag][2] = None
            if berth(self.server.configuration, "restore", f"undo/app@{digest}").returncode != 0:
                self.stop.wait(PATIENCE)
                return
            self.images[tag][2] = False
            self.restored += 1

    def assert_all_is_there(self):
        """What was taken back is; what was deleted can be taken back; what was under way is one of the two."""
        client = self.server.client
        for tag, (document, layer, deleted) in self.images.items():
            answer = client.get(self.repository.manifest(tag))
            assert answer.status == (404 if deleted else 200) or deleted is None, (tag, deleted, answer)
            done = berth(self.server.configuration, "restore", f"undo/app@{content.digest(document)}")
            assert done.returncode == 0, (tag, deleted, done)
            assert client.get(self.repository.manifest(tag)).body == document, tag
            assert client.get(self.repository.blob(content.digest(layer))).body == layer, tag
            self.images[tag][2] = False


def collect_until(server, stop, counts):
    while not stop.is_set():
        counts.append(berth(server.configuration, "gc").returncode)


def cut_power_amid_collections(server, disk):
    """Pushes, deletions, restores and collections, a power cut, a restart: nothing that was promised is missing."""
    stop, collections = threading.Event(), []
    undoer, collector = Undoer(server, stop), threading.Thread(target=collect_until, args=(server, stop, collections), daemon=True)
    with server.expecting_faults():
        with Storm(server, writers=2) as storm:
            undoer.start()
            collector.start()
            storm.wait_for(5, "some pushes")
            wait_until(lambda: undoer.restored >= 3 and len(collections) >= 5, "restores and collections")
            disk.power_cut()
            stop.set()
        server.stop(signal.SIGKILL)
        for thread in (undoer, collector):
            thread.join(PATIENCE)
        disk.unmount()
        disk.mount()
        server.start()
    storm.assert_promises_kept()
    undoer.assert_all_is_there()
    gc(server)
    undoer.assert_all_is_there()
    done = server.check()
    assert done.returncode == 0, done


def power_cuts(start, mounted, new_directory, count):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage"))
    server = start(directory=directory, settings=NO_GRACE + NO_RESERVE)
    for _ in range(count):
        cut_power_amid_collections(server, disk)


def test_a_power_cut_amid_collections_and_restores_breaks_no_promise(start, mounted, new_directory):
    power_cuts(start, mounted, new_directory, 2)


def test_when_the_trash_was_emptied_it_is_gone_and_the_space_too(start):
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    digest, _ = push_signed_index(repository, "latest")
    assert server.client.delete(repository.manifest(digest)).status == 202
    for data in list(named_blobs(server)):
        server.client.delete(repository.manifest(data))
    assert_only_what_is_named_is_left(server)
    assert stored_blobs(server) == set()
    done = berth(server.configuration, "restore", f"me/app@{digest}")
    assert done.returncode == 1, done
    assert not [path for path in server.store.rglob("*") if path.is_file()]


def days_pass_in_the_trash(server, disk, days):
    server.stop()
    disk.age(server.registry_storage / "_berth/trash", days * 86400)
    server.start()


def test_after_trash_days_it_is_gone_and_the_space_too(start, mounted, new_directory):
    """Not before: six days after a deletion it comes back identical, signatures and all."""
    directory = pathlib.Path(new_directory("days"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", 128))
    server = start("nginx", directory=directory, settings=NO_GRACE + NO_RESERVE)
    repository, other = server.client.repository("me/app"), server.client.repository("me/other")
    kept, _ = other.push_image("latest")
    digest, targets = push_signed_index(repository, "latest")
    before = answers_to(server.client, targets)
    children = [target.rpartition("/")[2] for target in targets if "/manifests/sha256:" in target and digest not in target]

    def delete():
        for each in (digest, *children):
            assert server.client.delete(repository.manifest(each)).status in (202, 404)
        for _ in range(3):
            gc(server)
        assert stored_blobs(server) == named_blobs(server) and server.client.get(repository.manifest("latest")).status == 404
    delete()
    days_pass_in_the_trash(server, disk, 6)
    assert gc(server)["emptied_files"] == 0
    restore(server, "me/app")
    assert answers_to(server.client, targets) == before
    delete()
    days_pass_in_the_trash(server, disk, 8)
    lying = sum(path.stat().st_size for path in in_trash(server))
    assert gc(server)["emptied_bytes"] == lying > 0 and in_trash(server) == []
    gc(server)  # what was kept beside the manifests as long as they could come back
    for what in ("me/app", f"me/app@{digest}", "me/app:latest"):
        assert berth(server.configuration, "restore", what).returncode == 1
    assert [path for path in (server.store / "repositories/me/app").rglob("*") if path.is_file()] == []
    assert stored_blobs(server) == named_blobs(server)
    assert other.tag_names() == ["latest"] and server.client.get(other.manifest("latest")).body == kept

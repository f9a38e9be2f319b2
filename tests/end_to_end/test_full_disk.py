"""Housekeeping on a disk without a byte, or without an inode, left: it says what it could not do, has done nothing by halves,
and does it as soon as there is room."""
import contextlib
import json
import os
import pathlib

import pytest

from harness import content
from harness.browser import Browser
from harness.fastcgi import Worker
from harness.mounts import LoopDisk, fill, make_room
from harness.pages import page_of
from harness.process import wait_until
from harness.receiver import Receiver
from harness.registry import closing
from harness.server import berth
from harness.upstream import Upstream
from test_cut_short import damage, prepare_sound
from test_gc import answers_to, push_signed_index

SETTINGS = """\
[hosted]
minimum_free_space = 0
[collect]
grace = 0s
[retention r]
repositories = old/**
keep_tags = new
"""
NO_ROOM = "No space left on device"
DAY = 86400


class Scene:
    """A store on a disk of its own."""

    def __init__(self, directory, lacks, mounted, settings=SETTINGS):
        self.directory, self.lacks = pathlib.Path(directory), lacks
        self.disk = mounted(LoopDisk(self.directory / "disk", self.directory / "storage", 32, "ext4 with few inodes"))
        self.storage = self.directory / "storage"
        self.worker = Worker(self.directory, settings, expected_faults=True)

    def berth(self, *arguments, status=0):
        done = berth(self.worker.configuration, *arguments)
        assert done.returncode == status, done
        return done.stdout + done.stderr

    def fill(self):
        fill(self.storage, self.lacks)

    def make_room(self):
        make_room(self.storage)

    def is_full(self):
        try:
            (self.storage / "one").mkdir()
            (self.storage / "one/more").write_text("x")
        except OSError:
            return True
        finally:
            (self.storage / "one/more").unlink(missing_ok=True)
            (self.storage / "one").rmdir() if (self.storage / "one").exists() else None
        return False

    def tree(self):
        """What there is in the store and its trash, and was set aside; not the notes that an image is about to lose its last
        tag, which say nothing as long as it has one."""
        kept = ("docker", "_berth/trash", "_berth/damaged")
        return {name: path.read_bytes() for path in self.storage.glob("registry/**/*") if path.is_file()
                for name in [str(path.relative_to(self.storage / "registry"))] if name.startswith(kept) and "/_retired/" not in name}

    def answers(self, targets):
        with self.worker:
            return answers_to(self.worker, targets)


@pytest.fixture(params=["bytes", "inodes"])
def make_scene(request, mounted, new_directory):
    def make(settings=SETTINGS):
        return Scene(new_directory("full"), request.param, mounted, settings)
    return make


@pytest.fixture
def scene(make_scene):
    return make_scene()


@pytest.fixture
def receiver():
    made = Receiver(secret=None)
    yield made
    made.close()


def test_what_cannot_be_moved_to_the_trash_stays_is_told_and_goes_when_there_is_room(make_scene, receiver):
    """By the first gc that the store has ever seen."""
    scene = make_scene(f"{SETTINGS}[webhook told]\nurl = {receiver.url}\nallow_private_address = yes\nevents = retention\n")
    with scene.worker as worker:
        repository, old = worker.repository("me/app"), worker.repository("old/app")
        _, targets = push_signed_index(repository, "latest")
        garbage = [repository.push_blob(content.noise()) for _ in range(3)]
        for tag in ("new", "older", "oldest"):
            old.push_image(tag)
    targets += [old.manifest(tag) for tag in ("new", "older", "oldest")]
    answers, before = scene.answers(targets), scene.tree()
    scene.fill()
    for _ in range(2):
        said = scene.berth("gc", status=1)
        assert "there was no room to move" in said and NO_ROOM in said and "berth gc --empty-trash" in said, said
        for tag in ("older", "oldest"):
            assert f"old/app:{tag}: kept: there is no room to move it to the trash" in said, said
        assert "an event" not in said, "what was not done is not told"
        assert scene.tree() == before and scene.is_full()
    told = [json.loads(line) for line in scene.berth("gc", "--json", status=1).splitlines()]
    assert NO_ROOM in next(line["reason"] for line in told if "no_room" in line) and told[-1]["problems"] == 0, told
    assert scene.answers(targets) == answers
    scene.make_room()
    scene.berth("gc")
    left = scene.tree()
    assert not [name for name in left for digest in garbage if digest[7:] in name and not name.startswith("_berth/trash")]
    assert sorted(receiver.told()) == [("delete", "old/app", tag) for tag in ("older", "oldest")]
    scene.berth("restore", "old/app")
    assert scene.answers(targets) == answers


def test_what_retention_cannot_delete_is_told_when_it_has_gone(make_scene, receiver):
    """Also where there is room for the note that an image is about to lose its last tag."""
    scene = make_scene(f"{SETTINGS}[webhook told]\nurl = {receiver.url}\nallow_private_address = yes\nevents = retention\n")
    for tags in (["new", "older"], ["oldest"]):
        with scene.worker as worker:
            for tag in tags:
                worker.repository("old/app").push_image(tag)
        if "older" in tags:
            scene.berth("gc")
    scene.fill()
    for _ in range(2):
        said = scene.berth("gc", status=1)
        assert "old/app:oldest: kept: there is no room" in said and "an event" not in said, said
    assert receiver.told() == [("delete", "old/app", "older")]
    scene.make_room()
    scene.berth("gc")
    assert receiver.told() == [("delete", "old/app", "older"), ("delete", "old/app", "oldest")]


def test_a_repository_that_cannot_be_locked_is_spared_and_no_reason_to_repair(scene):
    """One that another program has made has no lock yet, and on a disk without inodes it gets none, unless there is one to spare."""
    with scene.worker as worker:
        repository = worker.repository("me/app")
        repository.push_image("latest")
        garbage = repository.push_blob(content.noise())
    scene.berth("gc")
    with scene.worker as worker:
        for _ in range(3):
            garbage = worker.repository("me/app").push_blob(content.noise())
    locks = scene.storage / "registry/_berth/locks"
    for path in (locks / "spare", *locks.glob("??")):
        path.unlink()
    scene.fill()
    before = scene.tree()
    said = scene.berth("gc", status=1)
    assert "there was no room to move" in said and NO_ROOM in said and "check --repair" not in said, said
    assert scene.tree() == before
    scene.make_room()
    scene.berth("gc")
    assert not list(scene.storage.glob(f"registry/docker/**/{garbage[7:]}"))


def test_what_has_no_lock_yet_can_be_deleted_all_the_same(scene):
    """That is how room is made."""
    with scene.worker as worker:
        repository = worker.repository("me/app")
        document, _ = repository.push_image("latest")
        for path in (scene.storage / "registry/_berth/locks").glob("??"):
            path.unlink()
        scene.fill()
        answer = worker.delete(repository.manifest(content.digest(document)))
        assert answer.status == 202, answer
        assert worker.get(repository.manifest("latest")).status == 404


def test_a_push_is_refused_until_there_is_room_and_pulls_go_on(scene):
    with scene.worker as worker:
        repository, new = worker.repository("me/app"), worker.repository("me/new")
        document, _ = repository.push_image("latest")
        location = repository.open_upload()
        scene.fill()
        layer = content.noise(5000)
        for answer in (worker.post(new.uploads), worker.post(f"{new.uploads}?digest={content.digest(layer)}", layer),
                       worker.put(closing(location, content.digest(layer)), layer),
                       repository.put_manifest("new", content.index([]), content.INDEX)):
            assert answer.status == 507 and answer.codes() == ["DENIED"], answer
            assert "full" in answer.json()["errors"][0]["message"], answer
        assert worker.get(repository.manifest("latest")).body == document
        assert repository.tag_names() == ["latest"] and worker.get(new.tags()).status == 404
        scene.make_room()
        repository.push_image("new", [layer])
        new.push_image("new", [layer])


def test_old_trash_and_abandoned_uploads_make_room_and_the_next_run_does_the_rest(scene):
    with scene.worker as worker:
        repository = worker.repository("me/app")
        _, digest = repository.push_image("deleted", layers=[content.noise(content.MIB)])
        assert worker.delete(repository.manifest(digest)).status == 202
        worker.patch(repository.open_upload(), content.noise(content.MIB))
    scene.berth("gc")
    with scene.worker as worker:
        _, targets = push_signed_index(repository, "latest")
        garbage = [worker.repository(f"me/{number}").push_blob(content.noise()) for number in range(4)]
    scene.disk.age(scene.storage / "registry/_berth/trash", 8 * DAY)
    for path in [*(scene.storage / "_tmp/uploads").rglob("*"), *(scene.storage / "_tmp/uploads").iterdir()]:
        os.utime(path, (0, 0))
    answers = scene.answers(targets)
    scene.fill()
    assert scene.is_full()
    told = [json.loads(line) for line in berth(scene.worker.configuration, "gc", "--json").stdout.splitlines()]
    assert told[-1]["emptied_files"] >= 4 and told[-1]["problems"] == 0 and not scene.is_full(), told
    assert not list((scene.storage / "_tmp/uploads").iterdir())
    scene.berth("gc")
    assert not [name for name in scene.tree() for digest in garbage if digest[7:] in name and not name.startswith("_berth/trash")]
    assert scene.answers(targets) == answers


def test_the_trash_is_emptied_on_a_full_disk(make_scene):
    patient = make_scene(SETTINGS.replace("grace = 0s", "grace = 1h"))
    with patient.worker as worker:
        repository = worker.repository("me/app")
        repository.push_image("kept")
        for _ in range(12):
            _, digest = repository.push_image("deleted")
            assert worker.delete(repository.manifest(digest)).status == 202
    patient.fill()
    assert "removed from the trash: 0 files" in patient.berth("gc") and patient.is_full()
    said = patient.berth("gc", "--empty-trash")
    assert "removed from the trash: 0 files" not in said and not patient.is_full(), said
    with patient.worker as worker:
        worker.repository("me/app").put_manifest("another", worker.get(repository.manifest("kept")).body)


def test_what_cannot_be_restored_stays_in_the_trash_and_comes_back_when_there_is_room(scene):
    with scene.worker as worker:
        repository = worker.repository("me/app")
        digest, targets = push_signed_index(repository, "latest")
        before = answers_to(worker, targets)
        assert worker.delete(repository.manifest(digest)).status == 202
    scene.berth("gc")
    trash = scene.tree()
    scene.fill()
    for what in ("me/app", "me/app:latest", f"me/app@{digest}", f"me/app:latest@{digest}"):
        said = scene.berth("restore", what, status=2)
        assert what in said and NO_ROOM in said and "make room" in said and "--empty-trash" in said, said
        assert scene.tree() == trash, what
    scene.make_room()
    scene.berth("restore", "me/app:latest")
    assert scene.answers(targets) == before


@pytest.mark.parametrize("what", ["me/app", "me/app:one", "me/app@"])
def test_what_is_deleted_is_said_to_be_in_the_trash_only_if_it_is(scene, what):
    """Where there is no room for that it is gone, which is how room is made."""
    with scene.worker as worker:
        repository = worker.repository("me/app")
        _, digest = repository.push_image("one")
        what += digest if what.endswith("@") else ""
        targets = [repository.manifest("one"), *([] if ":one" in what else [repository.manifest(digest)])]
    scene.fill()
    said = scene.berth("delete", what)
    assert "no room" in said and "cannot be taken back" in said and "berth restore" not in said, said
    assert {status for status, *_ in scene.answers(targets).values()} == {404}
    scene.make_room()
    scene.berth("restore", what, status=1)
    with scene.worker as worker:
        _, digest = worker.repository("me/app").push_image("one")
    said = scene.berth("delete", "me/app:one")
    assert "'berth restore me/app:one' takes it back" in said, said


@pytest.mark.parametrize("what", ["a tag", "a manifest", "a blob", "a tag by the page", "a repository by the page"])
def test_who_deletes_is_told_that_it_cannot_be_taken_back(scene, what):
    """And so is the log: by a client as by the page, which says else that it is in the trash."""
    scene.worker.parameters["BERTH_PAGE"] = "/"
    with scene.worker as worker:
        repository, browser = worker.repository("me/app"), Browser(worker)
        _, digest = repository.push_image("one")
        repository.push_image("two")
        target = {"a tag": repository.manifest("one"), "a manifest": repository.manifest(digest),
                  "a blob": repository.blob(repository.push_blob(b"layer")), "a tag by the page": "/me/app:one?show=delete",
                  "a repository by the page": "/me/app?show=delete"}[what]
        form = browser.forms(target)[target] if "page" in what else None
        scene.fill()
        answer = browser.send(form) if form else worker.delete(target)
        assert "cannot be taken back" in answer["Warning"], answer
        log = worker.log()
        assert "no room in the trash" in log and answer["X-Request-Id"] in log, log
        if form:
            assert answer["Location"].endswith("?done=gone"), answer
            assert "Deleted for good" in page_of(browser.get(answer["Location"])).words
        scene.make_room()
        answer = worker.delete(repository.blob(repository.push_blob(b"another layer")))
        assert answer.status == 202 and not answer["Warning"] and worker.log().count("no room in the trash") == 1, answer


def test_what_cannot_be_mended_stays_as_it_is_and_is_mended_when_there_is_room(scene):
    with scene.worker as worker:
        targets = prepare_sound(scene)
        answers = answers_to(worker, targets)
    damage(scene.storage / "registry/docker/registry/v2", *targets)
    before = scene.tree()
    scene.fill()
    for _ in range(2):
        said = scene.berth("check", "--repair", status=1)
        assert NO_ROOM in said, said
        assert scene.tree() == before
    scene.make_room()
    scene.berth("check", "--repair", status=1)
    scene.berth("check", "--repair", status=0)
    assert scene.answers(targets) == answers


@pytest.fixture
def cache(make_scene):
    """Its scene, an upstream, and 12 blobs of a mebibyte that it has cached, the first of which was used long ago."""
    with contextlib.closing(Upstream(alias="up")) as upstream:
        scene = make_scene(f"{SETTINGS}[proxy]\nminimum_free_space = 1M\nmaximum_size = 64M\n"
                           f"[upstream up]\nurl = {upstream.url}\nallow_private_address = yes\n")
        scene.upstream = upstream
        with scene.worker:
            scene.blobs = [pull(scene) for _ in range(12)]
            wait_until(lambda: len(cached(scene)) == 12, "the fills")
        yield scene


def pull(scene):
    digest = scene.upstream.add_blob(data := content.noise(content.MIB))
    answer = scene.worker.get(scene.worker.repository("proxy/up/app").blob(digest))
    assert answer.status == 200 and answer.body == data, answer
    return digest


def cached(scene):
    return {path.parent.name for path in (scene.storage / "proxy/docker/registry/v2/blobs/sha256").glob("*/*/data")}


def test_a_cache_gives_way_on_a_full_disk_to_what_is_asked_for(cache):
    """Not to what finds not even a directory, but soon afterwards."""
    cache.fill()
    with cache.worker:
        pull(cache)
        wait_until(lambda: len(cached(cache)) < 12, "room is made")
        wait_until(lambda: pull(cache)[7:] in cached(cache), "a fill")


def test_gc_makes_a_cache_give_way_on_a_full_disk(cache):
    cache.fill()
    cache.berth("gc")
    assert 0 < len(cached(cache)) < 12
    cache.make_room()
    with cache.worker:
        pull(cache)

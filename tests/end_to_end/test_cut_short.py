"""`berth gc`, `berth restore` and `berth check --repair`, ended before any of the calls by which they change the store.

What is there then is sound, and what another run makes of it is what the first would have made.
"""
import pathlib
import shutil
import signal

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.faults import FaultyCommand
from harness.process import next_tick, wait_until
from harness.server import berth
from test_gc import push_signed_index

SETTINGS = "[collect]\ngrace = 0s\n[retention r]\nrepositories = old/**\nkeep_tags = new\n"
POINTS = 30  # of each command; all of them in tests/long


class Scene:
    """A store that is as it was before each run, and where commands are cut short."""

    def __init__(self, directory, arguments, prepare, damage=None):
        self.worker = Worker(pathlib.Path(directory), SETTINGS, expected_faults=True)
        self.arguments, self.damaged = arguments, damage is not None
        self.storage, self.template = self.worker.directory / "storage", self.worker.directory / "template"
        with self.worker:
            self.targets = prepare(self)
        if damage:
            damage(self.storage / "registry/docker/registry/v2", *self.targets)
        shutil.copytree(self.storage, self.template, symlinks=True)
        self.faulty = FaultyCommand(self.worker, self.storage, call="change")
        self.reset()
        self.count = self.faulty.count(arguments)
        self.whole = self.tree()
        with self.worker:
            self.answers = {target: self.worker.get(target).body for target in self.targets}
        assert all(self.answers.values())

    def berth(self, *arguments):
        done = berth(self.worker.configuration, *arguments)
        assert done.returncode in (0, 1) and not done.stderr.startswith("error"), done
        return done

    def reset(self):
        """As before, and older than what is done next, by the clock of the filesystem."""
        shutil.rmtree(self.storage)
        shutil.copytree(self.template, self.storage, symlinks=True)
        next_tick()

    def tree(self):
        """What there is in the store and its trash, but for what tells of times, and under which id something damaged lies."""
        found = {}
        for path in self.storage.glob("registry/**/*"):
            name = str(path.relative_to(self.storage / "registry"))
            if not name.startswith(("docker", "_berth/trash", "_berth/damaged")) or path.is_dir():
                continue
            if name.startswith("_berth/damaged/") and name.count("/") > 3:
                if path.stat().st_size == 0:
                    continue  # what would have taken its place
                name = "/".join(["damaged", *name.split("/")[3:]])
            is_note = any(part in name for part in ("/_history/", "/index/", "/_pulled"))
            if is_note:  # of a tag whose deletion was cut short: they follow it, into the other trash
                name = name.replace("_berth/trash/collected/", "_berth/trash/deleted/")
            found[name] = None if is_note else path.read_bytes()
        return found

    def cut(self, nth, number):
        """Whether the run was ended there; another one has done what was left."""
        self.reset()
        done = self.faulty.start(self.arguments, -number, nth)
        if not self.faulty.has_met():  # the run that was counted took longer, and noted more often that it goes on
            return False
        assert done.returncode == -number, (nth, done)
        found = self.berth("check")
        assert found.returncode == 0 or self.damaged, (nth, found)
        for _ in range(2 if self.damaged else 1):  # the second finds nothing
            done = self.berth(*self.arguments)
        assert done.returncode == 0 or self.arguments[0] == "restore", (nth, done)
        assert self.tree() == self.whole, (nth, self.tree().keys() ^ self.whole.keys())
        return True

    def assert_whole(self):
        with self.worker:
            assert {target: self.worker.get(target).body for target in self.targets} == self.answers


def prepare_garbage(scene):
    """An image that stays, one that retention deletes, one that was deleted by hand, and layers that nobody has."""
    repository, old = scene.worker.repository("me/app"), scene.worker.repository("old/app")
    _, targets = push_signed_index(repository, "latest")
    _, digest = repository.push_image("deleted")
    repository.push_blob(content.noise())
    scene.worker.repository("me/hollow").push_blob(content.noise())
    for tag in ("new", "older", "oldest"):
        old.push_image(tag)
    assert scene.worker.delete(repository.manifest(digest)).status == 202
    return [*targets, old.manifest("new")]


def prepare_deleted(scene):
    """An index with signatures that was deleted, of which all that only it needs was collected."""
    repository = scene.worker.repository("me/app")
    digest, targets = push_signed_index(repository, "latest")
    repository.push_image("kept")
    assert scene.worker.delete(repository.manifest(digest)).status == 202
    probe = scene.worker.directory / "probe"
    probe.write_text("")
    wait_until(lambda: scene.berth("gc").returncode == 0 and not list(scene.storage.glob(f"registry/docker/**/{digest[7:]}/data")), "the collection")
    return targets


def prepare_sound(scene):
    repository = scene.worker.repository("me/app")
    layer = content.noise(1000)
    document, digest = repository.push_image("latest", layers=[layer])
    repository.push_image(subject=content.descriptor(document, content.IMAGE))
    scene.worker.repository("me/rotten").push_blob(content.noise())
    return [repository.manifest("latest"), repository.manifest(digest), repository.blob(content.digest(layer)), repository.referrers(digest)]


def damage(store, _, manifest, layer, *__):
    manifest, layer = manifest.partition(":")[2], layer.partition(":")[2]
    for place in (f"_layers/sha256/{layer}/link", f"_manifests/revisions/sha256/{manifest}/link",
                  f"_manifests/tags/latest/index/sha256/{manifest}/link", "_history/latest"):
        path = store / "repositories/me/app" / place
        path.unlink()
        (path / "below").mkdir(parents=True)
        (path / "below/it").write_text("precious")
    rotten = next((store / "repositories/me/rotten/_layers/sha256").iterdir()).name
    (store / f"blobs/sha256/{rotten[:2]}/{rotten}/data").write_text("rotten")


SCENES = {"gc": (("gc",), prepare_garbage), "restore": (("restore", "me/app"), prepare_deleted),
          "repair": (("check", "--repair"), prepare_sound, damage)}


@pytest.fixture(params=SCENES)
def scene(request, new_directory):
    return Scene(new_directory("cut"), *SCENES[request.param])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_what_was_cut_short_is_sound_and_the_next_run_does_the_rest(scene, number):
    cut_everywhere(scene, number, max(scene.count // POINTS, 1))


def cut_everywhere(scene, number, step):
    assert scene.count > 30
    cuts = [scene.cut(nth, number) for nth in range(1, scene.count + 1, step)]
    assert cuts.count(True) > len(cuts) * 0.8, cuts
    scene.assert_whole()

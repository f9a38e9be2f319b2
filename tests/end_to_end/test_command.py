"""The command line: how a command comes to a store, what it leaves behind, and its options."""
import os
import pathlib
import shutil

import pytest

from harness.server import CONFIGURATION, berth

pytestmark = pytest.mark.quick


class Place:
    """A configuration with stores that are not there yet."""

    def __init__(self, directory, settings="[hosted]\nminimum_free_space = 0\n"):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "configuration.ini"
        self.file.write_text(CONFIGURATION + settings)
        self.storage = self.directory / "storage"
        self.stores = [self.storage / name for name in ("registry", "_tmp", "proxy")]

    def make(self, owner="root"):
        for path in self.stores:
            path.mkdir(parents=True)
        return self.give(owner)

    def give(self, owner):
        for path in [self.storage, *self.storage.rglob("*")]:
            shutil.chown(path, owner, owner)
        return self

    def run(self, *arguments):
        return berth(self.file, *arguments)

    def everything(self):
        """Name, owner and time of change of all there is."""
        return sorted((str(path), path.lstat().st_uid, path.lstat().st_ctime_ns) for path in self.directory.rglob("*"))


@pytest.fixture
def place(new_directory):
    return Place(new_directory("command"))


# Opening a store

@pytest.mark.parametrize("arguments", [["check"], ["check", "--json"], ["check", "--no-content"]], ids=" ".join)
def test_who_only_looks_makes_nothing(place, arguments):
    """As root in the store of www-data, too: what it left there, the workers could not change."""
    place.make("www-data")
    before = place.everything()
    done = place.run(*arguments)
    assert done.returncode == 0 and done.stderr == "", done
    assert place.everything() == before


@pytest.mark.parametrize("option", [[], ["--json"], ["--repair"]], ids=" ".join)
def test_a_store_that_is_not_there_is_told_and_not_made(place, option):
    before = place.everything()
    done = place.run("check", *option)
    assert done.returncode == 2 and done.stdout == "", done
    assert f"berth check: there is no store in '{place.stores[0]}': No such file or directory" in done.stderr
    assert place.everything() == before


def test_a_store_without_a_place_for_uploads_can_be_looked_at(start):
    """A backup of the registry alone."""
    server = start()
    server.client.repository("me/app").push_image("latest")
    server.stop()
    shutil.rmtree(server.temporary)
    done = server.check()
    assert done.returncode == 0 and "1 manifests, 1 tags: 0 problems" in done.stdout, done
    assert not server.temporary.exists()


@pytest.mark.parametrize("arguments, status", [(["check", "--repair"], 0), (["check", "--setup"], 0),
                                               (["prefetch", "nowhere.invalid/a/b:1"], 1)], ids=["repair", "setup", "prefetch"])
def test_what_root_writes_belongs_to_the_owner_of_the_store(place, arguments, status):
    place.make("www-data")
    done = place.run(*arguments)
    assert done.returncode == status, done
    strangers = [path for path in place.storage.rglob("*") if path.owner() != "www-data"]
    assert (place.stores[0] / "docker").exists() or (place.stores[2] / "docker").exists()
    assert strangers == []


def test_a_store_that_is_made_belongs_to_whom_the_directory_above_belongs(place):
    place.storage.mkdir()
    place.give("www-data")
    done = place.run("prefetch", "nowhere.invalid/a/b:1")
    assert done.returncode == 1, done
    made = list(place.storage.rglob("*"))
    assert place.stores[2] in made and {path.owner() for path in made} == {"www-data"}


def test_an_owner_without_a_name_is_an_owner(place):
    place.make()
    for path in [place.storage, *place.stores]:
        os.chown(path, 54321, 54321)
    done = place.run("check", "--repair")
    assert done.returncode == 0, done
    assert {path.stat().st_uid for path in place.storage.rglob("*")} == {54321}

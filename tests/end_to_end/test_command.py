"""The command line: how a command comes to a store, what it leaves behind, and its options."""
import json
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


# The command line

def listing():
    return json.loads(berth("", "help", "--json").stdout)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], ["check", "--help"], ["prefetch", "-h"], ["version", "--help"],
                                       ["check", "--repair", "--help"], ["help", "check"], ["help", "help"]], ids=" ".join)
def test_help_is_what_was_asked_for(arguments):
    """On standard output, without a configuration."""
    done = berth("/nonexistent.ini", *arguments)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("usage: berth"), done


def test_the_version_is_an_option_too():
    assert berth("", "--version").stdout == berth("", "version").stdout != ""


def test_without_a_configuration_it_says_where_it_has_looked(tmp_path):
    done = berth("", "configuration", cwd=tmp_path)
    assert done.returncode == 2 and f"there is neither configuration.ini in {tmp_path} nor /etc/berth/configuration.ini" in done.stderr, done


def test_the_help_of_a_command_has_all_of_its_options():
    common = listing()["options"]
    assert {option["name"] for option in common} == {"-c", "--help"}
    for command in listing()["commands"]:
        text = berth("", *command["name"].split(), "--help").stdout
        assert text.startswith(f"usage: {command['usage']}\n") and command["summary"] in text
        for option in [*command["options"], *common]:
            assert option["name"] in text and option["help"] in text, text
        for option in command["options"]:
            assert option["name"] in command["usage"]
        assert command["usage"] in berth("", "help").stdout


def test_machines_can_list_commands_and_keys():
    """For the manual pages and the completion."""
    listed = listing()
    names = [command["name"] for command in listed["commands"]]
    assert names == sorted(names) and {"check", "configuration", "help", "prefetch", "version"} <= set(names)
    sections = {section["section"]: section for section in listed["configuration"]}
    assert [key["name"] for key in sections[""]["keys"] if key["required"]] == ["registry_storage", "temporary_registry_storage",
                                                                                "proxy_storage"]
    assert {"name": "log_level", "default": "info", "required": False} in sections[""]["keys"]
    assert sections["upstream"]["named"] and not sections["proxy"]["named"]


@pytest.mark.parametrize("arguments", [["-c", "FILE", "configuration"], ["configuration", "-c", "FILE"], ["configuration", "-cFILE"]],
                         ids=" ".join)
def test_the_configuration_may_be_named_before_and_behind_the_command(place, arguments):
    done = berth("/nonexistent.ini", *[word.replace("FILE", str(place.file)) for word in arguments])
    assert done.returncode == 0 and f"registry_storage = {place.stores[0]}\n" in done.stdout, done


@pytest.mark.parametrize("arguments, said", [
    (["nonsense"], "there is no command 'nonsense'"), (["chec"], "there is no command 'chec': did you mean 'check'?"),
    (["help", "nonsense"], "there is no command 'nonsense'"), (["help", "check", "it"], "there is no command 'it'"),
    (["-x"], "unexpected argument '-x'"), (["--json", "check"], "unexpected argument '--json'"), (["-c"], "-c needs a value"),
    (["-c", "a", "check", "-c", "b"], "-c is there twice"),
    (["check", "--rep"], "unexpected argument '--rep'"), (["check", "--json=yes"], "--json takes no value"),
    (["check", "http://localhost"], "unexpected argument 'http://localhost'"),
    (["check", "--setup", "--repair"], "unexpected argument '--repair'"),
    (["check", "--setup", "http://a", "http://b"], "unexpected argument 'http://b'"),
    (["configuration", "extra"], "unexpected argument 'extra'"), (["version", "extra"], "unexpected argument 'extra'"),
    (["prefetch"], "is missing: IMAGE..."), (["prefetch", "--platform"], "--platform needs a value"),
    (["prefetch", "--platform", "linux", "a"], "this is no platform: 'linux'"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_wrong_command_line_is_told_with_its_usage(place, arguments, said):
    before = place.everything()
    done = place.run(*arguments)
    assert done.returncode == 2 and done.stdout == "", done
    assert said in done.stderr and "usage: berth " in done.stderr, done
    assert place.everything() == before


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_found_problems_are_lines_of_text_or_objects(start, option):
    server = start()
    repository = server.client.repository("me/app")
    repository.push_image("latest")
    digest = repository.push_blob(b"content")
    path = next((server.store / "blobs").rglob(f"{digest[7:]}/data"))
    path.unlink()
    done = server.check(*option)
    assert done.returncode == 1 and done.stderr == "", done
    found, summary = done.stdout.splitlines()
    link = f"docker/registry/v2/repositories/me/app/_layers/sha256/{digest[7:]}/link"
    if option:
        assert json.loads(found) == {"path": link, "problem": "a link to a blob that is not there"}
        assert {"blobs": 3, "manifests": 1, "tags": 1, "problems": 1}.items() <= json.loads(summary).items()
    else:
        assert found == f"{link}: a link to a blob that is not there"
        assert "3 blobs of " in summary and summary.endswith(" bytes, 1 manifests, 1 tags: 1 problems")
    assert server.check("--repair").returncode == 1 and server.check().returncode == 0

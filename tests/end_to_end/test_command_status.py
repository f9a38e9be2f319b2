"""Exit statuses of all commands: 0 fine, 1 found something, 2 could not run. Scripts and monitoring rely on them."""
import fcntl
import hashlib
import json
import pathlib
import re

import pytest

from harness.server import CONFIGURATION, ROOT, berth

pytestmark = pytest.mark.quick

SETTINGS = "[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n[authentication]\nmode = htpasswd\nhtpasswd = htpasswd\n"
COMMANDS = json.loads(berth("", "help", "--json").stdout)["commands"]
NAMES = [command["name"] for command in COMMANDS]
WITHOUT_CONFIGURATION = {"help", "version"}


HELD = []


def damage(directory):
    blob = directory / f"storage/registry/docker/registry/v2/blobs/sha256/00/{'0' * 64}/data"
    blob.parent.mkdir(parents=True)
    blob.write_text("something else")


def leave_stray(directory):
    (directory / "storage/registry/docker/registry/v2/blobs/sha256/zz").mkdir(parents=True)


def hold_collector(directory):
    """As another run does; the lock goes with the tests' process."""
    lock = directory / "storage/registry/_berth/locks/collect"
    lock.parent.mkdir(parents=True, exist_ok=True)
    HELD.append(lock.open("w"))
    fcntl.flock(HELD[-1], fcntl.LOCK_EX)


def put_tag(directory, deleted=False):
    """An empty index and its tag."""
    data = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    digits = hashlib.sha256(data).hexdigest()
    store = directory / "storage/registry/docker/registry/v2"
    manifests = "repositories/me/app/_manifests"
    trash = directory / "storage/registry/_berth/trash/deleted/docker/registry/v2" if deleted else store
    for path, text in [(store / f"blobs/sha256/{digits[:2]}/{digits}/data", data), (store / f"{manifests}/revisions/sha256/{digits}/link", None),
                       (trash / f"{manifests}/tags/1/current/link", None)]:
        path.parent.mkdir(parents=True)
        path.write_bytes(text or f"sha256:{digits}".encode())
    (store / "repositories/me/app/_layers").mkdir()


def delete_tag(directory):
    """As a DELETE leaves it: the tag lies in the trash."""
    put_tag(directory, deleted=True)


def take_registry(directory):
    (directory / "storage/registry").rmdir()


def write_useless_line(directory):
    (directory / "htpasswd").write_text("alice:in the clear\n")


def make_file_of(name):
    """Where a directory should be."""
    def make(directory):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("")
    return make


def add_robot(directory):
    assert berth(directory / "configuration.ini", "robot", "add", "ci").returncode == 0


def damage_robot(directory):
    add_robot(directory)
    (directory / ACCESS / "robot-ci").write_text("damaged")


def add_user(directory):
    assert berth(directory / "configuration.ini", "user", "add", "alice", input="secret").returncode == 0


ACCESS = "storage/registry/_berth/access"
# command line, what was done before, status
ROWS = [
    ("access team/app", add_user, 0), ("access alice team/app --json", None, 0), ("access team/app", None, 2), ("access a:b team/app", None, 2),
    ("access team//app", None, 2),
    ("check", None, 0), ("check --repair", None, 0), ("check", damage, 1), ("check --json --no-content", damage, 0), ("check --repair", damage, 1),
    ("check", take_registry, 2), ("check --setup", None, 0), ("check --setup http://localhost:1", None, 1), ("check --setup no-url", None, 2),
    ("check --older-than 30d --rate 20M", None, 0), ("check --older-than 30", None, 0), ("check --older-than soon", None, 2), ("check --rate 1K", None, 2),
    ("check --rate 20M --no-content", None, 2), ("check --older-than 1d --setup", None, 2),
    ("configuration", None, 0),
    ("delete me/app:1", put_tag, 0), ("delete --force me/app", put_tag, 0), ("delete me/app:2", put_tag, 1), ("delete me/app:-", None, 2),
    ("events list", None, 0), ("events list --json", None, 0), ("events list extra", None, 2), ("events list", take_registry, 2),
    ("events resend --failed", None, 0), ("events resend", None, 2), ("events resend --failed extra", None, 2),
    ("gc", None, 0), ("gc --json", damage, 0), ("gc --dry-run", None, 0), ("gc --empty-trash", None, 0), ("gc", leave_stray, 1),
    ("gc", hold_collector, 2), ("gc", take_registry, 2), ("gc extra", None, 2),
    ("help", None, 0), ("help check", None, 0), ("help nothing", None, 2),
    ("keys rotate", None, 0), ("keys rotate --revoke", None, 0), ("keys rotate", make_file_of(ACCESS), 2),
    ("prefetch nowhere.invalid/a/b:1", None, 1), ("prefetch nowhere.invalid//b", None, 2), ("prefetch --platform linux a", None, 2),
    ("restore me/app:1", delete_tag, 0), ("restore me/app", delete_tag, 0), ("restore me/app:2", delete_tag, 1), ("restore me/app", None, 1),
    ("restore me/app:-", None, 2), ("restore", None, 2),
    ("robot add ci", None, 0), ("robot add ci", add_robot, 1), ("robot add CI", None, 2), ("robot add --rights all ci", None, 2),
    ("robot add --expires never ci", None, 2), ("robot add --repositories // ci", None, 2), ("robot add ci", make_file_of(ACCESS), 2),
    ("robot list", None, 0), ("robot list", add_robot, 0), ("robot list", damage_robot, 1), ("robot list", make_file_of(ACCESS), 2),
    ("robot remove ci", add_robot, 0), ("robot remove ci", None, 1), ("robot remove ci", make_file_of(ACCESS), 2),
    ("status", None, 0), ("status --json", None, 0), ("status", take_registry, 2),
    ("user add alice", None, 0), ("user add a:b", None, 2),
    ("user list", add_user, 0), ("user list", write_useless_line, 1), ("user list", lambda directory: (directory / "htpasswd").mkdir(), 2),
    ("user remove alice", add_user, 0), ("user remove bob", add_user, 1), ("user remove alice", lambda directory: (directory / "htpasswd").mkdir(), 2),
    ("version", None, 0), ("version extra", None, 2),
]


def command_of(words):
    return max((name for name in NAMES if f"{words} ".startswith(f"{name} ")), key=len)


@pytest.fixture
def directory(new_directory):
    """A configuration with empty stores."""
    made = pathlib.Path(new_directory("status"))
    (made / "configuration.ini").write_text(CONFIGURATION + SETTINGS)
    for name in ("registry", "_tmp", "proxy"):
        (made / "storage" / name).mkdir(parents=True)
    return made


@pytest.mark.parametrize("words, before, status", ROWS, ids=[f"{status}-{words}" for words, _, status in ROWS])
def test_what_a_command_ends_with(directory, words, before, status):
    """What is wrong is said, on one of the two outputs."""
    if before:
        before(directory)
    done = berth(directory / "configuration.ini", *words.split(), input="secret\n")
    assert done.returncode == status, done
    assert status == 0 or done.stdout + done.stderr, done
    assert status != 2 or done.stderr.startswith("berth"), done


def test_each_command_is_in_the_table():
    """Going well and failing; but for prefetch, whose other registries are in test_prefetch.py, and what the next test has."""
    known = {(command_of(words), status) for words, _, status in ROWS}
    assert {(name, status) for name in NAMES for status in (0, 2)} - known == {("prefetch", 0), ("configuration", 2)}


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_CONFIGURATION))
@pytest.mark.parametrize("text", [None, "", CONFIGURATION + "nonsense = 1\n"], ids=["missing", "empty", "wrong"])
def test_no_command_runs_on_a_configuration_that_is_wrong(directory, name, text):
    file = directory / "configuration.ini"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    operands = [["ci", "team/app"][word == "REPOSITORY"] for word in needed(name)]
    done = berth(file, *name.split(), *operands, input="secret\n")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("berth") and str(file) in done.stderr, done


def row_of(name):
    return COMMANDS[NAMES.index(name)]


def needed(name):
    """The operands that it does not do without."""
    return [word for word in row_of(name).get("operands", "").split() if not word.startswith("[")]


def wrong_lines():
    """Every way in which an option or an operand can be wrong, of every command."""
    for name in NAMES:
        operands = " ".join(word.strip(".") for word in needed(name))
        yield f"{name} --nonsense {operands}", "unexpected argument '--nonsense'"
        yield f"{name} -x {operands}", "unexpected argument '-x'"
        yield f"{name} -c", "-c needs a value"
        for option in row_of(name)["options"]:
            if "value" in option:
                yield f"{name} {option['name']}", f"{option['name']} needs a value"
            else:
                yield f"{name} {option['name']}=yes {operands}", f"{option['name']} takes no value"
            if "value" in option and not option["repeatable"]:
                yield f"{name} {option['name']} a {option['name']} b {operands}", f"{option['name']} is there twice"
        if operands:
            yield name, "is missing: "
        if "operands" not in row_of(name):
            yield f"{name} extra", "unexpected argument 'extra'"


@pytest.mark.parametrize("words, said", list(wrong_lines()))
def test_a_command_line_that_is_wrong_is_2_and_changes_nothing(directory, words, said):
    before = sorted(directory.rglob("*"))
    done = berth(directory / "configuration.ini", *words.split(), input="secret\n")
    assert done.returncode == 2 and done.stdout == "", done
    assert said in done.stderr and f"usage: berth {command_of(words)}" in done.stderr, done
    assert sorted(directory.rglob("*")) == before


def test_it_is_written_down_everywhere():
    said = "0 fine, 1 found something, 2 could not run"
    page = (ROOT / "deploy/man/berth.8").read_text().partition(".SH EXIT STATUS\n")[2].partition(".SH")[0]
    assert re.findall(r"^\.B (\d)\n(\w+ ?\w+)", page, re.MULTILINE) == [("0", "Fine"), ("1", "It found"), ("2", "It could")]
    assert said in berth("", "help").stdout.replace("\n", " ")
    assert said in (ROOT / "README.md").read_text()

"""Users, robots and keys by the command line."""
import json
import os
import pathlib
import pty
import stat
import subprocess

import pytest

from harness.server import BERTH, CONFIGURATION

pytestmark = pytest.mark.quick


class Desk:
    def __init__(self, directory, settings="[authentication]\nmode = htpasswd\nhtpasswd = htpasswd\n"):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "configuration.ini"
        self.file.write_text(CONFIGURATION + settings)
        self.passwords = self.directory / "htpasswd"
        self.vault = self.directory / "storage/registry/_berth/access"

    def run(self, *words, said=""):
        return subprocess.run([BERTH, "-c", self.file, *words], input=said, capture_output=True, text=True, check=False)

    def fits(self, user, password):
        return subprocess.run(["htpasswd", "-vb", self.passwords, user, password], capture_output=True, check=False).returncode == 0


@pytest.fixture
def desk(new_directory):
    return Desk(new_directory("desk"))


# Users

def test_a_user_is_added_changed_listed_and_removed(desk):
    assert desk.run("user", "add", "alice", said="secret\nnot this\n").returncode == 0
    assert desk.fits("alice", "secret")
    assert desk.run("user", "add", "bob", said="other").returncode == 0
    assert desk.run("user", "list").stdout == "alice\nbob\n"
    assert [json.loads(line) for line in desk.run("user", "list", "--json").stdout.splitlines()] == [{"user": "alice"}, {"user": "bob"}]
    assert desk.run("user", "add", "alice", said="secret two\n").returncode == 0
    assert desk.fits("alice", "secret two") and desk.fits("bob", "other") and not desk.fits("alice", "secret")
    assert desk.run("user", "remove", "alice").returncode == 0
    assert desk.run("user", "remove", "alice").returncode == 1
    assert desk.run("user", "list").stdout == "bob\n"
    assert sorted(path.name for path in desk.directory.iterdir()) == ["configuration.ini", "htpasswd"]


def test_what_else_a_password_file_has_stays(desk):
    real = desk.directory / "passwords"
    real.write_text("# team\nalice:$2y$05$x:Alice\n\n# ops\nbob:$2y$05$x\r\nalice:old")
    real.chmod(0o604)
    os.chown(real, 12345, 12346)
    desk.passwords.symlink_to("passwords")
    assert desk.run("user", "add", "alice", said="secret\n").returncode == 0
    lines = real.read_bytes().decode().split("\n")
    assert lines[1].startswith("alice:$2b$10$") and lines[1].endswith(":Alice")
    assert [lines[0], *lines[2:]] == ["# team", "", "# ops", "bob:$2y$05$x\r", ""]
    assert desk.run("user", "remove", "bob").returncode == 0
    assert real.read_text() == f"# team\n{lines[1]}\n\n# ops\n"
    status = real.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o604, 12345, 12346)
    assert desk.passwords.is_symlink()


@pytest.mark.parametrize("user, said, why", [
    ("robot/x", "secret\n", "no name of a user"), ("@ops", "secret\n", "no name of a user"), ("a:b", "secret\n", "no name of a user"),
    ("", "secret\n", "no name of a user"), ("#a", "secret\n", "no name of a user"), ("a\u202eb", "secret\n", "no name of a user"),
    ("a\x9bb", "secret\n", "no name of a user"), ("a\udcff", "secret\n", "no name of a user"),
    ("alice", "", "the password is empty"), ("alice", "\n", "the password is empty"), ("alice", "a\tb\n", "control character"),
    ("alice", "a" * 73 + "\n", "72 bytes at most")])
def test_nobody_is_added_who_could_not_log_in(desk, user, said, why):
    done = desk.run("user", "add", user, said=said)
    assert done.returncode == 2 and why in done.stderr, done
    assert not desk.passwords.exists()


@pytest.mark.parametrize("user", ["", "alice:old", "# team"])
def test_what_is_no_user_s_line_is_not_removed(desk, user):
    text = "# team: ours\n:old\nalice:old:Alice\n"
    desk.passwords.write_text(text)
    done = desk.run("user", "remove", user)
    assert done.returncode == 2 and "no name of a user" in done.stderr, done
    assert desk.passwords.read_text() == text


def test_who_would_not_be_added_any_more_is_removed(desk):
    desk.passwords.write_text("a\u202eb:old\nrobot/x:old\n")
    assert [desk.run("user", "remove", user).returncode for user in ["a\u202eb", "robot/x"]] == [0, 0]
    assert desk.passwords.read_text() == ""


def test_lines_that_are_of_no_use_are_named(desk):
    desk.passwords.write_text("alice:secret\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    done = desk.run("user", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{desk.passwords}:1: the password of 'alice' is in plain text" in done.stderr
    assert f"{desk.passwords}:2: the password of 'bob' is hashed by SHA-1" in done.stderr


def test_without_a_password_file_in_the_configuration_it_says_what_to_write(new_directory):
    desk = Desk(new_directory("desk"), "")
    for words in (("add", "alice"), ("list",), ("remove", "alice")):
        done = desk.run("user", *words, said="secret\n")
        assert done.returncode == 2 and "write 'htpasswd = FILE' below [authentication]" in done.stderr, done


def on_terminal(desk, *answers):
    """Types answers, each when it is asked for; what the terminal has shown, and the exit status."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(BERTH, [str(BERTH), "-c", str(desk.file), "user", "add", "alice"])
    shown = b""
    for answer in answers:
        while not shown.endswith(b"alice: "):
            shown += os.read(terminal, 1024)
        os.write(terminal, answer)
        shown += b"|"
    while True:
        try:
            got = os.read(terminal, 1024)
        except OSError:
            break
        if not got:
            break
        shown += got
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_terminal_does_not_show_the_password(desk):
    shown, status = on_terminal(desk, b"secret\n", b"secret\n")
    assert status == 0 and b"secret" not in shown, shown
    assert desk.fits("alice", "secret")
    shown, status = on_terminal(desk, b"secret\n", b"Secret\n")
    assert status == 2 and b"not the same" in shown
    shown, status = on_terminal(desk, b"sec\003")
    assert status == 2 and b"sec|" not in shown


# Robots

def test_a_robot_is_made_listed_and_removed(desk):
    done = desk.run("robot", "add", "ci", "--repositories", "team/**, !team/base", "--rights", "pull,push", "--expires", "90d")
    secret = done.stdout.strip()
    assert done.returncode == 0 and secret.startswith("berth_s_") and "robot/ci" in done.stderr, done
    assert stat.S_IMODE(desk.vault.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in desk.vault.iterdir()] == [0o600]
    assert not any(secret[8:] in path.read_text() for path in desk.vault.iterdir())
    listed = json.loads(desk.run("robot", "list", "--json").stdout)
    assert (listed["robot"], listed["rights"], listed["repositories"], listed["used"]) == \
        ("ci", "pull,push", "team/**, !team/base", None)
    assert listed["made"] < listed["expires"]
    assert desk.run("robot", "list").stdout.startswith("robot/ci  pull,push  team/**, !team/base")
    assert desk.run("robot", "add", "ci").returncode == 1
    assert desk.run("robot", "remove", "ci").returncode == 0
    assert desk.run("robot", "remove", "ci").returncode == 1
    assert desk.run("robot", "list").stdout == ""


@pytest.mark.parametrize("words, why", [
    (["CI"], "no name of a robot"), (["../keys"], "no name of a robot"), (["a$b"], "no name of a robot"),
    (["ci", "--rights", "pull,everything"], "no list of pull"), (["ci", "--rights", ""], "no list of pull"),
    (["ci", "--repositories", "Team"], "no list of patterns"), (["ci", "--repositories", ""], "no list of patterns"),
    (["ci", "--repositories", "a\nb"], "no list of patterns"), (["ci", "--repositories", "a, proxy/index.docker.io/**"], "as proxy/docker.io/**"), (["ci", "--expires", "soon"], "no time"), (["ci", "--expires", "0"], "no time")])
def test_a_robot_that_makes_no_sense_is_not_made(desk, words, why):
    done = desk.run("robot", "add", *words)
    assert done.returncode == 2 and why in done.stderr, done
    assert not desk.vault.exists()


# Keys

def test_keys_are_rotated_and_revoked(desk):
    def keys():
        return (desk.vault / "keys").read_text().splitlines()[1:]
    assert desk.run("keys", "rotate").returncode == 0
    first = keys()
    assert desk.run("keys", "rotate").returncode == 0
    assert len(keys()) == 2 and keys()[1] == first[0]
    assert desk.run("keys", "rotate", "--revoke").returncode == 0
    assert len(keys()) == 1 and keys()[0] not in first
    assert stat.S_IMODE((desk.vault / "keys").stat().st_mode) == 0o600

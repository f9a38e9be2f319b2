"""Names and numbers that others have left in a store, or ask for: none drives a terminal, forges a line or breaks JSON, and a date
that is none costs nobody a tag."""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness.fastcgi import Worker
from harness.process import PATIENCE
from harness.server import BERTH, SANITIZERS

pytestmark = pytest.mark.quick

NAMES = [b"new\nline", b"\x1b]0;owned\x07", b"\x1b[2J", b"back\rover", "turned\u202egpj.exe".encode(), "\u2066isolated".encode(),
         "another\u2028line".encode(), "eight\u009b2Jbits".encode(), b"\x7fdelete", b"\xff\xfe\xc3", b"x" * 255, b"--help", b"-c", b"'; rm",
         b'{"a":"', b'"}\n{"path":"x', b"%s%n", b" "]
# Controls of seven and eight bits, what begins another line, and what turns the text behind it.
UNTAMED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
SETTINGS = """[hosted]
minimum_free_space = 0
[collect]
grace = 0s
[proxy]
minimum_free_space = 0
maximum_size = 1G
[audit]
file = audit.log
[retention few]
repositories = **
keep_newest = 1
keep_pushed_within = 1d
"""
USERS = """[authentication]
mode = htpasswd
htpasswd = users
[access all]
repositories = **
pull = anonymous
push = anonymous
"""


def tame(output):
    """As text: UTF-8, in lines, that nobody is harmed by who looks at it."""
    text = output.decode("utf-8", "strict")
    found = UNTAMED.search(text)
    assert not found, (found, text[max(0, found.start() - 200):found.end() + 100])
    return text


def run(directory, *arguments):
    """The status, and what was said on standard output and error, which is tame."""
    done = subprocess.run([BERTH, *arguments], env={**os.environ, "BERTH_CONFIGURATION": str(directory / "configuration.ini")},
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    assert done.returncode in (0, 1, 2) and not SANITIZERS.search(done.stderr.decode(errors="replace")), done
    return done.returncode, tame(done.stdout), tame(done.stderr)


def set_date(path, seconds):
    """Of last use and last change; os.utime() takes fewer."""
    times = (ctypes.c_int64 * 4)(seconds, 0, seconds, 0)
    assert ctypes.CDLL(None).utimensat(-100, os.fsencode(path), times, 0) == 0
    assert os.stat(path).st_mtime_ns // 10 ** 9 == seconds, "this filesystem has no such dates"


@contextlib.contextmanager
def at_work(worker):
    """While a store is not as it should be."""
    worker.start()
    try:
        yield worker
    finally:
        assert worker.stop() == 0


def made(directory, tags, settings=SETTINGS):
    directory = pathlib.Path(directory)
    (directory / "users").write_bytes(b"good:$2y$04$" + b"a" * 53 + b"\n" + b":x\n".join(NAMES) + b":x\n")
    worker = Worker(directory, settings, BERTH_PAGE="/")
    with at_work(worker):
        digests = {tag: worker.repository("me/app").push_image(tag)[1] for tag in tags}
    return worker, digests


# Names

def plant(directory):
    """In each directory of the store, files and directories of these names; and names that are one very long path."""
    places = [os.fsencode(path) for path in (directory / "storage").rglob("*") if path.is_dir()]
    for place in [os.fsencode(directory / "storage"), *places]:
        for i, name in enumerate(NAMES):
            path = os.path.join(place, name)
            if i % 2:
                os.mkdir(path)
            with open(path + b"/link" if i % 2 else path, "wb") as file:
                file.write(b"sha256:\x1b]0;owned\x07\n")
    here = os.open(directory / "storage/registry/docker/registry/v2/repositories/me", os.O_RDONLY)
    for _ in range(60):
        os.mkdir(b"d" * 100, dir_fd=here)
        os.mkdir(b"\x1b[31m" * 50, dir_fd=here)
        here, above = os.open(b"d" * 100, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)


@pytest.fixture(scope="module")
def planted(new_directory):
    directory = pathlib.Path(new_directory("names"))
    worker, _ = made(directory, ["latest"], SETTINGS + USERS)
    for name in ("registry/_berth/events/waiting", "registry/_berth/robots", "_tmp/uploads", "proxy/docker/registry/v2/repositories/a.b",
                 "proxy/_berth/kept", "proxy/_berth/memos", "proxy/_berth/flights", "proxy/_berth/upstreams/docker.io/tokens",
                 "proxy/_berth/temporary/partial/docker.io"):
        (directory / "storage" / name).mkdir(parents=True, exist_ok=True)
    plant(directory)
    yield worker
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("arguments, words", [
    (["gc", "--dry-run"], "this can be no tag"), (["gc"], "this can be no tag"), (["check"], "]0;owned"), (["check", "--repair"], "]0;owned"),
    (["status"], "registry"), (["restore", "me/app"], ""), (["restore", "--history", "me/app:latest"], "pushed"), (["events", "list"], ""),
    (["robot", "list"], ""), (["user", "list"], "good"), (["check", "--setup"], ""), (["access", "me/app"], "granted|yes")],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "")
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_what_lies_about_in_a_store_is_told_without_harm(planted, arguments, words, form):
    status, output, complaints = run(planted.directory, *arguments, *form)
    assert status < 2, complaints
    assert re.search(words, output), output
    for line in output.split("\n")[:-1] if form else []:
        assert isinstance(json.loads(line), dict)
    assert all(line for line in complaints.split("\n")[:-1])


def test_a_password_file_is_told_without_harm(planted):
    status, _, complaints = run(planted.directory, "user", "list")
    assert status == 1 and complaints.count("users:") == complaints.count("\n") > 10 and "?]0;owned?" in complaints, complaints


TARGETS = ["/", "/?q=%1b%5b2J%e2%80%ae%ff", "/me/app", "/me/app:latest", "/me/app?show=feed", "/me/app:latest?show=history", "/me/app?show=trash",
           "/-/cache", "/-/configuration", "/v1/search?q=%ff%c2%9b%22%7d", "/v2/_catalog", "/v2/me/app/tags/list", "/v2/_berth/health",
           "/v2/%1b%5d0;owned%07/tags/list", "/v2/me/app/manifests/%e2%80%ae%ff%0a", "/v2/me/\udcff\udc9b2J/tags/list", "/v2/me/app/manifests/" + "x" * 8000,
           "/v2/me/app/manifests/latest?ns=%1b%5b2J", "/nothing/\u202e\u009b2J", "/v2/me/app/blobs/sha256:\x1b[2J", "/v2/_berth/token?service=%1b&scope=%ff%0a"]


def test_nor_do_answers_and_the_log_do_harm(planted):
    """Pages and JSON in UTF-8; a line for each request, whatever is asked for and by whom."""
    with at_work(planted) as worker:
        before = len(worker.log_path.read_bytes())
        for target in TARGETS:
            for accept in ("application/json", "text/html"):
                answer = worker.request("GET", target, {"Accept": accept, "User-Agent": "a\x1b]0;owned\x07\udcff\u202e\u009b", "X-Request-Id": "\x1b[2J\n"})
                assert answer.status < 500, (target, answer)
                if "json" in (answer["Content-Type"] or ""):
                    assert json.loads(tame(answer.body)) is not None
                elif not answer["X-Sendfile"]:
                    tame(answer.body.replace(b"\t", b" "))
    log = planted.log_path.read_bytes()[before:]
    assert tame(log).count(" GET ") == tame(log).count("berth: GET ") >= 2 * len(TARGETS), log
    for line in (planted.directory / "audit.log").read_bytes().split(b"\n")[:-1]:
        assert json.loads(tame(line))["time"]


def test_what_is_typed_is_no_more_than_a_mistake(planted):
    """Said in a line that one can read, and the usage: exit status 2, or 1 where something of this name might be there."""
    commands = [["restore"], ["restore", "--history"], ["delete"], ["prefetch"], ["prefetch", "--drop"], ["access"], ["robot", "add"],
                ["robot", "remove"], ["robot", "add", "r", "--rights"], ["robot", "add", "r", "--expires"],
                ["check", "--older-than"], ["check", "--rate"], ["check"], ["status"], ["help"], [], ["-c"],
                ["prefetch", "--platform"], ["events", "resend"]]
    for command in commands:
        for name in [b"", b"..", b"../../etc/passwd", b"t" * 10240, b"me/app:" + b"t" * 10240, *NAMES]:
            if name.startswith((b"-", b"xx")) or (not command and not name.strip()):
                continue
            status, output, complaints = run(planted.directory, *command, name, *(["status"] if command == ["-c"] else []))
            lines = (complaints or output).split("\n")
            may_be = command in (["robot", "remove"], ["events", "resend"]) and status == 1
            assert status == 2 or may_be, (command, name, status, complaints)
            assert lines[0] and (output == "" or may_be), (command, name, output, complaints)
            assert all(len(line.encode()) < 1100 for line in lines), (command, name, complaints)
            assert len(lines) <= 3 or command == [], (command, name, complaints)


# Numbers

DATES = {"beginning": -2 ** 63, "before": -1, "epoch": 0, "year-0": -62135596801, "year-10000": 253402300800, "overflow": 67767976233532800, "end": 2 ** 63 - 1}
SECONDS = {"number-end": 2 ** 63 - 1, "number-beyond": 2 ** 63, "number-far": 10 ** 30, "number-negative": -5, "number-years": 67767976233532799,
           "number-0": 0}


@pytest.fixture(scope="module")
def dated(new_directory):
    """Tags that were pushed at all times, as links tell or our notes. All of other images."""
    directory = pathlib.Path(new_directory("dates"))
    worker, digests = made(directory, [*DATES, *SECONDS, "older", "newest"])
    tags = directory / "storage/registry/docker/registry/v2/repositories/me/app/_manifests/tags"
    histories = tags.parent.parent / "_history"
    for tag, digest in digests.items():
        if tag in SECONDS:
            (histories / tag).write_text(f"\n{SECONDS[tag]} pushed =mall%c2%9b2Jory%e2%80%ae {digest}\n")
        else:
            (histories / tag).unlink()
        for link in (tags / tag).rglob("link"):
            set_date(link, DATES.get(tag, 1700000000 + (tag == "newest")))
    return worker


def members(text):
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_a_date_that_is_none_is_not_told(dated):
    for tag in [*DATES, *SECONDS, "older"]:
        text, lines = run(dated.directory, "restore", "--history", f"me/app:{tag}")[1], members(run(dated.directory, "restore", "--history", "--json", f"me/app:{tag}")[1])
        for line, entry in zip(text.split("\n"), lines):
            assert entry["time"] is None or re.fullmatch(r"(19[789]\d|20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["time"]), entry
            assert line.split()[0] == (entry["time"] or "-") and line.split()[2] == entry["digest"], line
        assert [entry["time"] is None for entry in lines] == [tag in DATES or tag in ("number-end", "number-years", "number-0")], lines


def test_nor_shown(dated):
    with at_work(dated) as worker:
        for target in ("/", "/me/app", "/me/app?show=feed", *(f"/me/app:{tag}?show=history" for tag in DATES), *(f"/me/app:{tag}" for tag in SECONDS)):
            for accept in ("application/json", "text/html"):
                answer = worker.request("GET", target, {"Accept": accept})
                assert answer.status == 200, (target, answer)
                dates = re.findall(r"[\d-]*\d-\d\d-\d\d[T ]\d\d:\d\d", tame(answer.body))
                assert all(re.fullmatch(r"(19[789]\d|20\d\d)-\d\d-\d\d[T ]\d\d:\d\d", date.removeprefix("-")) for date in dates), (target, dates)
        history = worker.request("GET", "/me/app:end?show=history", {"Accept": "application/json"}).json()["history"]
        assert [entry["time"] for entry in history] == [None]


def test_retention_keeps_what_has_no_date_and_counts_it_for_nothing(dated):
    """Neither is it deleted, nor does it take the place of what was pushed last."""
    verdicts = {each["tag"]: each for each in members(run(dated.directory, "gc", "--dry-run", "--json")[1]) if "tag" in each}
    undated = [*DATES, "number-end", "number-years", "number-0"]
    assert all("when it was pushed is not known" in verdicts[f"me/app:{tag}"]["reason"] for tag in undated), verdicts
    status, output, _ = run(dated.directory, "gc")
    assert status == 0 and "me/app:older: deleted: " in output, output
    with at_work(dated) as worker:
        assert worker.request("GET", "/v2/me/app/tags/list").json()["tags"] == sorted([*undated, "newest"])


@pytest.mark.parametrize("date", [-2 ** 63, -1, 1, 2 ** 62, 2 ** 63 - 1])
def test_what_was_noted_at_no_date_is_no_age_for_anybody(dated, date):
    run(dated.directory, "gc")
    notes = [path for path in (dated.directory / "storage").rglob("*") if "/_berth/" in str(path) and path.is_file()]
    for path in notes:
        set_date(path, date)
    lines = members(run(dated.directory, "status", "--json")[1])
    ages = [value for line in lines for key, value in line.items() if key.endswith("seconds_ago")]
    assert ages and all(age is None if date > 1 else 0 < age < 2 ** 40 for age in ages), lines
    assert max(map(int, re.findall(r"(\d+) d ago", run(dated.directory, "status")[1])), default=0) < 10 ** 6
    run(dated.directory, "gc", "--dry-run")
    with at_work(dated) as worker:
        storage = worker.request("GET", "/", {"Accept": "application/json"}).json()["storage"]
    assert storage["counted"] is None if date != 1 else storage["counted"].startswith("1970"), storage


@pytest.mark.parametrize("number", [2 ** 63 - 1, 2 ** 63, 10 ** 40, -1])
def test_any_number_may_have_been_noted(dated, number):
    """Shares stay shares, and nothing else comes of it."""
    run(dated.directory, "gc")
    own = dated.directory / "storage"
    notes = [path for path in own.rglob("*") if "/_berth/" in str(path) and path.is_file() and path.stat().st_size]
    assert {"census", "used"} & {path.name for path in notes}, notes
    for path in notes:
        path.write_text(f"{number}\n" * path.read_text(errors="replace").count("\n"))
    text = run(dated.directory, "status")[1]
    assert all(int(share) <= 100 for share in re.findall(r"(-?\d+) %", text)), text
    with at_work(dated) as worker:
        for target in ("/", "/me/app", "/-/cache"):
            assert all(int(share.replace(",", "")) <= 100 for share in re.findall(r"([\d,]+)\s?%", tame(worker.request("GET", target).body)))
    assert run(dated.directory, "gc")[0] == 0

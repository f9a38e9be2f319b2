"""What of the page who sees: each row of its table, by those who may and those who may not."""
import pathlib
import re

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.pages import ask
from harness.server import ROOT, berth
from test_access import As, basic, write_users

pytestmark = pytest.mark.quick

SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[access all]
repositories = **
push = root
delete = root
[access open]
repositories = open/**
pull = anonymous
[access team]
repositories = team/**
pull = alice
"""
USERS = {"root": "r", "alice": "a", "bob": "b"}
# Of each row of the table: its path for a repository and a tag; None for what is of none.
ROWS = {
    ("FRONT", ""): None, ("SEARCH", ""): None, ("PING", ""): None, ("OWN", "file"): None,
    ("REPOSITORY", ""): "/{name}", ("REPOSITORY", "feed"): "/{name}?show=feed",
    ("IMAGE", ""): "/{name}:{tag}", ("IMAGE", "manifest"): "/{name}:{tag}?show=manifest",
    ("IMAGE", "difference"): "/{name}:{tag}?show=difference&with=old", ("IMAGE", "history"): "/{name}:{tag}?show=history",
    ("OWN", "login"): None, ("OWN", "logout"): None, ("OWN", "cache"): None, ("OWN", "trash"): None,
}
# Those for who may do more than look: see test_page_forms.py and test_page_cache.py.
FORMS = {
    ("GET", "REPOSITORY", "trash"): "DELETE", ("GET", "REPOSITORY", "delete"): "DELETE", ("GET", "IMAGE", "delete"): "DELETE",
    ("POST", "OWN", "login"): "NONE", ("POST", "OWN", "logout"): "NONE", ("POST", "REPOSITORY", "delete"): "DELETE",
    ("POST", "REPOSITORY", "restore"): "DELETE", ("POST", "IMAGE", "delete"): "DELETE", ("POST", "IMAGE", "restore"): "DELETE",
    ("POST", "IMAGE", "put-back"): "PUSH", ("POST", "IMAGE", "keep"): "DELETE", ("POST", "IMAGE", "unkeep"): "DELETE",
    ("POST", "IMAGE", "refresh"): "DELETE",
}


@pytest.fixture(scope="module")
def worker(new_directory):
    directory = pathlib.Path(new_directory("page"))
    write_users(directory / "users", USERS)
    with Worker(directory, SETTINGS, BERTH_PAGE="/") as running:
        yield running


def shown(user):
    return basic(user, USERS[user]) if user else {}


def fill(worker, name):
    repository = As(worker, shown("root")).repository(name)
    for tag in ("old", "tag"):
        repository.push_image(tag, [content.noise()])


def whole(answer):
    """All of it but the number of the request."""
    return answer.status, [(name, value) for name, value in answer.headers if name != "X-Request-Id"], answer.body


def test_every_row_of_the_table_is_here():
    rows = re.findall(r'^    ROW\((\w+), (\w+), "([\w-]*)", (\w+),', (ROOT / "fcgi/page/page.c").read_text(), re.MULTILINE)
    gets = {(kind, key): permission for method, kind, key, permission in rows if method == "GET" and (method, kind, key) not in FORMS}
    assert set(ROWS) == set(gets)
    assert FORMS == {row: permission for *row, permission in rows for row in [tuple(row)] if row[1:] not in gets or row[0] != "GET"}
    for row, path in ROWS.items():
        assert (gets[row] == "PULL") == (path is not None), row


@pytest.mark.parametrize("row", [row for row, path in ROWS.items() if path], ids=" ".join)
def test_a_repository_is_for_those_who_may_and_for_others_is_as_if_it_were_not(worker, row):
    path = ROWS[row].format(name=f"team/{row[0].lower()}-{row[1] or 'x'}", tag="tag")
    callers = [None, "bob", "alice", "root"]
    before = {user: worker.get(path, shown(user)) for user in callers}
    fill(worker, path[1:].split(":")[0].split("?")[0])
    after = {user: worker.get(path, shown(user)) for user in callers}
    for user in callers:
        assert before[user].status == 404, before[user]
        if user in ("alice", "root"):
            assert after[user].status == 200, after[user]
            assert "private" in after[user]["Cache-Control"], after[user]
        else:
            assert whole(after[user]) == whole(before[user]), (user, after[user])


def test_lists_and_their_counts_are_of_what_one_may_see(worker):
    for name in ("open/a", "team/b", "secret/c"):
        fill(worker, name)
    for user, spaces in [(None, ["open"]), ("bob", ["open"]), ("alice", ["open", "team"]), ("root", ["open", "secret", "team"])]:
        front = ask(worker, "/", **shown(user))
        assert sorted({entry["name"].partition("/")[0] for entry in front["entries"]}) == spaces, user
        assert front["total"] == len(front["entries"]) and not front.keys() & {"storage", "traffic"}
        assert (worker.get("/secret/", shown(user)).status == 200) == (user == "root")
        found = ask(worker, "/?q=c", **shown(user))
        assert ("secret/c" in [entry["name"] for entry in found["entries"]]) == (user == "root")
        results = worker.get("/v1/search?q=secret", shown(user)).json()
        assert results["num_results"] == (1 if user == "root" else 0)


def test_sizes_are_of_what_one_may_see(worker):
    """As gc has counted them. What two repositories share counts for both; of what is hidden nobody hears."""
    layer = content.noise(100_000)
    for name in ("open/sized/one", "open/sized/two", "secret/sized/three", "team/sized/four"):
        As(worker, shown("root")).repository(name).push_image("1", [layer])
    for repository in range(60):  # so that namespaces are put together
        As(worker, shown("root")).repository(f"secret/many/{repository}").push_image("1", [])
    assert berth(worker.configuration, "gc").returncode == 0
    As(worker, shown("root")).repository("team/sized/later").push_image("1", [layer])
    seen = {user: {entry["name"]: entry for entry in ask(worker, "/open/?n=1000", **shown(user))["entries"]} for user in (None, "root")}
    assert seen[None]["open/sized/one"]["bytes"] == seen["root"]["open/sized/two"]["bytes"] > 100_000
    front = {user: ask(worker, "/?q=sized", **shown(user)) for user in (None, "alice", "root")}
    sizes = {user: {entry["name"]: entry.get("bytes") for entry in found["entries"]} for user, found in front.items()}
    assert set(sizes[None]) == {"open/sized/one", "open/sized/two"} and set(sizes["alice"]) - set(sizes[None]) == {"team/sized/four", "team/sized/later"}
    assert sizes["alice"]["team/sized/later"] is None and front[None]["sizesCounted"]
    spaces = {entry["name"]: entry for entry in ask(worker, "/", **shown("root"))["entries"]}
    assert spaces["team"]["kind"] == "namespace" and spaces["team"]["bytes"] >= sizes["alice"]["team/sized/four"]
    page = worker.get("/?q=sized", shown("alice")).body.decode()
    assert len(re.findall(r'<td class="size">[^<]', page)) == 3 and "has counted" in page


def test_what_is_no_utf_8_is_not_in_an_answer_either(worker):
    assert worker.get("/v1/search?q=%FFa%C3").json()["query"] == "\ufffda\ufffd"
    assert "\ufffda\ufffd" in worker.get("/?q=%FFa%C3").body.decode()


def test_who_logs_in_with_something_wrong_is_told_so(worker):
    for path in ("/", "/open/a", "/no/such"):
        answer = worker.get(path, basic("alice", "wrong"))
        assert answer.status == 401 and b"alice" not in answer.body, answer
    fine = [link for link in re.findall(r'"(/-/file/[^"]+)"', worker.get("/").body.decode())]
    assert fine and all(worker.get(link, basic("alice", "wrong")).status == 200 for link in fine)


@pytest.mark.parametrize("value", ["registry", "/registry", "//", "/v2/", "/a b/"])
def test_a_prefix_that_makes_no_sense_is_the_operators_problem(new_directory, value):
    with Worker(new_directory("prefix"), expected_faults=True, BERTH_PAGE=value) as running:
        answer = running.get("/")
        assert answer.status == 500 and "BERTH_PAGE" in running.log()


def test_the_page_is_where_the_web_server_says(new_directory):
    with Worker(new_directory("prefix"), BERTH_PAGE="/registry/") as running:
        running.repository("v2/app").push_image("1")
        page = running.get("/registry/")
        assert page.status == 200 and b'href="/registry/-/name/v2/app"' in page.body
        assert running.get("/registry/-/name/v2/app:1").status == 200
        assert running.get("/").status == 404 and running.get("/v2/").status == 200
        assert running.get("/v1/search?q=app").json()["num_results"] == 1
    for settings, parameters in [("[page]\nenabled = no\n", {"BERTH_PAGE": "/"}), ("", {})]:
        with Worker(new_directory("none"), settings, **parameters) as running:
            answer = running.get("/")
            assert answer.status == 404 and answer.json()["errors"], answer


def test_the_title_is_the_operators(new_directory):
    with Worker(new_directory("title"), "[page]\ntitle = Ships <& \"more\"\n", BERTH_PAGE="/") as running:
        assert b"<title>Ships &lt;&amp; &#34;more&#34;</title>" in running.get("/").body

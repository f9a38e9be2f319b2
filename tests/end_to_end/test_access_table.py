"""The table of endpoints × those who ask × what they may × what there is: one row each, by a worker without a web server."""
import pathlib
import re

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.server import ROOT, berth
from test_access import As, basic, bearer, token_of, write_users

pytestmark = pytest.mark.quick

ID = "00000000-0000-0000-0000-000000000000"
SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[hosted]
minimum_free_space = 0
[access all]
repositories = **, !proxy/**
push = root
delete = root
[access pull]
repositories = pull/**
pull = anonymous
[access push]
repositories = push/**
push = alice, robot/*
overwrite = carl
[access delete]
repositories = delete/**
delete = alice, robot/*
[access login]
repositories = login/**
pull = authenticated
"""
USERS = {"root": "r", "alice": "alice's password", "bob": "b", "carl": "c: c"}

# Of each row of the table: what of the URL is behind the name; what one needs for it; what a challenge asks for.
ROWS = {
    ("BLOB", "GET"): ("blobs/{blob}", "pull", "pull"), ("BLOB", "HEAD"): ("blobs/{blob}", "pull", "pull"),
    ("BLOB", "DELETE"): ("blobs/{blob}", "delete", "delete"),
    ("UPLOADS", "POST"): ("blobs/uploads/", "push", "pull,push"),
    ("UPLOAD", "GET"): ("blobs/uploads/" + ID, "push", "pull,push"), ("UPLOAD", "PATCH"): ("blobs/uploads/" + ID, "push", "pull,push"),
    ("UPLOAD", "PUT"): (f"blobs/uploads/{ID}?digest={content.ABSENT}", "push", "pull,push"),
    ("UPLOAD", "DELETE"): ("blobs/uploads/" + ID, "push", "pull,push"),
    ("MANIFEST", "GET"): ("manifests/{tag}", "pull", "pull"), ("MANIFEST", "HEAD"): ("manifests/{tag}", "pull", "pull"),
    ("MANIFEST", "PUT"): ("manifests/new", "push", "pull,push"), ("MANIFEST", "DELETE"): ("manifests/{tag}", "delete", "delete"),
    ("TAGS", "GET"): ("tags/list", "pull", "pull"), ("TAGS", "HEAD"): ("tags/list", "pull", "pull"),
    ("REFERRERS", "GET"): ("referrers/{manifest}", "pull", "pull"), ("REFERRERS", "HEAD"): ("referrers/{manifest}", "pull", "pull"),
}
# Those that are of no repository: URL; what nobody, and who logs in with something wrong, is told.
PLAIN = {
    ("BASE", "GET"): ("/v2/", 401, 401), ("BASE", "HEAD"): ("/v2/", 401, 401),
    ("TOKEN", "GET"): ("/v2/_berth/token", 200, 401), ("TOKEN", "POST"): ("/v2/_berth/token", 400, 400),
    ("CATALOG", "GET"): ("/v2/_catalog", 200, 401), ("CATALOG", "HEAD"): ("/v2/_catalog", 200, 401),
    ("METRICS", "GET"): ("/v2/_berth/metrics", 404, 404), ("METRICS", "HEAD"): ("/v2/_berth/metrics", 404, 404),
    ("HEALTH", "GET"): ("/v2/_berth/health", 200, 200), ("HEALTH", "HEAD"): ("/v2/_berth/health", 200, 200),
    ("SETUP", "GET"): ("/v2/_berth/setup", 404, 404), ("SETUP", "POST"): ("/v2/_berth/setup", 404, 404),
}
# Who has which rights where. "bob" has none but everybody's, "narrow" is a robot that is for pulls, "elsewhere" for other names.
RIGHTS = {
    "pull": {"pull": {"nobody", "anonymous token", "alice", "bob", "carl", "robot", "narrow"}},
    "push": {"pull": {"alice", "robot", "narrow"}, "push": {"alice", "robot"}},
    "delete": {"delete": {"alice", "robot"}},
    "login": {"pull": {"alice", "bob", "carl", "robot", "narrow"}},
    "none": {},
}
WRONG = {"a wrong password", "a forged token", "a refresh token", "no scheme"}


@pytest.fixture(scope="module")
def worker(new_directory):
    directory = pathlib.Path(new_directory("table"))
    write_users(directory / "users", USERS)
    with Worker(directory, SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def callers(worker):
    """By each way in which one shows who one is: headers."""
    secrets = {name: berth(worker.configuration, "robot", "add", name, *options).stdout.strip() for name, options in
               {"all": [], "narrow": ["--rights", "pull"], "elsewhere": ["--repositories", "elsewhere/**"]}.items()}
    shown = {user: basic(user, USERS[user]) for user in ("alice", "bob", "carl")}
    shown |= {"robot": basic("robot/all", secrets["all"]), "narrow": basic("robot/narrow", secrets["narrow"]),
              "elsewhere": basic("robot/elsewhere", secrets["elsewhere"])}
    service = f"?service={worker.authority}"
    tokens = {name: bearer(worker.get("/v2/_berth/token" + service, headers).json()["token"]) for name, headers in shown.items()}
    refresh = worker.get(f"/v2/_berth/token{service}&offline_token=true", shown["alice"]).json()["refresh_token"]
    made = [(name, headers) for known in (shown, tokens) for name, headers in known.items()]
    made += [("nobody", {}), ("nobody", {"Authorization": "Basic Og=="}), ("anonymous token", bearer(token_of(worker)["token"]))]
    return made + [("a wrong password", basic("alice", "x")), ("a forged token", bearer("berth_a_AQ")), ("a refresh token", bearer(refresh)),
                   ("no scheme", {"Authorization": "Digest x"})]


def test_every_row_of_the_table_is_here():
    rows = re.findall(r"^    ENDPOINT\((\w+), (\w+), (\w+),", (ROOT / "fcgi/dispatch.c").read_text(), re.MULTILINE)
    assert {(kind, method) for kind, method, _ in rows} == set(ROWS) | set(PLAIN)
    for kind, method, permission in rows:
        assert (kind, method) in PLAIN or {"PULL": "pull", "PUSH": "push", "RESUME": "push", "DELETE": "delete"}[permission] == ROWS[kind, method][1]


def whole(answer):
    """All of it but the number of the request."""
    return answer.status, [(name, value) for name, value in answer.headers if name != "X-Request-Id"], answer.body


def fill(worker, name):
    repository = As(worker, basic("root", "r")).repository(name)
    blob = repository.push_blob(content.noise(100))
    _, manifest = repository.push_image("tag", [b"layer"])
    return {"blob": blob, "manifest": manifest, "tag": "tag"}


@pytest.mark.parametrize("place", RIGHTS)
@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_a_repository_is_for_those_who_may_and_for_others_is_as_if_it_were_not(worker, callers, row, place):
    rest, right, scope = ROWS[row]
    method = row[1]
    name = f"{place}/{row[0].lower()}-{method.lower()}"
    body = b"{}" if method in ("PUT", "PATCH", "POST") else None

    def ask(headers, what):
        return worker.request(method, f"/v2/{name}/{rest.format(**what)}", {**headers, "Content-Type": content.INDEX}, body)
    what = {"blob": content.ABSENT, "manifest": content.ABSENT, "tag": "tag"}
    before = [ask(headers, what) for _, headers in callers]
    stored = fill(worker, name)
    # Those who may not see what there is do not know its digests; that they guess one tells them nothing either.
    after = [ask(headers, what) for _, headers in callers]
    guessed = [ask(headers, stored) for _, headers in callers]
    for (who, headers), absent, present, hit in zip(callers, before, after, guessed):
        if who in RIGHTS[place].get(right, ()):
            assert absent.status not in (401, 403) and present.status not in (401, 403), (who, absent, present)
            continue
        status = 401 if who in {"nobody", "anonymous token"} | WRONG else 403
        assert absent.status == status, (who, absent)
        assert whole(absent) == whole(present), who
        assert whole(hit) == whole(absent), who
        challenge = absent["WWW-Authenticate"]
        assert (challenge is None) == (status == 403), absent
        if challenge:
            error = "" if not headers.get("Authorization", "").startswith("Bearer") else \
                ',error="insufficient_scope"' if who == "anonymous token" else ',error="invalid_token"'
            assert challenge.endswith(f',scope="repository:{name}:{scope}"{error}'), (who, challenge)


@pytest.mark.parametrize("row", PLAIN, ids=" ".join)
def test_what_is_of_no_repository_is_for_whom_it_is_for(worker, callers, row):
    target, nobody, wrong = PLAIN[row]
    for who, headers in callers:
        answer = worker.request(row[1], target, headers, b"x=1" if row[1] == "POST" else None)
        if who in WRONG:
            assert answer.status == wrong, (who, answer)
        elif who == "nobody":
            assert answer.status == nobody, (who, answer)
        elif row == ("TOKEN", "GET") and headers["Authorization"].startswith("Bearer"):
            assert answer.status == 401, "a token is good for no other token"
        else:
            assert answer.status == (nobody if row[0] in ("SETUP", "METRICS", "TOKEN") else 200), (who, answer)


def test_pages_of_the_catalog_end_with_what_one_may_see(worker):
    """Neither a page nor the link to the next one tells of names in between or behind."""
    for name in ("none/a", "pull/a", "pull/c", "push/b", "pull0", "zzz"):
        fill(worker, name)
    for headers, root in (({}, False), (basic("bob", "b"), False), (basic("root", "r"), True)):
        target, names = "/v2/_catalog?n=1", []
        while target:
            answer = worker.get(target, headers)
            names += answer.json()["repositories"]
            target = answer.link()
            assert target is None or names[-1] in target.replace("%2F", "/"), answer
        assert sorted(names) == names and {"pull/a", "pull/c"} <= set(names)
        assert ("zzz" in names) == root and (root or all(name.startswith(("pull/", "login/")) for name in names)), names
        assert worker.get(f"/v2/_catalog?n={len(names)}", headers).link() is None

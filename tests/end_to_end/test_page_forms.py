"""Deleting and restoring on the page: for whom, what the forms say, and that nothing else does it."""
import pathlib
import re

import pytest

from harness import content
from harness.browser import Browser, all_forms, found
from harness.fastcgi import Worker
from harness.pages import ask, page_of
from harness.process import wait_until
from harness.server import Server
from test_access import As, basic, write_users
from test_events import receiver, told  # noqa: F401 pylint: disable=unused-import
from test_page_login import FOREIGN

USERS = {"root": "r", "alice": "a", "bob": "b", "carl": "c", "dora": "d"}
SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[access all]
repositories = **
push = root
delete = root
[access app]
repositories = team/**
pull = anonymous
push = alice, carl, dora
overwrite = alice, carl
delete = alice
"""


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def house(request, new_directory):
    server = Server(new_directory("page-forms"), request.param, settings=SETTINGS)
    write_users(server.directory / "users", USERS)
    with server:
        server.browsers = {}
        for user, password in USERS.items():
            server.browsers[user] = Browser(server.client)
            assert server.browsers[user].login(user, password).status == 303
        server.browsers["nobody"] = Browser(server.client)
        yield server


@pytest.fixture
def client(house):
    return house.client


@pytest.fixture
def alice(house):
    return house.browsers["alice"]


@pytest.fixture
def repository(house, request):
    """As alice has it; no other test uses it."""
    name = re.sub("[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))
    return As(house.client, basic("alice", USERS["alice"])).repository(f"team/{name}")


def pulled(repository, reference):
    """What a client gets, with all blobs; or None."""
    answer = repository.client.get(repository.manifest(reference))
    if answer.status == 404:
        return None
    assert answer.status == 200, answer
    document = answer.json()
    for blob in [document["config"], *document["layers"]]:
        assert repository.client.get(repository.blob(blob["digest"])).status == 200
    return answer["Docker-Content-Digest"]


def delete_path(repository, reference=None):
    return f"/{repository.name}" + (f"{'@' if ':' in reference else ':'}{reference}" if reference else "") + "?show=delete"


def restore_path(repository, reference=None):
    return delete_path(repository, reference).replace("=delete", "=restore")


def send(browser, path, form_path=None):
    """A form of a page, which is where it is sent unless it says."""
    forms = browser.forms(form_path or path)
    return browser.send(forms[path])


def test_a_tag_is_deleted_and_restored(alice, repository):
    _, digest = repository.push_image("v1")
    repository.push_image("v2")
    page = page_of(alice.get(delete_path(repository, "v1")))
    assert "Delete the tag v1?" in page.words and digest in page.words and "No other tag stands for it" in page.words
    answer = send(alice, delete_path(repository, "v1"))
    assert (answer.status, answer["Location"]) == (303, f"/{repository.name}?done=deleted"), answer
    assert pulled(repository, "v1") is None and pulled(repository, digest) == digest
    trash = f"/{repository.name}?show=trash"
    assert "v1" in page_of(alice.get(trash)).words
    assert [(each["tag"], each["digest"]) for each in ask(As(alice.client, basic("alice", "a")), trash)["deleted"]] == [("v1", digest)]
    answer = send(alice, restore_path(repository, "v1"), trash)
    assert (answer.status, answer["Location"]) == (303, f"/{repository.name}:v1?done=restored"), answer
    assert pulled(repository, "v1") == digest
    assert ask(As(alice.client, basic("alice", "a")), trash)["deleted"] == []
    assert "Nothing of this repository" in page_of(alice.get(trash)).words


def test_a_manifest_goes_with_its_tags_after_they_were_named(alice, repository):
    data, digest = repository.push_image("one")
    for tag in ("two", "three"):
        assert repository.put_manifest(tag, data).status == 201
    repository.push_image("other", [b"another layer"])
    signature = {"schemaVersion": 2, "mediaType": content.IMAGE, "artifactType": "application/vnd.example.signature",
                 "config": content.descriptor(b"{}"), "layers": [], "subject": {"mediaType": content.IMAGE, "digest": digest, "size": len(data)}}
    repository.push_blob(b"{}")
    _, referrer = repository.push_manifest(signature)
    path = delete_path(repository, digest)
    text = page_of(alice.get(path)).words
    assert "These tags go with it" in text and all(tag in text for tag in ("one", "two", "three")) and "other" not in text
    assert "application/vnd.example.signature" in text and referrer in text
    document = ask(As(alice.client, basic("alice", "a")), path)
    assert sorted(document["tags"]) == ["one", "three", "two"] and [each["digest"] for each in document["referrers"]] == [referrer]
    assert send(alice, path).status == 303
    assert [pulled(repository, reference) for reference in ("one", "two", digest)] == [None] * 3 and pulled(repository, "other")
    answer = send(alice, restore_path(repository, digest), f"/{repository.name}?show=trash")
    assert answer.status == 303, answer
    assert [pulled(repository, reference) for reference in ("one", "two", "three", digest)] == [digest] * 4


def test_a_repository_is_deleted_and_restored(alice, repository):
    digests = {tag: repository.push_image(tag, [tag.encode()])[1] for tag in ("v1", "v2", "v3")}
    path = delete_path(repository)
    assert "All manifests and 3 tags" in page_of(alice.get(path)).words
    answer = send(alice, path)
    assert (answer.status, answer["Location"]) == (303, "/?done=deleted"), answer
    assert all(pulled(repository, digest) is None for digest in digests.values())
    assert "It can be restored" in page_of(alice.get(answer["Location"])).words
    assert f"/{repository.name}?show=trash" in page_of(alice.get("/-/trash")).links
    assert repository.name in ask(As(alice.client, basic("alice", "a")), "/-/trash")["repositories"]
    answer = send(alice, restore_path(repository), f"/{repository.name}?show=trash")
    assert (answer.status, answer["Location"]) == (303, f"/{repository.name}?done=restored"), answer
    assert {tag: pulled(repository, tag) for tag in digests} == digests


def test_a_tag_that_has_moved_since_the_question_stays(alice, repository):
    repository.push_image("v1", [b"old"])
    form = alice.forms(delete_path(repository, "v1"))[delete_path(repository, "v1")]
    _, moved = repository.push_image("v1", [b"new"])
    answer = alice.send(form)
    assert answer.status == 412 and "another manifest now" in page_of(answer).words, answer
    assert pulled(repository, "v1") == moved
    # Gone already is as good as deleted.
    form = alice.forms(delete_path(repository, "v1"))[delete_path(repository, "v1")]
    assert alice.send(form).status == 303 and alice.send(form).status == 303


def test_what_is_not_there_is_not_found(alice, repository):
    repository.push_image("v1")
    for path in [delete_path(repository, "v2"), delete_path(repository, content.ABSENT), f"/{repository.name}?show=nothing"]:
        assert alice.get(path).status == 404, path
    assert send(alice, delete_path(repository, "v1")).status == 303
    trash = f"/{repository.name}?show=trash"
    form = alice.forms(trash)[restore_path(repository, "v1")]
    assert alice.send(form).status == 303 and pulled(repository, "v1")
    assert alice.send(form).status == 303  # it is there
    assert send(alice, delete_path(repository)).status == 303
    assert send(alice, restore_path(repository), trash).status == 303


def forms_of(house, repository, digest):
    """All forms of a repository in which something is deleted, with something in the trash: where each stands, and where it goes."""
    trash = f"/{repository.name}?show=trash"
    return {delete_path(repository, "stays"): delete_path(repository, "stays"), delete_path(repository, digest): delete_path(repository, digest),
            delete_path(repository): delete_path(repository), restore_path(repository, "gone"): trash, restore_path(repository): trash}


def test_every_form_is_for_those_who_may_delete_and_for_others_is_as_if_it_were_not(house, repository):
    _, digest = repository.push_image("stays")
    repository.push_image("gone", [b"gone"])
    assert repository.client.request("DELETE", repository.manifest("gone")).status == 202
    forms = forms_of(house, repository, digest)
    for action, shown in forms.items():
        good = house.browsers["alice"].forms(shown)[action]
        for user in ("bob", "carl", "nobody"):
            browser = house.browsers[user]
            assert browser.get(shown).status == 404, (user, shown)
            for fields in (good.fields, {}, {"digest": digest}):
                assert browser.post(action, fields).status == 404, (user, action)
            absent = action.replace(repository.name, "team/absent")
            assert browser.get(shown).body.replace(repository.name.encode(), b"team/absent") == \
                browser.get(shown.replace(repository.name, "team/absent")).body.replace(repository.name.encode(), b"team/absent"), (user, absent)
        # Who may, but did not get it: of another form, of another user, from elsewhere, without a token.
        root = house.browsers["root"]
        assert root.send(good).status == 403
        for other, place in forms.items():
            if other != action:
                token = house.browsers["alice"].forms(place)[other].fields["token"]
                answer = house.browsers["alice"].send(good, token=token)
                assert answer.status == 403, (action, other, answer)
        for headers in FOREIGN:
            assert house.browsers["alice"].send(good, headers).status == 403, (action, headers)
        assert house.browsers["alice"].send(good, token="").status == 403
        assert house.browsers["alice"].request("GET", action.replace("=delete", "=restore")).status in (404, 405)
    assert pulled(repository, "stays") == digest and pulled(repository, "gone") is None
    for user in ("bob", "carl", "nobody"):
        assert repository.name.encode() not in house.browsers[user].get("/-/trash").body
    # A password is as good as a cookie, and its form is its own.
    headers = {**basic("alice", "a"), **house.browsers["alice"].sender}
    form = found(repository.client.get(delete_path(repository, "stays")))[delete_path(repository, "stays")]
    assert house.browsers["alice"].send(form).status == 403
    assert house.browsers["nobody"].post(form.action, form.fields, headers).status == 303


def test_a_form_that_was_changed_deletes_nothing(alice, repository):
    _, digest = repository.push_image("v1")
    form = alice.forms(delete_path(repository, "v1"))[delete_path(repository, "v1")]
    for value in ["", "x", "sha256:", content.ABSENT, digest + "0", digest.upper()]:
        assert alice.send(form, digest=value).status in (400, 412), value
    assert alice.post(delete_path(repository, digest), form.fields).status == 403
    assert pulled(repository, "v1") == digest


def test_a_manifest_is_deleted_by_its_own_digest_whatever_the_form_says(alice, repository):
    _, one = repository.push_image("one", [b"one"])
    _, two = repository.push_image("two", [b"two"])
    form = alice.forms(delete_path(repository, one))[delete_path(repository, one)]
    answer = alice.send(form, digest=two)
    assert answer.status in (400, 403, 412), answer
    assert (pulled(repository, "one"), pulled(repository, "two")) == (one, two)


def test_where_nothing_can_be_changed_there_are_no_forms(start):
    server = start("nginx")
    repository = server.client.repository("team/app")
    _, digest = repository.push_image("v1")
    browser = Browser(server.client)
    forms = {path: browser.forms(path)[path] for path in (delete_path(repository, "v1"), delete_path(repository, digest), delete_path(repository))}
    server.stop()
    again = start("nginx", directory=server.directory, settings="[hosted]\nread_only = yes\n")
    browser = Browser(again.client)
    for path, form in forms.items():
        assert browser.get(path).status == 405, path
        assert browser.send(form).status == 405, path
    assert pulled(again.client.repository("team/app"), "v1") == digest


def test_without_log_ins_everybody_may_but_no_other_site(start):
    server = start("nginx")
    repository = server.client.repository("team/app")
    _, digest = repository.push_image("v1")
    browser = Browser(server.client)
    form = browser.forms(delete_path(repository, "v1"))[delete_path(repository, "v1")]
    for headers in FOREIGN:
        assert browser.send(form, headers).status == 403
    assert browser.post(form.action, {"digest": digest}).status == 403
    assert pulled(repository, "v1") == digest
    assert browser.send(form).status == 303 and pulled(repository, "v1") is None


def history(repository, tag="v1"):
    entries = repository.client.get(f"/{repository.name}:{tag}?show=history", headers={"Accept": "application/json"})
    assert entries.status == 200, entries
    return [(each["event"], each["digest"], each.get("by")) for each in entries.json()["history"]]


def put_back(browser, repository, digest, tag="v1"):
    """By the button that stands beside that manifest."""
    path = f"/{repository.name}:{tag}"
    forms = [form for form in all_forms(browser.get(path + "?show=history")) if form.fields.get("digest") == digest]
    return browser.send(forms[0]) if forms else None


def test_a_tag_is_put_back_to_what_it_was(alice, repository):
    _, old = repository.push_image("v1", [b"old"])
    _, new = repository.push_image("v1", [b"new"])
    assert history(repository) == [("pushed", new, "alice"), ("pushed", old, "alice")]
    page = page_of(alice.get(f"/{repository.name}:v1?show=history"))
    assert old in page.words and new in page.words and "alice" in page.words
    assert put_back(alice, repository, new) is None  # it is that
    answer = put_back(alice, repository, old)
    assert (answer.status, answer["Location"]) == (303, f"/{repository.name}:v1?done=put-back"), answer
    assert pulled(repository, "v1") == old and history(repository)[0] == ("put-back", old, "alice")
    # To what was deleted as well, and a tag that was deleted itself.
    assert send(alice, delete_path(repository, new)).status == 303
    assert put_back(alice, repository, new).status == 303 and pulled(repository, "v1") == new
    assert send(alice, delete_path(repository, "v1")).status == 303
    assert "There is no such tag now" in page_of(alice.get(f"/{repository.name}:v1?show=history")).words
    assert put_back(alice, repository, old).status == 303 and pulled(repository, "v1") == old


def test_only_who_may_move_a_tag_puts_it_back(house, alice, repository):
    _, old = repository.push_image("v1", [b"old"])
    _, new = repository.push_image("v1", [b"new"])
    action = f"/{repository.name}:v1?show=put-back"
    good = next(form for form in all_forms(alice.get(f"/{repository.name}:v1?show=history")) if form.action == action)
    for user, status in {"nobody": 404, "bob": 404, "dora": 403}.items():
        browser = house.browsers[user]
        assert old in page_of(browser.get(f"/{repository.name}:v1?show=history")).words and not all_forms(browser.get(f"/{repository.name}:v1?show=history"))
        assert browser.send(good).status == status, user
    for headers in FOREIGN:
        assert alice.send(good, headers).status == 403
    for fields in ({"token": ""}, {"token": alice.forms(delete_path(repository, "v1"))[delete_path(repository, "v1")].fields["token"]}):
        assert alice.send(good, **fields).status == 403
    for value in ("", "x", content.ABSENT):
        assert alice.send(good, digest=value).status in (400, 404), value
    assert pulled(repository, "v1") == new
    assert alice.get(f"/{repository.name}@{new}?show=history").status == 404
    assert alice.get(f"/{repository.name}:v2?show=history").status == 404


def test_an_immutable_tag_stays_what_it_is(start):
    server = start("nginx")
    repository = server.client.repository("team/app")
    _, old = repository.push_image("v1", [b"old"])
    _, new = repository.push_image("v1", [b"new"])
    browser = Browser(server.client)
    put = next(form for form in all_forms(browser.get("/team/app:v1?show=history")))
    server.stop()
    again = start("nginx", directory=server.directory, settings="[hosted]\nimmutable_tags = v*\n")
    browser, repository = Browser(again.client), again.client.repository("team/app")
    page = browser.get("/team/app:v1?show=history")
    assert "immutable" in page_of(page).words and not all_forms(page)
    assert browser.send(put).status != 303
    for path in (delete_path(repository, "v1"), delete_path(repository, new), delete_path(repository)):
        answer = browser.send(browser.forms(path)[path])
        assert answer.status != 303 and "immutable" in page_of(answer).words, answer
    assert pulled(repository, "v1") == new and pulled(repository, old) == old


def test_receivers_of_events_are_told_what_the_forms_have_done(told, receiver):
    server = told("nginx", "push, delete")
    repository, browser = server.client.repository("team/app"), Browser(server.client)
    _, old = repository.push_image("v1", [b"old"])
    data, new = repository.push_image("v1", [b"new"])
    wait_until(lambda: len(receiver.events()) == 2, "the pushes")
    assert put_back(browser, repository, old).status == 303
    assert send(browser, delete_path(repository, "v1")).status == 303
    assert send(browser, restore_path(repository, "v1"), "/team/app?show=trash").status == 303
    assert send(browser, delete_path(repository, new)).status == 303
    assert send(browser, delete_path(repository)).status == 303
    wait_until(lambda: len(receiver.events()) == 7, "seven events")
    events = [(each["action"], each["target"].get("tag"), each["target"].get("digest")) for each in receiver.events()[2:]]
    assert events == [("push", "v1", old), ("delete", "v1", None), ("push", "v1", old), ("delete", None, new), ("delete", None, None)]
    # What is restored with all of the repository, too.
    assert send(browser, restore_path(repository), "/team/app?show=trash").status == 303
    wait_until(lambda: len(receiver.events()) == 8, "the tag that is back")
    assert receiver.events()[7]["target"]["tag"] == "v1"
    assert receiver.events()[2]["target"]["size"] == len(data) and receiver.events()[2]["target"]["url"].endswith(f"/v2/team/app/manifests/{old}")


class Parameters:
    """A client whose requests come through a virtual host."""

    def __init__(self, worker, **parameters):
        self.worker, self.parameters, self.authority = worker, parameters, worker.authority

    def request(self, method, path, headers=None, body=None):
        return self.worker.request(method, path, headers, body, **self.parameters)


HTTP, HTTPS, PUBLIC = "http://{authority}", "https://{authority}", "https://registry.example.org"


@pytest.mark.parametrize("settings, parameters, ours, others", [
    # In front of us TLS may end where nobody says so.
    ("", {}, [HTTP, HTTPS], ["ftp://{authority}", "https://{authority}0", PUBLIC]),
    ("", {"HTTPS": "on"}, [HTTPS], [HTTP]),
    ("", {"HTTP_X_FORWARDED_PROTO": "https"}, [HTTPS], [HTTP]),
    (f"[authentication]\npublic_url = {PUBLIC}\n", {}, [PUBLIC, HTTP, HTTPS], [PUBLIC.replace("https", "http")]),
    (f"[authentication]\npublic_url = {PUBLIC}\n", {"HTTPS": "on"}, [PUBLIC, HTTPS], [HTTP]),
], ids=["unknown", "https", "forwarded", "public", "both"])
def test_an_origin_is_ours_by_its_scheme_too_where_that_is_known(new_directory, settings, parameters, ours, others):
    """Who can put himself between a browser and http:// is no part of https://."""
    with Worker(pathlib.Path(new_directory("origin")), settings, BERTH_PAGE="/", **parameters) as worker:
        browser = Browser(worker)
        for origin, status in [*((each, 403) for each in others), *((each, 303) for each in ours)]:
            repository = worker.repository("team/app")
            repository.push_image("v1")
            form = browser.forms("/team/app?show=delete")["/team/app?show=delete"]
            answer = browser.send(form, {"Origin": origin.format(authority=worker.authority)})
            assert answer.status == status, (origin, answer)


def test_in_a_virtual_host_names_are_those_of_its_own(new_directory):
    with Worker(pathlib.Path(new_directory("virtual")), BERTH_PAGE="/") as worker:
        team, other, whole = (Browser(Parameters(worker, **more)) for more in ({"BERTH_NAMESPACE": "team"}, {"BERTH_NAMESPACE": "other"}, {}))
        for name in ("team/app", "other/app"):
            worker.repository(name).push_image("v1", [name.encode()])
        form = team.forms("/app?show=delete")["/app?show=delete"]
        # Nor is a form of one virtual host one of another, although they are called alike.
        assert other.send(form).status == 403 and whole.post("/team/app?show=delete", form.fields).status == 403
        assert team.send(form).status == 303
        assert pulled(worker.repository("team/app"), "v1") is None and pulled(worker.repository("other/app"), "v1")
        trashes = [browser.get("/-/trash", {"Accept": "application/json"}).json()["repositories"] for browser in (team, other, whole)]
        assert trashes == [["app"], [], ["team/app"]]
        assert send(team, "/app?show=restore", "/app?show=trash").status == 303
        assert pulled(worker.repository("team/app"), "v1")
        assert team.get("/-/cache").status == 404 and whole.get("/-/cache").status == 200

"""The page's forms behind every web server: bodies, cookies and the headers that tell where a form was sent from arrive."""
import html
import pathlib
import re
import urllib.parse

import pytest

from harness.browser import Browser
from harness.pages import page_of
from harness.server import ROOT, Server
from test_access import As, basic, write_users


@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_a_form_arrives_as_it_was_sent_and_leads_on(client, repository):
    _, digest = repository.push_image("v1")
    browser = Browser(client)
    for what, shown, location in [("delete", f"/{repository.name}:v1?show=delete", f"/{repository.name}?done=deleted"),
                                  ("restore", f"/{repository.name}?show=trash", f"/{repository.name}:v1?done=restored")]:
        form = browser.forms(shown)[f"/{repository.name}:v1?show={what}"]
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = browser.send(form, headers)
            assert answer.status == 403 and "another site" in page_of(answer).words, answer
        answer = browser.send(form, {"Origin": f"http://{client.authority}"})
        assert (answer.status, answer["Location"], answer.body) == (303, location, b""), answer
        assert client.exists(repository.manifest("v1")).status == (404 if what == "delete" else 200)
    assert client.get(repository.manifest("v1"))["Docker-Content-Digest"] == digest


@pytest.fixture(scope="module")
def beside(new_directory):
    """nginx with a site of its own at /, and the page where the snippet says that it can be."""
    directory = pathlib.Path(new_directory("beside"))
    write_users(directory / "users", {"alice": "a"})
    with Server(directory, "nginx", settings="[authentication]\nmode = htpasswd\nhtpasswd = users\n") as server:
        outside = server.runtime / "nginx.conf"
        places = re.findall(r"^#   (location .*)$", (ROOT / "deploy/nginx-snippet.conf").read_text(), re.MULTILINE)
        assert len(places) == 2 and all("/registry/;" in each for each in places)
        text, count = re.subn(r"location / \{[^}]*\}", "location / { return 418; }\n" + "\n".join(places), outside.read_text())
        assert count == 1
        outside.write_text(text)
        server.reload_nginx()
        server.note_workers()
        yield server


def addresses(answer):
    """Of links, forms, styles, scripts and pictures of a page: their paths with what is behind '?'."""
    found = re.findall(r'(?:href|action|src)="([^"]*)"', answer.body.decode())
    return {html.unescape(each) for each in found if not each.startswith(("#", "http"))}


def test_a_page_beside_another_site_stays_below_its_prefix(beside):
    """Wherever one goes from there by what is offered: nothing leads to the other site, and all of it is there."""
    browser, prefix = Browser(beside.client), "/registry/"
    answer = browser.login("alice", "a", prefix=prefix)
    assert (answer.status, answer["Location"]) == (303, prefix), answer
    assert "Path=/;" in answer["Set-Cookie"]  # as names that begin with __Host- need it
    team = As(beside.client, basic("alice", "a")).repository("team/app")
    _, digest = team.push_image("v1")
    team.push_image("v1", [b"other"])
    awkward = As(beside.client, basic("alice", "a")).repository("v2/app")
    awkward.push_image("v1")
    seen, next_ones = set(), {prefix}
    while next_ones:
        path = next_ones.pop()
        seen.add(path)
        answer = browser.get(path)
        assert answer.status == 200, (path, answer)
        if not answer["Content-Type"].startswith("text/html"):
            continue
        for each in addresses(answer):
            whole = urllib.parse.urljoin(path, each)
            assert whole.startswith(prefix), (path, each)
            # Forms that are sent are another matter.
            if whole not in seen and not re.search(r"show=(restore|put-back|keep|unkeep|refresh)|/-/logout", whole) and len(seen) < 200:
                next_ones.add(whole)
    assert {f"{prefix}team/app", f"{prefix}team/app:v1", f"{prefix}-/name/v2/app", f"{prefix}-/trash", f"{prefix}team/app:v1?show=delete"} <= seen
    assert len([path for path in seen if "/-/file/" in path]) == 3
    # What one does leads on below it.
    for what, shown, location in [("put-back", "team/app:v1?show=history", "team/app:v1?done=put-back"),
                                  ("delete", "team/app:v1?show=delete", "team/app?done=deleted"),
                                  ("restore", "team/app?show=trash", "team/app:v1?done=restored")]:
        answer = browser.send(browser.forms(prefix + shown)[f"{prefix}team/app:v1?show={what}"])
        assert (answer.status, answer["Location"]) == (303, prefix + location), answer
    assert beside.client.get(team.manifest("v1"), basic("alice", "a"))["Docker-Content-Digest"] == digest
    answer = browser.send(browser.forms(f"{prefix}-/logout")[f"{prefix}-/logout"])
    assert (answer.status, answer["Location"]) == (303, prefix) and not browser.cookies
    # Its neighbours.
    assert beside.client.get("/").status == beside.client.get("/team/app").status == 418
    assert beside.client.get("/registry").status in (301, 418) and beside.client.get("/v2/", basic("alice", "a")).status == 200
    assert beside.client.get("/v1/search?q=app", basic("alice", "a")).json()["num_results"] == 2

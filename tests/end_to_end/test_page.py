"""The page that people look at: what it shows, to whom, and with which headers."""
import json
from html.parser import HTMLParser

import pytest

POLICY = ("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
          "base-uri 'none'")
VOID = {"meta", "link", "img", "input", "br", "hr", "area", "base", "col", "embed", "source", "track", "wbr"}


class Strict(HTMLParser):
    """HTML whose tags are nested rightly, whose ids are there once, and which has nothing inline."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.text, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice in {self.get_starttag_text()}"
        assert not any(name == "style" or name.startswith("on") for name in attributes), self.get_starttag_text()
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src", "action") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.open or tag in VOID, tag
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data):
        inline = self.open and self.open[-1] in ("script", "style")
        assert not (inline and data.strip()), data
        self.text.append(data)


def read(answer):
    """A page, looked at as strictly as it should have been written."""
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    page = Strict()
    page.feed(answer.body.decode())
    page.close()
    assert not page.open, page.open
    assert len(set(page.ids)) == len(page.ids), page.ids
    assert answer.body.startswith(b"<!doctype html>")
    return page


def words(page):
    return " ".join(" ".join(page.text).split())


def see(client, path, status=200, **options):
    answer = client.get(path, **options)
    assert answer.status == status, answer
    assert answer["Content-Security-Policy"] == POLICY, answer
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    return answer


def ask(client, path, status=200):
    """The same as JSON."""
    answer = see(client, path, status, headers={"Accept": "application/json"})
    assert answer["Content-Type"] == "application/json"
    return json.loads(answer.body)


@pytest.mark.quick
@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_the_front_shows_what_is_there(client, repository):
    repository.push_image("1.0")
    page = read(see(client, "/"))
    assert "Repositories" in words(page) and "test/" in words(page)
    assert "/test/" in page.links
    page = read(see(client, "/test/?n=1000"))
    assert f"/{repository.name}" in page.links
    entry, = [each for each in ask(client, "/test/?n=1000")["entries"] if each["name"] == repository.name]
    assert (entry["kind"], entry["origin"], entry["tags"]) == ("repository", "hosted", 1)
    for link in page.links:
        if link.startswith("/-/file/"):
            answer = client.get(link)
            assert answer.status == 200 and "immutable" in answer["Cache-Control"]


@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_what_is_not_there_is_a_page_that_says_so(client):
    for path in ["/no/such", "/no/", "/UPPER", "/-/nothing", "/-/file/style-000000000000.css", "/robots.txt", "/?show=nothing", "/a:b:c"]:
        answer = see(client, path, 404)
        assert "Not Found" in words(read(answer)), path
    assert ask(client, "/no/such", 404)["errors"]


def test_a_page_that_has_not_changed_is_not_sent_again(client, repository):
    repository.push_image("1.0")
    path = f"/test/?q={repository.name}"
    first = see(client, path)
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status, again.body) == (304, b"")
    repository.push_image("2.0")
    changed = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert changed.status == 200 and changed["ETag"] != first["ETag"]
    head = client.request("HEAD", path)
    assert (head.status, head.body) == (200, b"") and int(head["Content-Length"]) == len(changed.body)


def test_methods_that_a_page_does_not_know_are_refused(client):
    for method in ["POST", "PUT", "DELETE", "PATCH"]:
        answer = client.request(method, "/", body=b"")
        assert answer.status == 405 and answer["Allow"] == "GET, HEAD", answer

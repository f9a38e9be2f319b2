"""Pages, read as strictly as they should have been written."""
import json
from html.parser import HTMLParser

POLICY = ("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
          "base-uri 'none'")
VOID = {"meta", "link", "img", "input", "br", "hr", "wbr"}


class Page(HTMLParser):
    """HTML whose tags are nested rightly, whose ids are there once, and which has nothing inline."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.text, self.tags = [], [], [], [], []
        assert text.startswith("<!doctype html>")
        self.feed(text)
        self.close()
        assert not self.open, self.open
        assert len(set(self.ids)) == len(self.ids), self.ids

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice in {self.get_starttag_text()}"
        assert not any(name == "style" or name.startswith("on") for name in attributes), self.get_starttag_text()
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src", "action") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data):
        assert not (self.open and self.open[-1] in ("script", "style") and data.strip()), data
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    def tagged(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def see(client, path, status=200, **headers):
    """The answer, after a look at what every page has to say to a browser."""
    answer = client.get(path, headers)
    assert answer.status == status, answer
    # Lists, whose addresses end so, may be asked for again by script.
    is_list = status == 200 and path.partition("?")[0].endswith("/")
    assert answer["Content-Security-Policy"] == POLICY.replace("form-action", "connect-src 'self'; form-action" if is_list else "form-action"), answer
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["Referrer-Policy"] == "same-origin", answer
    return answer


def page_of(answer):
    assert answer["Content-Type"] == "text/html; charset=utf-8", answer
    return Page(answer.body.decode())


def read(client, path, status=200, **headers):
    return page_of(see(client, path, status, **headers))


def ask(client, path, status=200, **headers):
    """The same as JSON."""
    answer = see(client, path, status, Accept="application/json", **headers)
    assert answer["Content-Type"] == "application/json"
    return json.loads(answer.body)

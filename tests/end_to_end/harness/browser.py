"""A browser as far as the page needs one: it keeps cookies, says where its forms come from, and sends them as they stand."""
import urllib.parse
from html.parser import HTMLParser

FORM = "application/x-www-form-urlencoded"


class Form:
    def __init__(self, action):
        self.action, self.fields = action, {}


class Forms(HTMLParser):
    """Those of a page that change something."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.forms, self.current = [], None

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form" and attributes.get("method", "get").lower() == "post":
            self.current = Form(attributes["action"])
            self.forms.append(self.current)
        elif tag == "input" and self.current and "name" in attributes:
            self.current.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.current = None


class Browser:
    def __init__(self, client):
        self.client, self.cookies = client, {}
        # A browser says only the second of these to http that is not localhost.
        self.sender = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{client.authority}"}

    def request(self, method, path, headers=None, body=None):
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        answer = self.client.request(method, path, {**cookies, **(headers or {})}, body)
        for cookie in answer.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return answer

    def get(self, path, headers=None):
        return self.request("GET", path, headers)

    def post(self, path, fields, headers=None):
        body = urllib.parse.urlencode(fields).encode()
        return self.request("POST", path, {"Content-Type": FORM, **(self.sender if headers is None else headers)}, body)

    def forms(self, path):
        """The forms of a page, by what follows "?show=", or by their path."""
        answer = self.get(path)
        assert answer.status == 200, answer
        return found(answer)

    def send(self, form, headers=None, **fields):
        return self.post(form.action, {**form.fields, **fields}, headers)

    def login(self, user, password, back="", prefix="/"):
        forms = self.forms(f"{prefix}-/login" + (f"?return={urllib.parse.quote(back, safe='')}" if back else ""))
        return self.send(forms[f"{prefix}-/login"], user=user, password=password)


def all_forms(answer):
    """In their order: several may be sent to one place."""
    parser = Forms()
    parser.feed(answer.body.decode())
    return parser.forms


def found(answer):
    forms = {form.action: form for form in all_forms(answer)}
    assert len(forms) == len(all_forms(answer)), forms
    return forms

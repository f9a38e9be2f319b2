"""Another registry, in memory: manifests, blobs, tags, referrers, ranges, logins; and everything that can be wrong with one."""
import base64
import json
import re
import secrets
import time
import urllib.parse

from harness import content
from harness.upstream_http import HttpServer, Reply

PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<last>[^/?]+)$")


def error(status, code, message, headers=None):
    body = content.encode({"errors": [{"code": code, "message": message}]})
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


class Upstream(HttpServer):
    """`login(request)` may return a Reply of its own, or None if the request is welcome."""

    name = "upstream"

    def __init__(self, host="127.0.0.1", context=None, alias=None, port=0):
        self.alias = alias
        self.blobs, self.manifests, self.tags = {}, {}, {}
        self.login = lambda request: None
        self.heads = self.ranges = True
        self.headers = {}  # on every answer
        super().__init__(host, context, port)

    # --- content

    def add_blob(self, data):
        digest = content.digest(data)
        self.blobs[digest] = data
        return digest

    def add_manifest(self, name, document, tag=None, media_type=None):
        data = document if isinstance(document, bytes) else content.encode(document)
        media_type = media_type or json.loads(data).get("mediaType", content.IMAGE)
        digest = content.digest(data)
        self.manifests[name, digest] = (data, media_type)
        if tag:
            self.manifests[name, tag] = (data, media_type)
            self.tags.setdefault(name, []).append(tag)
        return data, digest

    def add_image(self, name, tag=None, layers=(), **more):
        """An image of these layers; its manifest's bytes and digest."""
        config = content.encode({"architecture": "amd64", "os": "linux", "noise": content.noise(8).hex()})
        for blob in [config, *layers]:
            self.add_blob(blob)
        document = content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer) for layer in layers], **more)
        return self.add_manifest(name, document, tag)

    def add_layout(self, layout, tag, name):
        """An image of an OCI layout, with everything below it."""
        for path in (layout.directory / "blobs/sha256").iterdir():
            data = path.read_bytes()
            self.add_blob(data)
            if data[:1] == b"{" and b'"schemaVersion"' in data:
                self.add_manifest(name, data)
        return self.add_manifest(name, layout.bytes_of(layout.digest(tag)), tag)

    # --- answers

    def reply(self, request):
        path = PATH.match(urllib.parse.unquote(request.path))
        reply = self.login(request)
        if reply is None and request.path == "/v2/":
            reply = Reply(200, b"{}")
        if reply is None and request.method == "HEAD" and not self.heads:
            reply = error(405, "UNSUPPORTED", "no HEAD here")
        if reply is None:
            reply = getattr(self, path["kind"] + "_reply")(request, path["name"], path["last"]) if path else error(404, "NAME_UNKNOWN", "?")
        reply.headers.update(self.headers)
        return reply

    def manifests_reply(self, _, name, reference):
        if (name, reference) not in self.manifests:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        data, media_type = self.manifests[name, reference]
        return Reply(200, data, {"Content-Type": media_type, "Docker-Content-Digest": content.digest(data)})

    def blobs_reply(self, request, _, digest):
        if digest not in self.blobs:
            return error(404, "BLOB_UNKNOWN", "blob unknown")
        data = self.blobs[digest]
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request["Range"] or "") if self.ranges else None
        if not found:
            return Reply(200, data, {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest})
        first, last = int(found[1]), min(int(found[2] or len(data) - 1), len(data) - 1)
        if first >= len(data):
            return error(416, "RANGE_INVALID", "no such range")
        return Reply(206, memoryview(data)[first:last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def tags_reply(self, request, name, _):
        if name not in self.tags:
            return error(404, "NAME_UNKNOWN", "no such repository")
        query = dict(urllib.parse.parse_qsl(request.query))
        tags = [tag for tag in sorted(set(self.tags[name])) if tag > query.get("last", "")]
        count = int(query.get("n", 100))
        link = {"Link": f'</v2/{name}/tags/list?n={count}&last={tags[count - 1]}>; rel="next"'} if len(tags) > count else {}
        return Reply(200, content.encode({"name": name, "tags": tags[:count]}), {"Content-Type": "application/json", **link})

    def referrers_reply(self, _, name, subject):
        found = [{**content.descriptor(data, media_type), "artifactType": json.loads(data).get("artifactType")}
                 for (where, reference), (data, media_type) in self.manifests.items()
                 if where == name and ":" in reference and json.loads(data).get("subject", {}).get("digest") == subject]
        return Reply(200, content.encode(content.index(found)), {"Content-Type": content.INDEX})


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def wants_basic(username, password):
    """A login for Upstream: htpasswd, as it were."""
    def login(request):
        if request["Authorization"] == basic(username, password):
            return None
        return error(401, "UNAUTHORIZED", "a password is wanted", {"WWW-Authenticate": 'Basic realm="here"'})
    return login


class TokenService(HttpServer):
    """Issues tokens for scopes, to anybody or to who knows the password; `login` is what an Upstream has to ask."""

    def __init__(self, host="127.0.0.1", context=None, password=None, lifetime=300, field="token", port=0):
        self.password, self.lifetime, self.field = password, lifetime, field
        self.issued = {}  # token -> (scope, until)
        self.realm = None
        super().__init__(host, context, port)

    def reply(self, request):
        if self.password and request["Authorization"] != basic(*self.password):
            return error(401, "UNAUTHORIZED", "who are you?")
        query = dict(urllib.parse.parse_qsl(request.query))
        token = secrets.token_urlsafe(24)
        self.issued[token] = (query.get("scope"), time.monotonic() + self.lifetime)
        return Reply(200, content.encode({self.field: token, "expires_in": self.lifetime}), {"Content-Type": "application/json"})

    def login(self, request):
        path = PATH.match(urllib.parse.unquote(request.path))
        scope = f"repository:{path['name']}:pull" if path else "none"
        kind, _, token = (request["Authorization"] or "").partition(" ")
        good, until = self.issued.get(token, (None, 0))
        if kind == "Bearer" and good == scope and time.monotonic() < until:
            return None
        realm = f"{self.url}/token" if self.realm is None else self.realm
        return error(401, "UNAUTHORIZED", "authentication required",
                     {"WWW-Authenticate": f'Bearer realm="{realm}",service="the registry",scope="{scope}"'})

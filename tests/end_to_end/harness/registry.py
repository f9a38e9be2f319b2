"""The registry as a client sees it: the few steps that many tests begin with, each asserting its own success."""
from harness import content
from harness.client import Client, quote


class Registry(Client):
    def repository(self, name):
        return Repository(self, name)


class Repository:
    def __init__(self, client, name):
        self.client, self.name = client, name
        self.uploads = f"/v2/{name}/blobs/uploads/"

    def blob(self, digest):
        return f"/v2/{self.name}/blobs/{digest}"

    def manifest(self, reference):
        return f"/v2/{self.name}/manifests/{reference}"

    def referrers(self, digest, query=""):
        return f"/v2/{self.name}/referrers/{digest}{query}"

    def tags(self, query=""):
        return f"/v2/{self.name}/tags/list{query}"

    def open_upload(self, query=""):
        """A session's location, as the registry gave it."""
        answer = self.client.post(self.uploads + query)
        assert answer.status == 202, answer
        return answer["Location"]

    def finish(self, location, digest, body=b"", headers=None):
        return self.client.put(closing(location, digest), body, headers)

    def push_blob(self, data, algorithm="sha256"):
        digest = content.digest(data, algorithm)
        query = "" if algorithm == "sha256" else f"?digest-algorithm={algorithm}"
        answer = self.finish(self.open_upload(query), digest, data)
        assert answer.status == 201, answer
        return digest

    def put_manifest(self, reference, document, media_type=None, headers=None, query=""):
        """PUT of a manifest: `document` is bytes or a value to encode; the media type defaults to the document's."""
        data = document if isinstance(document, bytes) else content.encode(document)
        if media_type is None:
            media_type = content.IMAGE if isinstance(document, bytes) else document.get("mediaType", content.IMAGE)
        fields = {"Content-Type": media_type, **(headers or {})}
        return self.client.put(self.manifest(reference) + query, data, fields)

    def push_manifest(self, document, reference=None, media_type=None, algorithm="sha256"):
        """Pushes by tag or (without one) by digest; the bytes and their digest."""
        data = document if isinstance(document, bytes) else content.encode(document)
        if media_type is None and not isinstance(document, bytes):
            media_type = document.get("mediaType")
        digest = content.digest(data, algorithm)
        answer = self.put_manifest(reference or digest, data, media_type)
        assert answer.status == 201, answer
        return data, digest

    def push_image(self, reference=None, layers=None, algorithm="sha256", **more):
        """Pushes blobs and an image manifest of them; the manifest's bytes and digest."""
        layers = [content.noise()] if layers is None else layers
        config = content.encode({"architecture": "amd64", "os": "linux", "noise": content.noise(8).hex()})
        for blob in [config, *layers]:
            self.push_blob(blob, algorithm)
        document = content.image(content.descriptor(config, content.CONFIG, algorithm),
                                 [content.descriptor(layer, algorithm=algorithm) for layer in layers], **more)
        return self.push_manifest(document, reference, algorithm=algorithm)

    def tag_names(self):
        answer = self.client.get(self.tags())
        assert answer.status == 200, answer
        return answer.json()["tags"]


def closing(location, digest):
    return f"{location}{'&' if '?' in location else '?'}digest={quote(digest)}"

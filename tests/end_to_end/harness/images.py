"""Images made here, without a network: an OCI image layout on disk that skopeo and podman can read."""
import functools
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile

from harness import content

GREETING = "hello from a pulled image"
PROGRAM = r"""
#include <unistd.h>
int main(void) { static const char text[] = "%s\n"; return write(1, text, sizeof text - 1) != (int)sizeof text - 1; }
""" % GREETING


@functools.lru_cache
def program():
    """A static executable that says GREETING: all that an image from scratch needs."""
    with tempfile.TemporaryDirectory() as directory:
        source, output = pathlib.Path(directory, "hello.c"), pathlib.Path(directory, "hello")
        source.write_text(PROGRAM)
        subprocess.run(["cc", "-static", "-Os", "-s", "-o", output, source], check=True)
        return output.read_bytes()


def layer(files):
    """A tar archive of {path: bytes}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), 0o755, 1600000000
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class Layout:
    """An OCI image layout in a directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        (self.directory / "blobs/sha256").mkdir(parents=True)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.tags = []

    def add(self, data, media_type, **more):
        described = content.descriptor(data, media_type, **more)
        (self.directory / "blobs/sha256" / described["digest"].partition(":")[2]).write_bytes(data)
        return described

    def image(self, layers, architecture="amd64"):
        """An image that runs /hello; `layers` are tar archives."""
        packed = [gzip.compress(each, 1, mtime=0) for each in layers]
        config = {"architecture": architecture, "os": "linux", "created": "2024-01-01T00:00:00Z",
                  "config": {"Cmd": ["/hello"], "Env": ["PATH=/"]},
                  "rootfs": {"type": "layers", "diff_ids": [content.digest(each) for each in layers]},
                  "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "test"} for _ in layers]}
        document = content.image(self.add(content.encode(config), content.CONFIG),
                                 [self.add(each, content.LAYER + "+gzip") for each in packed])
        return self.add(content.encode(document), content.IMAGE)

    def runnable(self, architecture="amd64", extra_layers=3, size=200000):
        """A program, and layers of noise beside it."""
        noise = [layer({f"data/{architecture}/{number}": content.noise(size)}) for number in range(extra_layers)]
        return self.image([layer({"hello": program()}), *noise], architecture)

    def index(self, architectures):
        children = [{**self.runnable(machine, 1), "platform": {"os": "linux", "architecture": machine}}
                    for machine in architectures]
        return self.add(content.encode(content.index(children)), content.INDEX)

    def tag(self, described, name):
        self.tags.append({**described, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.tags}))
        return described["digest"]

    def digest(self, tag):
        return next(each["digest"] for each in self.tags if each["annotations"]["org.opencontainers.image.ref.name"] == tag)

    def bytes_of(self, digest):
        return (self.directory / "blobs/sha256" / digest.partition(":")[2]).read_bytes()


def contents(directory):
    """Every blob of a layout, each verified against its name: {digest: size}; and the digests that are tagged."""
    found = {}
    for path in pathlib.Path(directory, "blobs/sha256").iterdir():
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == path.name, path
        found[f"sha256:{path.name}"] = len(data)
    return found, [each["digest"] for each in json.loads(pathlib.Path(directory, "index.json").read_text())["manifests"]]

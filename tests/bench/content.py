# SPDX-License-Identifier: Apache-2.0
"""Blobs and images that no server has seen before."""
import gzip
import hashlib
import io
import json
import os
import tarfile

BLOCK = b"\x1f\x8b\x08" + os.urandom((1 << 20) - 3)    # so that clients take it for compressed already
PIECE = 32 * 1024    # what docker and skopeo put into a chunk

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Blob:
    """`size` bytes: one block of noise over and over, and at the end noise of its own. Costs no memory."""

    prefixes = {}    # number of blocks -> their hash, worked out once

    def __init__(self, size):
        self.size = size
        self.blocks = max(0, size - 1) // len(BLOCK)
        self.tail = os.urandom(size - self.blocks * len(BLOCK))
        if self.blocks not in Blob.prefixes:
            prefix = hashlib.sha256()
            for _ in range(self.blocks):
                prefix.update(BLOCK)
            Blob.prefixes[self.blocks] = prefix
        digest = Blob.prefixes[self.blocks].copy()
        digest.update(self.tail)
        self.digest = "sha256:" + digest.hexdigest()

    def send(self, sock):
        for _ in range(self.blocks):
            sock.sendall(BLOCK)
        sock.sendall(self.tail)

    def send_chunked(self, sock):
        frames = chunks(BLOCK)
        for _ in range(self.blocks):
            for frame in frames:
                sock.sendall(frame)
        for frame in chunks(self.tail):
            sock.sendall(frame)
        sock.sendall(b"0\r\n\r\n")


class Bytes(Blob):
    """A blob of these very bytes."""

    def __init__(self, data):
        self.size, self.blocks, self.tail = len(data), 0, data
        self.digest = "sha256:" + hashlib.sha256(data).hexdigest()


def chunks(data):
    """As the chunks of a body without a length."""
    return [b"%x\r\n%b\r\n" % (len(data[at:at + PIECE]), data[at:at + PIECE]) for at in range(0, len(data), PIECE)]


def layer(size):
    """A compressed layer of one file, and the digest of what is in it."""
    noise = os.urandom(size)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(noise[:8].hex())
        member.size = size
        archive.addfile(member, io.BytesIO(noise))
    inner = file.getvalue()
    return gzip.compress(inner, 1), "sha256:" + hashlib.sha256(inner).hexdigest()


def image(layers, size):
    """An image of so many layers: the blobs by digest, and the manifest's bytes."""
    made = [layer(size) for _ in range(layers)]
    return image_of([Bytes(data) for data, _ in made], [inner for _, inner in made])


def noise_image(layers, size):
    """The same of layers with nothing in them, of a mebibyte or more: for clients that do not unpack."""
    layers = [Blob(size) for _ in range(layers)]
    return image_of(layers, [layer.digest for layer in layers])


def image_of(layers, inner):
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": inner}}).encode()
    blobs = [Bytes(config), *layers]
    kinds = [CONFIG] + [LAYER] * len(layers)
    parts = [{"mediaType": kind, "size": blob.size, "digest": blob.digest} for kind, blob in zip(kinds, blobs)]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}).encode()
    return blobs, manifest


def write_layout(path, made):
    """An image as a directory that skopeo reads as `dir:`."""
    blobs, manifest = made
    path.mkdir()
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    (path / "manifest.json").write_bytes(manifest)
    for blob in blobs:
        (path / blob.digest.partition(":")[2]).write_bytes(blob.tail)

"""Content to push: bytes with their digests, descriptors, manifests and indexes as the OCI image specification has them."""
import hashlib
import json
import os

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

MIB = 1 << 20
ABSENT = "sha256:" + "ab" * 32


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def noise(size=64):
    """Bytes that nobody has pushed before."""
    return os.urandom(size)


def encode(document):
    return json.dumps(document, indent=1).encode()


def descriptor(data, media_type=LAYER, algorithm="sha256", **more):
    return {"mediaType": media_type, "digest": digest(data, algorithm), "size": len(data), **more}


def image(config, layers, **more):
    """An image manifest of descriptors."""
    return {"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers, **more}


def index(manifests, **more):
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, **more}


def platform(architecture, data, media_type=IMAGE):
    return descriptor(data, media_type, platform={"os": "linux", "architecture": architecture})

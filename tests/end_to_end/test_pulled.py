"""What is known of pulls: the last one of a tag and how many, noted beside it, seldom."""
import os

import pytest

from harness.process import wait_until
from harness.server import berth

BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])
DAY = 86400


def note(server, repository, tag):
    return server.registry_storage / f"docker/registry/v2/repositories/{repository.name}/_manifests/tags/{tag}/_pulled"


def note_of_digest(server, repository, digest):
    return server.registry_storage / f"docker/registry/v2/repositories/{repository.name}/_manifests/_pulled/sha256/{digest[7:]}"


def counted(path):
    return int(path.read_text().splitlines()[0])


def age(path, seconds):
    """As if it had been noted that long ago."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@BOTH
@pytest.mark.quick
def test_a_pull_is_noted_whichever_way_a_client_pulls(start, web):
    server = start(web)
    repository = server.client.repository("me/app")
    _, digest = repository.push_image("latest")
    repository.push_image("idle")
    assert server.client.exists(repository.manifest("latest")).status == 200
    by_tag, by_digest = note(server, repository, "latest"), note_of_digest(server, repository, digest)
    assert counted(by_tag) == 0 and not by_digest.exists(), "containerd asks for the digest first"
    assert server.client.exists(repository.manifest(digest)).status == 200
    assert not by_digest.exists(), "a push looks for what is there"
    assert server.client.get(repository.manifest(digest)).status == 200
    assert counted(by_digest) == 1
    other, _ = repository.push_image("docker")
    assert server.client.get(repository.manifest("docker")).body == other
    assert counted(note(server, repository, "docker")) == 1
    assert not note(server, repository, "idle").exists()
    assert (server.registry_storage / "_berth/pulled-since").exists()


@BOTH
@pytest.mark.quick
def test_a_hot_tag_is_noted_once_an_hour_by_all_workers_together(start, web):
    server = start(web)
    repository = server.client.repository("me/app")
    repository.push_image("latest")
    path = note(server, repository, "latest")
    assert server.client.get(repository.manifest("latest")).status == 200
    before = path.stat()
    for _ in range(100):
        assert server.client.get(repository.manifest("latest")).status == 200
    assert path.stat().st_ino == before.st_ino and path.stat().st_mtime == before.st_mtime
    server.stop()
    server.start()
    age(path, DAY)
    old = path.stat()
    assert server.client.get(repository.manifest("latest")).status == 200
    assert path.stat().st_mtime > old.st_mtime + DAY // 2 and counted(path) == 2


@pytest.mark.quick
def test_what_is_known_of_pulls_leaves_with_the_repository(start):
    server = start(settings="[collect]\ngrace = 1s\n")
    repository = server.client.repository("me/app")
    _, digest = repository.push_image("latest")
    for reference in ("latest", digest):
        assert server.client.get(repository.manifest(reference)).status == 200
    assert server.client.delete(repository.manifest(digest)).status == 202
    directory = server.registry_storage / "docker/registry/v2/repositories/me"
    wait_until(lambda: berth(server.configuration, "gc", "--empty-trash").returncode or not directory.exists(), "the end of the repository")
    assert not directory.exists()
    assert server.client.get(repository.tags()).status == 404
    _, digest = repository.push_image("latest")
    assert not note(server, repository, "latest").exists() and not note_of_digest(server, repository, digest).exists()

"""One directory, two registries: docker-registry serves what Berth wrote, and the other way round."""
import pytest

from harness import content, images
from harness.engines import pull_layout, push_layout, skopeo
from harness.peer import Peer

ACCEPT = {"Accept": ", ".join((content.IMAGE, content.INDEX, content.DOCKER_IMAGE, content.DOCKER_LIST))}
NAMES = ["app", "me/app", "me/app/deeper"]


@pytest.fixture(params=["nginx", "lighttpd"])
def both(start, request, new_directory):
    """Berth and docker-registry on the same store, both running."""
    server = start(request.param)
    with Peer(new_directory("peer"), server.registry_storage) as peer:
        yield server, peer


@pytest.fixture(params=["berth writes", "docker-registry writes"])
def writer_and_reader(both, request):
    server, peer = both
    return (server, peer) if request.param == "berth writes" else (peer, server)


def fill(writer, layout):
    """Images in several repositories, an index, a Docker schema 2 image, several tags."""
    for name in NAMES:
        push_layout(layout, "app", f"{writer.authority}/{name}:1")
        push_layout(layout, "app", f"{writer.authority}/{name}:also")
    push_layout(layout, "multi", f"{writer.authority}/me/app:multi", "--all")
    skopeo("copy", "--quiet", "--format", "v2s2", "--dest-tls-verify=false", f"oci:{layout.directory}:app",
           f"docker://{writer.authority}/docker/app:2")


def manifest(registry, name, reference):
    answer = registry.client.get(f"/v2/{name}/manifests/{reference}", ACCEPT)
    return answer.status, answer.body, answer["Docker-Content-Digest"], (answer["Content-Type"] or "").partition(";")[0]


def test_the_reader_serves_what_the_writer_wrote(writer_and_reader, layout, new_directory):
    """Tags, single images, an index, another format: by digest the same."""
    writer, reader = writer_and_reader
    fill(writer, layout)
    for name in NAMES:
        for tag in ("1", "also"):
            digest = layout.digest("app")
            assert manifest(reader, name, tag) == (200, layout.bytes_of(digest), digest, content.IMAGE)
    assert manifest(reader, "docker/app", "2") == manifest(writer, "docker/app", "2")
    assert manifest(reader, "docker/app", "2")[3] == content.DOCKER_IMAGE
    for tag, option in (("1", "--quiet"), ("multi", "--all")):
        directory = new_directory("pulled")
        pull_layout(directory, f"{reader.authority}/me/app:{tag}", option)
        blobs, tagged = images.contents(directory)
        assert tagged == [layout.digest("app" if tag == "1" else "multi")]
        assert all(layout.bytes_of(digest) for digest in blobs)


def test_both_list_the_same(writer_and_reader, layout):
    writer, reader = writer_and_reader
    fill(writer, layout)
    for target in ("/v2/_catalog", *(f"/v2/{name}/tags/list" for name in (*NAMES, "docker/app"))):
        lists = [next(value for value in registry.client.get(target).json().values() if isinstance(value, list))
                 for registry in (writer, reader)]
        assert sorted(lists[0]) == sorted(lists[1]) and lists[0], target


def test_what_the_writer_deletes_is_gone_at_the_reader(writer_and_reader, layout):
    """By digest: the manifest and its tags."""
    writer, reader = writer_and_reader
    fill(writer, layout)
    digest = layout.digest("app")
    assert writer.client.delete(f"/v2/me/app/manifests/{digest}").status == 202
    for registry in (writer, reader):
        for reference in (digest, "1", "also"):
            assert manifest(registry, "me/app", reference)[0] == 404, reference
        assert registry.client.get("/v2/me/app/tags/list").json()["tags"] == ["multi"]
        assert manifest(registry, "app", "1")[0] == 200


def test_what_the_reader_deletes_is_gone_at_the_writer(writer_and_reader, layout):
    writer, reader = writer_and_reader
    fill(writer, layout)
    digest = layout.digest("app")
    assert reader.client.delete(f"/v2/me/app/manifests/{digest}").status == 202
    assert manifest(writer, "me/app", "1")[0] == 404
    layer = next(blob for blob in images.contents(layout.directory)[0] if blob not in map(layout.digest, ("app", "multi")))
    assert reader.client.delete(f"/v2/app/blobs/{layer}").status in (202, 404)
    assert writer.client.exists(f"/v2/app/blobs/{layer}").status == 404
    # The blob that a manifest still needs: put back, so that the store is whole again.
    writer.client.repository("app").push_blob(layout.bytes_of(layer))


def test_a_tag_that_berth_deletes_is_gone_at_docker_registry(both, layout):
    """docker-registry 2.8 has no deletion of single tags."""
    server, peer = both
    fill(server, layout)
    assert server.client.delete("/v2/me/app/manifests/also").status == 202
    assert manifest(peer, "me/app", "also")[0] == 404
    assert manifest(peer, "me/app", "1")[0] == 200
    assert sorted(peer.client.get("/v2/me/app/tags/list").json()["tags"]) == ["1", "multi"]


def test_they_take_turns_on_one_repository(both, layout):
    """A tag moved by either is moved for both."""
    server, peer = both
    push_layout(layout, "app", f"{server.authority}/turns:latest")
    push_layout(layout, "multi", f"{peer.authority}/turns:latest", "--all")
    assert manifest(server, "turns", "latest") == manifest(peer, "turns", "latest")
    assert manifest(server, "turns", "latest")[2] == layout.digest("multi")
    push_layout(layout, "app", f"{server.authority}/turns:latest")
    assert manifest(peer, "turns", "latest")[2] == layout.digest("app")
    assert manifest(peer, "turns", layout.digest("multi"))[0] == 200


def test_a_mount_by_one_is_seen_by_the_other(writer_and_reader):
    writer, reader = writer_and_reader
    data = content.noise()
    digest = content.digest(data)
    location = writer.client.post("/v2/first/blobs/uploads/")["Location"]
    location = location[location.index("/v2/"):]
    assert writer.client.put(f"{location}{'&' if '?' in location else '?'}digest={digest}", data).status == 201
    assert reader.client.post(f"/v2/second/blobs/uploads/?mount={digest}&from=first").status == 201
    for registry in (writer, reader):
        assert registry.client.get(f"/v2/second/blobs/{digest}").body == data


def test_the_other_ones_garbage_collector_keeps_what_is_used(both, layout, new_directory):
    """_layers is there, links are as it expects them: it marks everything that Berth's manifests name."""
    server, peer = both
    fill(server, layout)
    unused = content.noise(1000)
    server.client.repository("me/app").push_blob(unused)
    assert "blob eligible for deletion" in peer.collect()
    assert server.client.get(f"/v2/me/app/blobs/{content.digest(unused)}").status == 404
    for tag in ("1", "multi"):
        directory = new_directory("pulled")
        pull_layout(directory, f"{server.authority}/me/app:{tag}", "--all")
        assert images.contents(directory)[0]
    assert server.check("--repair").returncode in (0, 1)  # the links to what was collected


def test_an_abandoned_upload_of_docker_registry_is_no_content(both):
    """It keeps uploads inside of repositories; Berth neither lists nor serves them."""
    server, peer = both
    assert peer.client.post("/v2/only/uploads/blobs/uploads/").status == 202
    assert server.client.get("/v2/_catalog").json()["repositories"] == []
    assert server.client.get("/v2/only/uploads/tags/list").status == 404

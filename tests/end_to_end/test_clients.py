"""docker, podman, skopeo, buildah and ctr push and pull; what they pull is what was pushed, and it runs."""
import json
import re
import shutil

import pytest

from harness import content, images
from harness.engines import Containerd, Containers, Docker, pull_layout, push_layout, run, skopeo
from harness.process import wait_until


@pytest.fixture(scope="module")
def docker(new_directory):
    daemon = Docker(new_directory("docker"))
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def ctr(new_directory):
    daemon = Containerd(new_directory("containerd"))
    yield daemon
    daemon.stop()


def manifest_of(client, repository, reference):
    types = (content.IMAGE, content.INDEX, content.DOCKER_IMAGE, content.DOCKER_LIST)
    answer = client.get(repository.manifest(reference), {"Accept": ", ".join(types)})
    assert answer.status == 200, answer
    return answer


def machines_of(client, repository, reference):
    children = manifest_of(client, repository, reference).json()["manifests"]
    return {child["platform"]["architecture"]: child["digest"] for child in children}


def assert_serves(client, repository, reference, digest):
    answer = manifest_of(client, repository, reference)
    assert (answer.status, answer["Docker-Content-Digest"]) == (200, digest), answer
    assert content.digest(answer.body) == digest
    return answer.json()


def mounts(server, repository):
    """The requests that mounted a blob, as the web server's access lines tell (which come with a delay)."""
    return re.findall(rf'"POST /v2/{repository.name}/blobs/uploads/\?\S*mount=\S* HTTP/1.1" 201 ', server.whole_log())


def assert_pulls_alike(new_directory, layout, reference, digest, *options):
    """A copy from the registry has the very blobs of the layout that it came from."""
    directory = new_directory("pulled")
    pull_layout(directory, reference, *options)
    blobs, tagged = images.contents(directory)
    assert tagged == [digest]
    for blob in blobs:
        assert layout.bytes_of(blob)
    return blobs


def test_docker_and_podman_search(server, client, repository, layout, docker, new_directory):
    push_layout(layout, "app", f"{server.authority}/{repository.name}:1")
    name = f"{server.authority}/{repository.name}"
    assert docker("search", "--format", "{{.Name}}", name).split() == [repository.name]
    podman = Containers("podman", new_directory("podman"))
    assert podman("search", "--tls-verify=false", "--format", "{{.Name}}", name).split() == [name]
    assert podman("search", "--tls-verify=false", "--format", "{{.Name}}", f"{server.authority}/no-such").split() == []


def test_skopeo_copies_an_image_there_and_back(server, client, repository, layout, new_directory):
    reference, digest = f"{server.authority}/{repository.name}:1", layout.digest("app")
    push_layout(layout, "app", reference)
    assert_serves(client, repository, "1", digest)
    assert len(assert_pulls_alike(new_directory, layout, reference, digest)) == 6
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))["Digest"] == digest
    listed = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{server.authority}/{repository.name}"))
    assert listed["Tags"] == ["1"]


def test_skopeo_copies_an_index_of_several_machines(server, client, repository, layout, new_directory):
    reference, digest = f"{server.authority}/{repository.name}:multi", layout.digest("multi")
    push_layout(layout, "multi", reference, "--all")
    assert_serves(client, repository, "multi", digest)
    assert set(machines_of(client, repository, "multi")) == {"amd64", "arm64"}
    assert_pulls_alike(new_directory, layout, reference, digest, "--all")


def test_skopeo_deletes_an_image(server, client, repository, layout):
    reference = f"{server.authority}/{repository.name}:1"
    push_layout(layout, "app", reference)
    skopeo("delete", "--tls-verify=false", f"docker://{reference}")
    assert client.get(repository.manifest("1")).status == 404


def test_skopeo_copies_within_the_registry_by_mounting(server, client, new_repository, layout):
    """A second repository gets links to layers instead of uploads."""
    first, second = new_repository(), new_repository()
    push_layout(layout, "app", f"{server.authority}/{first.name}:1")
    skopeo("copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false",
           f"docker://{server.authority}/{first.name}:1", f"docker://{server.authority}/{second.name}:1")
    assert_serves(client, second, "1", layout.digest("app"))
    wait_until(lambda: mounts(server, second), "a mount in the web server's log")


def test_skopeo_carries_an_artifact_with_its_subject(server, client, repository, new_directory):
    """An artifact that belongs to an image, pushed by a client that knows nothing of referrers."""
    layout = images.Layout(new_directory("artifact") + "/layout")
    subject = layout.runnable()
    layout.tag(subject, "app")
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    artifact = content.image(layout.add(content.encode(config), content.CONFIG), [], subject=subject,
                             artifactType="application/vnd.example.signature.v1", annotations={"by": "alice"})
    digest = layout.tag(layout.add(content.encode(artifact), content.IMAGE), "signature")
    for tag in ("app", "signature"):
        push_layout(layout, tag, f"{server.authority}/{repository.name}:{tag}")
    referrers = client.get(repository.referrers(subject["digest"])).json()["manifests"]
    assert [(each["digest"], each["artifactType"], each["annotations"]) for each in referrers] == \
        [(digest, "application/vnd.example.signature.v1", {"by": "alice"})]
    assert_pulls_alike(new_directory, layout, f"{server.authority}/{repository.name}@{digest}", digest)


def test_docker_pushes_pulls_and_runs_an_image(server, client, repository, layout, docker, new_directory):
    reference, archive = f"{server.authority}/{repository.name}:1", f"{new_directory('archive')}/image.tar"
    skopeo("copy", "--quiet", f"oci:{layout.directory}:app", f"docker-archive:{archive}:{reference}")
    docker("load", "--input", archive)
    docker("push", reference)
    pushed = docker.digest(reference)
    assert len(assert_serves(client, repository, "1", pushed)["layers"]) == 4
    identifier = json.loads(docker("image", "inspect", reference))[0]["Id"]
    docker("rmi", "--force", reference, identifier)
    assert reference not in docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    docker("pull", reference)
    assert docker.digest(reference) == pushed
    assert json.loads(docker("image", "inspect", reference))[0]["Id"] == identifier
    assert docker("run", "--rm", "--network", "none", reference).strip() == images.GREETING
    docker("rmi", "--force", reference)


def test_docker_pulls_by_digest_and_pushes_to_a_second_repository(server, client, new_repository, layout, docker):
    """The second push mounts what the first repository has."""
    first, second = new_repository(), new_repository()
    push_layout(layout, "app", f"{server.authority}/{first.name}:1")
    by_digest = f"{server.authority}/{first.name}@{layout.digest('app')}"
    docker("pull", by_digest)
    reference = f"{server.authority}/{second.name}:copy"
    docker("tag", by_digest, reference)
    assert "Mounted from" in docker("push", reference)
    assert_serves(client, second, "copy", docker.digest(reference))
    docker("rmi", "--force", reference, by_digest)


def test_docker_makes_and_pushes_a_list_of_machines(server, client, repository, layout, docker):
    """docker manifest: Docker's own list type, put together from two images of the registry."""
    push_layout(layout, "multi", f"{server.authority}/{repository.name}:oci", "--all")
    for machine, digest in machines_of(client, repository, "oci").items():
        skopeo("copy", "--quiet", "--format", "v2s2", "--src-tls-verify=false", "--dest-tls-verify=false",
               f"docker://{server.authority}/{repository.name}@{digest}",
               f"docker://{server.authority}/{repository.name}:{machine}")
    reference = f"{server.authority}/{repository.name}:list"
    docker("manifest", "create", "--insecure", reference,
           *(f"{server.authority}/{repository.name}:{machine}" for machine in ("amd64", "arm64")))
    docker("manifest", "push", "--insecure", "--purge", reference)
    assert manifest_of(client, repository, "list")["Content-Type"] == content.DOCKER_LIST
    assert set(machines_of(client, repository, "list")) == {"amd64", "arm64"}
    docker("pull", reference)
    assert docker("run", "--rm", "--network", "none", reference).strip() == images.GREETING
    docker("rmi", "--force", reference)


def test_podman_pushes_pulls_and_runs_an_image(server, client, repository, layout, new_directory):
    reference = f"{server.authority}/{repository.name}:1"
    podman = Containers("podman", new_directory("podman"))
    identifier = podman("pull", "--quiet", f"oci:{layout.directory}:app").strip()
    digest_file = podman.directory / "digest"
    podman("push", "--quiet", "--tls-verify=false", "--digestfile", digest_file, identifier, reference)
    digest = digest_file.read_text()
    assert_serves(client, repository, "1", digest)
    podman("rmi", "--all", "--force")
    assert podman("pull", "--quiet", "--tls-verify=false", reference).strip() == identifier
    assert json.loads(podman("image", "inspect", reference))[0]["Digest"] == digest
    # runc, since crun refuses some machines' cgroups; limits, since podman asks for more than a container may have.
    assert podman("--runtime", shutil.which("runc"), "--cgroup-manager", "cgroupfs", "run", "--rm", "--network", "none",
                  "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", reference).strip() == images.GREETING


def test_podman_pushes_and_pulls_a_list_of_machines(server, client, repository, layout, new_directory):
    reference = f"{server.authority}/{repository.name}:multi"
    podman = Containers("podman", new_directory("podman"))
    push_layout(layout, "multi", f"{server.authority}/{repository.name}:source", "--all")
    podman("manifest", "create", "list")
    for digest in machines_of(client, repository, "source").values():
        podman("manifest", "add", "--tls-verify=false", "list", f"docker://{server.authority}/{repository.name}@{digest}")
    podman("manifest", "push", "--tls-verify=false", "--all", "list", f"docker://{reference}")
    assert set(machines_of(client, repository, "multi")) == {"amd64", "arm64"}
    podman("pull", "--quiet", "--tls-verify=false", reference)


def test_buildah_builds_pushes_and_pulls_an_image(server, client, repository, new_directory):
    reference = f"{server.authority}/{repository.name}:built"
    buildah = Containers("buildah", new_directory("buildah"))
    source = buildah.directory / "hello"
    source.write_bytes(images.program())
    source.chmod(0o755)
    container = buildah("from", "scratch").strip()
    buildah("copy", container, source, "/hello")
    buildah("config", "--cmd", "/hello", container)
    identifier = buildah("commit", "--quiet", container, "built").strip()
    digest_file = buildah.directory / "digest"
    buildah("push", "--quiet", "--tls-verify=false", "--digestfile", digest_file, "built", f"docker://{reference}")
    assert_serves(client, repository, "built", digest_file.read_text())
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")
    assert buildah("pull", "--quiet", "--tls-verify=false", f"docker://{reference}").strip() == identifier


def test_containerd_pushes_pulls_and_runs_an_image(server, client, repository, layout, ctr, new_directory):
    reference, digest = f"{server.authority}/{repository.name}:1", layout.digest("app")
    archive = f"{new_directory('archive')}/image.tar"
    run("tar", "--create", "--file", archive, "--directory", layout.directory, ".")
    ctr("images", "import", "--all-platforms", "--base-name", "sample", archive)
    ctr("images", "tag", "sample:app", reference)
    ctr("images", "push", "--plain-http", reference)
    assert_serves(client, repository, "1", digest)
    ctr("images", "remove", "--sync", reference, "sample:app", "sample:multi")
    ctr("images", "pull", "--plain-http", reference)
    assert ctr.digest(reference) == digest
    assert ctr("run", "--rm", reference, "greeter").strip() == images.GREETING
    ctr("images", "remove", "--sync", reference)


def test_containerd_pushes_and_pulls_all_machines_of_an_index(server, client, repository, layout, ctr, new_directory):
    reference, digest = f"{server.authority}/{repository.name}:multi", layout.digest("multi")
    archive = f"{new_directory('archive')}/image.tar"
    run("tar", "--create", "--file", archive, "--directory", layout.directory, ".")
    ctr("images", "import", "--all-platforms", "--base-name", "sample", archive)
    ctr("images", "tag", "sample:multi", reference)
    ctr("images", "push", "--plain-http", reference)
    assert_serves(client, repository, "multi", digest)
    ctr("images", "remove", "--sync", reference, "sample:app", "sample:multi")
    ctr("images", "pull", "--plain-http", "--all-platforms", reference)
    assert ctr.digest(reference) == digest
    ctr("images", "remove", "--sync", reference)

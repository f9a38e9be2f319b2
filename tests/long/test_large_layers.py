"""Layers of 1 GiB with the real clients, through both web servers."""
import pytest

from harness import content, images
from harness.engines import Containerd, Containers, Docker, pull_layout, push_layout, run, skopeo

pytestmark = pytest.mark.long
GIBIBYTE = 1 << 30


@pytest.fixture(scope="session")
def large(new_directory):
    """A runnable image with a layer of 1 GiB that does not compress."""
    layout = images.Layout(f"{new_directory('large')}/layout")
    noise = images.layer({"data": content.noise(GIBIBYTE)})
    layout.tag(layout.image([images.layer({"hello": images.program()}), noise]), "large")
    return layout


def test_skopeo(server, large, new_directory):
    reference, directory = f"{server.authority}/large/skopeo:1", new_directory("pulled")
    push_layout(large, "large", reference)
    pull_layout(directory, reference)
    assert images.contents(directory)[1] == [large.digest("large")]


def test_docker(server, large, new_directory):
    docker = Docker(new_directory("docker"))
    try:
        reference, archive = f"{server.authority}/large/docker:1", f"{new_directory('archive')}/image.tar"
        skopeo("copy", "--quiet", f"oci:{large.directory}:large", f"docker-archive:{archive}:{reference}")
        docker("load", "--input", archive)
        docker("push", reference)
        pushed = docker.digest(reference)
        docker("rmi", "--force", reference)
        docker("pull", reference)
        assert docker.digest(reference) == pushed
        assert docker("run", "--rm", "--network", "none", reference).strip() == images.GREETING
    finally:
        docker.stop()


def test_podman(server, large, new_directory):
    podman = Containers("podman", new_directory("podman"))
    reference = f"{server.authority}/large/podman:1"
    identifier = podman("pull", "--quiet", f"oci:{large.directory}:large").strip()
    podman("push", "--quiet", "--tls-verify=false", identifier, reference)
    podman("rmi", "--all", "--force")
    assert podman("pull", "--quiet", "--tls-verify=false", reference).strip() == identifier


def test_containerd(server, large, new_directory):
    ctr = Containerd(new_directory("containerd"))
    try:
        reference, archive = f"{server.authority}/large/ctr:1", f"{new_directory('archive')}/image.tar"
        run("tar", "--create", "--file", archive, "--directory", large.directory, ".")
        ctr("images", "import", "--base-name", "sample", archive)
        ctr("images", "tag", "sample:large", reference)
        ctr("images", "push", "--plain-http", reference)
        ctr("images", "remove", "--sync", reference, "sample:large")
        ctr("images", "pull", "--plain-http", reference)
        assert ctr.digest(reference) == large.digest("large")
    finally:
        ctr.stop()

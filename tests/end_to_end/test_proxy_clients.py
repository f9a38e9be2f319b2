"""docker, dockerd --registry-mirror, containerd with hosts.toml, podman with registries.conf and skopeo pull through the proxy."""
import concurrent.futures
import json
import os
import pathlib

import pytest

from harness import content, images
from harness.engines import Containerd, Containers, Docker, containerd_mirror, pull_layout, run
from harness.process import wait_until
from harness.upstream import Upstream
from harness.upstream_site import Site


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def hub(request, new_directory, layout):
    """Berth, and a Docker Hub with "library/app" and "library/multi": (site, hub)."""
    docker = Upstream(alias="docker.io")
    for tag in ("app", "multi"):
        docker.add_layout(layout, tag, f"library/{tag}")
    settings = f"[upstream docker.io]\nurl = {docker.url}\nallow_private_address = yes\n[mirror]\nroot = docker.io\n"
    with Site(new_directory("hub"), request.param, 1, settings=settings) as site:
        yield site, docker
    docker.close()


@pytest.fixture
def asked_once(hub):
    """At the end: nothing was asked for twice, and only for what is there."""
    _, docker = hub
    docker.forget()
    yield
    gets = [each.target for each in docker.asked("", "GET") if each.status == 200 and each.target != "/v2/"]
    assert len(gets) == len(set(gets)), gets


@pytest.mark.usefixtures("asked_once")
def test_docker_pulls_through_the_proxy(hub, layout, new_directory):
    site, _ = hub
    docker = Docker(new_directory("docker"))
    try:
        for host in ("docker.io", "registry-1.docker.io"):
            reference = f"{site.server.authority}/proxy/{host}/library/app:app"
            docker("pull", "--quiet", reference)
            assert docker.digest(reference) == layout.digest("app")
            assert docker("run", "--rm", "--network", "none", reference).strip() == images.GREETING
            docker("rmi", "--force", reference)
        reference = f"{site.server.authority}/proxy/docker.io/library/multi:multi"
        docker("pull", "--quiet", reference)
        assert docker.digest(reference) == layout.digest("multi")
    finally:
        docker.stop()


class MirroredDocker(Docker):
    """dockerd with this mirror of Docker Hub, and nothing behind it that it could reach."""

    def __init__(self, directory, mirror):
        configuration = pathlib.Path(directory, "daemon.json")
        configuration.write_text(json.dumps({"registry-mirrors": [mirror]}))
        base = pathlib.Path(directory)
        self.command = ["docker", "--config", base / "client", "--host", f"unix://{base}/docker.sock"]
        super(Docker, self).__init__(directory, ["dockerd", "--config-file", configuration, "--bridge=none", "--iptables=false",
                                                 "--data-root", base / "data", "--exec-root", base / "exec", "--pidfile", base / "pid",
                                                 "--host", f"unix://{base}/docker.sock"], [*self.command, "version"])


@pytest.mark.usefixtures("asked_once")
def test_dockerd_uses_it_as_its_registry_mirror(hub, layout, new_directory):
    site, _ = hub
    docker = MirroredDocker(new_directory("docker"), f"http://{site.server.authority}")
    try:
        for name in ("app", "multi"):
            docker("pull", "--quiet", f"{name}:{name}")
            assert docker.digest(f"{name}:{name}") == layout.digest(name)
        assert docker("run", "--rm", "--network", "none", "app:app").strip() == images.GREETING
    finally:
        docker.stop()


@pytest.mark.usefixtures("asked_once")
def test_containerd_names_the_registry_by_ns(hub, layout, new_directory):
    site, _ = hub
    hosts = containerd_mirror(new_directory("hosts"), "docker.io", f"http://{site.server.authority}")
    ctr = Containerd(new_directory("containerd"))
    try:
        for name in ("app", "multi"):
            reference = f"docker.io/library/{name}:{name}"
            ctr("images", "pull", "--hosts-dir", hosts, reference)
            assert ctr.digest(reference) == layout.digest(name)
        # containerd says ?ns= to the mirror.
        access = wait_until(lambda: [line for line in (site.server.logs / "access.log").read_text().splitlines() if "ns=docker.io" in line],
                            "the access lines")
        assert access
    finally:
        ctr.stop()


def pull_slow_layers(new_directory, web, mebibytes):
    """Two layers of noise from a Docker Hub of 4 MB/s, by a containerd that has nobody else to ask. No mirror's root helps out."""
    docker = Upstream(alias="docker.io")
    layout = images.Layout(f"{new_directory('layout')}/layout")
    layout.tag(layout.image([images.layer({"hello": images.program()}), *(images.layer({"data": content.noise(mebibytes << 20)}) for _ in range(2))]),
               "1")
    docker.add_layout(layout, "1", "library/slow")
    docker.when(lambda reply, _: setattr(reply, "rate", 4_000_000), path="/blobs/", method="GET")
    settings = f"[upstream docker.io]\nurl = {docker.url}\nallow_private_address = yes\n"
    with Site(new_directory("slow"), web, 0, settings=settings) as site:
        ctr = Containerd(new_directory("containerd"))
        try:
            ctr("images", "pull", "--hosts-dir", containerd_mirror(new_directory("hosts"), "docker.io", f"http://{site.server.authority}"),
                "docker.io/library/slow:1")
            assert ctr.digest("docker.io/library/slow:1") == layout.digest("1")
        finally:
            ctr.stop()
    assert {each.status for each in docker.asked("/blobs/")} == {200}
    docker.close()


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_containerd_pulls_by_ns_what_takes_long(new_directory, web):
    """Behind nginx what is still coming is sent in a second pass, which has to know of ns. (tests/long: layers of 64 MiB.)"""
    pull_slow_layers(new_directory, web, 6)


@pytest.mark.usefixtures("asked_once")
def test_podman_uses_it_as_a_mirror(hub, layout, new_directory):
    site, _ = hub
    directory = new_directory("podman")
    configuration = pathlib.Path(directory, "registries.conf")
    configuration.write_text(f'[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\n'
                             f'location = "{site.server.authority}/proxy/docker.io"\ninsecure = true\n')
    podman = Containers("podman", directory)
    environment = {"CONTAINERS_REGISTRIES_CONF": str(configuration)}
    for name in ("app", "multi"):
        identifier = podman("pull", "--quiet", f"docker.io/library/{name}:{name}", environment=environment).strip()
        assert json.loads(podman("image", "inspect", identifier))[0]["Digest"] in [layout.digest(name), *children(layout, name)]
    podman("rmi", "--all", "--force")


def children(layout, tag):
    return [each["digest"] for each in json.loads(layout.bytes_of(layout.digest(tag))).get("manifests", [])]


@pytest.mark.usefixtures("asked_once")
def test_skopeo_copies_everything_of_an_index(hub, layout, new_directory):
    site, _ = hub
    directory = new_directory("pulled")
    pull_layout(directory, f"{site.server.authority}/proxy/docker.io/library/multi:multi", "--all")
    blobs, tagged = images.contents(directory)
    assert tagged == [layout.digest("multi")]
    assert all(layout.bytes_of(blob) for blob in blobs)
    tags = json.loads(run("skopeo", "list-tags", "--tls-verify=false", f"docker://{site.server.authority}/proxy/docker.io/library/multi"))
    assert tags["Tags"] == ["multi"]


def test_many_clients_pull_an_image_of_twenty_layers_and_each_part_is_fetched_once(hub, new_directory):
    """32 skopeo at once, nothing cached."""
    site, _ = hub
    upstream = site.upstreams[0]
    layers = [content.noise(300_000) for _ in range(20)]
    _, digest = upstream.add_image("big/app", "1", layers)
    upstream.forget()
    reference = f"{site.server.authority}/proxy/{upstream.alias}/big/app:1"
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        directories = [new_directory("pulled") for _ in range(32)]
        list(pool.map(lambda directory: pull_layout(directory, reference), directories))
    for directory in directories:
        blobs, tagged = images.contents(directory)
        assert tagged == [digest] and len(blobs) == 22
    gets = [each.target for each in upstream.asked("", "GET") if each.target != "/v2/"]
    assert len(gets) == len(set(gets)) == 22, sorted(gets)
    assert upstream.asked("/blobs/", "HEAD") == []
    assert upstream.sent() <= 1.01 * (sum(map(len, layers)) + 10_000)


def test_an_image_is_pulled_while_the_upstream_is_down(hub, layout, new_directory):
    """What was pulled once can be pulled again, by tag, when the upstream refuses connections and the tag is old."""
    site, docker = hub
    reference = f"{site.server.authority}/proxy/docker.io/library/app:app"
    pull_layout(new_directory("pulled"), reference)
    link = site.cache / "docker/registry/v2/repositories/docker.io/library/app/_manifests/tags/app/current/link"
    os.utime(link, (1, 1))
    docker.close()
    directory = new_directory("pulled")
    pull_layout(directory, reference)
    assert images.contents(directory)[1] == [layout.digest("app")]

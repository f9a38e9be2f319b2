"""Which registry a name means, and where nobody may lead us: names, ?ns=, mirrors, lists of upstreams, private addresses, loops."""
import os
import socket
import urllib.parse

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.server import free_port
from harness.upstream import Upstream
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_http import Reply
from harness.upstream_public import ADDRESS, internet
from harness.upstream_site import Site

HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def hub(request, new_directory):
    """Berth with an upstream that plays Docker Hub, root of the mirror too: (site, hub)."""
    docker = Upstream(alias="docker.io")
    settings = f"[upstream docker.io]\nurl = {docker.url}\nallow_private_address = yes\n[mirror]\nroot = docker.io\n"
    with Site(new_directory("hub"), request.param, 3, settings=settings) as site:
        yield site, docker
    docker.close()


def assert_is(answer, document, digest):
    assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, document, digest), answer


# --- names

def test_docker_hub_has_one_cache_under_all_its_names(hub):
    site, docker = hub
    layer = content.noise(1000)
    data, digest = docker.add_image("library/debian", "12", [layer])
    docker.forget()
    for host in HUB:
        for name in ("debian", "library/debian"):
            repository = site.client.repository(f"proxy/{host}/{name}")
            assert_is(site.client.get(repository.manifest("12")), data, digest)
            assert_is(site.client.get(repository.manifest(digest)), data, digest)
            assert site.client.get(repository.blob(content.digest(layer))).body == layer
    assert [each.target for each in docker.asked()] == \
        ["/v2/library/debian/manifests/12", f"/v2/library/debian/blobs/{content.digest(layer)}"]


def test_only_names_of_one_component_get_library(hub):
    site, docker = hub
    data, digest = docker.add_image("bob/app/deep", "1")
    assert_is(site.client.get("/v2/proxy/docker.io/bob/app/deep/manifests/1"), data, digest)
    upstream = site.take()
    data, digest = upstream.add_image("single", "1")
    assert_is(site.client.get(site.at(upstream, "single").manifest("1")), data, digest)
    assert {each.path for each in upstream.asked()} == {"/v2/single/manifests/1"}


def test_a_default_namespace_can_be_configured(new_directory):
    with Site(new_directory("namespace"), more="default_namespace = team/apps") as site:
        upstream = site.take()
        data, digest = upstream.add_image("team/apps/web", "1")
        assert_is(site.client.get(site.at(upstream, "web").manifest("1")), data, digest)
        data, digest = upstream.add_image("other/web", "1")
        assert_is(site.client.get(site.at(upstream, "other/web").manifest("1")), data, digest)


def test_containerd_names_the_registry_by_ns(hub):
    """hosts.toml: the same repository as proxy/<host>/<name>, and OCI-Namespace says so."""
    site, docker = hub
    layer = content.noise(500)
    data, digest = docker.add_image("library/ns", "1", [layer])
    docker.forget()
    for host in HUB:
        answer = site.client.get(f"/v2/library/ns/manifests/1?ns={host}")
        assert_is(answer, data, digest)
        assert answer["OCI-Namespace"] == host
        head = site.client.exists(f"/v2/library/ns/manifests/{digest}?ns={host}")
        assert (head.status, head["OCI-Namespace"]) == (200, host), head
        assert site.client.get(f"/v2/library/ns/blobs/{content.digest(layer)}?ns={host}").body == layer
        tags = site.client.get(f"/v2/library/ns/tags/list?ns={host}")
        assert (tags.status, tags.json()["tags"]) == (200, ["1"]), tags
    assert len(docker.asked("/manifests/")) == len(docker.asked("/blobs/")) == 1
    assert_is(site.client.get("/v2/proxy/docker.io/ns/manifests/1"), data, digest)
    assert len(docker.asked("/manifests/")) == 1, "one cache"


def test_what_takes_long_comes_by_ns_too(site, upstream):
    """nginx sends what is growing in a second pass, for which it empties QUERY_STRING."""
    layer = content.noise(2_000_000)
    upstream.add_image("slow/app", "1", [layer])
    upstream.when(lambda reply, _: setattr(reply, "rate", 1_000_000), path="/blobs/", method="GET")
    answer = site.client.get(f"/v2/slow/app/blobs/{content.digest(layer)}?ns={upstream.alias}")
    assert (answer.status, answer["Content-Length"]) == (200, str(len(layer))), answer
    assert answer.body == layer
    assert answer["OCI-Namespace"] == upstream.alias


@pytest.mark.parametrize("parameter", ["ns=up0", "ns=%75p0&x=1"])
def test_the_next_page_of_tags_is_of_the_same_registry(site, parameter):
    upstream = site.upstreams[0]
    for tag in ("a", "b", "c"):
        upstream.add_image("paged/app", tag)
    target, seen = f"/v2/paged/app/tags/list?n=1&{parameter}", []
    while target:
        answer = site.client.get(target)
        assert answer.status == 200, answer
        seen += answer.json()["tags"]
        target = answer.link()
    assert seen == ["a", "b", "c"]


@pytest.mark.parametrize("target", ["/v2/app/tags/list?n=%zz", "/v2/app/tags/list?%00=1", "/v2/app/manifests/1?ns=%4", "/v2/%", "/v2/a%0/tags/list"])
def test_a_broken_escape_is_a_bad_request(site, target):
    answer = site.client.get(target)
    assert answer.status == 400 and answer.codes(), answer


def test_ns_may_be_an_alias_or_the_address_of_one(hub):
    site, _ = hub
    upstream = site.take()
    data, digest = upstream.add_image("app", "1")
    for ns in (upstream.alias, upstream.authority, upstream.authority.replace(":", "%3A")):
        answer = site.client.get(f"/v2/app/manifests/1?ns={ns}")
        assert_is(answer, data, digest)
    assert len(upstream.asked()) == 1


def test_ns_that_is_this_registry_means_hosted_content(hub):
    site, _ = hub
    data, digest = site.client.repository("own/app").push_image("1")
    assert_is(site.client.get(f"/v2/own/app/manifests/1?ns={site.client.authority}"), data, digest)
    answer = site.client.get("/v2/own/app/manifests/1?ns=Berth.Example.ORG:5000", {"Host": "berth.example.org:5000"})
    assert_is(answer, data, digest)


def test_upper_case_in_a_namespace_is_folded(hub):
    site, docker = hub
    data, digest = docker.add_image("library/folded", "1")
    docker.forget()
    for ns in ("Docker.IO", "docker.io", "REGISTRY-1.DOCKER.IO"):
        assert_is(site.client.get(f"/v2/folded/manifests/1?ns={ns}"), data, digest)
    assert len(docker.asked()) == 1, "one cache"


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_section_for_a_prefix_can_be_named_by_nobody(new_directory, web):
    """[upstream HOST/PREFIX] says whose account is used; by ?ns= its address would fill another repository's cache."""
    real, bait = Upstream(alias="real"), Upstream()
    data, digest = real.add_image("team/app", "1")
    bait.add_image("app", "1")
    section = "[upstream {}]\nurl = {}\nallow_private_address = yes\n"
    settings = section.format("real", real.url) + section.format("real/team", bait.url) + "username = bob\npassword = secret\n"
    with Site(new_directory("prefix"), web, settings=settings) as site:
        for ns in ("real/team", "real%2Fteam", "real%2fteam%2f", "real/", "real/..", bait.authority):
            answer = site.client.get(f"/v2/app/manifests/1?ns={ns}")
            assert (answer.status, answer.codes()) == (403, ["DENIED"]), (ns, answer)
        assert_is(site.client.get("/v2/proxy/real/team/app/manifests/1"), data, digest)
        assert_is(site.client.get("/v2/team/app/manifests/1?ns=real"), data, digest)
    assert bait.asked() == []
    real.close()
    bait.close()


def test_what_is_another_registrys_is_dropped_from_the_cache_by_every_name(hub):
    """Not from the other registry: it is asked for again. An upload there is none, as nothing is pushed."""
    site, docker = hub
    layer = content.noise(100)
    data, digest = docker.add_image("library/kept", "1", [layer])
    for target, query in (("/v2/proxy/docker.io/library/kept/", ""), ("/v2/kept/", "?ns=docker.io")):
        for last in (f"manifests/{digest}", f"blobs/{content.digest(layer)}"):
            site.client.get(f"{target}manifests/1{query}")
            body = site.client.get(f"{target}{last}{query}").body
            docker.forget()
            assert site.client.get(f"{target}{last}{query}").body == body
            assert docker.asked() == [], "cached"
            assert site.client.delete(f"{target}{last}{query}").status == 202, last
            assert site.client.get(f"{target}{last}{query}").body == body
            assert docker.asked() != [], "dropped: asked for again"
            assert docker.asked(method="DELETE") == []
        for last, allowed in ((f"manifests/{digest}", "GET, HEAD, DELETE"), (f"blobs/{digest}", "GET, HEAD, DELETE"), ("tags/list", "GET")):
            answer = site.client.put(f"{target}{last}{query}")
            assert (answer.status, answer.codes()) == (405, ["UNSUPPORTED"]), answer
            assert set(allowed.split(", ")) <= set(answer["Allow"].split(", ")) <= {"HEAD", *allowed.split(", ")}, answer
        answer = site.client.delete(f"{target}blobs/uploads/an-upload{query}")
        assert (answer.status, answer.codes(), answer["Allow"]) == (405, ["UNSUPPORTED"], "GET, HEAD"), answer


@pytest.mark.parametrize("source", ["proxy/docker.io/library/mounted", "proxy%2Fdocker.io%2Fmounted", "library/mounted"])
def test_what_is_another_registrys_is_not_mounted(hub, source):
    """It may be gone from the cache tomorrow: the client uploads it."""
    site, docker = hub
    layer = content.noise(100)
    docker.add_image("library/mounted", "1", [layer])
    assert site.client.get("/v2/proxy/docker.io/library/mounted/manifests/1").status == 200
    assert site.client.get(f"/v2/proxy/docker.io/library/mounted/blobs/{content.digest(layer)}").body == layer
    answer = site.client.post(f"/v2/mine/app/blobs/uploads/?mount={content.digest(layer)}&from={source}")
    assert answer.status == 202, answer


# --- mirror

def test_a_mirror_serves_what_is_not_hosted_from_upstream(hub):
    """dockerd --registry-mirror: names as Docker Hub has them."""
    site, docker = hub
    layer = content.noise(500)
    data, digest = docker.add_image("library/mirrored", "1", [layer])
    assert_is(site.client.get("/v2/library/mirrored/manifests/1"), data, digest)
    assert_is(site.client.get("/v2/mirrored/manifests/1"), data, digest)
    assert site.client.get(f"/v2/library/mirrored/blobs/{content.digest(layer)}").body == layer
    assert site.client.exists("/v2/library/mirrored/manifests/1").status == 200
    assert site.client.get("/v2/library/mirrored/tags/list").json()["tags"] == ["1"]
    assert len(docker.asked("library/mirrored/manifests/")) == 1
    answer = site.client.get("/v2/library/absent/manifests/1")
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer


def test_hosted_content_wins_over_the_mirror(hub):
    site, docker = hub
    repository = site.client.repository("library/both")
    theirs, _ = docker.add_image("library/both", "theirs")
    ours, digest = repository.push_image("ours")
    docker.forget()
    assert_is(site.client.get(repository.manifest("ours")), ours, digest)
    answer = site.client.get(repository.manifest("theirs"))
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer
    assert site.client.get(repository.tags()).json()["tags"] == ["ours"]
    assert docker.asked() == []
    assert site.client.get("/v2/proxy/docker.io/library/both/manifests/theirs").body == theirs


def test_pushing_to_a_mirrored_name_makes_it_hosted(hub):
    site, docker = hub
    theirs, _ = docker.add_image("library/taken", "1")
    repository = site.client.repository("library/taken")
    assert site.client.get(repository.manifest("1")).body == theirs
    ours, digest = repository.push_image("1")
    assert_is(site.client.get(repository.manifest("1")), ours, digest)


def test_a_push_to_a_mirrored_name_is_not_told_that_its_layers_are_here(hub):
    """Clients ask for a blob (HEAD) before they push it; one that only the upstream has has to be pushed."""
    site, docker = hub
    layer = content.noise(500)
    docker.add_image("library/base", "1", [layer])
    assert site.client.get("/v2/library/base/manifests/1").status == 200
    assert site.client.get(f"/v2/library/base/blobs/{content.digest(layer)}").status == 200
    repository = site.client.repository("library/base")
    assert site.client.exists(repository.blob(content.digest(layer))).status == 404
    ours, digest = repository.push_image("2", [layer])
    assert_is(site.client.get(repository.manifest("2")), ours, digest)


# --- what is not asked

@pytest.mark.parametrize("name", ["proxy/docker.io", "proxy//debian", "proxy/docker.io/UPPER"])
def test_proxy_without_host_or_name_is_no_name(hub, name):
    site, docker = hub
    docker.forget()
    answer = site.client.get(f"/v2/{name}/manifests/1")
    assert answer.status == 404 and answer.codes()[0] in ("NAME_INVALID", "UNSUPPORTED"), answer
    assert docker.asked() == []


NO_HOSTS = ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0.0.0.0", "0",
            "::1", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "169.254.169.254", "10.0.0.1", "user@registry.example.org",
            "registry.example.org:5000", "registry.example.org:22", "a..b", ".example.org", "example.org.", "-a.example.org",
            "registry.example.org/../..", "exa mple.org", "example.org\t", "ex%61mple.org", "xn--.1", "registry.example.org/library",
            "/", "registry.example.org:", "registry.example.org:443:443", ":5000"]


def test_hosts_that_are_no_plain_names_are_denied(nginx_site):
    for host in NO_HOSTS:
        assert_denied(nginx_site, host)


def assert_denied(nginx_site, host):
    answer = nginx_site.client.get(f"/v2/library/app/manifests/1?ns={urllib.parse.quote(host)}")
    assert (answer.status, answer.codes()) == ((400, ["UNSUPPORTED"]) if "\t" in host else (403, ["DENIED"])), (host, answer)
    if all(each in "abcdefghijklmnopqrstuvwxyz0123456789.-" for each in host) and "/" not in host and host[0] != "-":
        answer = nginx_site.client.get(f"/v2/proxy/{host}/library/app/manifests/1")
        assert (answer.status, answer.codes()) in ((403, ["DENIED"]), (404, ["NAME_INVALID"])), answer


def test_names_that_resolve_to_private_addresses_are_denied(new_directory):
    """Checked after the name was resolved: DNS may say anything."""
    listener = Upstream()
    section = "[upstream {}]\nurl = {}\n"
    hosts = ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
             "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", socket.gethostbyname(socket.gethostname())]
    settings = "".join(section.format(f"private{number}", f"http://{host}:{listener.port}") for number, host in enumerate(hosts))
    with Site(new_directory("private"), settings=settings) as site:
        for number, host in enumerate(hosts):
            for target in ("manifests/1", f"blobs/{content.ABSENT}", "tags/list"):
                answer = site.client.get(f"/v2/proxy/private{number}/app/{target}")
                # For an address that cannot be reached here at all, that may be found out first; never that it answers.
                assert (answer.status, answer.codes()) == (403, ["DENIED"]), (host, answer)
        assert "address" in site.server.whole_log(), "a line for the operator"
    assert listener.asked() == []
    listener.close()


def test_a_public_upstream_leads_nobody_to_a_private_address(new_directory):
    """Redirects and realms of an upstream on the public internet (here: an address that is no private one)."""
    with internet() as inside:
        private = Upstream()
        public = inside(lambda: Upstream(ADDRESS, port=private.port))  # another port would be refused for that
        data, digest = public.add_image("app", "1", [b"layer"])
        private.add_image("app", "1", [b"layer"])
        section = f"[upstream public]\nurl = {public.url}\n"
        with Site(new_directory("public"), count=0, settings=section) as site:
            repository = site.client.repository("proxy/public/app")
            assert_is(site.client.get(repository.manifest("1")), data, digest)
            for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "11.255.77.1"):
                public.rules.clear()
                public.when(lambda reply, request, to=host: reply.__dict__.update(
                    Reply(307, b"", {"Location": f"http://{to}:{public.port}{request.target}"}).__dict__))
                for target in (repository.manifest("2"), repository.blob(content.digest(b"layer")), "/v2/proxy/public/other/tags/list"):
                    answer = site.client.get(target)
                    assert (answer.status, answer.codes()) == (403, ["DENIED"]), (host, answer)
                public.rules.clear()
                public.when(lambda reply, _, to=host: reply.__dict__.update(Reply(401, b"", {
                    "WWW-Authenticate": f'Bearer realm="http://{to}:{public.port}/token",service="x"'}).__dict__))
                answer = site.client.get(repository.manifest("3"))
                assert (answer.status, answer.codes()) == (403, ["DENIED"]), (host, answer)
            for location in (f"http://127.0.0.1:{private.port + 1}/x", f"ssh://{ADDRESS}/x"):
                public.rules.clear()
                public.when(lambda reply, _, to=location: reply.__dict__.update(Reply(307, b"", {"Location": to}).__dict__))
                assert site.client.get(repository.manifest("4")).status in (403, 502)
        assert private.asked() == []
        private.close()
        public.close()


def test_redirects_that_are_no_http_are_not_followed(new_directory):
    inside = Upstream()
    with Site(new_directory("redirect")) as site:
        upstream = site.take()
        for target in (f"gopher://{inside.authority}/x", f"ftp://{inside.authority}/x", f"//user:pw@{inside.authority}/x",
                       f"http://user@{inside.authority}/x", "http://[fe80::1%25lo]/x", "http:///x", "javascript:1", f"dict://{inside.authority}/"):
            upstream.rules.clear()
            upstream.when(lambda reply, _, to=target: reply.__dict__.update(Reply(302, b"", {"Location": to}).__dict__))
            answer = site.client.get(site.at(upstream).manifest("1"))
            assert answer.status == 502, (target, answer)
    assert inside.asked() == []
    inside.close()


def test_the_environments_proxies_are_ignored(new_directory, monkeypatch):
    bait = Upstream()
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, bait.url)
    with Site(new_directory("environment")) as site:
        upstream = site.take()
        data, digest = upstream.add_image("app", "1")
        assert_is(site.client.get(site.at(upstream).manifest("1")), data, digest)
    assert bait.asked() == []
    bait.close()


def test_a_configured_outgoing_proxy_is_used(new_directory):
    outgoing = Upstream()
    with Site(new_directory("outgoing"), proxy=f"http_proxy = {outgoing.url}") as site:
        upstream = site.take()
        data, digest = upstream.add_image("app", "1")
        outgoing.when(lambda reply, request: reply.__dict__.update(
            Reply(200, data, {"Content-Type": content.IMAGE, "Docker-Content-Digest": digest}).__dict__))
        assert_is(site.client.get(site.at(upstream).manifest("1")), data, digest)
        assert [each.target for each in outgoing.asked()] == [f"{upstream.url}/v2/app/manifests/1"]
        assert upstream.asked() == []
    outgoing.close()


def test_only_listed_upstreams_are_asked(new_directory):
    with Site(new_directory("listed"), count=2, proxy="upstreams = up0, quay.example.org, index.docker.io") as site:
        listed, other = site.take(), site.take()
        data, digest = listed.add_image("app", "1")
        other.add_image("app", "1")
        assert_is(site.client.get(site.at(listed).manifest("1")), data, digest)
        for target in (site.at(other).manifest("1"), f"/v2/app/manifests/1?ns={other.alias}", f"/v2/app/manifests/1?ns={other.authority}",
                       "/v2/proxy/ghcr.example.org/app/manifests/1", f"/v2/proxy/ghcr.example.org/app/blobs/{content.ABSENT}",
                       "/v2/proxy/ghcr.example.org/app/tags/list"):
            answer = site.client.get(target)
            assert (answer.status, answer.codes()) == (403, ["DENIED"]), answer
        assert other.asked() == []


def test_a_proxy_that_is_switched_off_asks_nobody(new_directory):
    with Site(new_directory("off"), proxy="enabled = no") as site:
        upstream = site.take()
        upstream.add_image("app", "1")
        for target in (site.at(upstream).manifest("1"), f"/v2/app/manifests/1?ns={upstream.alias}"):
            answer = site.client.get(target)
            assert (answer.status, answer.codes()) == (403, ["DENIED"]), answer
        assert upstream.asked() == []


# --- loops

@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_loop_through_ourselves_ends(new_directory, web):
    port = free_port()
    section = f"[upstream me]\nurl = http://127.0.0.1:{port}\nallow_private_address = yes\n[mirror]\nroot = me\n"
    site = Site(new_directory("loop"), web, settings=section)
    site.server.port = port
    with site:
        for target in ("/v2/any/thing/manifests/1", "/v2/proxy/me/any/thing/manifests/1", f"/v2/any/thing/blobs/{content.ABSENT}",
                       "/v2/any/thing/tags/list", "/v2/any/thing/manifests/1?ns=me"):
            answer = site.client.get(target)
            assert answer.status in (404, 502), answer
            assert answer.codes()
        asked = [line for line in site.server.whole_log().splitlines() if "/any/thing/" in line and "berth: GET" in line]
        assert len(asked) <= 20, asked


def test_one_of_us_can_be_the_upstream_of_another(new_directory):
    with Site(new_directory("first")) as first:
        upstream = first.take()
        layer = content.noise(3_000_000)
        data, digest = upstream.add_image("app", "1", [layer])
        section = f"[upstream first]\nurl = http://127.0.0.1:{first.server.port}\nallow_private_address = yes\n"
        with Site(new_directory("second"), settings=section) as second:
            repository = second.client.repository(f"proxy/first/proxy/{upstream.alias}/app")
            assert_is(second.client.get(repository.manifest("1")), data, digest)
            head = second.client.exists(repository.blob(content.digest(layer)))
            assert (head.status, head["Content-Length"]) == (200, str(len(layer))), head
            assert second.client.get(repository.blob(content.digest(layer))).body == layer
        assert "via" in upstream.asked()[0].headers


def test_a_virtual_host_can_stand_for_an_upstream(new_directory):
    """BERTH_NAMESPACE, which the web server sets."""
    upstream = Upstream(alias="up0")
    data, digest = upstream.add_image("app", "1")
    settings = f"[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n[upstream up0]\nurl = {upstream.url}\nallow_private_address = yes\n"
    with Worker(new_directory("virtual"), settings, BERTH_NAMESPACE="proxy/up0") as worker:
        assert_is(worker.get("/v2/app/manifests/1"), data, digest)
        assert worker.post("/v2/app/blobs/uploads/").status == 405
    upstream.close()
    assert os.path.exists(worker.configuration)

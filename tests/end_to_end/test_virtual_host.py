"""Tenants: virtual hosts whose names are all below a prefix (BERTH_NAMESPACE), and what each can reach of the others. Nothing."""
import pytest

from harness import content
from harness.fastcgi import Worker
from harness.registry import Registry
from harness.upstream import Upstream, error

SETTINGS = """[hosted]
minimum_free_space = 0
[proxy]
minimum_free_space = 0
[upstream up0]
url = {first.url}
allow_private_address = yes
[upstream up1]
url = {second.url}
allow_private_address = yes
[mirror]
root = up1
"""


class Tenant(Registry):
    """The worker as it is seen through a virtual host."""

    def __init__(self, worker, prefix):
        super().__init__("localhost", 80)
        self.worker, self.prefix = worker, prefix

    def request(self, *arguments, **options):
        return self.worker.request(*arguments, **options, **({} if self.prefix is None else {"BERTH_NAMESPACE": self.prefix}))

    def catalog(self, query=""):
        answer = self.get(f"/v2/_catalog{query}")
        assert answer.status == 200, answer
        return answer


class House:
    def __init__(self, directory):
        self.upstreams = [Upstream(alias="up0"), Upstream(alias="up1")]
        self.worker = Worker(directory, SETTINGS.format(first=self.upstreams[0], second=self.upstreams[1]), expected_faults=True)

    def __enter__(self):
        self.worker.__enter__()
        return self

    def __exit__(self, *exception):
        self.worker.__exit__(*exception)
        for upstream in self.upstreams:
            upstream.close()

    def at(self, prefix):
        return Tenant(self.worker, prefix)


@pytest.fixture(scope="module")
def house(new_directory):
    with House(new_directory("house")) as running:
        yield running


def assert_denied(answer):
    assert (answer.status, answer.codes()) == (403, ["DENIED"]), answer


def test_a_tenant_pushes_and_pulls_below_its_prefix(house):
    repository = house.at("one").repository("team/app")
    layer = content.noise()
    data, digest = repository.push_image("1", [layer])
    assert repository.client.get(repository.manifest("1")).body == data
    assert repository.client.get(repository.blob(content.digest(layer))).body == layer
    assert repository.client.get(repository.tags()).json() == {"name": "team/app", "tags": ["1"]}
    everybody = house.at(None)
    assert everybody.get("/v2/one/team/app/manifests/1")["Docker-Content-Digest"] == digest
    assert everybody.get("/v2/team/app/manifests/1").status == 404
    assert house.at("on").get("/v2/e/team/app/manifests/1").status == 404
    assert house.at("two").get("/v2/team/app/manifests/1").status == 404


def test_where_things_are_is_told_in_the_tenants_own_names(house):
    repository = house.at("located").repository("app")
    answer = repository.client.post(repository.uploads)
    assert answer.status == 202 and answer["Location"].startswith("/v2/app/blobs/uploads/"), answer
    data = content.noise()
    answer = repository.finish(answer["Location"], content.digest(data), data)
    assert (answer.status, answer["Location"]) == (201, repository.blob(content.digest(data))), answer
    document = content.encode(content.index([]))
    answer = repository.put_manifest("1", document, content.INDEX)
    assert (answer.status, answer["Location"]) == (201, repository.manifest(content.digest(document))), answer


def test_a_catalog_lists_what_is_below_the_prefix_without_it(house):
    names = {"cat": ["a", "a/b", "a-b", "c"], "cat-b": ["other"], "cat/deep": ["x"], "c": ["at/y"]}
    for prefix, each in names.items():
        for name in each:
            house.at(prefix).repository(name).push_image("1")
    assert house.at("cat").catalog().json() == {"repositories": ["a", "a-b", "a/b", "c", "deep/x"]}
    assert house.at("cat/deep").catalog().json() == {"repositories": ["x"]}
    assert house.at("cat-b").catalog().json() == {"repositories": ["other"]}
    assert house.at("empty").catalog().json() == {"repositories": []}
    assert {"cat/a", "cat/deep/x", "cat-b/other", "c/at/y"} <= set(house.at(None).catalog().json()["repositories"])
    target, pages = "/v2/_catalog?n=2", []
    while target:
        answer = house.at("cat").get(target)
        pages.append(answer.json()["repositories"])
        target = answer.link()
    assert pages == [["a", "a-b"], ["a/b", "c"], ["deep/x"]]
    assert house.at("cat").catalog("?last=a-b").json() == {"repositories": ["a/b", "c", "deep/x"]}


@pytest.mark.parametrize("origin", ["&from=secret", "&from=mount-b/secret", "&from=../mount-b/secret", "&from=mount-a/../mount-b/secret",
                                    "&from=%2Fmount-b/secret", "&from=", ""])
def test_nobody_mounts_what_only_another_tenant_has(house, origin):
    digest = house.at("mount-b").repository("secret").push_blob(content.noise())
    mine = house.at("mount-a").repository("app")
    answer = mine.client.post(f"{mine.uploads}?mount={digest}{origin}")
    assert answer.status == 202, answer
    assert mine.client.exists(mine.blob(digest)).status == 404


@pytest.mark.parametrize("origin", ["&from=base", ""])
def test_a_tenant_mounts_from_its_own_repositories(house, origin):
    tenant = house.at("mount-own")
    digest = tenant.repository("base").push_blob(content.noise())
    mine = tenant.repository("app")
    answer = tenant.post(f"{mine.uploads}?mount={digest}{origin}")
    assert (answer.status, answer["Location"]) == (201, mine.blob(digest)), answer
    assert tenant.exists(mine.blob(digest)).status == 200


def test_what_a_tenant_deletes_is_its_own(house):
    layer = content.noise()
    repositories = [house.at(prefix).repository("app") for prefix in ("delete-a", "delete-b")]
    _, digest = [each.push_manifest(content.index([]), "1", content.INDEX) for each in repositories][0]
    mine, theirs = repositories
    for repository in repositories:
        repository.push_blob(layer)
    for target in (mine.manifest("1"), mine.manifest(digest), mine.blob(content.digest(layer))):
        assert mine.client.delete(target).status == 202, target
    assert theirs.client.get(theirs.manifest("1")).status == 200
    assert theirs.client.exists(theirs.blob(content.digest(layer))).status == 200
    assert mine.client.get(mine.manifest("1")).status == 404


def test_no_namespace_leads_out_of_a_virtual_host(house):
    first, second = house.upstreams
    for upstream in (first, second):
        upstream.add_image("ns/app", "1")
        upstream.forget()
    tenant = house.at("ns-a")
    data, _ = tenant.repository("ns/app").push_image("1")
    for ns in ("up0", "UP0", first.authority, "docker.io", "ghcr.io/team", "other.example.org"):
        assert_denied(tenant.get(f"/v2/ns/app/manifests/1?ns={ns}"))
        assert_denied(tenant.get(f"/v2/proxy/up0/ns/app/manifests/1?ns={ns}"))
    assert tenant.get(f"/v2/ns/app/manifests/1?ns={tenant.authority}").body == data
    assert tenant.get("/v2/proxy/up0/ns/app/manifests/1").status == 404
    assert first.asked() == second.asked() == []


def test_a_virtual_host_of_an_upstream_takes_its_namespace(house):
    first, second = house.upstreams
    data, digest = first.add_image("stands/app", "1")
    second.add_image("stands/app", "1")
    second.forget()
    tenant = house.at("proxy/up0")
    for query in ("", "?ns=up0", "?ns=Up0", f"?ns={first.authority}", f"?ns={tenant.authority}"):
        answer = tenant.get(f"/v2/stands/app/manifests/1{query}")
        assert (answer.status, answer.body) == (200, data), (query, answer)
        assert tenant.get(f"/v2/stands/app/tags/list{query}").json() == {"name": "stands/app", "tags": ["1"]}
    assert_denied(tenant.get("/v2/stands/app/manifests/1?ns=up1"))
    assert_denied(house.at("proxy/up0/stands").get("/v2/other/app/manifests/1?ns=up0"))
    assert house.at("proxy/up0/stands").get("/v2/app/manifests/1")["Docker-Content-Digest"] == digest
    assert house.at("proxy/up0/stands").get("/v2/stands/app/manifests/1?ns=up0").status == 200
    assert house.at("proxy").get("/v2/up0/stands/app/manifests/1").status == 200
    assert tenant.catalog().json() == {"repositories": []}
    answer = tenant.post("/v2/stands/app/blobs/uploads/")
    assert (answer.status, answer.codes()) == (405, ["UNSUPPORTED"]), answer
    assert_denied(house.at("proxy/up1").delete("/v2/stands/app/manifests/1?ns=up0"))
    assert tenant.delete("/v2/stands/app/manifests/1").status == 202, "dropped from the cache"
    assert second.asked() == []


def test_the_mirror_is_not_for_virtual_hosts(house):
    mirror = house.upstreams[1]
    data, _ = mirror.add_image("mirrored/app", "1")
    mirror.add_image("mirror-a/mirrored/app", "1")
    mirror.forget()
    assert house.at(None).get("/v2/mirrored/app/manifests/1").body == data
    mirror.forget()
    answer = house.at("mirror-a").get("/v2/mirrored/app/manifests/1")
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer
    assert mirror.asked() == []


@pytest.mark.parametrize("prefix", ["", "team/", "/team", "Team", "team//a", "..", "te am", "x" * 256])
def test_a_malformed_prefix_is_the_operators_error(house, prefix):
    """An empty one, too: what a variable of the web server's without a value leaves is not everybody's content."""
    for target in ("/v2/", "/v2/app/manifests/1", "/v2/_catalog"):
        answer = house.at(prefix).get(target)
        assert answer.status == 500 and answer.codes(), answer
    assert f"BERTH_NAMESPACE '{prefix[:40]}" in house.worker.log()


REFUSAL = error(401, "UNAUTHORIZED", "authentication required")


def test_what_the_mirror_does_not_let_us_see_is_unknown(house):
    """Docker Hub says 401 of what does not exist: a name that is hosted nowhere is no less unknown for that."""
    mirror = house.upstreams[1]
    subject = content.digest(content.noise())
    mirror.when(lambda reply, _: reply.__dict__.update(REFUSAL.__dict__), "/unseen/")
    client = house.at(None)
    answer = client.get("/v2/unseen/app/manifests/1")
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer
    answer = client.get("/v2/unseen/app/tags/list")
    assert (answer.status, answer.codes()) == (404, ["NAME_UNKNOWN"]), answer
    answer = client.get(f"/v2/unseen/app/referrers/{subject}")
    assert (answer.status, answer.json()["manifests"]) == (200, []), answer
    for target in ("manifests/1", "tags/list", f"referrers/{subject}"):
        assert client.get(f"/v2/proxy/up1/unseen/app/{target}").status not in (200, 404), "who asks for the upstream is told"
    assert mirror.asked("/unseen/") != []


def test_the_namespace_is_said_where_it_chose_the_registry(house):
    first = house.upstreams[0]
    first.add_image("said/app", "1")
    client = house.at(None)
    assert client.get("/v2/said/app/manifests/1?ns=up0")["OCI-Namespace"] == "up0"
    for ns in ("up1", "%ff%fe", "what%20the%20client%20says", "x" * 3000, client.authority):
        answer = client.get(f"/v2/proxy/up0/said/app/manifests/1?ns={ns}")
        assert (answer.status, answer["OCI-Namespace"]) == (200, None), answer
    answer = house.at("proxy/up0").get(f"/v2/said/app/manifests/1?ns={client.authority}")
    assert (answer.status, answer["OCI-Namespace"]) == (200, None), answer


def test_a_head_by_digest_is_about_no_other_digest(house):
    first = house.upstreams[0]
    _, wanted = first.add_image("head/app", "1")
    _, other = first.add_image("head/app", "2", [b"other"])
    first.when(lambda reply, _: reply.headers.update({"Docker-Content-Digest": other}), f"/head/app/manifests/{wanted}")
    answer = house.at(None).exists(f"/v2/proxy/up0/head/app/manifests/{wanted}")
    assert (answer.status, answer["Docker-Content-Digest"]) == (200, wanted), answer

"""Manifests, tags and lists of other registries: as fresh as promised, byte for byte, and asked for no more than needed."""
import json
import os
import threading

import pytest

from harness import content
from harness.process import PATIENCE, wait_until
from harness.upstream_http import Reply
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_site import Site, downloads

TTL = 60  # of the shared sites: nothing gets old there by itself
METHODS = ("GET", "HEAD")


def methods(upstream, path="/manifests/"):
    return [each.method for each in upstream.asked(path)]


def make_old(site, upstream, tag, name="app", seconds=3600):
    """As if the upstream had last been asked so long ago: the age of a tag is that of its link."""
    link = site.cache / "docker/registry/v2/repositories" / upstream.alias / name / "_manifests/tags" / tag / "current/link"
    then = link.stat().st_mtime - seconds
    os.utime(link, (then, then))


def assert_is(answer, document, digest, media_type=content.IMAGE):
    assert (answer.status, answer.body) == (200, document), answer
    assert answer["Docker-Content-Digest"] == digest
    assert answer["Content-Type"] == media_type
    assert answer["Warning"] is None, answer


# --- how much

def test_a_manifest_that_names_more_than_1000_others_is_not_taken(site, upstream):
    children = [content.descriptor(b"child %d" % number, content.IMAGE) for number in range(1001)]
    data, digest = upstream.add_manifest("app", content.index(children[:1000]), "full")
    assert_is(site.client.get(site.at(upstream).manifest("full")), data, digest, content.INDEX)
    for tag, many in (("many", children), ("again", children[:1] * 1001)):
        upstream.add_manifest("app", content.index(many), tag)
        for _ in range(2):
            answer = site.client.get(site.at(upstream).manifest(tag))
            assert (answer.status, answer.codes()) == (502, ["UNSUPPORTED"]), answer
            assert "1001" in str(answer.body) and "1000" in str(answer.body), answer


def test_a_manifest_that_would_be_too_long_to_push_is_not_taken(new_directory):
    with Site(new_directory("long"), hosted="maximum_manifest_size = 2K") as site:
        upstream = site.take()
        for length, status in ((2048, 200), (2049, 502)):
            document = content.encode(content.index([], annotations={"x": ""}))
            document = document.replace(b'"x": ""', b'"x": "' + b"a" * (length - len(document)) + b'"')
            assert len(document) == length
            upstream.add_manifest("app", document, f"of-{length}")
            assert site.client.get(site.at(upstream).manifest(f"of-{length}")).status == status


# --- bytes

@pytest.mark.parametrize("spelling", [
    lambda document: json.dumps(document).encode(), lambda document: json.dumps(document, indent=7).encode() + b"\n\n",
    lambda document: b" \t\r\n" + json.dumps(document, sort_keys=True, separators=(",", ":")).encode()])
def test_manifests_are_the_upstreams_byte_for_byte(site, upstream, spelling):
    layer = content.noise()
    document = spelling(content.image(content.descriptor(b"{}", content.CONFIG), [content.descriptor(layer)],
                                      annotations={"ü": "\N{SNOWMAN}", "unknown": "kept"}, strange={"x": [1, 2.50]}))
    data, digest = upstream.add_manifest("app", document, "1")
    for reference in ("1", digest):
        for _ in METHODS:
            assert_is(site.client.get(site.at(upstream).manifest(reference)), data, digest)


@pytest.mark.parametrize("media_type, document", [
    (content.DOCKER_IMAGE, {"schemaVersion": 2, "mediaType": content.DOCKER_IMAGE,
                            "config": content.descriptor(b"{}", "application/vnd.docker.container.image.v1+json"), "layers": []}),
    (content.INDEX, content.index([])),
    (content.DOCKER_LIST, {"schemaVersion": 2, "mediaType": content.DOCKER_LIST, "manifests": [
        content.platform("amd64", b"not here", content.DOCKER_IMAGE), content.platform("arm64", b"nor here", content.DOCKER_IMAGE)]})])
def test_all_kinds_of_manifests_come_through(site, upstream, media_type, document):
    """An index too whose children nobody has fetched; it is never trimmed."""
    data, digest = upstream.add_manifest("app", document, "1", media_type)
    assert_is(site.client.get(site.at(upstream).manifest("1")), data, digest, media_type)
    assert_is(site.client.get(site.at(upstream).manifest(digest)), data, digest, media_type)


def test_sha512_comes_through(site, upstream):
    blob = content.noise()
    data = content.encode(content.image(content.descriptor(b"{}", content.CONFIG, "sha512"), [content.descriptor(blob, algorithm="sha512")]))
    digest = content.digest(data, "sha512")
    upstream.manifests["app", digest] = (data, content.IMAGE)
    upstream.blobs[content.digest(blob, "sha512")] = blob
    answer = site.client.get(site.at(upstream).manifest(digest))
    assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, data, digest), answer
    assert site.client.get(site.at(upstream).blob(content.digest(blob, "sha512"))).body == blob


def test_the_digest_is_computed_not_believed(site, upstream):
    data, digest = upstream.add_image("app", "1")
    upstream.when(lambda reply, _: reply.headers.update({"Docker-Content-Digest": content.ABSENT}), "/manifests/", "GET")
    assert_is(site.client.get(site.at(upstream).manifest("1")), data, digest)


def test_a_manifest_with_another_digest_is_not_given_out(site, upstream):
    data, _ = upstream.add_image("app", "1")
    upstream.manifests["app", content.ABSENT] = (data, content.IMAGE)
    answer = site.client.get(site.at(upstream).manifest(content.ABSENT))
    assert answer.status == 502, answer
    assert answer.json()["errors"][0]["detail"]["upstream"] == upstream.alias


@pytest.mark.parametrize("media_type, document", [
    ("text/html", {"schemaVersion": 2, "config": {}}), ("text/plain", {"schemaVersion": 2, "config": {}}),
    ("image/svg+xml", {"manifests": []}), ("application/json", {"mediaType": "text/html"}), ("text/html", {"mediaType": "text/html"}),
    ("application/x/y", {"manifests": []})])
def test_what_calls_itself_a_page_is_no_manifest(site, upstream, media_type, document):
    """image-spec, media types: application/…; anything else would be what a browser makes of it."""
    data, digest = upstream.add_manifest("app", content.encode({**document, "x": "<script>alert(1)</script>"}), "1", media_type)
    for reference in ("1", digest):
        for method in METHODS:
            answer = site.client.request(method, site.at(upstream).manifest(reference))
            assert answer.status == 502, (data, answer)


# --- freshness

def test_a_warm_pull_asks_nobody(site, upstream):
    layers = [content.noise(3000), content.noise(100_000)]
    data, digest = upstream.add_image("app", "1", layers)
    config = json.loads(data)["config"]["digest"]
    repository = site.at(upstream)
    targets = [repository.manifest("1"), repository.manifest(digest), *map(repository.blob, [config, *map(content.digest, layers)])]
    cold = [site.client.get(target) for target in targets]
    assert [each.status for each in cold] == [200] * 5
    assert len(upstream.asked()) == 4, "the tag, and each blob, once"
    for method in METHODS:
        for target, before in zip(targets, cold):
            answer = site.client.request(method, target)
            assert answer.status == 200 and answer["Docker-Content-Digest"] == before["Docker-Content-Digest"], answer
            assert answer.body == (before.body if method == "GET" else b"")
    assert len(upstream.asked()) == 4


def test_an_old_tag_costs_one_head_and_a_moved_one_a_get(site, upstream):
    first, first_digest = upstream.add_image("app", "1")
    target = site.at(upstream).manifest("1")
    assert_is(site.client.get(target), first, first_digest)
    make_old(site, upstream, "1")
    upstream.forget()
    assert_is(site.client.get(target), first, first_digest)
    assert_is(site.client.get(target), first, first_digest)
    assert methods(upstream) == ["HEAD"]
    second, second_digest = upstream.add_image("app", "1")
    assert_is(site.client.get(target), first, first_digest)
    make_old(site, upstream, "1")
    upstream.forget()
    assert_is(site.client.get(target), second, second_digest)
    assert methods(upstream) == ["HEAD", "GET"]
    make_old(site, upstream, "1")
    upstream.forget()
    assert_is(site.client.get(site.at(upstream).manifest(first_digest)), first, first_digest)
    assert methods(upstream) == []


def test_a_tag_gets_old_by_itself(new_directory):
    with Site(new_directory("ttl"), tag_ttl=1) as site:
        upstream = site.take()
        data, digest = upstream.add_image("app", "1")
        target = site.at(upstream).manifest("1")
        assert_is(site.client.get(target), data, digest)
        wait_until(lambda: site.client.get(target).status == 200 and methods(upstream)[1:], "a second look at the upstream")
        assert methods(upstream)[:2] == ["GET", "HEAD"]


def test_an_upstream_without_head_is_asked_by_get(site, upstream):
    upstream.heads = False
    first, digest = upstream.add_image("app", "1")
    target = site.at(upstream).manifest("1")
    head = site.client.exists(target)
    assert (head.status, head["Docker-Content-Digest"], head["Content-Length"]) == (200, digest, str(len(first))), head
    assert_is(site.client.get(target), first, digest)
    make_old(site, upstream, "1")
    assert_is(site.client.get(target), first, digest)
    second, digest = upstream.add_image("app", "1")
    make_old(site, upstream, "1")
    assert_is(site.client.get(target), second, digest)


def test_an_upstream_whose_head_tells_no_digest_is_asked_by_get(site, upstream):
    upstream.when(lambda reply, _: reply.headers.pop("Docker-Content-Digest", None), "/manifests/")
    for _ in range(2):
        data, digest = upstream.add_image("app", "1")
        assert_is(site.client.get(site.at(upstream).manifest("1")), data, digest)
        make_old(site, upstream, "1")


def test_head_of_an_uncached_manifest_answers_as_get_would(site, upstream):
    data, digest = upstream.add_image("app", "1")
    for reference in ("1", digest):
        head = site.client.exists(site.at(upstream).manifest(reference))
        assert (head.status, head["Docker-Content-Digest"], head["Content-Length"], head["Content-Type"]) == \
            (200, digest, str(len(data)), content.IMAGE), head
    assert set(methods(upstream)) == {"HEAD"}
    for reference in ("1", digest):
        head, got = (site.client.request(method, site.at(upstream).manifest(reference)) for method in ("HEAD", "GET"))
        assert_is(got, data, digest)
        varying = ("Date", "X-Request-Id", "Server-Timing")
        assert {name: head[name] for name, _ in got.headers if name not in varying} == \
            {name: got[name] for name, _ in got.headers if name not in varying}
        assert (head["Server-Timing"] is None) == (got["Server-Timing"] is None)
    assert site.client.exists(site.at(upstream).manifest("absent")).status == 404


def test_conditional_requests_are_answered_from_the_cache(site, upstream):
    _, digest = upstream.add_image("app", "1")
    target = site.at(upstream).manifest("1")
    tag = site.client.get(target)["ETag"]
    answer = site.client.get(target, {"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b""), answer


# --- one question at a time

def test_fifty_clients_share_one_request_for_a_manifest(site, upstream):
    data, digest = upstream.add_image("app", "1")
    upstream.when(lambda reply, _: setattr(reply, "rate", len(data)), "/manifests/")  # the first takes a while
    for target in (site.at(upstream).manifest("1"), site.at(upstream).manifest(digest)):
        with downloads(site.client, target, 50) as clients:
            pass
        assert {(each.status, each.is_whole, each.digest) for each in clients} == {(200, True, digest)}
    assert methods(upstream) == ["GET"]


def test_fifty_clients_share_one_head_for_an_old_tag(site, upstream):
    data, digest = upstream.add_image("app", "1")
    target = site.at(upstream).manifest("1")
    assert_is(site.client.get(target), data, digest)
    make_old(site, upstream, "1")
    upstream.forget()
    gate = threading.Event()
    upstream.when(lambda *_: gate.wait(PATIENCE), "/manifests/")
    with downloads(site.client, target, 30) as clients:
        wait_until(lambda: upstream.asked("/manifests/"), "the first question")
        gate.set()
    assert {(each.status, each.digest) for each in clients} == {(200, digest)}
    assert methods(upstream) == ["HEAD"]


# --- absent

def test_what_is_absent_is_404_and_remembered_briefly(site, upstream):
    for target, code, path in ((site.at(upstream).manifest("none"), "MANIFEST_UNKNOWN", "/manifests/"),
                               (site.at(upstream).manifest(content.ABSENT), "MANIFEST_UNKNOWN", "/manifests/"),
                               (site.at(upstream).blob(content.ABSENT), "BLOB_UNKNOWN", "/blobs/")):
        upstream.forget()
        for _ in range(3):
            answer = site.client.get(target)
            assert (answer.status, answer.codes()) == (404, [code]), answer
        assert len(upstream.asked(path)) == 1, upstream.requests


# --- lists

def test_tags_are_listed_as_the_upstream_does(site, upstream):
    for number in range(25):
        upstream.add_image("app", f"v{number:02}")
    answer = site.client.get(site.at(upstream).tags())
    assert (answer.status, answer.json()) == \
        (200, {"name": f"proxy/{upstream.alias}/app", "tags": [f"v{number:02}" for number in range(25)]}), answer
    seen, target = [], site.at(upstream).tags("?n=10")
    while target:
        answer = site.client.get(target)
        assert answer.status == 200 and len(answer.json()["tags"]) <= 10, answer
        seen += answer.json()["tags"]
        target = answer.link()
    assert seen == [f"v{number:02}" for number in range(25)]
    absent = site.client.get(site.at(upstream, "none").tags())
    assert (absent.status, absent.codes()) == (404, ["NAME_UNKNOWN"])


def test_all_pages_of_the_upstreams_tags_are_listed(site, upstream):
    for number in range(130):
        upstream.add_image("app", f"v{number:03}")
    answer = site.client.get(site.at(upstream).tags())
    assert (answer.status, answer.json()["tags"]) == (200, [f"v{number:03}" for number in range(130)]), answer


def test_referrers_come_from_upstream_and_are_cached(site, upstream):
    _, subject = upstream.add_image("app", "1")
    described = {"mediaType": content.IMAGE, "digest": subject, "size": 1}
    _, signature = upstream.add_image("app", subject=described, artifactType="application/vnd.example.signature")
    _, other = upstream.add_image("app", subject=described, artifactType="application/vnd.example.other")
    target = site.at(upstream).referrers(subject)
    answer = site.client.get(target)
    assert answer.status == 200 and answer["Content-Type"] == content.INDEX, answer
    assert {each["digest"] for each in answer.json()["manifests"]} == {signature, other}
    answer = site.client.get(target + "?artifactType=application/vnd.example.signature")
    assert [each["digest"] for each in answer.json()["manifests"]] == [signature]
    assert len(upstream.asked("/referrers/")) <= 2
    site.client.get(target)
    assert len(upstream.asked("/referrers/")) <= 2
    empty = site.client.get(site.at(upstream).referrers(signature))
    assert (empty.status, empty.json()["manifests"]) == (200, [])


def test_many_referrers_come_in_pages(site, upstream):
    """As ours do: whoever serves them has them sorted and once already, however the upstream had them."""
    _, subject = upstream.add_image("app", "1")
    digests = [content.digest(b"%d" % number) for number in range(1500)]
    listed = [{"mediaType": content.IMAGE, "digest": digest, "size": 1} for digest in digests + digests[:10]]
    upstream.referrers_reply = lambda *_: Reply(200, content.encode(content.index(listed)), {"Content-Type": content.INDEX})
    target, found = site.at(upstream).referrers(subject), []
    while target:
        answer = site.client.get(target)
        assert answer.status == 200, answer
        found += [each["digest"] for each in answer.json()["manifests"]]
        target = answer.link()
        assert len(found) in (1000, 1500)
    assert found == sorted(digests)
    assert len(upstream.asked("/referrers/")) == 1


@pytest.mark.parametrize("fallback", [True, False], ids=["tag", "nothing"])
def test_the_referrers_tag_is_asked_for_as_rarely(site, upstream, fallback):
    """Referrers Tag Schema, of an upstream that has no API: found or not, that is known for tag_ttl."""
    _, subject = upstream.add_image("app", "1")
    described = {"mediaType": content.IMAGE, "digest": subject, "size": 1}
    data, signature = upstream.add_image("app", subject=described)
    upstream.referrers_reply = lambda *_: Reply(404, b"no such page")
    if fallback:
        upstream.add_manifest("app", content.index([content.descriptor(data, content.IMAGE)]), subject.replace(":", "-"))
    for _ in range(3):
        answer = site.client.get(site.at(upstream).referrers(subject))
        assert (answer.status, [each["digest"] for each in answer.json()["manifests"]]) == (200, [signature] * fallback), answer
    assert len(upstream.asked("/referrers/")) == 1


# --- deleting

def test_a_cached_manifest_can_be_dropped(site, upstream):
    data, digest = upstream.add_image("app", "1")
    repository = site.at(upstream)
    assert_is(site.client.get(repository.manifest("1")), data, digest)
    for reference in ("1", digest):
        assert site.client.delete(repository.manifest(reference)).status == 202
        upstream.forget()
        assert_is(site.client.get(repository.manifest(reference)), data, digest)
        assert "GET" in methods(upstream) or reference == "1", "dropped from the cache: asked for again"
        assert_is(site.client.get(repository.manifest("1")), data, digest)
    assert site.client.delete(repository.manifest("never-seen")).status == 404


# --- pushing

def test_pushes_are_refused(site, upstream):
    repository, blob = site.at(upstream), content.noise()
    document = content.encode(content.image(content.descriptor(b"{}", content.CONFIG), []))
    for answer in (site.client.post(repository.uploads), site.client.post(f"{repository.uploads}?digest={content.digest(blob)}", blob),
                   site.client.post(f"{repository.uploads}?mount={content.ABSENT}&from=x/y"),
                   repository.put_manifest("1", document), repository.put_manifest(content.digest(document), document),
                   site.client.post("/v2/app/blobs/uploads/?ns=" + upstream.alias), site.client.post("/v2/proxy/new/blobs/uploads/")):
        assert answer.status in (404, 405) and answer.codes() in (["UNSUPPORTED"], ["NAME_INVALID"]), answer
        assert answer.status == 405 or answer.codes() == ["NAME_INVALID"], answer
    assert upstream.asked() == []
    answer = site.client.post(repository.uploads)
    assert (answer.status, answer.codes()) == (405, ["UNSUPPORTED"])
    assert answer["Allow"], answer

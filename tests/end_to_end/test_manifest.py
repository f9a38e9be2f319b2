"""Pushing, pulling and deleting manifests (spec: Pushing Manifests, Pulling manifests, Deleting tags, Deleting Manifests)."""
import json

import pytest

from harness import content
from harness.client import quote

pytestmark = pytest.mark.quick

EMPTY_INDEX = content.encode(content.index([]))


@pytest.fixture(params=["sha256", "sha512"])
def algorithm(request):
    return request.param


def unique_index():
    """An index that nobody has pushed before."""
    return content.encode(content.index([], annotations={"noise": content.noise(8).hex()}))


def assert_served(client, repository, reference, data, digest, media_type=content.IMAGE):
    for method in ("GET", "HEAD"):
        answer = client.request(method, repository.manifest(reference))
        assert answer.status == 200, answer
        assert answer["Docker-Content-Digest"] == digest
        assert answer["Content-Length"] == str(len(data))
        assert answer["Content-Type"] == media_type
        assert answer["ETag"] == f'"{digest}"'
        assert answer.body == (data if method == "GET" else b"")


@pytest.mark.httpd
def test_a_manifest_pushed_by_tag_is_there_by_tag_and_digest(client, repository):
    """end-7a, end-3: 201, Location is pullable, Docker-Content-Digest."""
    data, digest = repository.push_image()
    answer = repository.put_manifest("v1", data)
    assert answer.status == 201, answer
    assert answer["Docker-Content-Digest"] == digest
    assert answer["Location"] == repository.manifest(digest)
    assert client.get(answer["Location"]).body == data
    assert_served(client, repository, "v1", data, digest)
    assert_served(client, repository, digest, data, digest)


def test_a_manifest_pushed_by_digest_has_no_tag(client, repository, algorithm):
    """end-7a."""
    data, digest = repository.push_image(algorithm=algorithm)
    assert digest.startswith(algorithm)
    assert_served(client, repository, digest, data, digest)
    assert repository.tag_names() == []


def test_a_manifest_pushed_under_another_digest_is_400(client, repository):
    """code-4; Docker-Content-Digest MUST be equal to the client provided digest, so there is nothing to accept."""
    answer = repository.put_manifest(content.ABSENT, EMPTY_INDEX, content.INDEX)
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer
    assert client.get(repository.manifest(content.ABSENT)).status == 404
    assert client.get(repository.manifest(content.digest(EMPTY_INDEX))).status == 404


@pytest.mark.httpd
@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_manifest_pushed_by_digest_takes_tags_along(client, repository, algorithm, count):
    """end-7b: SHOULD support at least 10; OCI-Tag MUST name each accepted tag."""
    data = unique_index()
    digest = content.digest(data, algorithm)
    tags = [f"v{number}.{number}-x_Y" for number in range(count)]
    answer = repository.put_manifest(digest, data, content.INDEX, query="?" + "&".join(f"tag={tag}" for tag in tags))
    assert answer.status == 201, answer
    accepted = [tag.strip() for line in answer.all("OCI-Tag") for tag in line.split(",")]
    assert sorted(accepted) == sorted(tags)
    assert sorted(repository.tag_names()) == sorted(tags)
    for tag in (tags[0], tags[-1]):
        assert_served(client, repository, tag, data, digest, content.INDEX)


@pytest.mark.httpd
def test_a_hundred_of_the_longest_tags_fit_in_a_request_line(client, repository):
    """end-7b MAY be 414 when there are too many; a hundred are not."""
    data = unique_index()
    tags = [f"{number:03}".ljust(128, "x") for number in range(100)]
    answer = repository.put_manifest(content.digest(data), data, content.INDEX, query="?" + "&".join(f"tag={tag}" for tag in tags))
    assert answer.status == 201, answer
    assert repository.tag_names() == tags


def test_thousands_of_tags_are_refused_or_all_set(client, repository):
    """end-7b: 414 (or 400, 431 of the web server); never some of them without saying which."""
    data = unique_index()
    tags = [f"v{number}" for number in range(5000)]
    answer = repository.put_manifest(content.digest(data), data, content.INDEX, query="?" + "&".join(f"tag={tag}" for tag in tags))
    assert answer.status in (201, 400, 414, 431), answer
    accepted = [tag.strip() for line in answer.all("OCI-Tag") for tag in line.split(",")]
    assert sorted(accepted) == (sorted(tags) if answer.status == 201 else [])


def test_a_manifest_pushed_by_tag_and_tags_is_refused_or_gets_all(client, repository):
    """end-7b speaks of digests only; whatever the registry does, the answer says it."""
    answer = repository.put_manifest("main", unique_index(), content.INDEX, query="?tag=other")
    assert answer.status in (201, 400), answer
    accepted = [tag.strip() for line in answer.all("OCI-Tag") for tag in line.split(",")]
    if answer.status == 201:
        assert set(repository.tag_names()) == {"main", *accepted}


@pytest.mark.parametrize("tags", ["tag=ok&tag=.bad", "tag=", "tag=a%2Fb", "tag=" + "x" * 129, "tag=ok&tag=%2e%2e"])
def test_a_bad_tag_among_the_tags_refuses_the_whole_push(client, repository, tags):
    data = unique_index()
    answer = repository.put_manifest(content.digest(data), data, content.INDEX, query="?" + tags)
    assert answer.status == 400, answer
    answer.codes()
    assert client.get(repository.manifest("ok")).status == 404


@pytest.mark.parametrize("tag", ["a", "_", "1", "A.b-c_D", "v1.0.0-rc.1_build5", "x" * 128, "latest", "sha256-" + "a" * 64])
def test_every_tag_of_the_grammar_is_accepted(client, repository, tag):
    """Pulling manifests: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}."""
    data = unique_index()
    assert repository.put_manifest(tag, data, content.INDEX).status == 201
    assert client.get(repository.manifest(tag)).body == data


@pytest.mark.httpd
@pytest.mark.parametrize("tag", [".a", "-a", "x" * 129, "a%20b", "a%2Bb", "%C3%BC", "a:b", "a@b", "%2e%2e", "%00", "a%00",
                                 "a%0A"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_tag_outside_the_grammar_is_refused(client, repository, tag, method):
    """Pulling manifests: <tag-or-digest> MUST NOT be in any other format."""
    answer = client.request(method, repository.manifest(tag), {"Content-Type": content.INDEX},
                            EMPTY_INDEX if method == "PUT" else None)
    assert answer.status in (400, 404), answer


@pytest.mark.parametrize("reference", ["sha256:abc", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha512:" + "a" * 64])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_malformed_digest_is_refused(client, repository, reference, method):
    answer = client.request(method, repository.manifest(reference), {"Content-Type": content.INDEX},
                            EMPTY_INDEX if method == "PUT" else None)
    assert answer.status in (400, 404), answer
    assert answer.codes()[0] in ("DIGEST_INVALID", "MANIFEST_UNKNOWN", "MANIFEST_INVALID"), answer


def test_a_tag_moves(client, repository):
    """The last push wins; the older manifest stays under its digest."""
    first, first_digest = repository.push_image("latest")
    second, second_digest = repository.push_image("latest")
    assert_served(client, repository, "latest", second, second_digest)
    assert_served(client, repository, first_digest, first, first_digest)
    assert repository.tag_names() == ["latest"]


def test_a_manifest_may_be_pushed_again(client, repository):
    data, digest = repository.push_image("v1")
    assert repository.put_manifest("v1", data).status == 201
    assert repository.put_manifest(digest, data).status == 201
    assert_served(client, repository, "v1", data, digest)


def test_a_manifest_is_seen_only_by_its_own_repository(client, new_repository):
    first, second = new_repository(), new_repository()
    _, digest = first.push_image("v1")
    second.push_image("v2")
    for reference in (digest, "v1"):
        for method in ("GET", "HEAD", "DELETE"):
            assert client.request(method, second.manifest(reference)).status == 404


@pytest.mark.parametrize("data", [
    b' \n\t{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}\r\n\n ',
    b'{"manifests":[],"schemaVersion":2,"z":1.50,"a":1e2,"\\u0041":"\\u00fc\\/","big":123456789012345678901234567890}',
    '{"schemaVersion":2,"manifests":[],"annotations":{"ü":"😀"}}'.encode(),
])
def test_the_bytes_are_kept_exactly(client, repository, data):
    """Pushing Manifests: MUST store the manifest in the exact byte representation."""
    data += b" " * (1 + content.noise(1)[0])
    assert repository.put_manifest("exact", data, content.INDEX).status == 201
    assert_served(client, repository, "exact", data, content.digest(data), content.INDEX)


TYPES = ["application/vnd.example.thing.v7+json", "application/json", "application/x-odd", content.DOCKER_IMAGE, content.DOCKER_LIST,
         "application/vnd.oci.artifact.manifest.v1+json"]


@pytest.mark.parametrize("media_type", TYPES)
def test_any_media_type_is_kept(client, repository, media_type):
    """Pulling manifests: Content-Type SHOULD match what the client pushed."""
    data = content.encode({"schemaVersion": 2, "noise": content.noise(8).hex(), **({
        content.DOCKER_IMAGE: {"config": config_of(repository), "layers": []},
        content.DOCKER_LIST: {"manifests": []},
    }.get(media_type, {}))})
    assert repository.put_manifest("odd", data, media_type).status == 201
    assert_served(client, repository, "odd", data, content.digest(data), media_type)


def config_of(repository):
    config = content.encode({"noise": content.noise(8).hex()})
    repository.push_blob(config)
    return content.descriptor(config, content.CONFIG)


def test_the_same_bytes_have_the_type_that_each_repository_was_told(client, new_repository):
    """The type belongs to the push, not to the bytes, where the document does not tell it."""
    data = content.encode({"noise": content.noise(8).hex()})
    for media_type in ("application/vnd.example.one+json", "application/vnd.example.two+json"):
        repository = new_repository()
        assert repository.put_manifest("v1", data, media_type).status == 201
        assert_served(client, repository, "v1", data, content.digest(data), media_type)


def test_parameters_of_the_content_type_are_dropped(client, repository):
    """Pushing Manifests: The registry SHOULD ignore parameters; SHOULD NOT include them."""
    data = unique_index()
    assert repository.put_manifest("v1", data, content.INDEX + "; charset=utf-8").status == 201
    assert_served(client, repository, "v1", data, content.digest(data), content.INDEX)


def test_without_a_content_type_the_document_tells_it(client, repository):
    """Clients SHOULD set the header; those that do not have said it in mediaType."""
    data = unique_index()
    answer = client.put(repository.manifest("v1"), data)
    assert answer.status == 201, answer
    assert_served(client, repository, "v1", data, content.digest(data), content.INDEX)


@pytest.mark.parametrize("accept", ["", "application/json", content.DOCKER_IMAGE, "*/*", content.IMAGE + ", " + content.INDEX])
def test_a_manifest_is_never_converted(client, repository, accept):
    """DESIGN 5.6: whatever Accept says, the answer is what was pushed."""
    data, digest = repository.push_image("v1")
    answer = client.get(repository.manifest("v1"), {"Accept": accept})
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, data, content.IMAGE), answer


def test_an_index_of_images_for_several_machines(client, repository):
    """Image Index: children by digest, the index by tag."""
    children = [content.platform(machine, repository.push_image()[0]) for machine in ("amd64", "arm64", "riscv64")]
    data, digest = repository.push_manifest(content.index(children), "multi")
    assert_served(client, repository, "multi", data, digest, content.INDEX)
    for child in children:
        assert client.exists(repository.manifest(child["digest"])).status == 200


# Conditions (RFC 9110 13; the specification mentions them for the referrers tag)

@pytest.mark.httpd
def test_if_none_match_star_creates_but_does_not_overwrite(client, repository):
    """RFC 9110 13.1.2: PUT with * only when there is nothing."""
    first, second = unique_index(), unique_index()
    assert repository.put_manifest("v1", first, content.INDEX, {"If-None-Match": "*"}).status == 201
    answer = repository.put_manifest("v1", second, content.INDEX, {"If-None-Match": "*"})
    assert answer.status == 412, answer
    answer.codes()
    assert client.get(repository.manifest("v1")).body == first


@pytest.mark.httpd
def test_if_match_replaces_what_the_client_has_seen_only(client, repository):
    """RFC 9110 13.1.1: the lost update problem."""
    first, second, third = unique_index(), unique_index(), unique_index()
    assert repository.put_manifest("v1", first, content.INDEX).status == 201
    seen = client.exists(repository.manifest("v1"))["ETag"]
    assert repository.put_manifest("v1", second, content.INDEX, {"If-Match": seen}).status == 201
    assert repository.put_manifest("v1", third, content.INDEX, {"If-Match": seen}).status == 412
    assert client.get(repository.manifest("v1")).body == second


def test_if_match_on_an_absent_tag_is_412(client, repository):
    for value in ("*", f'"{content.ABSENT}"'):
        assert repository.put_manifest("v1", EMPTY_INDEX, content.INDEX, {"If-Match": value}).status == 412
    assert client.get(repository.manifest("v1")).status == 404


def test_if_none_match_with_the_present_digest_is_412(client, repository):
    """RFC 9110 13.1.2, for methods other than GET and HEAD."""
    data = unique_index()
    digest = content.digest(data)
    assert repository.put_manifest("v1", data, content.INDEX).status == 201
    assert repository.put_manifest("v1", unique_index(), content.INDEX, {"If-None-Match": f'"{digest}"'}).status == 412
    assert repository.put_manifest("v1", unique_index(), content.INDEX, {"If-None-Match": '"x"'}).status == 201


@pytest.mark.httpd
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_if_none_match_with_the_digest_is_304(client, repository, method, by):
    """RFC 9110 15.4.5."""
    _, digest = repository.push_image("v1")
    target = repository.manifest("v1" if by == "tag" else digest)
    answer = client.request(method, target, {"If-None-Match": f'"{digest}"'})
    assert answer.status == 304, answer
    assert (answer["ETag"], answer["Docker-Content-Digest"]) == (f'"{digest}"', digest)
    assert client.request(method, target, {"If-None-Match": '"x"'}).status == 200


def test_a_tag_is_not_cached_for_ever(client, repository):
    """A tag moves; only what is asked by digest is immutable."""
    repository.push_image("v1")
    control = client.get(repository.manifest("v1"))["Cache-Control"]
    assert control is None or ("immutable" not in control and "max-age=31536000" not in control), control


# Deleting

def test_deleting_a_tag_leaves_the_manifest_and_its_other_tags(client, repository):
    """end-9: 202; a GET of the tag will return 404."""
    data, digest = repository.push_image("one")
    assert repository.put_manifest("two", data).status == 201
    assert client.delete(repository.manifest("one")).status == 202
    answer = client.get(repository.manifest("one"))
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"])
    assert client.delete(repository.manifest("one")).status == 404
    assert_served(client, repository, "two", data, digest)
    assert_served(client, repository, digest, data, digest)
    assert repository.tag_names() == ["two"]


def test_a_tag_is_deleted_only_while_it_is_what_the_client_has_seen(client, repository):
    """RFC 9110 13.1.1: If-Match; what is absent is 404 whatever is expected of it (13.2.1)."""
    (_, first), (_, second) = (repository.push_manifest(content.index([], annotations={"number": number}), "v1") for number in "12")
    for value in (f'"{first}"', '"x"', f'"{content.ABSENT}"'):
        answer = client.delete(repository.manifest("v1"), {"If-Match": value})
        assert (answer.status, answer.codes()) == (412, ["MANIFEST_INVALID"]), answer
    assert client.get(repository.manifest("v1"))["Docker-Content-Digest"] == second
    assert client.delete(repository.manifest("v1"), {"If-Match": f'"{first}", "{second}"'}).status == 202
    for value in (f'"{second}"', "*"):
        assert client.delete(repository.manifest("v1"), {"If-Match": value}).status == 404
    answer = client.delete(repository.manifest(second), {"If-Match": f'"{first}"'})
    assert (answer.status, answer.codes()) == (412, ["MANIFEST_INVALID"]), answer
    assert client.delete(repository.manifest(content.ABSENT), {"If-Match": f'"{first}"'}).status == 404
    assert client.delete(repository.manifest(second), {"If-Match": f'"{second}"'}).status == 202
    assert client.delete(repository.manifest(first), {"If-Match": "*"}).status == 202


@pytest.mark.httpd
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_deleting_a_digest_deletes_its_tags_and_no_others(client, repository, algorithm):
    """end-9: 202. A tag whose manifest is gone would be a tag to nothing."""
    data, digest = repository.push_image("one", algorithm=algorithm) if algorithm == "sha256" else (unique_index(), None)
    if digest is None:
        digest = content.digest(data, algorithm)
        assert repository.put_manifest(digest, data, content.INDEX, query="?tag=one").status == 201
    other, other_digest = repository.push_image("other")
    assert client.delete(repository.manifest(digest)).status == 202
    for reference in ("one", digest):
        for method in ("GET", "HEAD", "DELETE"):
            assert client.request(method, repository.manifest(reference)).status == 404
    assert_served(client, repository, "other", other, other_digest)
    assert repository.tag_names() == ["other"]


def test_a_tag_that_has_moved_away_survives_its_old_digest(client, repository):
    _, old = repository.push_image("latest")
    data, new = repository.push_image("latest")
    assert client.delete(repository.manifest(old)).status == 202
    assert_served(client, repository, "latest", data, new)


def test_a_deleted_manifest_can_be_pushed_again(client, repository):
    data, digest = repository.push_image("v1")
    assert client.delete(repository.manifest(digest)).status == 202
    assert repository.put_manifest("v1", data).status == 201
    assert_served(client, repository, "v1", data, digest)


@pytest.mark.parametrize("reference", ["never", content.ABSENT, "sha512:" + "ab" * 64])
def test_deleting_an_unknown_manifest_is_404(client, repository, reference):
    """end-9."""
    repository.push_image("v1")
    answer = client.delete(repository.manifest(reference))
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer


def test_deleting_from_an_unknown_repository_is_404(client, repository):
    """Deleting Manifests: If the repository does not exist, the response MUST return 404."""
    assert client.delete(repository.manifest("v1")).status == 404
    assert client.delete(repository.manifest(content.ABSENT)).status == 404


def test_a_blob_is_no_manifest_and_a_manifest_no_blob_of_a_layer(client, repository):
    """A digest that was pushed as a blob is not served as a manifest."""
    digest = repository.push_blob(unique_index())
    assert client.get(repository.manifest(digest)).status == 404


@pytest.mark.httpd
def test_a_percent_encoded_reference_is_the_same(client, repository):
    """RFC 3986 2.3, 6.2.2: escapes of what needs none mean the same."""
    data, digest = repository.push_image("v1")
    assert client.get(repository.manifest(quote(digest))).body == data
    assert client.get(repository.manifest("%761")).body == data


def test_an_unknown_query_is_ignored(client, repository):
    data, _ = repository.push_image("v1")
    assert client.get(repository.manifest("v1") + "?colour=blue&x=%20&&y=").body == data
    assert json.loads(data)["schemaVersion"] == 2

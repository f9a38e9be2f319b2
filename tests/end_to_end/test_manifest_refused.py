"""Manifests that are not taken: too large, not JSON, contradictory, with content that is not there."""
import json

import pytest

from harness import content
from harness.client import receive

pytestmark = pytest.mark.quick

LIMIT = 4 * content.MIB
HOSTED = "[hosted]\naccept_sparse = {}\n"


def padded(size):
    """An index of exactly `size` bytes."""
    head = b'{"schemaVersion":2,"mediaType":"%s","manifests":[],"annotations":{"x":"' % content.INDEX.encode()
    return head + b"x" * (size - len(head) - 3) + b'"}}'


def assert_invalid(client, repository, answer, reference="bad"):
    assert answer.status == 400, answer
    assert answer.codes() == ["MANIFEST_INVALID"], answer
    assert client.get(repository.manifest(reference)).status == 404


def test_four_megabytes_are_accepted(client, repository):
    """Pushing Manifests: SHOULD expect to support at least 4 megabytes."""
    data = padded(LIMIT)
    assert repository.put_manifest("large", data, content.INDEX).status == 201
    assert client.get(repository.manifest("large")).body == data


@pytest.mark.parametrize("old, new", [(b'"layers"', b'"Layers"'), (b'"mediaType"', b'"mediatype"'), (b'"size"', b'"SIZE"'),
                                      (b'"layers"', b'"layer\\u017f"')])
def test_names_that_differ_from_ours_in_case_only_are_refused(client, repository, old, new):
    """Readers in Go take them for ours, and would pull other layers than we looked at."""
    data, _ = repository.push_image("good")
    assert old in data
    assert_invalid(client, repository, repository.put_manifest("bad", data.replace(old, new), content.IMAGE))


@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 3])
def test_more_is_413(client, repository, size, chunked):
    """Pushing Manifests: SHOULD be 413 Payload Too Large."""
    data = padded(size)
    headers = {"Content-Type": content.INDEX}
    if chunked:
        answer = client.request("PUT", repository.manifest("bad"), headers,
                                chunks=[data[at:at + 65536] for at in range(0, len(data), 65536)])
    else:
        answer = client.put(repository.manifest("bad"), data, headers)
    assert answer.status == 413, answer
    answer.codes()
    assert client.get(repository.manifest("bad")).status == 404


def test_more_is_413_before_any_of_it_has_come(start):
    """What strangers announce is not written to a disk first, to be refused then: nginx asks before it takes a body."""
    client = start("nginx").client
    head = client.head("PUT", client.repository("me/app").manifest("bad"), {"Content-Type": content.INDEX, "Content-Length": str(LIMIT + 1)},
                       None, None)
    with client.connect() as connection:
        connection.sendall(head)
        answer = receive(connection, "PUT")
    assert (answer.status, answer.codes()) == (413, ["MANIFEST_INVALID"]), answer


def test_a_small_manifest_may_come_chunked(client, repository):
    data = padded(500)
    assert client.request("PUT", repository.manifest("v1"), {"Content-Type": content.INDEX},
                          chunks=[data[:10], data[10:]]).status == 201
    assert client.get(repository.manifest("v1")).body == data


@pytest.mark.parametrize("data", [
    b"", b" ", b"{", b"}", b"[]", b"null", b"1", b'"text"', b"not json", b'{"a":1,}', b"{'a':1}", b'{"a":1} x', b'{"a":1}{}',
    b'{"a":01}', b'{"a":NaN}', b'{"a":"\xff"}', b'{"a":"\n"}', b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b'{"a":"\\ud800"}',
    '{"a":1}'.encode("utf-16"), b'{"a":1}\0', b'{"a":1}\0{"b":2}', b'{"a\0b":1}', b"<html></html>",
])
def test_what_is_not_one_json_object_is_invalid(client, repository, data):
    """code-6. A manifest is a JSON document (Definitions)."""
    for media_type in (content.INDEX, "application/vnd.example.other+json"):
        assert_invalid(client, repository, repository.put_manifest("bad", data, media_type))


@pytest.mark.parametrize("depth", [2000, 100000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_json_that_is_too_deep_is_invalid(client, repository, depth, pair):
    """A bomb: a few bytes per level, a stack frame each."""
    inner = pair[0] * depth + b"1" + pair[1] * depth
    data = b'{"schemaVersion":2,"manifests":[],"x":' + inner + b"}"
    assert_invalid(client, repository, repository.put_manifest("bad", data, content.INDEX))


def test_json_that_is_never_closed_is_invalid(client, repository):
    assert_invalid(client, repository, repository.put_manifest("bad", b"[" * (LIMIT - 1), content.INDEX))


def test_a_huge_array_of_small_things_is_no_bomb(server, client, repository):
    """Two million numbers fit in 4 MiB; the worker answers, and gives the memory back or is no larger than a few of them."""
    data = b'{"schemaVersion":2,"manifests":[],"x":[' + b"0," * 2000000 + b"0]}"
    answer = repository.put_manifest("bomb", data, content.INDEX)
    assert answer.status in (201, 400, 413), answer


@pytest.mark.parametrize("inside, header", [(content.IMAGE, content.INDEX), (content.INDEX, content.IMAGE),
                                            (content.INDEX, content.DOCKER_LIST), (content.INDEX, "application/json")])
def test_a_media_type_that_contradicts_the_content_type_is_invalid(client, repository, inside, header):
    """Pushing Manifests: clients MUST set the Content-Type to the value of mediaType."""
    config = content.descriptor(b"{}", content.EMPTY)
    repository.push_blob(b"{}")
    data = {"schemaVersion": 2, "mediaType": inside, "config": config, "layers": [], "manifests": []}
    assert_invalid(client, repository, repository.put_manifest("bad", data, header))


def broken(**change):
    config = content.descriptor(b"{}", content.EMPTY)
    return {**content.image(config, [{**content.descriptor(b"{}"), **change}])}


@pytest.mark.parametrize("document", [
    {**content.image(None, []), "config": None},
    {**content.image("x", [])},
    {**content.image({}, [])},
    {**content.image([], [])},
    {**content.image(content.descriptor(b"{}"), {})},
    {**content.image(content.descriptor(b"{}"), "x")},
    {**content.image(content.descriptor(b"{}"), [1, 2])},
    {**content.image(content.descriptor(b"{}"), [None])},
    content.index({}),
    content.index("x"),
    content.index([5]),
    content.index([{}]),
    content.index([{"digest": 5, "size": 5, "mediaType": content.IMAGE}]),
    broken(digest="sha256:abc"), broken(digest="latest"), broken(digest="../../../../etc/passwd"), broken(digest=None),
    broken(digest="sha256:" + "A" * 64), broken(digest="sha256:" + "a" * 63 + "/"), broken(digest=["x"]),
    broken(size=-1), broken(size=1.5), broken(size="2"), broken(size=2 ** 63), broken(size=1e300), broken(size=None),
    content.index([], subject="x"), content.index([], subject={"digest": "x"}), content.index([], subject=[]),
    content.index([], mediaType=5),
    content.index([], annotations="x"),
    content.index([], artifactType=5),
], ids=lambda document: json.dumps(document)[:90])
def test_a_document_of_the_wrong_shape_is_invalid(client, repository, document):
    """code-6: descriptors and fields as the image specification has them."""
    repository.push_blob(b"{}")
    media_type = document["mediaType"] if isinstance(document["mediaType"], str) else content.INDEX
    assert_invalid(client, repository, repository.put_manifest("bad", document, media_type))


@pytest.mark.parametrize("media_type", [content.SCHEMA_1, content.SCHEMA_1_SIGNED])
def test_schema_1_is_refused_in_words(client, repository, media_type):
    """Docker's deprecated format: the message tells the user what is wrong with the client."""
    data = {"schemaVersion": 1, "name": repository.name, "tag": "bad", "architecture": "amd64", "fsLayers": [], "history": [],
            "signatures": []}
    answer = repository.put_manifest("bad", data, media_type)
    assert answer.status in (400, 415) and answer.codes()[0] in ("MANIFEST_INVALID", "UNSUPPORTED"), answer
    assert "schema" in answer.json()["errors"][0]["message"].lower(), answer
    assert "1" in answer.json()["errors"][0]["message"], answer
    assert client.get(repository.manifest("bad")).status == 404


def test_schema_1_hidden_behind_another_content_type_is_refused_too(client, repository):
    data = {"schemaVersion": 1, "name": repository.name, "tag": "bad", "architecture": "amd64", "fsLayers": [], "history": []}
    assert repository.put_manifest("bad", data, "application/json").status in (400, 415)


def details(answer):
    return json.dumps([error.get("detail") for error in answer.json()["errors"]])


def assert_unknown(answer, digests):
    assert answer.status in (400, 404), answer
    assert answer.codes() == ["MANIFEST_BLOB_UNKNOWN"] * len(digests), answer
    for digest in digests:
        assert details(answer).count(digest) == 1, answer


def test_missing_content_is_listed_digest_by_digest(client, repository):
    """Push: a manifest is rejected for this reason with one or more MANIFEST_BLOB_UNKNOWN errors."""
    here = content.noise()
    repository.push_blob(here)
    missing = [content.noise() for _ in range(3)]
    document = content.image(content.descriptor(missing[0], content.CONFIG),
                             [content.descriptor(each) for each in (missing[1], here, missing[2])])
    assert_unknown(repository.put_manifest("bad", document), [content.digest(each) for each in missing])
    assert client.get(repository.manifest("bad")).status == 404


def test_what_is_missing_is_listed_once_and_up_to_a_hundred(client, repository):
    config = b"{}"
    repository.push_blob(config)
    layers = [content.descriptor(b"missing %d" % number) for number in range(150)]
    once = repository.put_manifest("bad", content.image(content.descriptor(config, content.CONFIG), layers[:1] * 150))
    assert_unknown(once, [layers[0]["digest"]])
    many = repository.put_manifest("bad", content.image(content.descriptor(config, content.CONFIG), layers))
    assert_unknown(many, [layer["digest"] for layer in layers[:100]])
    assert client.get(repository.manifest("bad")).status == 404


def test_a_manifest_names_no_more_than_4000_others(client, repository):
    children = [content.descriptor(b"child %d" % number, content.IMAGE) for number in range(4001)]
    assert repository.put_manifest("full", content.index(children[:4000])).status == 201
    for many in (children, children[:1] * 4001):
        answer = repository.put_manifest("bad", content.index(many))
        assert (answer.status, answer.codes()) == (413, ["MANIFEST_INVALID"]), answer
        assert "4001" in str(answer.body) and "4000" in str(answer.body), answer
    assert client.get(repository.manifest("bad")).status == 404


def test_content_of_another_repository_is_missing_content(client, new_repository):
    """Invariant: a repository sees a blob only through its own link."""
    first, second = new_repository(), new_repository()
    layer = content.noise()
    first.push_blob(layer)
    second.push_blob(b"{}")
    answer = second.put_manifest("bad", content.image(content.descriptor(b"{}", content.EMPTY), [content.descriptor(layer)]))
    assert_unknown(answer, [content.digest(layer)])


def test_a_missing_sha512_layer_is_missing_too(client, repository):
    repository.push_blob(b"{}")
    layer = content.noise()
    repository.push_blob(layer)  # as sha256: that is another name
    answer = repository.put_manifest("bad", content.image(content.descriptor(b"{}", content.EMPTY),
                                                          [content.descriptor(layer, algorithm="sha512")]))
    assert_unknown(answer, [content.digest(layer, "sha512")])


def test_many_missing_layers_are_all_listed(client, repository):
    layers = [content.noise() for _ in range(100)]
    repository.push_blob(b"{}")
    answer = repository.put_manifest("bad", content.image(content.descriptor(b"{}", content.EMPTY),
                                                          [content.descriptor(layer) for layer in layers]))
    assert_unknown(answer, [content.digest(layer) for layer in layers])


@pytest.mark.parametrize("media_type", [
    content.DOCKER_FOREIGN_LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"])
def test_a_layer_that_lives_elsewhere_need_not_be_here(client, repository, media_type):
    """image-spec, layer.md, Non-Distributable Layers: with `urls`."""
    repository.push_blob(b"{}")
    layer = content.descriptor(content.noise(), media_type, urls=["https://example.org/layer"])
    answer = repository.put_manifest("v1", content.image(content.descriptor(b"{}", content.EMPTY), [layer]))
    assert answer.status == 201, answer


def test_an_index_may_lack_children_by_default(client, repository):
    """accept_sparse = index: an index of which only some platforms were copied."""
    child = repository.push_image()[0]
    document = content.index([content.platform("amd64", child), content.platform("arm64", content.noise())])
    assert repository.put_manifest("sparse", document).status == 201
    assert client.get(repository.manifest("sparse")).json() == document


@pytest.mark.parametrize("accept, statuses", [("no", (400, 400)), ("index", (201, 400)), ("all", (201, 201))])
def test_accept_sparse_decides_about_children_and_layers(start, accept, statuses):
    """A registry MAY reject a manifest whose descriptors reference what does not exist."""
    server = start(settings=HOSTED.format(accept))
    repository = server.client.repository("me/app")
    repository.push_blob(b"{}")
    index = repository.put_manifest("index", content.index([content.platform("arm64", b"absent child")]))
    image = repository.put_manifest("image", content.image(content.descriptor(b"{}", content.EMPTY),
                                                           [content.descriptor(b"absent layer")]))
    assert tuple(400 if answer.status == 404 else answer.status for answer in (index, image)) == statuses
    for answer, missing in ((index, b"absent child"), (image, b"absent layer")):
        if answer.status != 201:
            assert_unknown(answer, [content.digest(missing)])


def test_a_subject_need_not_be_here_whatever_accept_sparse_says(start):
    """Push: MUST initially accept an otherwise valid manifest with a subject that does not exist."""
    server = start(settings=HOSTED.format("no"))
    repository = server.client.repository("me/app")
    subject = content.descriptor(b"absent subject", content.IMAGE)
    assert repository.put_manifest("v1", content.index([], subject=subject)).status == 201


def test_the_limit_of_a_manifest_is_configured(start):
    server = start(settings="[hosted]\nmaximum_manifest_size = 2K\n")
    repository = server.client.repository("me/app")
    assert repository.put_manifest("small", padded(2048), content.INDEX).status == 201
    assert repository.put_manifest("large", padded(2049), content.INDEX).status == 413

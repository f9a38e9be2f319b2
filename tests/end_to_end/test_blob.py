"""Pulling, checking and deleting blobs (spec: Pulling blobs, Checking if content exists, Deleting Blobs; RFC 9110 13, 14)."""
import re

import pytest

from harness import content

pytestmark = [pytest.mark.quick, pytest.mark.httpd]

DATA = bytes(range(256)) * 40  # 10240 bytes in which every offset is told apart by its neighbours
SIZE = len(DATA)


@pytest.fixture(params=["sha256", "sha512"])
def algorithm(request):
    return request.param


@pytest.fixture
def blob(repository):
    """The target of a blob of DATA."""
    return repository.blob(repository.push_blob(DATA))


def test_a_blob_is_given_back_as_it_was(client, repository, algorithm):
    """end-2: 200, the bytes, Docker-Content-Digest that matches them."""
    digest = repository.push_blob(DATA, algorithm)
    answer = client.get(repository.blob(digest))
    assert (answer.status, answer.body) == (200, DATA), answer
    assert answer["Docker-Content-Digest"] == digest
    assert answer["Content-Length"] == str(SIZE)
    assert answer["Content-Type"] == "application/octet-stream"


def test_head_tells_size_and_digest(client, repository, algorithm):
    """Checking if content exists: 200, Content-Length and Docker-Content-Digest MUST be there, no body."""
    digest = repository.push_blob(DATA, algorithm)
    answer = client.exists(repository.blob(digest))
    assert (answer.status, answer["Content-Length"], answer["Docker-Content-Digest"]) == (200, str(SIZE), digest), answer


def test_an_empty_blob_is_a_blob(client, repository, algorithm):
    """A zero-byte blob has a digest like any other."""
    digest = repository.push_blob(b"", algorithm)
    answer = client.get(repository.blob(digest))
    assert (answer.status, answer.body, answer["Content-Length"]) == (200, b"", "0"), answer
    assert client.exists(repository.blob(digest))["Content-Length"] == "0"


def test_a_blob_of_some_megabytes_comes_back_whole(client, repository):
    """Larger than every buffer on the way."""
    data = content.noise(5 * content.MIB + 17)
    assert client.get(repository.blob(repository.push_blob(data))).body == data


def test_a_blob_is_seen_only_by_its_own_repository(client, new_repository):
    """Pulling blobs: <name> is the namespace of the repository; a digest that leaked is not a right to read."""
    first, second = new_repository(), new_repository()
    digest = first.push_blob(content.noise())
    second.push_blob(content.noise())
    for method in ("GET", "HEAD", "DELETE"):
        assert client.request(method, second.blob(digest)).status == 404


@pytest.mark.parametrize("digest", ["sha256:abc", "sha256:" + "A" * 64, "sha256:" + "g" * 64, "md5:" + "a" * 32, "sha256",
                                    "sha256:", ":abc", "latest", "sha256-" + "a" * 64, "sha512:" + "a" * 64,
                                    "sha256:" + "a" * 65])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_malformed_digest_is_refused(client, repository, method, digest):
    """Pulling blobs; code-4: never a 200, never a fault of the server."""
    repository.push_blob(b"something")
    answer = client.request(method, repository.blob(digest))
    assert answer.status in (400, 404), answer
    if method != "HEAD":
        assert answer.codes()[0] in ("DIGEST_INVALID", "BLOB_UNKNOWN"), answer


RANGES = [
    ("bytes=0-0", 0, 0),
    ("bytes=0-99", 0, 99),
    ("bytes=100-199", 100, 199),
    (f"bytes={SIZE - 1}-{SIZE - 1}", SIZE - 1, SIZE - 1),
    ("bytes=5000-", 5000, SIZE - 1),
    ("bytes=0-", 0, SIZE - 1),
    ("bytes=-1", SIZE - 1, SIZE - 1),
    ("bytes=-300", SIZE - 300, SIZE - 1),
    (f"bytes=-{SIZE + 5}", 0, SIZE - 1),
    (f"bytes=10-{SIZE * 10}", 10, SIZE - 1),
    ("bytes=10-99999999999999999", 10, SIZE - 1),
]


@pytest.mark.parametrize("value, first, last", RANGES)
def test_a_range_is_206_with_exactly_those_bytes(client, blob, value, first, last):
    """Pulling blobs: Range SHOULD be supported (RFC 9110 14.2, 15.3.7)."""
    answer = client.get(blob, {"Range": value})
    assert answer.status == 206, answer
    assert answer["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.body == DATA[first:last + 1]
    assert answer["Docker-Content-Digest"] == content.digest(DATA)


@pytest.mark.parametrize("value", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_416_and_tells_the_size(client, blob, value):
    """RFC 9110 15.5.17: Content-Range: bytes */N."""
    answer = client.get(blob, {"Range": value})
    assert (answer.status, answer["Content-Range"]) == (416, f"bytes */{SIZE}"), answer


def test_several_ranges_are_multipart_or_the_whole(client, blob):
    """RFC 9110 14.2, 15.3.7.2."""
    answer = client.get(blob, {"Range": "bytes=0-9,20-29,-5"})
    if answer.status == 200:
        assert answer.body == DATA
        return
    assert answer.status == 206, answer
    boundary = re.fullmatch(r'multipart/byteranges; *boundary="?([^"]+)"?', answer["Content-Type"]).group(1)
    covered = set()
    for part in answer.body.split(b"--" + boundary.encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        first, last, size = map(int, re.search(rb"content-range: bytes (\d+)-(\d+)/(\d+)", head, re.I).groups())
        assert (size, data[:-2]) == (SIZE, DATA[first:last + 1])
        covered |= set(range(first, last + 1))
    assert covered >= {*range(10), *range(20, 30), *range(SIZE - 5, SIZE)}  # near ones may be sent as one


@pytest.mark.parametrize("value", ["lines=0-5", "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "0-5", "bytes=--5"])
def test_a_range_that_makes_no_sense_is_ignored_or_refused(client, blob, value):
    """RFC 9110 14.2: an unknown unit or an invalid range is ignored (or 416/400), never half an answer."""
    answer = client.get(blob, {"Range": value})
    assert answer.status in (200, 400, 416), answer
    if answer.status == 200:
        assert answer.body == DATA


def test_many_ranges_do_not_make_the_answer_grow(client, blob):
    """A client cannot have a blob sent a thousand times (CVE-2011-3192)."""
    answer = client.get(blob, {"Range": "bytes=" + ",".join(["0-"] * 300)})
    assert answer.status in (200, 206, 400, 416), answer
    assert len(answer.body) < 3 * SIZE


def test_head_ignores_a_range(client, blob):
    """RFC 9110 14.2: Range is defined for GET only."""
    answer = client.exists(blob, {"Range": "bytes=0-9"})
    assert (answer.status, answer["Content-Length"]) == (200, str(SIZE)), answer


def test_a_blob_announces_that_ranges_work(client, blob):
    """RFC 9110 14.3."""
    assert client.get(blob)["Accept-Ranges"] == "bytes"
    assert client.exists(blob)["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_etag_is_the_digest_and_strong(client, blob, method):
    """RFC 9110 8.8.3."""
    assert client.request(method, blob)["ETag"] == f'"{content.digest(DATA)}"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"other", "{}"', "*"])
def test_if_none_match_with_the_digest_is_304(client, blob, method, form):
    """RFC 9110 13.1.2, 15.4.5: no body, and the headers that a 200 would have had."""
    digest = content.digest(DATA)
    answer = client.request(method, blob, {"If-None-Match": form.format(digest)})
    assert answer.status == 304, answer
    assert (answer["ETag"], answer["Docker-Content-Digest"]) == (f'"{digest}"', digest)


@pytest.mark.parametrize("value", ['"other"', f'"{content.ABSENT}"', f'W/"{content.ABSENT}"'])
def test_if_none_match_with_something_else_is_200(client, blob, value):
    """RFC 9110 13.1.2."""
    answer = client.get(blob, {"If-None-Match": value})
    assert (answer.status, answer.body) == (200, DATA), answer


def test_if_none_match_does_not_make_an_absent_blob_304(client, repository, blob):
    """RFC 9110 13.2.1: preconditions come after what would have been an error anyway."""
    assert client.get(repository.blob(content.ABSENT), {"If-None-Match": "*"}).status == 404


def test_if_range_with_the_same_etag_is_a_part(client, blob):
    """RFC 9110 13.1.5."""
    answer = client.get(blob, {"Range": "bytes=10-19", "If-Range": f'"{content.digest(DATA)}"'})
    assert (answer.status, answer.body, answer["Content-Range"]) == (206, DATA[10:20], f"bytes 10-19/{SIZE}"), answer


@pytest.mark.parametrize("value", [f'"{content.ABSENT}"', 'W/"{}"'.format(content.digest(DATA)),
                                   "Wed, 21 Oct 2015 07:28:00 GMT", content.digest(DATA), content.digest(DATA)[:-1], "sha256",
                                   "octet-stream", '"', f'"{content.digest(DATA)}" '.rstrip()[:-1], f'"{content.digest(DATA)}", "x"'])
def test_if_range_with_another_validator_is_the_whole(client, blob, value):
    """RFC 9110 13.1.5: strong comparison, else as if Range was not there."""
    answer = client.get(blob, {"Range": "bytes=10-19", "If-Range": value})
    assert (answer.status, answer.body) == (200, DATA), answer


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}])
def test_a_blob_may_be_cached_for_ever(client, blob, headers):
    """Content under a digest never changes (RFC 8246)."""
    control = client.get(blob, headers)["Cache-Control"]
    assert "immutable" in control and int(re.search(r"max-age=(\d+)", control).group(1)) >= 86400 * 30, control


def test_an_absent_blob_is_not_cached_for_ever(client, repository, blob):
    control = client.get(repository.blob(content.ABSENT))["Cache-Control"]
    assert control is None or "immutable" not in control


def test_a_blob_is_not_compressed_on_the_way(client, blob):
    """Digest and ranges count stored bytes."""
    answer = client.get(blob, {"Accept-Encoding": "gzip, deflate, br"})
    assert (answer["Content-Encoding"], answer.body) == (None, DATA)


def test_a_deleted_blob_is_gone_from_its_repository_only(client, new_repository, algorithm):
    """end-10: 202, then 404."""
    first, second = new_repository(), new_repository()
    data = content.noise()
    digest = first.push_blob(data, algorithm)
    assert second.push_blob(data, algorithm) == digest
    assert client.delete(first.blob(digest)).status == 202
    for method in ("GET", "HEAD", "DELETE"):
        assert client.request(method, first.blob(digest)).status == 404, method
    assert client.get(second.blob(digest)).body == data


def test_a_blob_is_deleted_only_if_it_is_the_one_that_is_expected(client, repository):
    digest = repository.push_blob(content.noise())
    answer = client.delete(repository.blob(digest), {"If-Match": f'"{content.ABSENT}"'})
    assert (answer.status, answer.codes()) == (412, ["MANIFEST_INVALID"]), answer
    assert client.delete(repository.blob(content.ABSENT), {"If-Match": f'"{digest}"'}).status == 404
    assert client.delete(repository.blob(digest), {"If-Match": f'"{digest}"'}).status == 202
    assert client.exists(repository.blob(digest)).status == 404


def test_deleting_an_unknown_blob_is_404(client, repository):
    """end-10: If the blob is not found, a 404 MUST be returned."""
    repository.push_blob(b"there")
    answer = client.delete(repository.blob(content.ABSENT))
    assert (answer.status, answer.codes()) == (404, ["BLOB_UNKNOWN"]), answer


def test_a_deleted_blob_can_be_pushed_again(client, repository):
    data = content.noise()
    digest = repository.push_blob(data)
    assert client.delete(repository.blob(digest)).status == 202
    repository.push_blob(data)
    assert client.get(repository.blob(digest)).body == data

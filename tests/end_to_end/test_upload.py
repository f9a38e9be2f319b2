"""Pushing blobs (spec: Pushing a blob monolithically, in chunks, Cancel, Mounting)."""
import re

import pytest

from harness import content
from harness.client import quote, receive
from harness.registry import closing

pytestmark = [pytest.mark.quick, pytest.mark.httpd]

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def status_range(client, location):
    """The Range of a session, by GET of its location (end-13)."""
    answer = client.get(location)
    assert answer.status == 204, answer
    assert answer["Location"], answer
    return answer["Range"]


def assert_created(client, repository, answer, data, algorithm="sha256"):
    digest = content.digest(data, algorithm)
    assert answer.status == 201, answer
    assert answer["Location"] == repository.blob(digest)
    assert answer["Docker-Content-Digest"] == digest
    found = client.get(answer["Location"])
    assert (found.status, found.body) == (200, data)


def in_chunks(data, size):
    return [(start, data[start:start + size]) for start in range(0, len(data), size)]


def test_a_session_is_opened_with_202_and_a_relative_location(client, repository):
    """end-4a: 202, Location with a UUID. Relative, so that no proxy in front can break it."""
    answer = client.post(repository.uploads)
    assert answer.status == 202, answer
    assert re.match(f"^/v2/{repository.name}/blobs/uploads/{UUID}", answer["Location"]), answer
    assert answer["Docker-Upload-UUID"] in answer["Location"]
    assert answer["Range"] == "0-0"
    assert answer.body == b""


def test_two_sessions_are_different(repository):
    assert repository.open_upload() != repository.open_upload()


def test_the_uploads_endpoint_needs_no_trailing_slash_from_docker(client, repository):
    """Older clients leave it out; distribution's router answers both."""
    assert client.post(repository.uploads.rstrip("/")).status in (202, 301, 307, 308)


@pytest.mark.parametrize("size", [0, 1, 70000, 3 * content.MIB])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_post_then_put_pushes_a_blob(client, repository, size, algorithm):
    """POST then PUT: 201, Location is pullable."""
    data = content.noise(size)
    query = "" if algorithm == "sha256" else "?digest-algorithm=sha512"
    answer = repository.finish(repository.open_upload(query), content.digest(data, algorithm), data)
    assert_created(client, repository, answer, data, algorithm)


def test_sha512_needs_no_announcement(client, repository):
    """end-4c is a SHOULD for clients: those that leave it out are served too."""
    data = content.noise(1000)
    location = repository.open_upload()
    location = client.patch(location, data)["Location"]
    assert_created(client, repository, repository.finish(location, content.digest(data, "sha512")), data, "sha512")


def test_an_announced_sha512_may_end_as_sha256(client, repository):
    """The digest of the PUT is what counts."""
    data = content.noise(1000)
    location = client.patch(repository.open_upload("?digest-algorithm=sha512"), data)["Location"]
    assert_created(client, repository, repository.finish(location, content.digest(data)), data)


@pytest.mark.parametrize("algorithm", ["md5", "sha999", "", "../x"])
def test_an_unknown_digest_algorithm_is_400(client, repository, algorithm):
    """Pushing blobs: an unsupported algorithm SHOULD be 400."""
    answer = client.post(f"{repository.uploads}?digest-algorithm={quote(algorithm)}")
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 300000])
def test_a_single_post_pushes_a_blob(client, repository, algorithm, size):
    """end-4b: 201 with Location."""
    data = content.noise(size)
    answer = client.post(f"{repository.uploads}?digest={content.digest(data, algorithm)}", data)
    assert_created(client, repository, answer, data, algorithm)


def test_a_single_post_with_another_digest_is_400(client, repository):
    """code-4: DIGEST_INVALID, and nothing is kept."""
    answer = client.post(f"{repository.uploads}?digest={content.ABSENT}", b"something else")
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer
    assert client.get(repository.blob(content.ABSENT)).status == 404
    assert client.get(repository.blob(content.digest(b"something else"))).status == 404


def test_a_single_post_may_be_chunked(client, repository):
    """A client that does not know the length."""
    data = content.noise(100000)
    target = f"{repository.uploads}?digest={content.digest(data)}"
    answer = client.request("POST", target, chunks=[data[:3], data[3:65540], data[65540:]])
    assert_created(client, repository, answer, data)


@pytest.mark.parametrize("size", [1, 5000, 2 * content.MIB])
def test_a_streamed_patch_then_an_empty_put(client, repository, size):
    """How docker pushes: one PATCH with chunked coding, no Content-Range, then PUT without a body."""
    data = content.noise(size)
    half = size // 2
    answer = client.request("PATCH", repository.open_upload(), chunks=[part for part in (data[:half], data[half:]) if part])
    assert answer.status == 202, answer
    assert answer["Range"] == f"0-{size - 1}"
    assert re.search(UUID, answer["Location"]).group(0) == answer["Docker-Upload-UUID"]
    assert_created(client, repository, repository.finish(answer["Location"], content.digest(data)), data)


def test_a_streamed_put_of_a_whole_blob(client, repository):
    """PUT with chunked coding and no PATCH before."""
    data = content.noise(200000)
    answer = client.request("PUT", closing(repository.open_upload(), content.digest(data)), chunks=[data])
    assert_created(client, repository, answer, data)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("last", ["patched", "put", "put with its range"])
def test_a_blob_in_chunks(client, repository, algorithm, last):
    """end-5, end-6: 202 with Range after each; the final chunk by PATCH or with the closing PUT."""
    data = content.noise(10000)
    location = repository.open_upload("" if algorithm == "sha256" else "?digest-algorithm=sha512")
    chunks = in_chunks(data, 3000)
    closing_chunk, headers = b"", {}
    if last != "patched":
        start, closing_chunk = chunks.pop()
        headers = {"Content-Range": f"{start}-{len(data) - 1}"} if last == "put with its range" else {}
    for start, chunk in chunks:
        answer = client.patch(location, chunk, {"Content-Range": f"{start}-{start + len(chunk) - 1}"})
        assert (answer.status, answer["Range"]) == (202, f"0-{start + len(chunk) - 1}"), answer
        location = answer["Location"]
        assert status_range(client, location) == answer["Range"]
    answer = repository.finish(location, content.digest(data, algorithm), closing_chunk, headers)
    assert_created(client, repository, answer, data, algorithm)


def test_unnamed_chunks_are_appended(client, repository):
    """PATCH without Content-Range goes on where the session stands (Docker's stream upload)."""
    location = repository.open_upload()
    for part in (b"one ", b"two ", b"three"):
        location = client.patch(location, part)["Location"]
    answer = repository.finish(location, content.digest(b"one two three"))
    assert_created(client, repository, answer, b"one two three")


@pytest.mark.parametrize("size", [1, 1000])
def test_the_status_of_a_session_tells_how_far_it_is(client, repository, size):
    """end-13: 204, Location, Range: 0-<end>."""
    location = repository.open_upload()
    assert status_range(client, location) == "0-0"
    location = client.patch(location, content.noise(size))["Location"]
    assert status_range(client, location) == f"0-{size - 1}"
    assert client.get(location)["Docker-Upload-UUID"] in location


def test_an_empty_patch_changes_nothing(client, repository):
    location = client.patch(repository.open_upload(), b"abc")["Location"]
    answer = client.patch(location, b"")
    assert (answer.status, answer["Range"]) == (202, "0-2"), answer


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("start", [0, 99, 101, 200, 10 ** 18])
def test_a_chunk_out_of_order_is_416_and_changes_nothing(client, repository, method, start):
    """Pushing a blob in chunks: out of order MUST be 416; no byte enters before its offset is checked."""
    first, rest = content.noise(100), content.noise(50)
    location = client.patch(repository.open_upload(), first, {"Content-Range": "0-99"})["Location"]
    target = closing(location, content.digest(first + rest)) if method == "PUT" else location
    answer = client.request(method, target, {"Content-Range": f"{start}-{start + 49}"}, rest)
    assert answer.status == 416, answer
    assert answer.codes() == ["BLOB_UPLOAD_INVALID"], answer
    assert status_range(client, location) == "0-99"
    answer = repository.finish(location, content.digest(first + rest), rest, {"Content-Range": "100-149"})
    assert_created(client, repository, answer, first + rest)


def test_a_416_tells_where_to_go_on(client, repository):
    """To get the current status after a 416: the answer may as well say it at once."""
    location = client.patch(repository.open_upload(), content.noise(100))["Location"]
    answer = client.patch(location, content.noise(10), {"Content-Range": "200-209"})
    assert (answer.status, answer["Range"]) == (416, "0-99"), answer
    assert re.search(UUID, answer["Location"]), answer


def test_the_first_chunk_begins_with_0(client, repository):
    """Pushing a blob in chunks: The first chunk's range MUST begin with 0."""
    assert client.patch(repository.open_upload(), b"abc", {"Content-Range": "1-3"}).status == 416


@pytest.mark.parametrize("value", ["abc", "0", "-", "0-", "-5", "5-0", "bytes=0-2", "0-2/3", "0-1-2", "0x0-0x2",
                                   "0-99999999999999999999999"])
def test_a_malformed_content_range_is_refused(client, repository, value):
    """Content-Range MUST match ^[0-9]+-[0-9]+$."""
    location = repository.open_upload()
    answer = client.patch(location, b"abc", {"Content-Range": value})
    assert answer.status in (400, 416), answer
    assert answer.codes()[0] in ("BLOB_UPLOAD_INVALID", "SIZE_INVALID"), answer
    assert status_range(client, location) == "0-0"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("last", [1, 3, 100])
def test_a_content_range_that_lies_about_its_length_is_size_invalid(client, repository, method, last):
    """code-10: provided length did not match content length; nothing is kept of it."""
    location = repository.open_upload()
    target = closing(location, content.digest(b"abc")) if method == "PUT" else location
    answer = client.request(method, target, {"Content-Range": f"0-{last}"}, b"abc")
    assert (answer.status, answer.codes()) == (400, ["SIZE_INVALID"]), answer
    assert status_range(client, location) == "0-0"
    assert_created(client, repository, repository.finish(location, content.digest(b"abc"), b"abc"), b"abc")


def test_a_content_range_that_lies_about_a_chunked_body_is_size_invalid(client, repository):
    """code-10, where the length is only known at the end."""
    location = repository.open_upload()
    answer = client.request("PATCH", location, {"Content-Range": "0-99"}, chunks=[b"abc"])
    assert (answer.status, answer.codes()) == (400, ["SIZE_INVALID"]), answer
    assert_created(client, repository, repository.finish(location, content.digest(b"xyz"), b"xyz"), b"xyz")


@pytest.mark.parametrize("where", ["put", "patch"])
def test_a_wrong_digest_is_400_and_the_session_lives_on(client, repository, where):
    """code-4; the session can still be read, finished properly or cancelled."""
    data = content.noise(1000)
    location = repository.open_upload()
    body = data
    if where == "patch":
        location, body = client.patch(location, data)["Location"], b""
    answer = repository.finish(location, content.ABSENT, body)
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer
    assert client.get(repository.blob(content.ABSENT)).status == 404
    assert client.get(repository.blob(content.digest(data))).status == 404
    assert client.get(location).status == 204
    assert client.delete(location).status == 204


def test_after_a_wrong_digest_the_right_one_is_accepted(client, repository):
    data = content.noise(1000)
    location = client.patch(repository.open_upload(), data)["Location"]
    assert repository.finish(location, content.ABSENT).status == 400
    assert_created(client, repository, repository.finish(location, content.digest(data)), data)


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "a" * 32, "latest", "sha256:" + "A" * 64, "sha256:../../x"])
def test_a_put_with_a_malformed_digest_is_400(client, repository, digest):
    """Pushing blobs: digest invalid or unsupported SHOULD be 400."""
    location = repository.open_upload()
    answer = repository.finish(location, digest, b"abc")
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer
    assert client.get(location).status == 204


def test_a_put_without_a_digest_is_400(client, repository):
    """end-6: The closing PUT MUST include the digest."""
    answer = client.put(repository.open_upload(), b"abc")
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer


def test_a_session_is_gone_when_it_is_closed(client, repository):
    location = repository.open_upload()
    assert repository.finish(location, content.digest(b"abc"), b"abc").status == 201
    for method in ("GET", "PATCH", "DELETE"):
        answer = client.request(method, location)
        assert (answer.status, answer.codes()) == (404, ["BLOB_UPLOAD_UNKNOWN"]), answer
    assert repository.finish(location, content.digest(b"abc"), b"abc").status == 404


def test_a_cancelled_session_is_gone_from_the_disk_too(server, client, repository):
    """end-14: 204, releasing server resources."""
    location = client.patch(repository.open_upload(), b"x" * 5000)["Location"]
    identifier = re.search(UUID, location).group(0)
    assert [path for path in server.temporary.rglob(f"*{identifier}*")]
    assert client.delete(location).status == 204
    assert not [path for path in server.temporary.rglob(f"*{identifier}*")]
    for method in ("GET", "PATCH", "DELETE"):
        assert client.request(method, location).status == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_session_belongs_to_its_repository(client, new_repository, method):
    """A session identifier is no key to another repository."""
    first, second = new_repository(), new_repository()
    location = first.open_upload()
    foreign = location.replace(first.name, second.name)
    answer = client.request(method, closing(foreign, content.digest(b"")) if method == "PUT" else foreign)
    assert (answer.status, answer.codes()) == (404, ["BLOB_UPLOAD_UNKNOWN"]), answer
    assert client.get(location).status == 204


@pytest.mark.parametrize("identifier", ["x", "11111111-2222-4333-8444-55555555555", "11111111-2222-4333-8444-555555555555",
                                        "%2e%2e", "..%2f..%2fx", "%00", "11111111-2222-4333-8444-55555555555/",
                                        "11111111-2222-4333-8444-55555555555%0a"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_unknown_session_is_404(client, repository, identifier, method):
    """code-3."""
    answer = client.request(method, f"{repository.uploads}{identifier}?digest={content.digest(b'')}")
    assert answer.status in (400, 404), answer
    if b"BLOB_UPLOAD" not in answer.body:
        assert "%" in identifier or identifier.endswith("/"), answer


def test_the_same_blob_may_be_pushed_twice(client, repository):
    data = content.noise(1000)
    repository.push_blob(data)
    location = repository.open_upload()
    assert_created(client, repository, repository.finish(location, content.digest(data), data), data)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("with_from", [True, False])
def test_a_blob_is_mounted_from_another_repository(client, new_repository, algorithm, with_from):
    """end-11: 201, Location; `from` MAY be optional."""
    first, second = new_repository(), new_repository()
    data = content.noise()
    digest = first.push_blob(data, algorithm)
    origin = f"&from={quote(first.name)}" if with_from else ""
    answer = client.post(f"{second.uploads}?mount={digest}{origin}")
    assert_created(client, second, answer, data, algorithm)


def test_a_mount_leaves_the_body_of_a_client_that_sends_one_anyway(client, new_repository):
    """Docker's API: mount with a body is answered as a mount."""
    first, second = new_repository(), new_repository()
    digest = first.push_blob(content.noise())
    assert client.post(f"{second.uploads}?mount={digest}&from={first.name}", b"ignored").status == 201


@pytest.mark.parametrize("origin", ["&from=no/such/repository", ""])
def test_what_cannot_be_mounted_becomes_a_session(client, repository, origin):
    """end-11: unable to mount SHOULD be 202, and the client proceeds with the upload."""
    data = content.noise()
    answer = client.post(f"{repository.uploads}?mount={content.digest(data)}{origin}")
    assert answer.status == 202, answer
    assert_created(client, repository, repository.finish(answer["Location"], content.digest(data), data), data)


@pytest.mark.parametrize("query", ["mount=sha256:abc&from=a/b", "mount=&from=a/b", "mount=latest"])
def test_a_mount_of_a_malformed_digest_is_refused_or_a_session(client, repository, query):
    answer = client.post(f"{repository.uploads}?{query}")
    assert answer.status in (202, 400), answer


def test_a_mount_from_a_malformed_name_does_no_harm(client, repository):
    answer = client.post(f"{repository.uploads}?mount={content.ABSENT}&from=../../etc")
    assert answer.status in (202, 400, 404), answer


def test_a_percent_encoded_digest_is_understood(client, repository):
    """RFC 3986: %3A is a colon; Go's clients send it like this."""
    data = content.noise()
    digest = content.digest(data)
    location = repository.open_upload()
    assert "%3A" in closing(location, digest)
    assert_created(client, repository, repository.finish(location, digest, data), data)
    assert client.put(f"{repository.open_upload()}?digest={digest}", data).status == 201


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(client, repository):
    """RFC 9110 10.1.1: the interim answer comes before the body does."""
    data = content.noise(1000)
    target = closing(repository.open_upload(), content.digest(data))
    with client.connect() as connection:
        connection.sendall(client.head("PUT", target, {"Expect": "100-continue"}, data))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(data)
        assert_created(client, repository, receive(connection, "PUT"), data)


def test_expect_100_continue_is_honoured(client, repository):
    """RFC 9110 10.1.1: curl and Go send it for large bodies."""
    data = content.noise(100000)
    target = closing(repository.open_upload(), content.digest(data))
    answer = client.put(target, data, {"Expect": "100-continue"})
    assert_created(client, repository, answer, data)

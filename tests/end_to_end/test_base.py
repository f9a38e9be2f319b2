"""What holds for every answer: the base endpoint, headers, errors, methods, names (spec: API; Docker's API: Overview)."""
import re

import pytest

from harness import content
from harness.process import wait_until

pytestmark = [pytest.mark.quick, pytest.mark.httpd]

D = content.ABSENT
EVERY_KIND = [
    ("GET", "/v2/", 200),
    ("GET", "/v2", 200),
    ("GET", "/v2/_catalog", 200),
    ("GET", f"/v2/no/such/blobs/{D}", 404),
    ("HEAD", f"/v2/no/such/blobs/{D}", 404),
    ("GET", "/v2/no/such/manifests/latest", 404),
    ("HEAD", "/v2/no/such/manifests/latest", 404),
    ("DELETE", "/v2/no/such/manifests/latest", 404),
    ("GET", "/v2/no/such/tags/list", 404),
    ("GET", f"/v2/no/such/referrers/{D}", 200),
    ("GET", "/v2/no/such/blobs/uploads/11111111-2222-4333-8444-555555555555", 404),
    ("POST", "/v2/", 405),
    ("GET", "/v2/no/such/nothing", 404),
]


@pytest.mark.parametrize("target", ["/v2/", "/v2"])
def test_the_base_endpoint_answers_200(client, target):
    """end-1: GET /v2/ is 200 when the registry implements the specification; Docker asks with and without the slash."""
    answer = client.get(target)
    assert answer.status == 200, answer
    assert answer.json() == {}
    assert answer["Content-Type"].startswith("application/json")


def test_the_base_endpoint_answers_head(client):
    """RFC 9110 9.1: HEAD is supported wherever GET is."""
    assert client.exists("/v2/").status == 200


@pytest.mark.parametrize("method, target, status", EVERY_KIND)
def test_every_answer_names_the_api_version(client, method, target, status):
    """Docker's API, API Version Check: clients recognise a V2 registry by this header, on errors too."""
    answer = client.request(method, target)
    assert answer.status == status, answer
    assert answer["Docker-Distribution-API-Version"] == "registry/2.0"


@pytest.mark.parametrize("method, target, status", EVERY_KIND)
def test_every_answer_has_a_request_id_that_the_log_has_too(server, client, method, target, status):
    """A user who reports an error can name the line in the log."""
    identifier = client.request(method, target)["X-Request-Id"]
    assert re.fullmatch(r"[0-9A-Za-z-]{16,64}", identifier), identifier
    assert identifier != client.request(method, target)["X-Request-Id"]
    wait_until(lambda: identifier in server.whole_log(), f"a line with {identifier}, which is written when the answer has left")


@pytest.mark.parametrize("target, code", [
    (f"/v2/no/such/blobs/{D}", "BLOB_UNKNOWN"),
    ("/v2/no/such/manifests/latest", "MANIFEST_UNKNOWN"),
    (f"/v2/no/such/manifests/{D}", "MANIFEST_UNKNOWN"),
    ("/v2/no/such/tags/list", "NAME_UNKNOWN"),
    ("/v2/no/such/blobs/uploads/11111111-2222-4333-8444-555555555555", "BLOB_UPLOAD_UNKNOWN"),
])
def test_what_is_absent_is_404_with_its_own_code(client, target, code):
    """end-2, end-3, end-8a, end-13 and Error Codes."""
    answer = client.get(target)
    assert answer.status == 404, answer
    assert answer.codes() in ([code], ["NAME_UNKNOWN"]), answer
    assert answer["Content-Type"].startswith("application/json")


def test_an_unknown_manifest_in_a_known_repository_is_manifest_unknown(client, repository):
    """end-3, code-7."""
    repository.push_image("here")
    answer = client.get(repository.manifest("not-here"))
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer
    answer = client.get(repository.manifest(D))
    assert (answer.status, answer.codes()) == (404, ["MANIFEST_UNKNOWN"]), answer


@pytest.mark.parametrize("method, target, allowed", [
    ("PUT", "/v2/", {"GET", "HEAD"}),
    ("DELETE", "/v2/", {"GET", "HEAD"}),
    ("POST", "/v2/_catalog", {"GET", "HEAD"}),
    ("PUT", "/v2/me/app/tags/list", {"GET", "HEAD"}),
    ("DELETE", f"/v2/me/app/referrers/{D}", {"GET", "HEAD"}),
    ("PUT", f"/v2/me/app/blobs/{D}", {"GET", "HEAD", "DELETE"}),
    ("POST", f"/v2/me/app/blobs/{D}", {"GET", "HEAD", "DELETE"}),
    ("PATCH", "/v2/me/app/manifests/latest", {"GET", "HEAD", "PUT", "DELETE"}),
    ("POST", "/v2/me/app/manifests/latest", {"GET", "HEAD", "PUT", "DELETE"}),
    ("DELETE", "/v2/me/app/blobs/uploads/", {"POST"}),
    ("POST", "/v2/me/app/blobs/uploads/11111111-2222-4333-8444-555555555555", {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
])
def test_a_method_that_does_not_fit_is_405_with_allow(client, method, target, allowed):
    """RFC 9110 15.5.6: 405 MUST have Allow; code-13."""
    answer = client.request(method, target)
    assert (answer.status, answer.codes()) == (405, ["UNSUPPORTED"]), answer
    named = {method.strip() for method in answer["Allow"].split(",")}
    assert allowed - {"HEAD"} <= named <= allowed, answer


@pytest.mark.parametrize("method", ["BREW", "PROPFIND", "LINK"])
def test_an_unknown_method_is_refused(client, method):
    """RFC 9110 15.6.2, 15.5.6: 501 or 405."""
    assert client.request(method, "/v2/").status in (400, 405, 501)


@pytest.mark.parametrize("name", [
    "Upper/case", "under_", "-dash", "a..b", "a//b", "a/", "/a", "a___b", "a._b", "ü", "a b", "a/-b", "a/b_", ".hidden",
    "a" * 256, "/".join(["abcdefghi"] * 26), "n/" * 200 + "n",
])
@pytest.mark.parametrize("end, method", [("manifests/latest", "GET"), ("tags/list", "GET"), ("blobs/uploads/", "POST"),
                                         (f"blobs/{D}", "GET"), (f"referrers/{D}", "GET")])
def test_a_name_outside_the_grammar_is_404(client, name, end, method):
    """Pulling manifests: <name> MUST match the expression; what cannot be a repository is not found."""
    answer = client.request(method, f"/v2/{name.replace(' ', '%20').replace('ü', '%C3%BC')}/{end}")
    assert answer.status == 404, answer
    assert answer.codes() in (["NAME_INVALID"], ["NAME_UNKNOWN"]), answer


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a--b", "a_b", "a__b", "a.b", "a/b/c/d/e/f", "1/2", "a-----b/c__d",
                                  "blobs", "manifests", "uploads", "tags/list", "v2/v2", "blobs/uploads", "x/manifests/y",
                                  "a" * 255, "/".join(["abcdefghi"] * 25)])
def test_every_name_of_the_grammar_can_be_pushed_to(client, name):
    """Pulling manifests: <name>; also names that look like parts of the interface."""
    repository = client.repository(name)
    data, digest = repository.push_image("latest")
    answer = client.get(repository.manifest("latest"))
    assert (answer.status, answer.body) == (200, data), answer
    assert client.get(repository.manifest(digest)).body == data
    assert client.get(repository.tags()).json() == {"name": name, "tags": ["latest"]}


@pytest.mark.parametrize("target", ["/v2/x", "/v2/x/y", "/v2/x/blobs", "/v2/x/tags", "/v2/x/manifests/", "/v2/x/blobs/",
                                    "/v2/x/tags/list/more", "/v2//", "/v2/_catalog/more", "/v2/_nothing"])
def test_a_path_of_no_endpoint_is_404_as_json(client, target):
    """Error Codes: an error that is JSON has this shape everywhere."""
    answer = client.get(target)
    assert answer.status == 404 or (target.endswith("s/") and answer.status == 400), answer
    answer.codes()


@pytest.mark.parametrize("method, target, status", [case for case in EVERY_KIND if case[0] == "HEAD"])
def test_an_error_to_head_has_no_body(client, method, target, status):
    """RFC 9110 9.3.2. (The client fails on any byte after the header.)"""
    answer = client.request(method, target)
    assert (answer.status, answer.body) == (status, b""), answer


def test_a_second_request_on_a_connection_is_answered_after_an_error(client):
    """HEAD errors and 405s leave a kept connection in order."""
    first = client.head("HEAD", f"/v2/no/such/blobs/{D}", {"Connection": "keep-alive"})
    second = client.head("DELETE", "/v2/", {"Connection": "keep-alive"})
    with client.connect() as connection:
        connection.sendall(first + second + client.head("GET", "/v2/"))
        data = b""
        while block := connection.recv(65536):
            data += block
    assert re.findall(rb"HTTP/1.1 (\d+) ", data) == [b"404", b"405", b"200"], data


def test_the_web_servers_own_errors_are_json_too(client, repository):
    """413 may come from the web server, before a worker sees the request."""
    answer = client.put(repository.manifest("big"), b" " * (9 * content.MIB), {"Content-Type": content.IMAGE})
    assert answer.status == 413, answer
    answer.codes()


def test_no_error_tells_a_path_of_the_machine(server, client):
    for method, target, _ in EVERY_KIND:
        answer = client.request(method, target)
        assert str(server.directory).encode() not in answer.body
        assert b"docker/registry/v2" not in answer.body

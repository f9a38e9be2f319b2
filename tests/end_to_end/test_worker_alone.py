"""A worker without a web server: it sends blobs itself, reads bodies that arrive slowly, and ends when it is told to."""
import contextlib
import pathlib
import re
import resource
import signal
import socket

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.process import wait_until
from harness.registry import closing
from harness.upstream import Upstream
from test_blob import DATA, RANGES, SIZE

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def shared(new_directory):
    with Worker(new_directory("worker")) as worker:
        yield worker


@pytest.fixture
def worker(new_directory):
    with Worker(new_directory("worker")) as one:
        yield one


@pytest.fixture(scope="module")
def blob(shared):
    return shared.repository("me/app").blob(shared.repository("me/app").push_blob(DATA))


def test_it_sends_a_blob_itself(shared, blob):
    """Without BERTH_SENDFILE the worker copies the bytes."""
    answer = shared.get(blob)
    assert (answer.status, answer.body, answer["Content-Length"]) == (200, DATA, str(SIZE)), answer
    assert answer["X-Sendfile"] is None and answer["X-Accel-Redirect"] is None


@pytest.mark.parametrize("value, first, last", RANGES)
def test_it_sends_ranges_itself(shared, blob, value, first, last):
    answer = shared.get(blob, {"Range": value})
    assert (answer.status, answer["Content-Range"]) == (206, f"bytes {first}-{last}/{SIZE}"), answer
    assert answer.body == DATA[first:last + 1]


def test_it_refuses_a_range_beyond_the_end(shared, blob):
    answer = shared.get(blob, {"Range": f"bytes={SIZE}-"})
    assert (answer.status, answer["Content-Range"]) == (416, f"bytes */{SIZE}"), answer


def test_it_sends_several_ranges_or_the_whole(shared, blob):
    answer = shared.get(blob, {"Range": "bytes=0-9,20-29"})
    assert answer.status in (200, 206), answer
    assert answer.body == DATA or b"Content-Range: bytes 20-29/" in answer.body


def test_it_sends_an_empty_blob_and_a_large_one(shared):
    repository = shared.repository("me/sizes")
    for size in (0, 1, 65535, 65536, 3 * content.MIB + 1):
        data = content.noise(size)
        assert shared.get(repository.blob(repository.push_blob(data))).body == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_what_a_session_has_is_hashed_whatever_pieces_it_came_in(shared, algorithm):
    """The hash is carried from request to request."""
    repository = shared.repository("me/pieces")
    data = content.noise(300000)
    location = repository.open_upload(f"?digest-algorithm={algorithm}")
    start = 0
    for size in (1, 63, 64, 65, 127, 128, 4095, 65537, 100000):
        location = shared.patch(location, data[start:start + size])["Location"]
        start += size
    assert repository.finish(location, content.digest(data, algorithm), data[start:]).status == 201


def test_a_body_that_breaks_off_is_no_body(shared):
    """FCGX_GetStr returns short at the end and on a broken connection: only the one with the right length is a blob."""
    repository = shared.repository("me/broken")
    data = content.noise(5000)
    for length in (None, len(data) + 1):
        exchange = shared.open("PUT", closing(repository.open_upload(), content.digest(data)), length=length)
        exchange.send(data)
        exchange.close()
        shared.get("/v2/")
        assert shared.exists(repository.blob(content.digest(data))).status == 404, length


@pytest.mark.parametrize("sent, announced", [(10, 20), (20, 10), (0, 5)])
def test_a_body_of_another_length_than_announced_is_refused(shared, sent, announced):
    """A web server that lies, or one that was cut short and ended the stream all the same."""
    repository = shared.repository("me/lies")
    data = content.noise(max(sent, 1))[:sent]
    exchange = shared.open("PUT", closing(repository.open_upload(), content.digest(data)), length=announced)
    exchange.send(data)
    exchange.end()
    if sent < announced:
        assert exchange.answer().status == 400
        assert shared.exists(repository.blob(content.digest(data))).status == 404
    else:
        exchange.answer()  # libfcgi or the worker may look at the announced part only, which has another digest
        assert shared.exists(repository.blob(content.digest(data[:announced]))).status == 404


def test_what_arrived_before_a_break_is_kept_for_resuming(shared):
    """Where bodies stream, the status says how much arrived, and the client goes on from there."""
    repository = shared.repository("me/resume")
    data = content.noise(200000)
    location = repository.open_upload()
    exchange = shared.open("PATCH", location, length=len(data))
    exchange.send(data[:150000])
    exchange.close()
    end = int(shared.get(location)["Range"].split("-")[1])
    assert 0 < end < 150000
    answer = shared.patch(location, data[end + 1:], {"Content-Range": f"{end + 1}-{len(data) - 1}"})
    assert repository.finish(answer["Location"], content.digest(data)).status == 201


def test_a_slow_body_is_waited_for(shared):
    repository = shared.repository("me/slow")
    data = content.noise(10)
    exchange = shared.open("POST", f"{repository.uploads}?digest={content.digest(data)}", length=len(data))
    for byte in data:
        exchange.send(bytes([byte]))
        wait_until(exchange.is_received, "the worker has taken the byte")
    exchange.end()
    assert exchange.answer().status == 201


def test_a_session_in_use_keeps_others_out(new_directory):
    """Two workers on one store: while one is writing, the other refuses, and says why."""
    directory = new_directory("two")
    with Worker(directory) as first:
        repository = first.repository("me/app")
        location = repository.open_upload()
        with Worker(new_directory("second"), storage=f"{directory}/storage") as second:
            exchange = first.open("PATCH", location, length=20)
            exchange.send(b"0123456789")
            wait_until(lambda: second.patch(location, b"", {"Content-Range": "5-4"}).status < 500, "an answer")
            for method, target in (("PATCH", location), ("PUT", closing(location, content.digest(b"x"))), ("DELETE", location)):
                answer = second.request(method, target, body=b"x")
                assert 400 <= answer.status < 500, answer
                assert answer.codes() == ["BLOB_UPLOAD_INVALID"], answer
            assert second.get(location).status == 204
            exchange.send(b"abcdefghij")
            exchange.end()
            assert exchange.answer()["Range"] == "0-19"
            assert repository.finish(location, content.digest(b"0123456789abcdefghij")).status == 201


def test_an_idle_worker_leaves_when_it_is_told_to(worker):
    assert worker.get("/v2/").status == 200
    assert worker.stop() == 0


def test_a_worker_that_has_never_had_a_request_leaves_too(new_directory):
    worker = Worker(new_directory("worker")).start()
    wait_until(lambda: signal_is_handled(worker.process.pid), "SIGTERM handled")
    assert worker.stop() == 0


def signal_is_handled(pid):
    """Whether the process has a handler for SIGTERM (or blocks it until it can take it)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    return (int(fields["SigCgt"], 16) | int(fields["SigBlk"], 16)) >> (signal.SIGTERM - 1) & 1


def test_sigterm_lets_the_request_in_hand_finish(worker):
    """The body goes on arriving after the signal; the answer comes, the blob is there, the exit status is 0."""
    repository = worker.repository("me/app")
    data = content.noise(100000)
    exchange = worker.open("POST", f"{repository.uploads}?digest={content.digest(data)}", length=len(data))
    exchange.send(data[:50000])
    wait_until(lambda: any(worker.directory.glob("storage/_tmp/uploads/*")), "the body is being read")
    worker.process.send_signal(signal.SIGTERM)
    worker.process.send_signal(signal.SIGTERM)
    for start in range(50000, 100000, 10000):
        exchange.send(data[start:start + 10000])
    exchange.end()
    assert exchange.answer().status == 201
    assert worker.stop() == 0
    with worker:
        assert worker.get(repository.blob(content.digest(data))).body == data


@pytest.mark.parametrize("root", ["{}", "{}/storage", "{}/storage/registry", "/"])
def test_a_store_below_the_document_root_is_refused(new_directory, root):
    """Contract: a configuration or a store below DOCUMENT_ROOT could be downloaded."""
    directory = new_directory("root")
    with Worker(directory, expected_faults=True, DOCUMENT_ROOT=root.format(directory)) as worker:
        answer = worker.get("/v2/")
        assert answer.status >= 500, answer
        answer.codes()
        assert directory not in answer.body.decode()
        assert "document root" in worker.log().lower().replace("_", " "), worker.log()


def test_a_store_beside_the_document_root_is_fine(new_directory):
    directory = new_directory("root")
    for root in (f"{directory}/htdocs", f"{directory}/stor", "/var/empty", ""):
        with Worker(directory, DOCUMENT_ROOT=root) as worker:
            assert worker.get("/v2/").status == 200, root


def test_body_files_are_linked_not_copied(worker):
    """BERTH_BODY_FILE: the web server's file becomes the blob, the very inode."""
    repository = worker.repository("me/app")
    data = content.noise(3000000)
    body = worker.directory / "storage/_tmp/bodies/0001"
    body.write_bytes(data)
    body.chmod(0o600)
    inode = body.stat().st_ino
    answer = worker.request("POST", f"{repository.uploads}?digest={content.digest(data)}", BERTH_BODY_FILE=str(body),
                            CONTENT_LENGTH=str(len(data)))
    assert answer.status == 201, answer
    assert body.exists(), "the name is the web server's to remove"
    stored = next(worker.registry_storage.rglob(f"blobs/sha256/*/{content.digest(data)[7:]}/data"))
    assert stored.stat().st_ino == inode
    body.unlink()
    assert worker.get(repository.blob(content.digest(data))).body == data


def test_a_second_body_file_is_appended(worker):
    repository = worker.repository("me/app")
    parts = [content.noise(100000), content.noise(70001)]
    location = repository.open_upload()
    for number, part in enumerate(parts):
        body = worker.directory / f"storage/_tmp/bodies/{number}"
        body.write_bytes(part)
        answer = worker.request("PATCH", location, BERTH_BODY_FILE=str(body), CONTENT_LENGTH=str(len(part)))
        assert answer.status == 202, answer
        body.unlink()
    assert repository.finish(location, content.digest(b"".join(parts))).status == 201


@pytest.mark.parametrize("sendfile, header", [("x-accel-redirect:/_berth/", "X-Accel-Redirect"), ("x-sendfile", "X-Sendfile")])
def test_the_web_server_is_told_which_file_to_send(new_directory, sendfile, header):
    """Contract: BERTH_SENDFILE."""
    with Worker(new_directory("send"), BERTH_SENDFILE=sendfile) as worker:
        repository = worker.repository("me/app")
        digest = repository.push_blob(DATA)
        answer = worker.get(repository.blob(digest))
        below = f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        expected = f"/_berth/registry/{below}" if "accel" in sendfile else str(worker.registry_storage / below)
        assert (answer[header], answer.body) == (expected, b""), answer
        assert worker.exists(repository.blob(digest))[header] is None, "HEAD is answered by the worker"
        assert worker.get(repository.blob(digest), {"If-None-Match": f'"{digest}"'}).status == 304


def test_an_unknown_way_to_send_files_is_an_error_and_no_empty_blob(new_directory):
    directory = new_directory("send")
    with Worker(directory) as worker:
        target = worker.repository("me/app").blob(worker.repository("me/app").push_blob(DATA))
    with Worker(directory, expected_faults=True, BERTH_SENDFILE="x-nonsense") as worker:
        answer = worker.get(target)
        assert answer.status >= 500 or answer.body == DATA, answer


def test_parameters_that_are_missing_or_odd_are_answered(shared):
    """A web server that was set up wrongly."""
    for parameters in ({"REQUEST_URI": ""}, {"REQUEST_METHOD": ""}, {"QUERY_STRING": "%"}, {"CONTENT_LENGTH": "x"},
                       {"CONTENT_LENGTH": "-1"}, {"CONTENT_LENGTH": "99999999999999999999999"}, {"REQUEST_URI": "v2/"},
                       {"REQUEST_URI": "http://host/v2/"}, {"HTTP_HOST": ""}, {"SERVER_PROTOCOL": ""}):
        exchange = shared.open("GET", "/v2/", **parameters)
        exchange.end()
        assert 200 <= exchange.answer().status < 600, parameters
    assert shared.get("/v2/").status == 200


def test_a_broken_fastcgi_stream_does_not_end_the_worker(shared):
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x01\x00\x01\xff\xff\x00\x00", b"\0" * 64, b"\xff" * 4096):
        exchange = shared.open("GET", "/v2/")
        exchange.close()
        exchange.__init__(shared.path, "GET", {})
        exchange.connection.sendall(data)
        exchange.close()
    wait_until(lambda: shared.get("/v2/").status == 200, "an answer")


def test_a_worker_without_descriptors_waits_for_one(new_directory):
    """EMFILE at accept() ends no worker: the connection waits, and the log hears of it once."""
    with Worker(new_directory("descriptors")) as worker:
        assert worker.get("/v2/").status == 200
        pid = worker.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        exchange = worker.open("GET", "/v2/")
        exchange.end()
        wait_until(lambda: "connections wait" in worker.log() or worker.process.poll() is not None, "a word about it")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert exchange.answer().status == 200
        assert worker.log().count("connections wait") == 1, worker.log()


def test_the_line_of_a_long_path_has_its_end(shared):
    """One write, with status and request: what gives way is the path."""
    answer = shared.get("/v2/" + "x/" * 4000 + "tags/list")
    (line,) = wait_until(lambda: [line for line in shared.log().splitlines() if answer["X-Request-Id"] in line], "the line")
    assert line.startswith("berth: GET /v2/x/") and f"... {answer.status} " in line and len(line) < 4096, line


def test_the_line_of_a_client_that_left_says_so_and_what_it_got(shared):
    """It is written when the answer has been sent, as far as that went."""
    repository = shared.repository("me/left")
    digest = repository.push_blob(content.noise(4_000_000))
    reader = shared.open("GET", repository.blob(digest), REQUEST_ID="1" * 32)
    reader.end()
    assert reader.connection.recv(8, socket.MSG_PEEK)
    reader.close()
    writer = shared.open("PATCH", repository.open_upload(), length=1000, REQUEST_ID="2" * 32)
    writer.send(b"0123456789")
    writer.close()
    assert shared.request("GET", "/v2/", REQUEST_ID="3" * 32).status == 200
    lines = wait_until(lambda: [line for line in shared.log().splitlines() if "3" * 32 in line], "all lines") and shared.log().splitlines()
    (reading, writing, last) = ([line for line in lines if str(number) * 32 in line] for number in (1, 2, 3))
    assert len(reading) == len(writing) == len(last) == 1, lines
    assert re.search(r" 200 (\d+) \d+ms - 1{32} client-left$", reading[0]), reading
    assert int(reading[0].split()[4]) < 4_000_000, reading
    assert re.search(r" 400 0 \d+ms - 2{32} client-left$", writing[0]), writing
    assert re.search(r" 200 2 \d+ms - 3{32}$", last[0]), last


def test_it_keeps_no_connection(worker):
    """It would wait for the next request there, and hear nobody else meanwhile."""
    exchange = worker.open("GET", "/v2/", keep=True)
    exchange.end()
    received = b""
    while block := exchange.connection.recv(65536):
        received += block
    assert b"Status: 200" in received
    exchange.close()


def has_libcurl(worker):
    return "/libcurl" in pathlib.Path(f"/proc/{worker.process.pid}/maps").read_text()


def test_what_asks_other_registries_is_loaded_when_one_is_asked(new_directory):
    """libcurl and thirty libraries behind it, half of a worker's memory; and once for all children of a worker."""
    settings = "[proxy]\n[upstream up]\nurl = {url}\nallow_private_address = yes\n"
    with contextlib.closing(Upstream()) as upstream, Worker(new_directory("late"), settings.format(url=upstream.url.replace("127.0.0.1", "localhost"))) as worker:
        data, _ = worker.repository("me/app").push_image("latest")
        assert worker.get("/v2/me/app/manifests/latest").body == data
        assert not has_libcurl(worker)
        data, _ = upstream.add_image("app", "latest", [b"layer"])
        assert worker.get("/v2/proxy/up/app/manifests/latest").body == data
        assert has_libcurl(worker)


def test_what_is_hosted_needs_no_libcurl_and_the_rest_says_that_it_is_missing(new_directory, monkeypatch):
    """And what was broken only while it was upgraded is not broken for good."""
    directory = pathlib.Path(new_directory("missing"))
    broken = directory / "libcurl.so.4"
    broken.write_text("No library, and long enough to be one.\n" * 10)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(directory))
    settings = "[proxy]\n[upstream up]\nurl = {url}\nallow_private_address = yes\n"
    with contextlib.closing(Upstream()) as upstream, Worker(directory, settings.format(url=upstream.url), expected_faults=True) as worker:
        data, _ = worker.repository("me/app").push_image("latest")
        assert worker.get("/v2/me/app/manifests/latest").body == data
        data, _ = upstream.add_image("app", "latest", [b"layer"])
        # Who it is for is told by a URL that we cannot read by ourselves.
        address = upstream.url.partition("//")[2]
        assert worker.get(f"/v2/app/manifests/latest?ns={address}").status == 403
        assert worker.log().count(f"libcurl cannot be loaded: {broken}: ") == 1
        for _ in range(2):
            answer = worker.get("/v2/proxy/up/app/manifests/latest")
            assert answer.status == 500 and b"libcurl" not in answer.body, answer
        assert worker.log().count(f"libcurl cannot be used: {broken}: ") == 2
        broken.unlink()
        assert worker.get("/v2/proxy/up/app/manifests/latest").body == data
        assert worker.get(f"/v2/app/manifests/latest?ns={address}").body == data

"""A pool that lives for months: restarted under load, its memory, its log."""
import hashlib
import os
import re
import signal
import threading

import pytest

from harness import content
from harness.process import PATIENCE, descriptors, private_kilobytes, read, send_signal, wait_until
from harness.registry import closing

REQUESTS = 20000
GIBIBYTE = 1 << 30


class Load(threading.Thread):
    """A client that pulls and pushes until told to stop; every answer has to be the right one."""

    def __init__(self, client, number, stop):
        super().__init__(daemon=True)
        self.client, self.repository, self.stop = client, client.repository(f"load/{number}"), stop
        self.requests, self.failure = 0, None

    def run(self):
        try:
            data, _ = self.repository.push_image("latest")
            while not self.stop.is_set():
                answer = self.client.get(self.repository.manifest("latest"))
                assert (answer.status, answer.body) == (200, data), answer
                blob = content.noise(20000)
                answer = self.client.get(self.repository.blob(self.repository.push_blob(blob)))
                assert (answer.status, answer.body) == (200, blob), answer
                self.requests += 4
        except BaseException as failure:
            self.failure = failure


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_the_pool_is_restarted_under_load_without_a_failed_request(start, web):
    """SIGTERM to one worker after the other, three times over; nobody notices."""
    server = start(web)
    stop = threading.Event()
    load = [Load(server.client, number, stop) for number in range(4)]
    for client in load:
        client.start()
    for _ in range(3):
        for victim in server.workers():
            replace_under_load(server, victim, load)
    stop.set()
    for client in load:
        client.join(PATIENCE)
        assert client.failure is None, client.failure
    server.note_workers()


def replace_under_load(server, victim, load):
    """Ends a worker and waits for its successor and for some more work."""
    seen = sum(client.requests for client in load)
    send_signal(victim, signal.SIGTERM)
    wait_until(lambda: victim not in server.workers(), "the worker's end")
    wait_until(lambda: len(server.workers()) == server.worker_count, "its successor")
    wait_until(lambda: sum(client.requests for client in load) > seen + 20 or any(client.failure for client in load), "load")


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_everything_ends_cleanly_and_leaves_no_process_behind(start, web, how):
    """Ctrl-C and an init system's SIGTERM."""
    server = start(web)
    server.client.repository("me/app").push_image("latest")
    assert len(server.processes()) > server.worker_count
    server.stop(how)
    assert server.processes() == []
    assert server.process.returncode == 0


def test_when_the_web_server_dies_the_pool_goes_too(start):
    server = start()
    server.running.remove(server)
    send_signal(int((server.runtime / "web.pid").read_text()), signal.SIGKILL)
    assert server.process.wait(PATIENCE) == 1
    wait_until(lambda: not server.processes(), f"all processes gone: {server.processes()}")


def pipelined(client, requests):
    """Sends many requests on few connections; the statuses. Where the server ends a connection, the next one goes on."""
    statuses = []
    while len(statuses) < len(requests):
        batch = requests[len(statuses):len(statuses) + 50]
        heads = [client.head(method, target, {**headers, "Connection": "keep-alive"}) for method, target, headers in batch[:-1]]
        heads.append(client.head(*batch[-1]))
        with client.connect() as connection:
            connection.sendall(b"".join(heads))
            data = bytearray()
            while block := connection.recv(1 << 20):
                data += block
        answered = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]
        assert 0 < len(answered) <= len(batch), data[-300:]
        statuses += answered
    return statuses


def mixture(repository, data, digest, layer, count):
    """Every kind of read, and errors."""
    kinds = [("GET", repository.manifest("latest"), {}), ("HEAD", repository.manifest(digest), {}),
             ("GET", repository.blob(layer), {}), ("GET", repository.blob(layer), {"Range": "bytes=3-9"}),
             ("GET", repository.blob(layer), {"If-Range": '"x"', "Range": "bytes=0-1"}), ("HEAD", repository.blob(layer), {}),
             ("GET", repository.manifest("latest"), {"If-None-Match": f'"{digest}"'}), ("GET", repository.tags("?n=5"), {}),
             ("GET", "/v2/_catalog", {}), ("GET", repository.referrers(digest), {}), ("GET", repository.manifest("absent"), {}),
             ("GET", "/v2/UPPER/tags/list", {}), ("DELETE", repository.blob(content.ABSENT), {}), ("GET", "/v2/", {})]
    return [kinds[number % len(kinds)] for number in range(count)]


def assert_no_growth(server, count, kilobytes):
    """Memory and descriptors of every worker after `count` requests, against those after a quarter as many before, when
    its heap has met the largest of each kind."""
    repository = server.client.repository("me/app")
    layer = content.noise(5000)
    data, digest = repository.push_image("latest", [layer])
    subject = content.descriptor(data, content.IMAGE)
    repository.push_manifest(content.index([], subject=subject))

    def run(number):
        for start in range(0, number, 1000):
            requests = mixture(repository, data, digest, content.digest(layer), min(1000, number - start))
            statuses = pipelined(server.client, requests)
            assert max(statuses) < 500
            blob = content.noise(3000)
            repository.push_image(f"tag{start % 5}", [blob])
            for wrong in (b"{", b"x" * 70000):
                assert repository.put_manifest("bad", wrong).status == 400
            assert repository.finish(repository.open_upload(), content.ABSENT, blob).status == 400

    run(count // 4)
    before = {pid: (private_kilobytes(pid), descriptors(pid)) for pid in server.workers()}
    run(count)
    after = {pid: (private_kilobytes(pid), descriptors(pid)) for pid in server.workers()}
    assert set(before) == set(after)
    for pid, (memory, files) in after.items():
        assert files == before[pid][1], f"descriptors of {pid}: {before[pid][1]} became {files}"
        assert memory <= before[pid][0] + kilobytes, f"memory of {pid}: {before[pid][0]} KB became {memory} KB"


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_worker_does_not_grow_with_the_number_of_requests(start, web):
    assert_no_growth(start(web, workers=2), REQUESTS, 256)


def in_blocks(total, block):
    for _ in range(total // len(block)):
        yield block


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_gibibyte_goes_up_and_down_through_small_workers(start, web):
    """A layer of 1 GiB: pushed chunked as docker does, pulled, verified; no worker holds more than a few buffers."""
    server = start(web)
    repository = server.client.repository("me/large")
    block = content.noise(4 * content.MIB)
    expected = hashlib.sha256()
    for part in in_blocks(GIBIBYTE, block):
        expected.update(part)
    digest = f"sha256:{expected.hexdigest()}"
    before = {pid: private_kilobytes(pid) for pid in server.workers()}
    location = server.client.request("PATCH", repository.open_upload(), chunks=in_blocks(GIBIBYTE, block))["Location"]
    answer = server.client.put(closing(location, digest))
    assert answer.status == 201, answer
    assert pulled_digest(server.client, repository.blob(digest)) == digest
    for pid, memory in before.items():
        assert private_kilobytes(pid) < memory + 2048, f"worker {pid}: {memory} KB became {private_kilobytes(pid)} KB"


def pulled_digest(client, target):
    """GETs something too large to keep; the digest of what came."""
    found, length = hashlib.sha256(), 0
    with client.connect() as connection:
        connection.sendall(client.head("GET", target))
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        head, _, data = head.partition(b"\r\n\r\n")
        while True:
            found.update(data)
            length += len(data)
            data = connection.recv(1 << 20)
            if not data:
                break
    assert f"content-length: {length}\r\n".encode() in head.lower() + b"\r\n", head
    return f"sha256:{found.hexdigest()}"


ACCESS = re.compile(r"^(?:<\d>)?berth: (\S+) (\S+) (\d{3}) (\d+) (\d+)ms (\S+) ([0-9a-f-]{32,36})$", re.M)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_each_request_is_one_line(start, web):
    """method, path, status, bytes, milliseconds, user, request id; nothing more where the answer arrived."""
    server = start(web)
    repository = server.client.repository("me/app")
    data, digest = repository.push_image("latest")
    server.client.get(repository.manifest("latest"))
    answers = [("GET", repository.manifest("latest"), 200, len(data)), ("HEAD", repository.manifest("latest"), 200, 0),
               ("GET", repository.manifest("absent"), 404, None), ("DELETE", repository.blob(content.ABSENT), 404, None),
               ("PUT", "/v2/", 405, None)]
    for method, target, status, size in answers:
        answer = server.client.request(method, target)
        assert answer.status == status
        lines = wait_until(lambda wanted=answer["X-Request-Id"]: [line for line in ACCESS.findall(read(server.logs / "workers.log"))
                                                                  if line[6] == wanted], "the line, which comes after the answer")
        assert len(lines) == 1, lines
        assert lines[0][:3] == (method, target, str(status))
        assert size is None or lines[0][3] == str(size), lines
        assert lines[0][5] == "-"


def test_no_secret_is_logged(start):
    """Credentials in headers or queries are for nobody's eyes."""
    server = start()
    server.client.get("/v2/", {"Authorization": "Basic c2VjcmV0OnBhc3N3b3Jk"})
    server.client.get("/v2/me/app/manifests/x?token=hush-hush", {"Authorization": "Bearer sesame"})
    server.client.get("/v2/_berth/token?account=bob&password=hush-hush")
    log = wait_until(lambda: text if "/v2/_berth/token" in (text := read(server.logs / "workers.log")) and "/manifests/x" in text else "", "their lines")
    for secret in ("c2VjcmV0", "sesame", "hush-hush"):
        assert secret not in log


def test_the_configuration_of_the_process_is_not_in_its_command_line(start):
    """Nothing that an administrator would not want to see in ps."""
    server = start()
    for pid in server.workers():
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            assert line.read().split(b"\0")[1:] in ([b""], []), pid
        assert os.readlink(f"/proc/{pid}/cwd")

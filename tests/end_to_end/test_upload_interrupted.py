"""Uploads that do not go to plan: bodies cut short, two writers, another worker, a restart of the pool."""
import os
import signal
import socket
import threading

import pytest

from harness import content
from harness.client import receive
from harness.process import wait_until
from harness.registry import closing

pytestmark = pytest.mark.quick


def send_part(client, method, target, body, announced, how="close", chunked=False):
    """Sends a request whose body ends before it should, then breaks the connection."""
    with client.connect() as connection:
        if chunked:
            head = client.head(method, target, chunks=[])
            connection.sendall(head + b"%x\r\n" % announced + body)
        else:
            connection.sendall(client.head(method, target, {"Content-Length": str(announced)}) + body)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def session_range(client, location):
    """The Range of the session, once nobody writes to it any more."""
    def quiet():
        answer = client.get(location)
        return answer if answer.status == 204 else None
    return wait_until(quiet, f"status of {location}")["Range"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
@pytest.mark.parametrize("size", [10, 300000])
def test_a_put_cut_short_never_becomes_a_blob(client, repository, how, chunked, size):
    """DESIGN: a broken connection is not the end of the body, even if what arrived had the right digest."""
    data = content.noise(size)
    location = repository.open_upload()
    send_part(client, "PUT", closing(location, content.digest(data)), data, size + 100, how, chunked)
    session_range(client, location)
    assert client.exists(repository.blob(content.digest(data))).status == 404


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_single_post_cut_short_never_becomes_a_blob(client, repository, how):
    data = content.noise(5000)
    send_part(client, "POST", f"{repository.uploads}?digest={content.digest(data)}", data, 6000, how)
    client.get("/v2/")
    assert client.exists(repository.blob(content.digest(data))).status == 404


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
def test_a_patch_cut_short_can_be_resumed_from_what_the_status_says(client, repository, how, chunked):
    """Resumable push: the status tells how much is there, and what is there is a beginning of what was sent."""
    data = content.noise(1 << 20)
    location = client.patch(repository.open_upload(), data[:1000])["Location"]
    send_part(client, "PATCH", location, data[1000:400000], len(data) - 1000, how, chunked)

    def resume():
        """A CGI process may still be taking what the web server had: then this comes too early, is refused, and told how far it is."""
        start, end = session_range(client, location).split("-")
        offset = int(end) + 1
        assert start == "0" and 1000 <= offset <= 400000
        answer = client.patch(location, data[offset:], {"Content-Range": f"{offset}-{len(data) - 1}"})
        if answer.status in (409, 416):
            assert 1000 <= int((answer["Range"] or session_range(client, location)).split("-")[1]) + 1 <= 400000, answer
            return None
        return answer
    answer = wait_until(resume, "the rest taken")
    assert (answer.status, answer["Range"]) == (202, f"0-{len(data) - 1}"), answer
    assert repository.finish(answer["Location"], content.digest(data)).status == 201
    assert client.get(repository.blob(content.digest(data))).body == data


def test_a_manifest_cut_short_is_not_stored(client, repository):
    data = content.encode(content.index([]))
    send_part(client, "PUT", repository.manifest("short"), data, len(data) + 10)
    client.get("/v2/")
    assert client.exists(repository.manifest("short")).status == 404


def test_two_writers_at_once_never_mix_their_bytes(client, repository):
    """The second writer gets a clear 4xx; what ends up in the session is one writer's body, whole."""
    location = repository.open_upload()
    bodies = [bytes([number]) * (4 << 20) for number in (65, 66, 67, 68)]
    answers = [None] * len(bodies)

    def write(number):
        answers[number] = client.patch(location, bodies[number], {"Content-Range": f"0-{len(bodies[0]) - 1}"})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status for answer in answers)
    assert statuses[0] == 202, answers
    assert all(400 <= status < 500 for status in statuses[1:]), answers
    for answer in answers:
        if answer.status != 202:
            assert answer.codes()[0] == "BLOB_UPLOAD_INVALID", answer
    assert session_range(client, location) == f"0-{len(bodies[0]) - 1}"
    winner = next(number for number, answer in enumerate(answers) if answer.status == 202)
    assert repository.finish(location, content.digest(bodies[winner])).status == 201


def test_a_writer_that_is_still_writing_keeps_others_out(server, client, repository):
    """Where bodies stream, the session is held while they do: a second PATCH, PUT or DELETE gets a 4xx, not a mixture.

    Behind body files the slow writer holds nothing yet: there the second writer may win, and the first then gets the 4xx.
    """
    location = repository.open_upload()
    slow, quick = b"s" * 200000, b"q" * 1000
    with client.connect() as connection:
        head = client.head("PATCH", location, {"Content-Range": f"0-{len(slow) - 1}", "Content-Length": str(len(slow))})
        connection.sendall(head + slow[:100000])
        second = client.patch(location, quick, {"Content-Range": f"0-{len(quick) - 1}"})
        connection.sendall(slow[100000:])
        first = receive(connection, "PATCH")
    assert (first.status == 202) != (second.status == 202), (first, second)
    if second.status != 202:
        assert 400 <= second.status < 500 and second.codes() == ["BLOB_UPLOAD_INVALID"], second
    body = quick if second.status == 202 else slow
    assert repository.finish(location, content.digest(body)).status == 201


def test_any_worker_goes_on_with_a_session(server, client, repository):
    """A session survives its worker: each step by workers that have not seen it before."""
    data = content.noise(9000)
    location = repository.open_upload()
    for start in range(0, 9000, 3000):
        for pid in server.workers():
            os.kill(pid, signal.SIGTERM)
        old = set(server.pids)
        wait_until(lambda: len(server.workers()) == server.worker_count and not old & set(server.workers()), "new pool")
        server.note_workers()
        answer = client.patch(location, data[start:start + 3000], {"Content-Range": f"{start}-{start + 2999}"})
        assert (answer.status, answer["Range"]) == (202, f"0-{start + 2999}"), answer
        location = answer["Location"]
    assert repository.finish(location, content.digest(data)).status == 201
    assert client.get(repository.blob(content.digest(data))).body == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_session_survives_a_restart_of_everything(start, algorithm):
    """A session survives restart and host."""
    server = start()
    repository = server.client.repository("me/app")
    data = content.noise(100000)
    location = server.client.patch(repository.open_upload(f"?digest-algorithm={algorithm}"), data[:60001])["Location"]
    server.stop()
    server.start()
    assert server.client.get(location)["Range"] == "0-60000"
    answer = server.client.patch(location, data[60001:], {"Content-Range": "60001-99999"})
    assert repository.finish(answer["Location"], content.digest(data, algorithm)).status == 201
    assert server.client.get(repository.blob(content.digest(data, algorithm))).body == data


def test_two_servers_on_one_store_are_one_registry(start):
    """Several hosts, one filesystem: sessions, blobs, tags and lists are the same at once, whoever was asked."""
    first = start("nginx")
    second = start("lighttpd", storage=str(first.storage))
    clients = (first.client, second.client)
    repository = first.client.repository("me/app")
    data = content.noise(60000)
    location = repository.open_upload()
    for turn, start_at in enumerate(range(0, 60000, 10000)):
        piece = data[start_at:start_at + 10000]
        answer = clients[turn % 2].patch(location, piece, {"Content-Range": f"{start_at}-{start_at + 9999}"})
        assert (answer.status, answer["Range"]) == (202, f"0-{start_at + 9999}"), answer
    assert second.client.repository("me/app").finish(location, content.digest(data)).status == 201
    for turn in range(10):
        writer, reader = clients[turn % 2], clients[1 - turn % 2]
        document, digest = writer.repository("me/app").push_manifest(content.index([], annotations={"n": str(turn)}), "latest")
        answer = reader.get(repository.manifest("latest"))
        assert (answer.body, answer["Docker-Content-Digest"]) == (document, digest), answer
    assert first.client.delete(repository.manifest("latest")).status == 202
    assert second.client.get(repository.manifest("latest")).status == 404
    assert second.client.get(repository.blob(content.digest(data))).body == data


def test_a_session_goes_on_behind_the_other_web_server(start, new_directory):
    """Bodies that came as files and bodies that streamed are one session."""
    directory = new_directory("both")
    data = content.noise(500000)
    first = start(web="nginx", directory=directory)
    repository = first.client.repository("me/app")
    location = first.client.patch(repository.open_upload(), data[:200000])["Location"]
    first.stop()
    second = start(web="lighttpd", directory=directory)
    answer = second.client.patch(location, data[200000:], {"Content-Range": "200000-499999"})
    assert answer.status == 202, answer
    assert second.client.repository("me/app").finish(answer["Location"], content.digest(data)).status == 201


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
@pytest.mark.parametrize("how", ["patched", "at once"])
def test_a_closing_request_that_failed_behind_the_rename_can_be_repeated(start, web, how):
    """The bytes are the blob already when the link cannot be written: the session proves by its hash whose they are."""
    server = start(web, expected_faults=True)
    repository = server.client.repository("me/app")
    data, other = content.noise(300000), b"another client's"
    digest = content.digest(data)
    server.client.repository("some/body").push_blob(other)
    obstacle = server.store / "repositories/me/app/_layers"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_bytes(b"")
    location, body = repository.open_upload(), data
    if how == "patched":
        location, body = server.client.patch(location, data)["Location"], b""
    assert repository.finish(location, digest, body).status == 500
    assert repository.finish(location, digest, body).status == 500
    status = server.client.get(location)
    assert (status.status, status["Range"]) == (204, f"0-{len(data) - 1}"), status
    refused = server.client.patch(location, b"more")
    assert (refused.status, refused["Range"]) == (416, f"0-{len(data) - 1}"), refused
    obstacle.unlink()
    finished = repository.finish(location, digest, body)
    assert finished.status == 201, finished
    assert server.client.get(repository.blob(digest)).body == data
    assert server.client.get(location).codes() == ["BLOB_UPLOAD_UNKNOWN"]


def test_a_session_that_lost_its_bytes_gives_nobody_else_s_blob(start):
    server = start(expected_faults=True)
    repository = server.client.repository("me/app")
    secret = server.client.repository("some/body").push_blob(b"secret")
    obstacle = server.store / "repositories/me/app/_layers"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_bytes(b"")
    location = server.client.patch(repository.open_upload(), b"mine")["Location"]
    assert repository.finish(location, content.digest(b"mine")).status == 500
    obstacle.unlink()
    refused = repository.finish(location, secret)
    assert (refused.status, refused.codes()) == (404, ["BLOB_UPLOAD_UNKNOWN"]), refused
    assert server.client.exists(repository.blob(secret)).status == 404

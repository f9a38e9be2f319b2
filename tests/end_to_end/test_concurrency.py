"""Many clients at once: everybody succeeds, nothing is stored twice, nothing is lost."""
import concurrent.futures
import json

import pytest

from harness import content
from harness.engines import push_layout
from harness.images import Layout, contents, layer
from harness.process import wait_until

CLIENTS = 32


def at_once(work, count=CLIENTS):
    """Runs work(number) in `count` threads; all results, or the first failure."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def stored(server):
    return sorted(path.parent.name for path in (server.store / "blobs").rglob("data"))


def assert_no_uploads_left(server):
    def left():
        return [path for name in ("uploads", "bodies") for path in (server.temporary / name).rglob("*") if path.is_file()]

    # The web server removes a request's body after the answer.
    wait_until(lambda: not left(), f"no upload left: {left()}")


@pytest.fixture(params=["nginx", "lighttpd"])
def fresh(start, request):
    return start(request.param)


@pytest.mark.quick
def test_32_clients_push_the_same_image_at_once(fresh):
    """All upload all of it, none asks first; one copy of each blob is kept."""
    layers = [content.noise(300000) for _ in range(8)]
    config = b'{"architecture":"amd64","os":"linux"}'
    document = content.encode(content.image(content.descriptor(config, content.CONFIG), list(map(content.descriptor, layers))))
    repository = fresh.client.repository("me/app")

    def push(number):
        for blob in [*layers[number % 8:], *layers[:number % 8], config]:
            location = repository.open_upload()
            location = fresh.client.request("PATCH", location, chunks=[blob[:100000], blob[100000:]] if len(blob) > 100000
                                            else [blob])["Location"]
            answer = repository.finish(location, content.digest(blob))
            assert answer.status == 201, answer
        answer = repository.put_manifest("latest", document)
        assert answer.status == 201, answer

    at_once(push)
    assert stored(fresh) == sorted(content.digest(blob)[7:] for blob in [*layers, config, document])
    assert_no_uploads_left(fresh)
    for blob in layers:
        assert fresh.client.get(repository.blob(content.digest(blob))).body == blob
    assert fresh.client.get(repository.manifest("latest")).body == document


def test_32_skopeos_push_the_same_image_at_once(fresh, new_directory):
    """The same with a real client, which asks, mounts and uploads as it likes."""
    layout = Layout(f"{new_directory('image')}/layout")
    digest = layout.tag(layout.image([layer({f"file{number}": content.noise(200000)}) for number in range(8)]), "app")
    at_once(lambda number: push_layout(layout, "app", f"{fresh.authority}/me/app:{number % 4}"))
    assert stored(fresh) == sorted(each[7:] for each in contents(layout.directory)[0])
    assert_no_uploads_left(fresh)
    repository = fresh.client.repository("me/app")
    assert repository.tag_names() == ["0", "1", "2", "3"]
    assert fresh.client.get(repository.manifest("3"))["Docker-Content-Digest"] == digest


@pytest.mark.quick
def test_tags_that_are_pushed_at_once_are_all_there(fresh):
    repository = fresh.client.repository("me/app")
    at_once(lambda number: repository.push_manifest(content.index([]), f"v{number:02}"))
    assert repository.tag_names() == [f"v{number:02}" for number in range(CLIENTS)]


@pytest.mark.quick
def test_referrers_that_are_pushed_at_once_are_all_listed(fresh):
    """The race that the referrers interface exists to end."""
    repository = fresh.client.repository("me/app")
    subject = content.descriptor(b"subject", content.IMAGE)

    def refer(number):
        return repository.push_manifest(content.index([], subject=subject, annotations={"n": str(number)}))[1]

    digests = at_once(refer)
    answer = fresh.client.get(repository.referrers(subject["digest"]))
    assert sorted(each["digest"] for each in answer.json()["manifests"]) == sorted(digests)


@pytest.mark.quick
def test_only_one_of_many_creates_what_none_may_overwrite(fresh):
    """If-None-Match: * is decided under the repository's lock."""
    repository = fresh.client.repository("me/app")

    def create(number):
        document = content.encode(content.index([], annotations={"n": str(number)}))
        return repository.put_manifest("once", document, content.INDEX, {"If-None-Match": "*"}).status, document

    results = at_once(create)
    assert sorted(status for status, _ in results) == [201] + [412] * (CLIENTS - 1)
    winner = next(document for status, document in results if status == 201)
    assert fresh.client.get(repository.manifest("once")).body == winner


@pytest.mark.quick
def test_counting_with_if_match_loses_no_update(fresh):
    """Optimistic locking by ETag, as clients of the referrers tag use it."""
    repository = fresh.client.repository("me/app")
    repository.push_manifest(content.index([], annotations={"count": "0"}), "counter")

    def increment(_):
        while True:
            seen = fresh.client.get(repository.manifest("counter"))
            count = int(seen.json()["annotations"]["count"]) + 1
            answer = repository.put_manifest("counter", content.index([], annotations={"count": str(count)}),
                                             headers={"If-Match": seen["ETag"]})
            if answer.status == 201:
                return
            assert answer.status == 412, answer

    at_once(increment, 8)
    assert fresh.client.get(repository.manifest("counter")).json()["annotations"] == {"count": "8"}


@pytest.mark.quick
def test_a_tag_that_moves_while_its_old_digest_is_deleted_stays(fresh):
    """Delete by digest against a moving tag: the tag ends at the new manifest, every time."""
    repository = fresh.client.repository("me/app")
    for number in range(20):
        _, old = repository.push_manifest(content.index([], annotations={"n": f"old {number}"}), "moving")
        new = content.encode(content.index([], annotations={"n": f"new {number}"}))

        def act(which, old=old, new=new):
            if which:
                return repository.put_manifest("moving", new, content.INDEX)
            return fresh.client.delete(repository.manifest(old))

        deleted, put = at_once(act, 2)
        assert (deleted.status, put.status) == (202, 201)
        answer = fresh.client.get(repository.manifest("moving"))
        assert (answer.status, answer.body) == (200, new), answer
        assert json.loads(answer.body)["annotations"]["n"] == f"new {number}"


@pytest.mark.quick
def test_a_blob_is_readable_while_it_is_pushed_again_and_deleted_elsewhere(fresh):
    """Readers of one repository never notice what others do with the same content."""
    data = content.noise(200000)
    digest = content.digest(data)
    reader, writer = fresh.client.repository("me/reader"), fresh.client.repository("me/writer")
    reader.push_blob(data)

    def act(number):
        for _ in range(10):
            if number % 2:
                assert fresh.client.get(reader.blob(digest)).body == data
            else:
                writer.push_blob(data)
                assert fresh.client.delete(writer.blob(digest)).status in (202, 404)

    at_once(act, 8)


def test_a_slow_client_holds_no_worker(fresh):
    """More half-sent requests than workers, and the registry answers all the same."""
    repository = fresh.client.repository("me/app")
    slow = []
    for _ in range(fresh.worker_count * 4):
        connection = fresh.client.connect()
        head = fresh.client.head("PATCH", repository.open_upload(), {"Content-Length": "100000"})
        connection.sendall(head + b"x" * 1000)
        slow.append(connection)
    assert fresh.client.get("/v2/").status == 200
    repository.push_image("latest")
    for connection in slow:
        connection.close()


def test_a_slow_reader_of_a_blob_holds_no_worker(fresh):
    repository = fresh.client.repository("me/app")
    data = content.noise(20 * content.MIB)
    target = repository.blob(repository.push_blob(data))
    slow = []
    for _ in range(fresh.worker_count * 4):
        connection = fresh.client.connect()
        connection.sendall(fresh.client.head("GET", target))
        assert connection.recv(1)
        slow.append(connection)
    assert fresh.client.get("/v2/").status == 200
    for connection in slow:
        connection.close()

"""What a request costs: system calls of a warm worker, from accept() to the answer. They may become fewer."""
import contextlib
import os
import pathlib
import stat

import pytest

from harness import content
from harness.mounts import LoopDisk, SmallMemory
from harness.process import wait_until
from harness.registry import closing
from harness.strace import TracedWorker, names
from harness.upstream import Upstream
from test_access import basic, bearer, write_users
from test_crash import NO_RESERVE

WARM = 3


@pytest.fixture(scope="module")
def traced(new_directory):
    """Its requests look like nginx's."""
    with TracedWorker(new_directory("traced"), BERTH_SENDFILE="x-accel-redirect:/_berth/", REQUEST_ID="0" * 32) as worker:
        yield worker


def file_time(worker):
    """What the filesystem calls now, in nanoseconds."""
    path = pathlib.Path(worker.directory) / "now"
    path.touch()
    return path.stat().st_mtime_ns


def warm_calls(worker, prepare):
    """Of the last of some requests; `prepare` makes each, and what it takes besides. A directory is remembered as synced when
    it is older than a tick of the filesystem's clock (lib/base/sync), which those of the first requests have to become."""
    for _ in range(WARM):
        prepare()()
    begin = file_time(worker)
    wait_until(lambda: file_time(worker) > begin + 100_000_000, "some ticks")
    for _ in range(WARM):
        prepare()()
    return worker.calls_of(prepare())


def assert_at_most(limit, calls):
    assert len(calls) <= limit, f"{len(calls)} calls:\n" + "\n".join(calls)


def test_a_manifest_by_tag_takes_fifteen_calls(traced):
    repository = traced.repository("me/app")
    data, _ = repository.push_image("latest")

    def get():
        assert traced.get(repository.manifest("latest")).body == data
    calls = warm_calls(traced, lambda: get)
    assert_at_most(15, calls)
    assert names(calls)[:2] == ["accept4", "read"] and names(calls)[-1] == "close", calls


def test_a_question_for_a_manifest_takes_twelve_calls(traced):
    """Who has read it before knows its type, and need not read it again for HEAD."""
    repository = traced.repository("me/asked")
    data, digest = repository.push_image("latest")

    def head():
        answer = traced.request("HEAD", repository.manifest("latest"))
        assert (answer.status, answer["Content-Length"], answer["Content-Type"]) == (200, str(len(data)), content.IMAGE), answer
        assert answer["Docker-Content-Digest"] == digest, answer
    assert_at_most(12, warm_calls(traced, lambda: head))


class LoggedIn(TracedWorker):
    shown = {}

    def request(self, method, target, headers=None, body=None, chunks=None, **parameters):
        return super().request(method, target, {**self.shown, **(headers or {})}, body, chunks, **parameters)


def test_a_token_takes_three_calls_more(new_directory):
    """Whether keys and passwords are still what they were, once they have not changed for some seconds."""
    directory = pathlib.Path(new_directory("logged-in"))
    write_users(directory / "users", {"alice": "a"})
    settings = "[authentication]\nmode = htpasswd\nhtpasswd = users\n"
    with LoggedIn(directory, settings, BERTH_SENDFILE="x-accel-redirect:/_berth/", REQUEST_ID="0" * 32) as worker:
        worker.shown = basic("alice", "a")
        repository = worker.repository("me/app")
        repository.push_image("latest")
        worker.shown = bearer(worker.get(f"/v2/_berth/token?service={worker.authority}").json()["token"])
        wait_until(lambda: len(worker.calls_of(lambda: worker.get(repository.manifest("latest")))) <= 18, "18 calls")


def test_a_blob_that_the_web_server_sends_takes_nine_calls(traced):
    repository = traced.repository("me/app")
    digest = repository.push_blob(content.noise(100_000))

    def get():
        answer = traced.get(repository.blob(digest))
        assert answer.status == 200 and answer["X-Accel-Redirect"], answer
    assert_at_most(9, warm_calls(traced, lambda: get))


def test_a_blob_that_a_worker_sends_does_not_pass_through_it(traced):
    """As behind nginx in the place for streams, where a blob may be complete by then."""
    repository = traced.repository("me/app")
    data = content.noise(1_000_000)
    digest = repository.push_blob(data)
    calls = traced.calls_of(lambda: traced.request("GET", repository.blob(digest), BERTH_SENDFILE=""))
    assert traced.request("GET", repository.blob(digest), {"Range": "bytes=7-900000"}, BERTH_SENDFILE="").body == data[7:900_001]
    assert traced.request("GET", repository.blob(digest), BERTH_SENDFILE="").body == data
    assert "sendfile" in names(calls) and names(calls).count("write") <= 3, "\n".join(calls)


def bodies(worker):
    """A body as nginx hands it over: in a file of its own."""
    directory = worker.directory / "storage/_tmp/bodies"

    def body_file(data):
        path = directory / f"{len(list(directory.iterdir())):010}"
        path.write_bytes(data)
        path.chmod(0o600)
        return {"BERTH_BODY_FILE": str(path), "CONTENT_LENGTH": str(len(data))}
    return body_file


def in_known_directory(known, make):
    """Something new whose digest begins like that of something old: of 256 directories most are there in a store that is used."""
    while True:
        data = make()
        if content.digest(data)[7:9] == known[7:9]:
            return data


def syncs(calls):
    return sum(name in ("fsync", "fdatasync", "sync_file_range", "syncfs") for name in names(calls))


# What is synced where each directory has to be, and where a journal keeps all changes in their order (lib/base/journal).
EACH, IN_ORDER = "each directory", "in order"
DISKS = {"tmpfs": EACH, "ext4": IN_ORDER, "ext4 with fast commits": IN_ORDER, "ext4 without a journal": EACH, "xfs": IN_ORDER}


@pytest.fixture(params=DISKS)
def stored(request, mounted, new_directory):
    """A traced worker whose storage is on such a disk, and how that is synced."""
    directory = pathlib.Path(new_directory("stored"))
    if request.param == "tmpfs":
        mounted(SmallMemory(directory / "storage", 64))
    else:
        mounted(LoopDisk(directory / "disk", directory / "storage", kind=request.param))
    with TracedWorker(directory, NO_RESERVE, BERTH_SENDFILE="x-accel-redirect:/_berth/", REQUEST_ID="0" * 32) as worker:
        yield worker, DISKS[request.param]


def test_an_upload_is_closed_in_sixty_calls(stored):
    traced, how = stored
    repository, body_file = traced.repository("me/uploads"), bodies(traced)
    known = repository.push_blob(content.noise())

    def prepare():
        data = in_known_directory(known, lambda: content.noise(5000))
        location = repository.open_upload()

        def put():
            answer = traced.request("PUT", closing(location, content.digest(data)), **body_file(data))
            assert answer.status == 201, answer
        return put
    calls = warm_calls(traced, prepare)
    assert_at_most(60, calls)
    assert syncs(calls) == {EACH: 6, IN_ORDER: 3}[how], calls  # bytes, link, and the two directories above each


def test_an_upload_is_synced_when_it_is_closed_and_not_before(traced):
    repository, body_file = traced.repository("me/uploads"), bodies(traced)
    location = repository.open_upload()
    opened = traced.calls_of(repository.open_upload)
    appended = traced.calls_of(lambda: traced.request("PATCH", location, **body_file(content.noise(5000))))
    assert syncs(opened) == syncs(appended) == 0, (opened, appended)


def test_a_manifest_is_pushed_in_eighty_calls(stored):
    """The usual one: a config, a layer that was pushed just before, a tag that moves."""
    traced, how = stored
    repository, body_file = traced.repository("me/manifests"), bodies(traced)
    _, known = repository.push_image("latest")

    def prepare():
        config, layer = content.encode({"noise": content.noise(8).hex()}), content.noise()
        for blob in (config, layer):
            repository.push_blob(blob)
        parts = content.descriptor(config, content.CONFIG), [content.descriptor(layer)]
        data = in_known_directory(known, lambda: content.encode(content.image(*parts, annotations={"noise": content.noise(8).hex()})))

        def put():
            answer = traced.request("PUT", repository.manifest("latest"), {"Content-Type": content.IMAGE}, **body_file(data))
            assert answer.status == 201, answer
        return put
    calls = warm_calls(traced, prepare)
    assert_at_most(80, calls)
    # Bytes, revision and tag, two directories above the first two, one above the tag; or what the tag points at, and the tag.
    assert syncs(calls) == {EACH: 8, IN_ORDER: 5}[how], calls


class WorkerWithoutChildren(TracedWorker):
    options = ("-e", "inject=fork,vfork,clone,clone3:error=EAGAIN")


def test_a_client_comes_again_later_when_no_process_can_be_started_for_it(new_directory):
    """EAGAIN of fork(): 429 with Retry-After, and the place in the queue of those who wait is free again."""
    with WorkerWithoutChildren(new_directory("childless"), "[proxy]\nmaximum_waiting = 2\n", expected_faults=True) as worker:
        for _ in range(5):
            answer = worker.get("/v2/proxy/docker.io/library/x/manifests/latest")
            assert (answer.status, answer.codes()) == (429, ["TOOMANYREQUESTS"]), answer
            assert int(answer["Retry-After"]) > 0 and "no process" in answer.json()["errors"][0]["message"], answer
        assert worker.get("/v2/").status == 200
        assert "error: fork: " in worker.log()


PROXIED = """
[proxy]
{limit}
[upstream up]
url = {url}
allow_private_address = yes
"""


def hits(new_directory, upstream, limit):
    """The calls of a pull from the cache: a manifest by tag, a blob; both last used a minute ago."""
    layer, tag = content.noise(100_000), str(len(limit))
    data, digest = upstream.add_image("app", tag, [layer])
    with TracedWorker(new_directory("hits"), PROXIED.format(limit=limit, url=upstream.url), BERTH_SENDFILE="x-accel-redirect:/_berth/") as worker:
        repository = worker.repository("proxy/up/app")
        blobs = worker.directory / "storage/proxy/docker/registry/v2/blobs/sha256"

        def manifest():
            assert worker.get(repository.manifest(tag)).body == data

        def blob():
            return worker.get(repository.blob(content.digest(layer)))
        manifest()
        wait_until(lambda: blob()["X-Accel-Redirect"] and "/stream" not in blob()["X-Accel-Redirect"], "the blob in the cache")
        kept = blobs / content.digest(layer)[7:9] / content.digest(layer)[7:] / "data"
        wait_until(lambda: kept.stat().st_mode & stat.S_ISVTX, "a blob that is synced")
        for each in (digest, content.digest(layer)):
            path = blobs / each[7:9] / each[7:] / "data"
            os.utime(path, (path.stat().st_mtime - 60, path.stat().st_mtime - 1_000_000))
        return [names(warm_calls(worker, lambda ask=ask: ask)) for ask in (manifest, blob)]


def test_a_hit_costs_no_more_where_the_cache_is_limited(new_directory):
    with contextlib.closing(Upstream()) as upstream:
        assert hits(new_directory, upstream, "") == hits(new_directory, upstream, "maximum_size = 10G") == hits(new_directory, upstream, "maximum_age = 30d")

"""Everything that can be wrong with another registry: what is cached is served with a warning, what is not gets a clear answer."""
import contextlib
import json
import os
import pathlib
import re
import shutil

import pytest

from harness import content
from harness.client import BrokenAnswer
from harness.fastcgi import Worker
from harness.mounts import SmallMemory
from harness.process import wait_until
from harness.upstream import Upstream, error, wants_basic
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_http import Reply
from harness.upstream_site import Download, Site
from test_proxy_manifest import make_old


def change(**values):
    """A rule that sets parts of the reply."""
    def spoil(reply, _):
        for name, value in values.items():
            setattr(reply, name, value)
    return spoil


def become(other):
    """A rule that answers `other` instead."""
    def spoil(reply, _):
        reply.__dict__.update(other.__dict__)
    return spoil


def refused(upstream):
    upstream.close()


def redirects(target):
    return become(Reply(307, b"", {"Location": target}))


HTML = Reply(200, b"<!DOCTYPE html><title>Please log in</title>", {"Content-Type": "text/html"})
LIMITED = error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit", {"Retry-After": "7"})

# name: (how it is broken, status, code, what errors[].detail must have)
FAULTS = {
    "connection refused": (None, 502, "UNSUPPORTED", {}),
    "closed before answering": (change(silent=True), 502, "UNSUPPORTED", {}),
    "500": (become(error(500, "UNKNOWN", "the database is on fire")), 502, "UNSUPPORTED",
            {"status": 500, "message": "the database is on fire"}),
    "502 in HTML": (become(Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})), 502, "UNSUPPORTED", {"status": 502}),
    "503": (become(error(503, "UNAVAILABLE", "down for maintenance")), 502, "UNSUPPORTED", {"status": 503, "message": "down for maintenance"}),
    "504": (become(error(504, "UNKNOWN", "nobody home")), 502, "UNSUPPORTED", {"status": 504, "message": "nobody home"}),
    "429": (become(LIMITED), 429, "TOOMANYREQUESTS", {"status": 429, "message": "You have reached your pull rate limit"}),
    "429 without Retry-After": (become(error(429, "TOOMANYREQUESTS", "slow down")), 429, "TOOMANYREQUESTS",
                                {"status": 429, "message": "slow down"}),
    "401 without a way in": (become(error(401, "UNAUTHORIZED", "go away")), 502, "DENIED", {"status": 401, "message": "go away"}),
    "401 for ever": (become(error(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": 'Basic realm="x"'})), 502, "DENIED", {"status": 401}),
    "403": (become(error(403, "DENIED", "not for you")), 502, "DENIED", {"status": 403, "message": "not for you"}),
    "400": (become(error(400, "UNSUPPORTED", "what?")), 502, "UNSUPPORTED", {"status": 400, "message": "what?"}),
    "HTML instead of JSON": (become(HTML), 502, "UNSUPPORTED", {"status": 200}),
    "JSON that is no manifest": (become(Reply(200, b'{"hello": 1}', {"Content-Type": "application/json"})), 502, "UNSUPPORTED", {}),
    "an empty answer": (become(Reply(200, b"", {"Content-Type": content.IMAGE})), 502, "UNSUPPORTED", {}),
    "an endless answer": (change(endless=True), 502, "UNSUPPORTED", {}),
    "longer than announced": (change(length=20), 502, "UNSUPPORTED", {}),
    "shorter than announced": (change(length=100_000), 502, "UNSUPPORTED", {}),
    "cut": (change(cut=20), 502, "UNSUPPORTED", {}),
    "a redirect in circles": (lambda reply, request: redirects(request.target)(reply, request), 502, "UNSUPPORTED", {}),
    "a redirect to nowhere": (become(Reply(302, b"")), 502, "UNSUPPORTED", {}),
    "a redirect to a file": (redirects("file:///etc/passwd"), 502, "UNSUPPORTED", {}),
    "no HTTP": (lambda reply, _: reply.headers.update({"X": "y" * 100_000}), 502, "UNSUPPORTED", {}),
    "silence": (change(mute=True), 504, "UNSUPPORTED", {}),
    "a stall in the middle": (change(stall=20), 504, "UNSUPPORTED", {}),
}
# What Retry-After may be: the upstream's seconds, and a part of it more so that not all clients come back at once.
RETRY = {"429": range(7, 12), "429 without Retry-After": range(30, 47)}


@contextlib.contextmanager
def broken(upstream, fault):
    if FAULTS[fault][0]:
        upstream.when(FAULTS[fault][0])
    else:
        upstream.close()
    yield
    upstream.free.set()


def assert_explained(answer, upstream, fault):
    _, status, code, detail = FAULTS[fault]
    assert (answer.status, answer.codes()) == (status, [code]), answer
    assert answer["WWW-Authenticate"] is None and answer["Warning"] is None, answer
    said = answer.json()["errors"][0]["detail"]
    assert said["upstream"] == upstream.alias and said["message"], answer
    assert said.get("status") == detail.get("status", said.get("status")), answer
    assert detail.get("message", "") in said["message"], answer
    assert (answer["Retry-After"] is not None) == (status == 429), answer
    if status == 429:
        assert int(answer["Retry-After"]) in RETRY[fault], answer


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_without_anything_cached_is_explained(hasty_site, upstream, fault):
    _, digest = upstream.add_image("app", "1")
    with broken(upstream, fault):
        assert_explained(hasty_site.client.get(hasty_site.at(upstream).manifest("1")), upstream, fault)
        answer = hasty_site.client.exists(hasty_site.at(upstream).manifest(digest))
        assert answer.status == FAULTS[fault][1] or "HTML" in fault or "JSON" in fault or "answer" in fault or "announced" in fault \
            or fault in ("cut", "a stall in the middle"), answer


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_with_a_cached_tag_is_a_warning(hasty_site, upstream, fault):
    data, digest = upstream.add_image("app", "1")
    repository = hasty_site.at(upstream)
    assert hasty_site.client.get(repository.manifest("1")).body == data
    upstream.add_image("app", "1")  # it moved, so that the fault is met by GET too
    make_old(hasty_site, upstream, "1")
    with broken(upstream, fault):
        for method in ("GET", "HEAD"):
            answer = hasty_site.client.request(method, repository.manifest("1"))
            if method == "HEAD" and answer["Docker-Content-Digest"] != digest:
                continue  # a fault of bodies: HEAD sees the tag move
            assert (answer.status, answer["Docker-Content-Digest"]) == (200, digest), answer
            assert method == "HEAD" or answer.body == data
            assert re.fullmatch(r'299 - "[^"\\]+"', answer["Warning"] or ""), answer
        answer = hasty_site.client.get(repository.manifest(digest))
        assert (answer.status, answer["Warning"], answer.body) == (200, None, data), "a digest is never old"


@pytest.mark.parametrize("fault", ["connection refused", "503", "429", "HTML instead of JSON", "silence"])
def test_faults_are_the_same_behind_lighttpd(new_directory, fault):
    with Site(new_directory("lighttpd"), "lighttpd", 2, stall_timeout=2) as site:
        cold, warm = site.take(), site.take()
        cold.add_image("app", "1")
        data, digest = warm.add_image("app", "1")
        assert site.client.get(site.at(warm).manifest("1")).body == data
        warm.add_image("app", "1")
        make_old(site, warm, "1")
        with broken(cold, fault), broken(warm, fault):
            assert_explained(site.client.get(site.at(cold).manifest("1")), cold, fault)
            answer = site.client.get(site.at(warm).manifest("1"))
            assert (answer.status, answer["Docker-Content-Digest"]) == (200, digest), answer
            assert re.fullmatch(r'299 - "[^"\\]+"', answer["Warning"] or ""), answer


BLOB_FAULTS = ["connection refused", "closed before answering", "500", "503", "429", "401 for ever", "403", "a redirect in circles",
               "a redirect to nowhere", "silence"]


@pytest.mark.parametrize("fault", BLOB_FAULTS)
def test_a_blob_that_cannot_be_had_is_explained(hasty_site, upstream, fault):
    data = content.noise(1000)
    digest = upstream.add_blob(data)
    with broken(upstream, fault):
        assert_explained(hasty_site.client.get(hasty_site.at(upstream).blob(digest)), upstream, fault)
        assert hasty_site.client.exists(hasty_site.at(upstream).blob(digest)).status == FAULTS[fault][1]


@pytest.mark.parametrize("body", [b"<html>log in</html>", b""])
def test_html_instead_of_a_blob_reaches_nobody(nginx_site, upstream, body):
    digest = upstream.add_blob(content.noise(1000))
    upstream.when(become(Reply(200, body, {"Content-Type": "text/html"})))
    with nginx_site.expecting_cuts():
        got = Download(nginx_site.client, nginx_site.at(upstream).blob(digest)).result()
        assert not got.is_success, (got, got.body)


def test_an_upstream_that_speaks_no_tls_is_502(new_directory, nginx_site):
    section = f"[upstream plain]\nurl = https://127.0.0.1:{nginx_site.server.port}\nallow_private_address = yes\n"
    with Site(new_directory("tls"), settings=section) as site:
        answer = site.client.get("/v2/proxy/plain/app/manifests/1")
        assert (answer.status, answer.codes()) == (502, ["UNSUPPORTED"]), answer
        assert answer.json()["errors"][0]["detail"]["upstream"] == "plain"


def test_a_name_that_does_not_resolve_is_502(nginx_site):
    answer = nginx_site.client.get("/v2/proxy/registry.invalid/app/manifests/1")
    assert (answer.status, answer.codes()) == (502, ["UNSUPPORTED"]), answer
    assert answer.json()["errors"][0]["detail"]["upstream"] == "registry.invalid"


def test_a_dead_upstream_is_remembered_by_all_workers(hasty_site, upstream):
    upstream.add_image("app", "1")
    upstream.when(change(mute=True))
    assert hasty_site.client.get(hasty_site.at(upstream).manifest("1")).status == 504
    upstream.forget()
    for number in range(8):
        for target in (hasty_site.at(upstream, f"app{number}").manifest("1"), hasty_site.at(upstream).blob(content.ABSENT)):
            answer = hasty_site.client.get(target)
            assert answer.status == 504, answer
            assert answer.json()["errors"][0]["detail"]["upstream"] == upstream.alias
    assert upstream.asked() == [], "nobody queues on its time-out"


def test_an_upstream_that_is_back_is_used_again(nginx_site, upstream):
    data, digest = upstream.add_image("app", "1")
    upstream.when(become(error(503, "UNAVAILABLE", "a moment")), times=1)
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("1")).status == 502
    answer = wait_until(lambda: next((each for each in [nginx_site.client.get(nginx_site.at(upstream).manifest("1"))]
                                      if each.status == 200), None), "the upstream's return to be seen")
    assert answer.body == data
    assert nginx_site.client.get(nginx_site.at(upstream).manifest(digest)).status == 200


def test_after_429_nobody_asks_before_retry_after(nginx_site, upstream):
    data, _ = upstream.add_image("app", "1")
    upstream.when(become(error(429, "TOOMANYREQUESTS", "wait", {"Retry-After": "2"})), times=1)
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("1")).status == 429
    waits = set()

    def ask():
        answer = nginx_site.client.get(nginx_site.at(upstream).manifest("1"))
        if answer.status != 429:
            return answer
        waits.add(int(answer["Retry-After"]))
        return None
    assert wait_until(ask, "the upstream is asked again").body == data
    first, second = upstream.asked()
    assert second.begun - first.begun > 0.9
    assert len(waits) > 1, "jittered"


def test_a_nearly_used_up_rate_limit_is_saved(nginx_site, upstream):
    upstream.headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "5;w=21600"}
    data, digest = upstream.add_image("app", "1")
    target = nginx_site.at(upstream).manifest("1")
    assert nginx_site.client.get(target).body == data
    upstream.add_image("app", "1")
    make_old(nginx_site, upstream, "1", seconds=600)
    upstream.forget()
    answer = nginx_site.client.get(target)
    assert (answer.status, answer["Docker-Content-Digest"]) == (200, digest), answer
    assert upstream.asked() == [], "served past its time rather than burning the rest"
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("2")).status == 404, "what is not cached is asked for"
    upstream.headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "95;w=21600"}
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("3")).status == 404
    make_old(nginx_site, upstream, "1", seconds=600)
    assert nginx_site.client.get(target)["Docker-Content-Digest"] != digest


def test_a_tag_that_is_gone_upstream_is_still_served_with_a_warning(nginx_site, upstream):
    data, digest = upstream.add_image("app", "1")
    target = nginx_site.at(upstream).manifest("1")
    assert nginx_site.client.get(target).status == 200
    del upstream.manifests["app", "1"]
    make_old(nginx_site, upstream, "1")
    answer = nginx_site.client.get(target)
    assert (answer.status, answer.body) == (200, data) and answer["Warning"], answer


@pytest.mark.parametrize("fault, status", [("500", 502), ("503", 502), ("429", 429), ("HTML instead of JSON", 502), ("cut", 502),
                                           ("closed before answering", 502), ("403", 404), ("401 without a way in", 404)])
def test_a_mirrors_upstream_in_trouble_is_no_404(new_directory, fault, status):
    """Except 401 and 403, which Docker Hub answers for what does not exist: a name that is hosted nowhere is just unknown then."""
    with Site(new_directory("mirror"), settings="[mirror]\nroot = up0\n") as site:
        upstream = site.take()
        upstream.add_image("app", "1")
        with broken(upstream, fault):
            answer = site.client.get("/v2/app/manifests/1")
            assert answer.status == status, answer
            assert answer.codes() == ["MANIFEST_UNKNOWN" if status == 404 else FAULTS[fault][2]], answer


def test_a_redirect_to_another_server_is_followed(nginx_site, upstream):
    """As registries do that keep their blobs in object stores."""
    store, data = nginx_site.take(), content.noise(5000)
    digest = store.add_blob(data)
    upstream.when(redirects(f"{store.url}/v2/app/blobs/{digest}?signature=1"), "/blobs/")
    answer = nginx_site.client.get(nginx_site.at(upstream).blob(digest))
    assert (answer.status, answer.body) == (200, data), answer
    assert [each.target for each in store.asked()] == [f"/v2/app/blobs/{digest}?signature=1"]


# --- what fails here, and is not the upstream's

def test_what_cannot_be_kept_is_passed_on(site, upstream):
    """Files where the cache wants directories: whatever the disk says."""
    data, digest = upstream.add_image("app", "1", [content.noise(100_000)])
    layer = max(upstream.blobs.values(), key=len)
    partial = site.cache / "_berth/temporary/partial"
    repository = site.cache / "docker/registry/v2/repositories" / upstream.alias
    with contextlib.ExitStack() as stack:
        for path in (partial, repository):
            if path.exists():
                path.rename(f"{path}.aside")
                stack.callback(os.rename, f"{path}.aside", path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            stack.callback(path.unlink)
        for _ in range(2):
            answer = site.client.get(site.at(upstream).manifest("1"))
            assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, data, digest), answer
            answer = site.client.get(site.at(upstream).blob(content.digest(layer)))
            assert (answer.status, answer.body) == (200, layer), answer
        assert "is not kept: " in site.server.whole_log()
    assert site.client.get(site.at(upstream).blob(content.digest(layer))).body == layer
    assert len(upstream.asked("/blobs/", "GET")) >= 3


def opened_anew(worker):
    worker.stop()
    return worker.start()


@pytest.mark.parametrize("what", ["bytes", "link"])
def test_what_cannot_be_read_in_the_cache_is_asked_for(nginx_site, upstream, what):
    """As if it were not there; a directory is as unreadable as a bad sector."""
    layer = content.noise(20_000)
    data, digest = upstream.add_image("app", "1", [layer])
    repository = nginx_site.at(upstream)
    wanted = {repository.manifest("1"): data, repository.manifest(digest): data, repository.blob(content.digest(layer)): layer}
    broken = [nginx_site.cache / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"] if what == "bytes" else \
        [nginx_site.cache / f"docker/registry/v2/repositories/{upstream.alias}/app" / path for path in (
            f"_layers/sha256/{content.digest(layer)[7:]}/link", "_manifests/tags/1/current/link", f"_manifests/revisions/sha256/{digest[7:]}/link")]
    for target, body in wanted.items():
        assert nginx_site.client.get(target).body == body
    for each in broken:
        each.unlink()
        each.mkdir()
    for target, body in wanted.items():
        got = nginx_site.client.get(target)
        assert (got.status, got.body) == (200, body), got
        assert nginx_site.client.exists(target).status == 200
    for each in broken:
        each.rmdir()


def unreadable(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("age", [0, 600])
def test_a_kept_list_that_cannot_be_read_is_asked_for(nginx_site, upstream, age):
    upstream.add_image("app", "1")
    target = nginx_site.at(upstream).tags()
    before = set((nginx_site.cache / "_berth/memos").glob("*/*"))
    assert nginx_site.client.get(target).json()["tags"] == ["1"]
    memo, = set((nginx_site.cache / "_berth/memos").glob("*/*")) - before
    unreadable(memo)
    os.utime(memo, (memo.stat().st_atime, memo.stat().st_mtime - age))
    upstream.add_image("app", "2")
    for _ in range(2):
        answer = nginx_site.client.get(target)
        assert (answer.status, answer["Warning"]) == (200, None) and answer.json()["tags"] == ["1", "2"], answer
    memo.rmdir()


def test_who_cannot_read_its_own_name_asks_without_it(new_directory):
    """By it we tell that a request has come here before; not more."""
    with Site(new_directory("nameless")) as site:
        upstream = site.take()
        layer = content.noise(20_000)
        data, _ = upstream.add_image("app", "1", [layer])
        instance = site.cache / "_berth/instance"
        wait_until(lambda: site.client.get("/v2/").status == 200 and site.client.get(site.at(upstream).manifest("1")).status == 200, "a name")
        upstream.add_image("app", "2")
        name = instance.read_text()
        unreadable(instance)
        assert site.client.get(site.at(upstream).manifest("2")).status == 200
        assert site.client.get(site.at(upstream).blob(content.digest(layer))).body == layer
        assert upstream.asked("/blobs/")
        instance.rmdir()
        instance.write_text(name)


def test_what_an_upstream_has_done_wrong_is_told_with_its_name(nginx_site, upstream):
    digest = upstream.add_blob(content.noise(1000))
    upstream.when(change(length=0), "/blobs/", "HEAD")
    assert nginx_site.client.exists(nginx_site.at(upstream).blob(digest)).status == 502
    assert f"upstream {upstream.alias} ({upstream.authority}) says that the blob is empty" in nginx_site.server.whole_log()


def test_a_cache_that_cannot_be_made_is_passed_by(new_directory, mounted):
    """Files where it wants directories, or no room for one more file: whatever a new worker finds."""
    directory = pathlib.Path(new_directory("unmade"))
    mounted(SmallMemory(directory / "storage", 16, "nr_inodes=500"))
    cache, other = directory / "storage/proxy", Upstream(alias="up")
    settings = f"[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n[upstream up]\nurl = {other.url}\nallow_private_address = yes\n"
    with contextlib.closing(other), Worker(directory, settings, expected_faults=True) as worker:
        repository = worker.repository("proxy/up/app")

        def assert_served(tag):
            layer = content.noise(200_000)
            document, _ = other.add_image("app", tag, [layer])
            assert worker.get(repository.manifest(tag)).body == document, tag
            with contextlib.suppress(BrokenAnswer):  # what cannot be kept may be noticed too late for one
                assert worker.get(repository.blob(content.digest(layer))).body == layer, tag
            assert worker.get(repository.blob(content.digest(layer))).body == layer, tag
        assert_served("well")
        for name in ("_berth/temporary", "_berth/temporary/pieces", "_berth/temporary/partial", "docker"):
            path = cache / name
            path.rename(f"{directory}/storage/aside")
            path.write_bytes(b"")
            opened_anew(worker)
            assert_served(name.replace("/", "-"))
            path.unlink()
            os.rename(f"{directory}/storage/aside", path)
            assert_served("again-" + name.replace("/", "-"))
        (cache / "_berth").rename(f"{directory}/storage/aside")
        (cache / "_berth").write_bytes(b"")
        opened_anew(worker)
        other.add_image("app", "uncounted")
        answer = worker.get(repository.manifest("uncounted"))
        assert (answer.status, answer.codes()) == (507, ["DENIED"]), answer  # who waits cannot be counted
        assert worker.get(repository.manifest("well")).status == 200
        assert worker.get(worker.repository("me/app").tags()).status == 404
        (cache / "_berth").unlink()
        os.rename(f"{directory}/storage/aside", cache / "_berth")
        assert_served("again-counted")
        shutil.rmtree(cache / "_berth/temporary")
        groups = list(cache.glob("_berth/**/waiting/*"))
        assert len(groups) == 2, groups  # who waits at all, and for this upstream
        for path in [path for group in groups for path in sorted(group.iterdir())[4:]]:
            path.unlink()  # whichever is left has to do
        with pytest.raises(OSError):
            for number in range(1000):
                os.symlink("x", directory / f"storage/{number}")
        opened_anew(worker)
        assert_served("no-room")
        shutil.rmtree(cache)
        cache.write_bytes(b"")
        opened_anew(worker)
        answer = worker.get(repository.manifest("well"))
        assert (answer.status, answer.codes()) == (507, ["DENIED"]) and "the cache cannot be opened: " in worker.log(), answer
        assert worker.get(worker.repository("me/app").tags()).status == 404
        cache.unlink()


def test_a_cached_tag_is_served_when_we_cannot_ask(new_directory):
    """The password's file is gone: that is the operator's to hear, and nobody's to suffer."""
    password = pathlib.Path(new_directory("secret")) / "password"
    password.write_text("secret")
    with Site(new_directory("unasked"), more=f"username = bob\npassword_file = {password}") as site:
        upstream = site.take()
        upstream.login = wants_basic("bob", "secret")
        data, digest = upstream.add_image("app", "1")
        assert site.client.get(site.at(upstream).manifest("1")).body == data
        make_old(site, upstream, "1")
        password.unlink()
        answer = site.client.get(site.at(upstream).manifest("1"))
        assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, data, digest), answer
        assert answer["Warning"] and "password" not in answer["Warning"], answer
        assert str(password) in site.server.log()
        answer = site.client.get(site.at(upstream).tags())
        assert (answer.status, json.loads(answer.body)["tags"]) == (200, ["1"]), answer
        assert answer["Warning"] and "password" not in answer["Warning"], answer
        with site.server.expecting_faults():
            answer = site.client.get(site.at(upstream).manifest("2"))
        assert answer.status == 500 and b"password" not in answer.body, answer


# --- others do not wait

STUCK = 64
WAYS = {"proxy": "/v2/proxy/up1/app{}/manifests/1", "ns": "/v2/app{}/manifests/1?ns=up1", "mirror": "/v2/app{}/manifests/1"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_nobody_else_waits_for_a_stalled_upstream(new_directory, web, way):
    """What others ask for is answered while 64 clients are stuck; how soon, `make bench` tells."""
    settings = "[mirror]\nroot = up1\n" if way == "mirror" else ""
    with Site(new_directory("stalled"), web, 2, settings=settings, stall_timeout=600) as site:
        good, bad = site.take(), site.take()
        data, _ = good.add_image("app", "1")
        bad.when(change(mute=True))
        repository = site.client.repository("hosted/app")
        _, blob = repository.push_image("1", []), repository.push_blob(content.noise())
        document = content.encode(content.image(content.descriptor(b"", content.CONFIG) | {"digest": blob, "size": 64}, []))

        assert site.client.get(site.at(good).manifest("1")).body == data
        stuck = [Download(site.client, WAYS[way].format(number)) for number in range(STUCK)]
        wait_until(lambda: len(bad.asked()) == STUCK, f"{STUCK} clients that wait")
        for _ in range(20):
            assert site.client.get(site.at(good).manifest("1")).body == data
            assert site.client.post(repository.uploads).status == 202
            assert repository.put_manifest("2", document).status == 201
        assert all(each.is_alive() for each in stuck), "they were stuck all the time"
        bad.free.set()
        assert {each.result().status for each in stuck} == {502}


def test_too_many_waiting_clients_are_sent_away(new_directory):
    with Site(new_directory("cap"), "nginx", 2, proxy="maximum_waiting = 8", stall_timeout=600) as site:
        good, bad = site.take(), site.take()
        bad.when(change(mute=True))
        data, _ = good.add_image("app", "1")
        stuck = [Download(site.client, f"/v2/proxy/up1/app{number}/manifests/1") for number in range(20)]
        wait_until(lambda: sum(each.is_alive() for each in stuck) == 4, "those who get no place")
        refused = [each for each in stuck if not each.is_alive()]
        for each in refused:
            assert each.status == 429 and each.is_whole, each
            assert json.loads(each.body)["errors"][0]["code"] == "TOOMANYREQUESTS"
            assert 1 <= int(each.answer["Retry-After"]) <= 60
        # One upstream that hangs gets no more than its share.
        assert site.client.get(site.at(good).manifest("1")).body == data
        bad.free.set()
        assert [each.result().status for each in stuck].count(502) == 4
        assert len({each.answer["Retry-After"] for each in refused}) > 1, "jittered"

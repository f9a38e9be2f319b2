"""Fillers that stay, with their connections, for the next blob of the same upstream."""
import concurrent.futures
import contextlib
import os
import select
import signal
import socket
import threading

import pytest
from harness import content
from harness.process import send_signal, wait_until
from harness.server import Server
from harness.upstream_site import Download, Site, download, is_idle
from test_log import set_level
from test_proxy_blob import MIB, assert_right, fillers, offered, shaped


@pytest.fixture
def keeping(new_directory):
    """One web server, and an upstream that keeps connections."""
    with Site(new_directory("keeping"), proxy="minimum_rate = 0") as site:
        site.upstreams[0].keeps = True
        yield site


def fetch(site, upstream, name="app", size=20_000):
    data, digest = offered(upstream, size)
    assert_right(download(site.client, site.at(upstream, name).blob(digest)), data)


def waiting(site, count=1):
    return wait_until(lambda: len(site.idle()) == count and site.idle(), f"{count} that wait")


def test_blobs_come_over_one_connection_whichever_repository_they_are_of(keeping):
    upstream = keeping.take()
    for name in ("app", "other/app", "app"):
        fetch(keeping, upstream, name)
        idle = waiting(keeping)
    assert upstream.connections == 1
    assert [each.target.split("/blobs/")[0] for each in upstream.asked("/blobs/")] == ["/v2/app", "/v2/other/app", "/v2/app"]
    assert keeping.idle() == idle


def test_who_waits_goes_in_the_end(keeping):
    fetch(keeping, keeping.take())
    waiting(keeping)
    wait_until(lambda: not keeping.idle(), "the end of who waits in vain")


def test_blobs_at_the_same_time_have_a_filler_each(keeping):
    upstream = keeping.take()
    fetch(keeping, upstream)
    waiting(keeping)
    shaped(upstream, 10**9, until=10_000)
    offers = [offered(upstream, 20_000) for _ in range(3)]
    clients = [Download(keeping.client, keeping.at(upstream).blob(digest)) for _, digest in offers]
    wait_until(lambda: len(fillers(keeping)) == 3, "three fillers")
    upstream.free.set()
    for client, (data, _) in zip(clients, offers):
        assert_right(client.result(), data)
    waiting(keeping, 3)
    assert upstream.connections == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_who_does_not_answer_is_done_without(keeping, number):
    upstream = keeping.take()
    fetch(keeping, upstream)
    for pid in waiting(keeping):
        send_signal(pid, number)
        fetch(keeping, upstream)
        fetch(keeping, upstream)
        send_signal(pid, signal.SIGKILL)
    assert len(upstream.asked("/blobs/")) == 3


def test_a_filler_that_dies_with_what_it_was_given_leaves_it_to_another(keeping):
    upstream = keeping.take()
    fetch(keeping, upstream)
    idle = waiting(keeping)
    shaped(upstream, 10**9, until=MIB)
    data, digest = offered(upstream, 2 * MIB)
    client = Download(keeping.client, keeping.at(upstream).blob(digest))
    assert wait_until(lambda: fillers(keeping), "a filler") == idle
    wait_until(lambda: upstream.sent() >= MIB, "the first half")
    send_signal(idle[0], signal.SIGKILL)
    upstream.free.set()
    assert_right(client.result(), data)


def test_kills_of_who_fetches_or_waits_cost_no_pull(keeping):
    upstream = keeping.take()
    offers = [offered(upstream, 20_000) for _ in range(40)]
    kills = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        pulls = [pool.submit(download, keeping.client, keeping.at(upstream).blob(digest)) for _, digest in offers]
        while not all(pull.done() for pull in pulls):
            for pid in keeping.idle() if kills % 2 else fillers(keeping):
                send_signal(pid, signal.SIGKILL)
                kills += 1
                break
    for pull, (data, _) in zip(pulls, offers):
        assert_right(pull.result(), data)
    assert kills > 2


@pytest.mark.parametrize("status", [404, 401, 403, 429, 500])
def test_who_was_refused_a_blob_keeps_its_connections(keeping, status):
    """The next client has no part in what the last one wanted."""
    upstream = keeping.take()
    fetch(keeping, upstream)
    idle = waiting(keeping)
    nowhere = content.digest(content.noise(10))
    upstream.when(lambda reply, _: setattr(reply, "status", status), nowhere)
    answer = keeping.client.get(keeping.at(upstream).blob(nowhere))
    assert answer.status == {404: 404, 429: 429}.get(status, 502)
    assert len(upstream.asked(nowhere)) == 1
    assert waiting(keeping) == idle
    keeping.forgive(upstream)
    fetch(keeping, upstream)
    assert upstream.connections == 1 and waiting(keeping) == idle


def test_who_cannot_keep_a_blob_ends(keeping):
    """What fails here may not fail in a new process."""
    upstream = keeping.take()
    fetch(keeping, upstream)
    waiting(keeping)
    data, digest = offered(upstream, 20_000)
    origins = keeping.cache / "_berth/origins"
    assert origins.is_dir()
    origins.rename(f"{origins}.aside")
    origins.write_bytes(b"")
    assert_right(download(keeping.client, keeping.at(upstream).blob(digest)), data)
    wait_until(lambda: not keeping.idle() and not fillers(keeping), "the end of who has failed")
    origins.unlink()
    os.rename(f"{origins}.aside", origins)
    fetch(keeping, upstream)


def test_one_upstreams_connections_are_not_for_another(new_directory):
    with Site(new_directory("two"), count=2) as site:
        for upstream in site.upstreams:
            upstream.keeps = True
            fetch(site, upstream)
        waiting(site, 2)
        assert [upstream.connections for upstream in site.upstreams] == [1, 1]


@pytest.fixture(params=["nginx", "lighttpd"])
def telling(new_directory, request):
    """The same, behind either, and its workers say what they do."""
    site = Site(new_directory("telling"), request.param)
    set_level(site.server, "debug")
    with site:
        site.upstreams[0].keeps = True
        reload_pool(site)    # there are counters now, in which they see each other from their start
        settle_down(site)
        yield site


def forks(site):
    return site.server.whole_log().count(" goes on in process ")


def test_a_small_blob_that_comes_at_once_takes_no_process(telling):
    """Unless the machine is busy: then some do not come at once."""
    upstream = telling.take()
    for _ in range(20):
        fetch(telling, upstream)
        waiting(telling)
    wait_until(lambda: not telling.children(), "the end of those that were started")
    assert 1 <= forks(telling) < 15
    assert upstream.connections == 1 and len(upstream.asked("/blobs/")) == 20


def test_a_blob_that_does_not_come_at_once_is_waited_for_by_a_process(telling):
    upstream = telling.take()
    fetch(telling, upstream)
    waiting(telling)
    before = forks(telling)
    shaped(upstream, 10**9, until=0)
    data, digest = offered(upstream, 20_000)
    client = Download(telling.client, telling.at(upstream).blob(digest))
    wait_until(lambda: forks(telling) > before, "a process for who waits")
    upstream.free.set()
    assert_right(client.result(), data)
    assert len(upstream.asked(digest)) == 1


def test_a_blob_that_is_not_small_is_waited_for_by_a_process(telling):
    upstream = telling.take()
    fetch(telling, upstream)
    waiting(telling)
    before = forks(telling)
    shaped(upstream, 10**9, until=MIB)
    data, digest = offered(upstream, 2 * MIB)
    client = Download(telling.client, telling.at(upstream).blob(digest))
    wait_until(lambda: forks(telling) > before, "a process for who waits")
    upstream.free.set()
    assert_right(client.result(), data)


def test_where_the_web_server_asks_again_one_process_is_enough(telling):
    """nginx is told to by the worker itself. Unless the machine is busy."""
    upstream = telling.take()
    fetch(telling, upstream)
    waiting(telling)
    before = forks(telling)
    for _ in range(6):
        fetch(telling, upstream, size=3 * MIB)
        waiting(telling)
    wait_until(lambda: not telling.children(), "the end of those that were started")
    assert forks(telling) - before < 12
    assert len(upstream.asked("/blobs/")) == 7


def test_who_was_first_to_want_a_large_blob_does_not_wait_for_its_end(telling):
    """Even if it was a worker in haste that had it fetched, and the end is near."""
    upstream = telling.take()
    fetch(telling, upstream)
    waiting(telling)
    shaped(upstream, 4_000_000)
    data, digest = offered(upstream, 6 * MIB)
    before = upstream.sent()
    client = Download(telling.client, telling.at(upstream).blob(digest))
    wait_until(lambda: client.size > 0, "the first bytes")
    assert upstream.sent() - before < 6 * MIB
    assert_right(client.result(), data)


def test_whatever_the_size_a_blob_in_haste_is_what_it_is(telling):
    """None, one byte, and what is small as well as what just is not: whole, by HEAD, and in part. The one that has fetched the last
    one waits for the next, unless the machine is busy."""
    upstream = telling.take()
    fetch(telling, upstream)
    for size in (0, 1, MIB - 1, MIB, MIB + 1):
        for first, last in ((None, None), (0, 0), (size // 2, size - 1)):
            data, digest = offered(upstream, size)
            target = telling.at(upstream).blob(digest)
            if first is None or first > last or size == 0:
                assert_right(download(telling.client, target), data)
                answer = telling.client.request("HEAD", target)
                assert (answer.status, answer["Content-Length"]) == (200, str(size))
            else:
                answer = telling.client.get(target, headers={"Range": f"bytes={first}-{last}"})
                assert (answer.status, answer.body) == (206, data[first:last + 1]), (size, first, last, answer)
            wait_until(lambda: not fillers(telling), "the end of the fetch")


def test_a_blob_in_haste_that_is_not_there_or_not_right_is_told_as_ever(telling):
    upstream = telling.take()
    fetch(telling, upstream)
    waiting(telling)
    nowhere = content.digest(content.noise(10))
    assert telling.client.get(telling.at(upstream).blob(nowhere)).status == 404
    waiting(telling)
    fetch(telling, upstream)
    waiting(telling)
    wrong = content.digest(content.noise(5000))
    upstream.blobs[wrong] = content.noise(5000)
    got = download(telling.client, telling.at(upstream).blob(wrong))
    assert got.status == 502 or not got.is_whole, got
    fetch(telling, upstream)


def ask_all_the_time(site, until):
    while not until.is_set():
        assert site.client.get("/v2/").status == 200


def test_a_worker_does_not_wait_while_clients_of_its_pool_do(new_directory):
    """Though another pool's is idle."""
    site = Site(new_directory("lone"), "nginx", workers=1)
    set_level(site.server, "debug")
    with site, Server(new_directory("idle"), "nginx", workers=1, storage=str(site.server.storage)) as other:
        upstream = site.take()
        upstream.keeps = True
        fetch(site, upstream)
        waiting(site)
        for server in (site.server, other):    # there are counters now
            assert server.client.get("/v2/").status == 200
        shaped(upstream, 160_000)  # a blob takes nearly as long as a worker would wait
        before, enough = forks(site), threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            others = [pool.submit(ask_all_the_time, site, enough) for _ in range(4)]
            try:
                for _ in range(20):
                    fetch(site, upstream)
                    waiting(site)
                    if forks(site) > before:
                        break
            finally:
                enough.set()
        for each in others:
            each.result()
        assert forks(site) > before


def names_of(pid):
    """Under which a process listens."""
    sockets = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    with open("/proc/net/unix", encoding="ascii") as table:
        return [line.split()[-1] for line in table if f"socket:[{line.split()[6]}]" in sockets and "@" in line]


def squat(names):
    """Listens under these names until it is told something."""
    squatters = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in names]
    for squatter, name in zip(squatters, names):
        squatter.bind("\0" + name[1:])
        squatter.listen()
    while True:
        for squatter in select.select(squatters, [], [])[0]:
            with contextlib.suppress(OSError):
                connection, _ = squatter.accept()
                connection.sendall(b"ready")
                if connection.recv(4096):
                    return 1


def is_taken(name):
    with open("/proc/net/unix", encoding="ascii") as table:
        return any(line.split()[-1] == name for line in table)


def test_whoever_has_the_name_first_is_not_given_anything(keeping):
    """Another user may take the name of a filler that is gone, or that is to come."""
    upstream = keeping.take()
    fetch(keeping, upstream)
    pid, = waiting(keeping)
    names = names_of(pid)
    assert len(names) == 2
    send_signal(pid, signal.SIGKILL)
    wait_until(lambda: not keeping.idle(), "the end of it")
    child = os.fork()
    if child == 0:
        os.setresuid(12345, 12345, 12345)
        os._exit(squat(names))
    try:
        wait_until(lambda: all(is_taken(name) for name in names), "him to have the names")
        fetch(keeping, upstream)
        fetch(keeping, upstream)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "he was given something"
    finally:
        send_signal(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert is_idle(waiting(keeping)[0])


def reload_pool(site):
    """With a configuration that says something else."""
    text = site.server.configuration.read_text()
    site.server.configuration.write_text(text.replace("connect_timeout = 30s", "connect_timeout = 31s", 1))
    assert site.server.configuration.read_text() != text
    old = set(site.server.pids)
    for pid in old:
        send_signal(pid, signal.SIGTERM)
    wait_until(lambda: not old & set(site.server.workers()), "the end of the workers")


def settle_down(site):
    """All that is there are new workers, and who waits."""
    wait_until(lambda: len(site.server.workers()) - len(site.idle()) == site.server.worker_count, "new workers and nobody else")
    idle = site.idle()
    site.server.pids = [pid for pid in site.server.workers() if pid not in idle]


def test_who_has_another_configuration_is_given_nothing(keeping):
    upstream = keeping.take()
    fetch(keeping, upstream)
    idle = waiting(keeping)
    reload_pool(keeping)
    fetch(keeping, upstream)
    settle_down(keeping)
    assert upstream.connections == 2
    assert set(idle) < set(waiting(keeping, 2))


def test_a_reload_amid_fetches_costs_no_pull(keeping):
    upstream = keeping.take()
    offers = [offered(upstream, 20_000) for _ in range(60)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        pulls = [pool.submit(download, keeping.client, keeping.at(upstream).blob(digest)) for _, digest in offers]
        wait_until(lambda: upstream.asked("/blobs/"), "the first")
        reload_pool(keeping)
    for pull, (data, _) in zip(pulls, offers):
        assert_right(pull.result(), data)
    settle_down(keeping)


@pytest.fixture
def asking(new_directory):
    """Each request for a tag asks the upstream, which keeps connections and has an image."""
    with Site(new_directory("asking"), tag_ttl=0) as site:
        site.upstreams[0].keeps = True
        yield site


def test_an_image_and_the_checks_of_its_tag_take_one_connection(asking):
    upstream = asking.take()
    data = content.noise()
    manifest, _ = upstream.add_image("app", "v1", [data])
    repository = asking.at(upstream)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        answer = asking.client.request(method, repository.manifest("v1"))
        assert answer.status == 200 and answer["Content-Length"] == str(len(manifest))
        waiting(asking)
    assert asking.client.get(repository.manifest("v1")).body == manifest
    waiting(asking)
    assert_right(download(asking.client, repository.blob(content.digest(data))), data)
    waiting(asking)
    assert asking.client.get(f"/v2/{repository.name}/tags/list").json() == {"name": repository.name, "tags": ["v1"]}
    assert upstream.connections == 1
    assert len(waiting(asking)) == 1


def test_what_an_upstream_says_is_told_by_whoever_asks(asking):
    upstream = asking.take()
    repository = asking.at(upstream)
    assert asking.client.get(repository.manifest("nowhere")).status == 404
    for status, expected in ((429, 429), (403, 502), (500, 502)):
        upstream.when(lambda reply, _, status=status: setattr(reply, "status", status), "/manifests/", times=1)
        answer = asking.client.get(repository.manifest(f"v{status}"))
        assert answer.status == expected, answer
        asking.forgive(upstream)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_who_is_asked_and_does_not_answer_is_done_without(asking, number):
    upstream = asking.take()
    manifest, _ = upstream.add_image("app", "v1", [content.noise()])
    assert asking.client.request("HEAD", asking.at(upstream).manifest("v1")).status == 200
    idle = waiting(asking)
    upstream.when(lambda reply, _: setattr(reply, "stall", 0), "/manifests/", times=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pull = pool.submit(asking.client.get, asking.at(upstream).manifest("v1"))
        wait_until(lambda: not asking.idle() and len(upstream.asked("/manifests/")) == 2, "the question")
        send_signal(idle[0], number)
        assert pull.result().body == manifest
    send_signal(idle[0], signal.SIGKILL)
    upstream.free.set()

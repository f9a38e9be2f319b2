"""[webhook NAME]: receivers are told of pushes, pulls and deletions: each event once, in order, whatever dies meanwhile."""
import fcntl
import json
import os
import pathlib
import random
import signal
import threading
import subprocess
from contextlib import closing

import pytest

from harness import content
from harness.mounts import SmallMemory
from harness.process import PATIENCE, send_signal, wait_until
from harness.receiver import SECRET, Receiver
from harness.server import BERTH, berth
from harness.storm import LOST
from harness.upstream_site import Site
from test_retention import pushed_days_ago

BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    assert not made.broken, made.broken
    made.close()


def written(directory, text=SECRET):
    """A file with the secret."""
    path = pathlib.Path(directory) / "hook.secret"
    path.write_text(text + "\n")
    path.chmod(0o644)
    return path


@pytest.fixture
def told(start, new_directory, receiver):
    """A server that tells the receiver: told("nginx", "push, delete")."""
    def make(web, events, more=""):
        secret = written(new_directory("secret"))
        return start(web, settings=receiver.section("ci", f"events = {events}\nsecret_file = {secret}\n{more}"))
    return make


def test_a_receiver_is_told_who_has_done_what(told, receiver):
    server = told("nginx", "push, pull, delete")
    repository = server.client.repository("team/app")
    data, digest = repository.push_image("v1")
    assert server.client.get(repository.manifest("v1"), {"User-Agent": "tester/1.0"}).status == 200
    assert server.client.exists(repository.manifest("v1")).status == 200
    assert server.client.get(repository.manifest("v1"), {"If-None-Match": f'"{digest}"'}).status == 304
    assert server.client.delete(repository.manifest("v1")).status == 202
    assert server.client.delete(repository.manifest(digest)).status == 202
    wait_until(lambda: len(receiver.events()) == 4, "four events")
    pushed, pulled, untagged, deleted = receiver.events()
    assert [each["action"] for each in receiver.events()] == ["push", "pull", "delete", "delete"]
    assert pushed["target"] == {"mediaType": content.IMAGE, "size": len(data), "length": len(data), "digest": digest, "repository": "team/app",
                                "url": f"http://{server.client.authority}/v2/team/app/manifests/{digest}", "tag": "v1"}
    assert pulled["request"] == {"id": pulled["request"]["id"], "addr": "127.0.0.1", "host": server.client.authority, "method": "GET",
                                 "useragent": "tester/1.0"}
    assert (untagged["target"].get("tag"), deleted["target"].get("tag"), deleted["target"]["digest"]) == ("v1", None, digest)
    assert pushed["actor"] == {}
    request = receiver.taken[0]
    assert (request.method, request["content-type"]) == ("POST", "application/vnd.docker.distribution.events.v2+json")


def test_a_cloud_event_is_one_of_version_1(told, receiver):
    server = told("nginx", "push", "format = cloudevents\n")
    server.client.repository("team/app").push_image("v1")
    [request] = wait_until(lambda: receiver.taken, "an event")
    event = json.loads(request.body)
    assert request["content-type"] == "application/cloudevents+json"
    assert (event["specversion"], event["type"], event["id"]) == ("1.0", "berth.manifest.push", request["webhook-id"])
    assert (event["source"], event["subject"]) == (f"//{server.client.authority}", "team/app:v1")
    assert event["data"]["target"]["repository"] == "team/app"


def test_each_tag_of_a_push_is_an_event(told, receiver):
    server = told("nginx", "push", "repositories = team/**, !team/secret\n")
    server.client.repository("team/secret").push_image("v1")
    server.client.repository("other/app").push_image("v1")
    repository = server.client.repository("team/app")
    data, digest = repository.push_image()
    assert repository.put_manifest("v1", data, query="?tag=v2&tag=v3").status == 201
    expected = [("push", "team/app", name) for name in (digest, "v1", "v2", "v3")]
    wait_until(lambda: len(receiver.events()) == 4, "four events")
    assert receiver.told() == expected


@BOTH
def test_a_receiver_that_was_down_gets_everything_once_and_in_order(told, receiver, web):
    """Each repository's in the order in which they were acknowledged."""
    server = told(web, "push, delete")
    receiver.when(lambda reply, request: setattr(reply, "silent", True))
    expected = []
    for number in range(5):
        for name in ("team/a", "team/b"):
            server.client.repository(name).push_image(f"v{number}")
            expected.append(("push", name, f"v{number}"))
    assert server.client.delete("/v2/team/a/manifests/v0").status == 202
    expected.append(("delete", "team/a", "v0"))
    wait_until(lambda: receiver.asked(), "a try")
    assert not receiver.taken
    listed = listing(server)
    assert [event["state"] for event in listed if "id" in event] == ["waiting"] * len(expected)
    assert any("trouble" in event for event in listed)
    receiver.well_again()
    wait_until(lambda: len(receiver.events()) == len(expected), "all events")
    for name in ("team/a", "team/b"):
        assert [each for each in receiver.told() if each[1] == name] == [each for each in expected if each[1] == name]
    assert len(receiver.taken) == len(expected)
    wait_until(lambda: not listing(server), "an empty spool")


def listing(server, status=0):
    done = berth(server.configuration, "events", "list", "--json")
    assert done.returncode == status, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_receiver_that_is_slow_or_dead_holds_nobody_back(start, new_directory, receiver):
    """Nor does it hold back who pushes."""
    with closing(Receiver()) as slow, closing(Receiver()) as dead:
        slow.when(lambda reply, request: setattr(reply, "mute", True))
        dead.close()
        secret = f"events = push\nsecret_file = {written(new_directory('secret'))}\n"
        server = start("nginx", settings="".join(each.section(name, secret) for name, each in (("a", slow), ("b", dead), ("c", receiver))))
        for number in range(5):
            server.client.repository("team/app").push_image(f"v{number}")
        wait_until(lambda: len(receiver.events()) == 5, "the third one's events")
        assert [each[2] for each in receiver.told()] == [f"v{number}" for number in range(5)]
        assert not slow.free.is_set() and len(slow.asked()) == 1
        waiting = [each for each in listing(server) if "id" in each]
        assert {each["receiver"] for each in waiting} == {"a", "b"} and len(waiting) == 10
        slow.free.set()


def test_what_is_refused_holds_back_its_repository_alone(told, receiver):
    """A 500 for one of them; and a redirect is no yes and leads nowhere."""
    with closing(Receiver()) as elsewhere:
        server = told("lighttpd", "push")

        def spoil(reply, request):
            if b'"team/a"' in request.body and b'"tag":"v0"' in request.body:
                reply.status, reply.headers = 500, {}
            elif b'"team/b"' in request.body and b'"tag":"v0"' in request.body:
                reply.status, reply.headers = 307, {"Location": f"{elsewhere.url}/hook"}
        receiver.when(spoil)
        for number in range(3):
            for name in ("team/a", "team/b", "team/c"):
                server.client.repository(name).push_image(f"v{number}")
        wait_until(lambda: len(receiver.told()) >= 3, "those of the third")
        assert [each[1] for each in receiver.told()] == ["team/c"] * 3
        assert not elsewhere.asked()
        receiver.well_again()
        wait_until(lambda: server.client.get("/v2/") and len(receiver.told()) == 9, "all of them")
        for name in ("team/a", "team/b", "team/c"):
            assert [each[2] for each in receiver.told() if each[1] == name] == ["v0", "v1", "v2"]
        assert len(receiver.taken) == 9


def test_a_private_address_is_no_receiver_unless_it_is_allowed(start, receiver):
    server = start("nginx", settings=f"[webhook ci]\nurl = {receiver.url}/hook\nevents = push\n")
    server.client.repository("team/app").push_image("v1")
    trouble = wait_until(lambda: [each["trouble"] for each in listing(server) if "trouble" in each], "a note")
    assert "is not in the public internet: allow_private_address = yes in [webhook ci]" in trouble[0]
    assert not receiver.asked()


def entries(server, state, receiver="ci"):
    directory = server.registry_storage / f"_berth/events/receivers/{receiver}/{state}"
    return sorted(directory.iterdir()) if directory.exists() else []


def grown_old(server, days):
    """As if what waits had happened so long ago, and were due."""
    for path in entries(server, "waiting"):
        number, _, rest = path.name.partition("-")
        path = path.rename(path.with_name(f"{int(number) - days * 86400 * 10**9:020}-{rest}"))
        os.utime(path, (0, 0))
    for note in server.registry_storage.glob("_berth/events/receivers/*/trouble"):
        os.utime(note, (0, 0))


def test_what_nobody_takes_for_three_days_is_kept_and_can_be_sent_again(told, receiver):
    server = told("nginx", "push")
    receiver.when(lambda reply, request: setattr(reply, "silent", True))
    for number in range(3):
        server.client.repository("team/app").push_image(f"v{number}")
    wait_until(lambda: server.registry_storage.joinpath("_berth/events/receivers/ci/trouble").exists(), "a note")
    end_deliverers(server)
    grown_old(server, 4)
    assert berth(server.configuration, "gc").returncode == 0
    assert len(entries(server, "failed")) == 3 and not entries(server, "waiting")
    failed = listing(server, 1)
    assert [each["tag"] for each in failed if "id" in each] == ["v0", "v1", "v2"]
    assert {each["state"] for each in failed if "id" in each} == {"failed"}
    receiver.well_again()
    identity = next(each["id"] for each in failed if each.get("tag") == "v1")
    for arguments, count in ((identity, 1), ("--failed", 2)):
        done = berth(server.configuration, "events", "resend", "--json", arguments)
        assert done.returncode == 0 and json.loads(done.stdout) == {"events": count, "delivered": count, "waiting": 0, "failed": 2 if count == 1 else 0}
    assert [each[2] for each in receiver.told()] == ["v1", "v0", "v2"]
    assert receiver.taken[0]["webhook-id"] == identity
    assert berth(server.configuration, "events", "resend", identity).returncode == 1
    assert berth(server.configuration, "events", "resend").returncode == 2


def test_gc_delivers_where_nobody_sends_requests(told, receiver):
    server = told("nginx", "push")
    receiver.when(lambda reply, request: setattr(reply, "silent", True))
    server.client.repository("team/app").push_image("v1")
    wait_until(lambda: receiver.asked(), "a try")
    end_deliverers(server)
    receiver.well_again()
    grown_old(server, 0)
    assert not receiver.taken
    assert "1 events delivered, 0 wait, 0 failed" in berth(server.configuration, "gc").stdout
    assert receiver.told() == [("push", "team/app", "v1")]


def deliverers(server):
    return [pid for pid in server.programs() if pid not in server.pids]


def end_deliverers(server):
    """Which would go on trying for some minutes."""
    for pid in deliverers(server):
        send_signal(pid, signal.SIGKILL)
    wait_until(lambda: not deliverers(server), "the end of the delivering process")


def test_two_pools_share_what_waits(start, new_directory, receiver):
    secret = written(new_directory("secret"))
    settings = receiver.section("ci", f"events = push\nsecret_file = {secret}\n")
    first = start("nginx", settings=settings)
    second = start("lighttpd", settings=settings, storage=str(first.storage))
    for number in range(10):
        (first if number % 2 else second).client.repository("team/app").push_image(f"v{number}")
    wait_until(lambda: len(receiver.events()) == 10, "all events")
    assert [each[2] for each in receiver.told()] == [f"v{number}" for number in range(10)]
    assert len(receiver.taken) == 10


def test_a_proxied_image_is_an_event_when_it_comes_in(new_directory, receiver):
    secret = written(new_directory("secret"))
    with Site(new_directory("site"), "nginx", 1, settings=receiver.section("ci", f"events = fill, pull\nsecret_file = {secret}\n")) as site:
        upstream = site.take()
        data = content.encode(content.image(content.descriptor(b"{}", content.CONFIG), []))
        _, digest = upstream.add_manifest("app", data, "v1")
        for _ in range(2):
            assert site.client.get(site.at(upstream).manifest("v1")).body == data
        wait_until(lambda: len(receiver.events()) == 3, "three events")
        name = f"proxy/{upstream.alias}/app"
        assert sorted(receiver.told()) == [("fill", name, "v1"), ("pull", name, "v1"), ("pull", name, "v1")]
        assert {each["target"]["digest"] for each in receiver.events()} == {digest}


def test_an_image_that_the_operator_fetches_is_one_that_comes_in(new_directory, receiver):
    """Once: what is there already is none."""
    secret = written(new_directory("secret"))
    with Site(new_directory("site"), "nginx", 1, settings=receiver.section("ci", f"events = fill\nsecret_file = {secret}\n")) as site:
        upstream = site.take()
        data, digest = upstream.add_image("app", "v1")
        for _ in range(2):
            done = berth(site.server.configuration, "prefetch", f"{upstream.alias}/app:v1")
            assert done.returncode == 0, done
        wait_until(lambda: receiver.events(), "the event")
        assert receiver.told() == [("fill", f"proxy/{upstream.alias}/app", "v1")]
        [event] = receiver.events()
        assert (event["target"]["digest"], event["target"]["size"], event["actor"]["name"]) == (digest, len(data), "@berth")


def test_what_the_operator_takes_back_is_as_pushed(told, receiver):
    """Each tag that is back, of what was deleted by itself, with its manifest, or with all of the repository."""
    server = told("nginx", "push")
    repository = server.client.repository("team/app")
    data, digest = repository.push_image("v1")
    assert repository.put_manifest("v2", data).status == 201
    _, other = repository.push_image("w1", [b"other"])
    wait_until(lambda: len(receiver.events()) == 3, "the pushes")
    for what, tags in (("team/app:v1", ["v1"]), (f"team/app@{digest}", ["v1", "v2"]), ("team/app", ["v1", "v2", "w1"])):
        before = len(receiver.events())
        for command in ("delete", "restore"):
            done = berth(server.configuration, command, what)
            assert done.returncode == 0, done
        wait_until(lambda: len(receiver.events()) == before + len(tags), "what is back")
        assert sorted(receiver.told()[before:]) == [("push", "team/app", tag) for tag in tags]
        for event in receiver.events()[before:]:
            target = event["target"]
            assert target["digest"] == (other if target["tag"] == "w1" else digest)
            assert event["actor"]["name"] == "@berth" and target["mediaType"] == content.IMAGE and target["size"] > 0


class Mover(threading.Thread):
    """Lets a tag stand for other manifests again and again."""

    def __init__(self, server, documents):
        super().__init__(daemon=True)
        self.repository, self.documents = server.client.repository("team/app"), documents

    def run(self):
        for data in self.documents:
            assert self.repository.put_manifest("latest", data).status == 201


@BOTH
def test_pushes_of_the_same_moment_are_told_in_the_order_in_which_the_tag_moved(told, receiver, web):
    """Else a receiver that acts on the last word would leave another image running than the tag stands for."""
    server = told(web, "push, delete", "repositories = team/**\n")
    documents = [content.encode(content.image(content.descriptor(b"{}", content.CONFIG), [], annotations={"number": str(number)}))
                 for number in range(120)]
    repository = server.client.repository("team/app")
    repository.push_blob(b"{}")
    movers = [Mover(server, documents[number::4]) for number in range(4)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    wait_until(lambda: len(receiver.events()) == len(documents), "all events")
    told_of = [event["target"]["digest"] for event in receiver.events()]
    assert told_of[-1] == server.client.exists(repository.manifest("latest"))["Docker-Content-Digest"]
    done = berth(server.configuration, "restore", "--history", "--json", "team/app:latest")
    history = [json.loads(line)["digest"] for line in done.stdout.splitlines()]
    assert len(history) > 50 and told_of[::-1][:len(history)] == history


def test_the_secret_is_in_no_log(told, receiver):
    server = told("nginx", "push, pull")
    server.configuration.write_text("log_level = debug\n" + server.configuration.read_text())
    repository = server.client.repository("team/app")
    receiver.when(lambda reply, request: setattr(reply, "status", 500), times=2)
    repository.push_image("v1")
    server.client.get(repository.manifest("v1"))
    wait_until(lambda: len(receiver.events()) == 2, "two events")
    spooled = b"".join(path.read_bytes() for path in (server.registry_storage / "_berth").rglob("*") if path.is_file())
    for secret in (SECRET, SECRET[6:], *(request["webhook-signature"][3:] for request in receiver.asked())):
        assert secret not in server.whole_log() and secret.encode() not in spooled


class Teller(threading.Thread):
    """Pushes tags one after the other, and remembers which were acknowledged."""

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.repository = server.client.repository(f"storm/teller-{number}")
        self.data, _ = self.repository.push_image()
        self.stop, self.acknowledged = stop, []

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            try:
                answer = self.repository.put_manifest(f"v{number}", self.data)
            except LOST:
                continue
            if answer and answer.status == 201:
                self.acknowledged.append(f"v{number}")


@BOTH
def test_a_storm_of_kills_loses_no_event_that_was_acknowledged(told, receiver, web):
    """Workers and delivering processes, and a receiver that is not well either. What is told twice has the same id."""
    server = told(web, "push", "repositories = storm/**\n")
    chance, stop = random.Random(12), threading.Event()
    tellers = [Teller(server, number, stop) for number in range(3)]
    receiver.when(lambda reply, request: setattr(reply, "status", chance.choice([204, 204, 204, 500])))
    with server.expecting_faults():
        for teller in tellers:
            teller.start()
        for _ in range(25):
            done = sum(len(teller.acknowledged) for teller in tellers)
            wait_until(lambda: sum(len(teller.acknowledged) for teller in tellers) > done + 2, "some pushes")
            send_signal(chance.choice(wait_until(server.programs, "a process")), signal.SIGKILL)
        stop.set()
        for teller in tellers:
            teller.join()
    receiver.well_again()
    expected = {teller.repository.name: teller.acknowledged for teller in tellers}

    def missing():
        server.client.get("/v2/")
        found = {(name, tag) for _, name, tag in receiver.told()}
        return {(name, tag) for name, tags in expected.items() for tag in tags} - found
    wait_until(lambda: not missing(), "all events that were acknowledged")
    for name, tags in expected.items():
        told_of = [tag for _, its, tag in receiver.told() if its == name and tag in tags]
        assert told_of == tags, "in order, each under one id"
    wait_until(lambda: len(server.programs()) == server.worker_count, "the end of the delivering process")
    server.note_workers()


def test_what_rules_and_the_operator_delete_is_told(told, receiver):
    """A rule's deletion is one to receivers of distribution's envelope, and who it was is no user."""
    server = told("nginx", "delete, retention", "[collect]\ngrace = 0s\n[retention builds]\nrepositories = me/**\nkeep_newest = 1\n")
    repository = server.client.repository("me/app")
    for tag in ("b1", "b2"):
        repository.push_image(tag)
    pushed_days_ago(server, repository, b1=3, b2=2)
    assert berth(server.configuration, "gc").returncode == 0
    assert receiver.told() == [("delete", "me/app", "b1")]
    assert berth(server.configuration, "delete", "me/app:b2").returncode == 0
    wait_until(lambda: len(receiver.events()) == 2, "both")
    assert receiver.told()[1] == ("delete", "me/app", "b2")
    assert [each["actor"]["name"] for each in receiver.events()] == ["@retention", "@berth"]


def test_what_cannot_be_kept_to_be_told_is_in_the_log_and_the_push_is_one(told, receiver):
    """Where events wait there is no room for one. What comes when there is, is told."""
    server = told("lighttpd", "push")
    repository = server.client.repository("team/app")
    data, _ = repository.push_image("v1")
    wait_until(lambda: len(receiver.events()) == 1, "the first one")
    with SmallMemory(server.registry_storage / "_berth/events", 1, "mode=777,size=4k,nr_inodes=2") as disk, server.expecting_faults():
        assert repository.put_manifest("v2", data).status == 201
        assert server.client.exists(repository.manifest("v2")).status == 200
        wait_until(lambda: "an event of team/app is lost" in server.whole_log(), "a word about it")
        disk.unmount()
    assert repository.put_manifest("v3", data).status == 201
    wait_until(lambda: len(receiver.events()) == 2, "the next one")
    assert [each[2] for each in receiver.told()] == ["v1", "v3"]


def test_who_stops_where_numbers_are_given_out_stops_no_push(told, receiver):
    """A host that freezes there holds the lock of all repositories."""
    server = told("lighttpd", "push")
    repository = server.client.repository("team/app")
    data, _ = repository.push_image("v1")
    with open(server.registry_storage / "_berth/events/number", "rb") as number:
        fcntl.flock(number, fcntl.LOCK_EX)
        assert repository.put_manifest("v2", data).status == 201
        assert repository.put_manifest("v3", data).status == 201
        wait_until(lambda: len(receiver.events()) == 3, "all that was pushed")
    assert repository.put_manifest("v4", data).status == 201
    wait_until(lambda: len(receiver.events()) == 4, "the last one")
    assert [each[2] for each in receiver.told()] == ["v1", "v2", "v3", "v4"]


def test_what_somebody_puts_into_the_spool_is_in_nobodys_way(told, receiver):
    """A directory, a pipe, a link, rubbish and a book, all older than an event; and a name that drives terminals."""
    server = told("nginx", "push")
    waiting = server.registry_storage / "_berth/events/receivers/ci/waiting"
    server.client.repository("team/app").push_image("v0")
    wait_until(lambda: len(receiver.events()) == 1 and not deliverers(server), "the first event")
    names = [waiting / f"{1:020}-{number:016x}-11111111-2222-4333-8444-55555555555{number}" for number in range(5)]
    names[0].mkdir()
    (names[0] / "full").write_text("")
    os.mkfifo(names[1])
    names[2].symlink_to("/etc/passwd")
    names[3].write_text('{"event": "push", "id": "\\u0000"}')
    names[4].write_bytes(b" " * 100000)
    (waiting.parent.parent / "a\n\x1b[31mb/waiting").mkdir(parents=True)
    owner = server.registry_storage.stat()
    for path in waiting.parent.parent.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    server.client.repository("team/app").push_image("v1")
    wait_until(lambda: len(receiver.events()) == 2, "what came later")
    wait_until(lambda: not deliverers(server), "the end of the delivering process")
    assert [path for path in names if path.is_symlink() or path.exists()] == names[:1]
    assert server.log(whole=True).count("remove '") == 1, "it is not tried over and over"
    assert listing(server) == [] and berth(server.configuration, "gc").returncode == 0
    (names[0] / "full").unlink()


def test_a_cgi_program_is_done_while_its_events_are_delivered(told, receiver):
    """Apache reads the program's standard error to its end before it is done with the request."""
    server = told("lighttpd", "push")
    receiver.when(lambda reply, request: setattr(reply, "silent", True))
    server.client.repository("team/app").push_image("v1")
    wait_until(lambda: receiver.asked(), "a try")
    end_deliverers(server)
    grown_old(server, 0)
    before = len(receiver.asked())
    environment = {"BERTH_CONFIGURATION": str(server.configuration), "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/v2/"}
    with subprocess.Popen([BERTH], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as program:
        try:
            answer, _ = program.communicate(timeout=PATIENCE)
            assert b"Status: 200" in answer
            wait_until(lambda: len(receiver.asked()) > before, "a try")
        finally:
            os.killpg(program.pid, signal.SIGKILL)

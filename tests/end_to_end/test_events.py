"""[webhook NAME]: receivers are told of pushes, pulls and deletions: each event once, in order, whatever dies meanwhile."""
import json
import pathlib

import pytest

from harness import content
from harness.process import wait_until
from harness.receiver import SECRET, Receiver
from harness.server import berth

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

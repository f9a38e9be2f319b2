"""Immutable tags, what a tag has stood for, and putting it back."""
import concurrent.futures
import json
import os
import pathlib

import pytest

from harness import content
from harness.engines import push_layout, skopeo
from harness.peer import Peer
from harness.process import wait_until
from harness.server import berth
from test_access import As, basic, write_users
from test_round_trip import ACCEPT
from test_gc import BOTH, NO_GRACE, answers_to, gc, in_trash, push_signed_index, restore, with_a_second_s_grace

IMMUTABLE = "[hosted]\nimmutable_tags = v*, release-1, !*-rc\n" + NO_GRACE


def command(server, *arguments, status=0):
    done = berth(server.configuration, *arguments)
    assert done.returncode == status, done
    return done


def history(server, what):
    """(event, digest, by) of each, the newest first."""
    told = [json.loads(line) for line in command(server, "restore", "--history", "--json", what).stdout.splitlines()]
    assert all(each["time"].endswith("Z") for each in told), told
    return [(each["event"], each["digest"], each["by"]) for each in told]


def empty_trash(server):
    wait_until(lambda: gc(server, "--empty-trash") and not in_trash(server), "an empty trash")


def assert_refused(answer):
    """What clients of other registries read: containers/image tries neither again nor in another form, kaniko knows the words."""
    assert (answer.status, answer.codes()) == (403, ["DENIED"]) and not answer["WWW-Authenticate"], answer
    assert "the tag is immutable" in answer.json()["errors"][0]["message"], answer


@BOTH
def test_an_immutable_tag_is_neither_moved_nor_deleted(start, web):
    server = start(web, settings=IMMUTABLE)
    client, repository = server.client, server.client.repository("me/app")
    document, digest = repository.push_image("v1")
    other, _ = repository.push_image("latest")
    for _ in range(2):
        assert repository.put_manifest("v1", document).status == 201
    refused = repository.put_manifest("v1", other)
    assert_refused(refused)
    assert "cannot be overwritten because the tag is immutable" in refused.json()["errors"][0]["message"]
    assert_refused(repository.put_manifest(content.digest(other), other, query="?tag=new&tag=v1"))
    assert client.get(repository.manifest("new")).status == 404
    for reference in ("v1", digest):
        assert_refused(client.delete(repository.manifest(reference)))
    assert client.get(repository.manifest("v1")).body == document
    for tag in ("v1-rc", "release-10", "latest", "V1"):
        for each in (document, other):
            assert repository.put_manifest(tag, each).status == 201
        assert client.delete(repository.manifest(tag)).status == 202
    assert_refused(client.delete(repository.manifest(digest)))
    gc(server)
    assert client.get(repository.manifest("v1")).body == document


@BOTH
def test_what_an_immutable_tag_needs_is_not_deleted_either(start, web):
    """Neither an image of its index nor a layer of that; what refers to it, and what other tags need, may go."""
    server = start(web, settings=IMMUTABLE)
    client, repository = server.client, server.client.repository("me/app")
    layer, other_layer = content.noise(), content.noise()
    child, child_digest = repository.push_image(layers=[layer])
    inner, inner_digest = repository.push_manifest(content.index([content.descriptor(child, content.IMAGE)]), "inner")
    index, digest = repository.push_manifest(content.index([content.descriptor(inner, content.INDEX)]), "v1")
    signature, signature_digest = repository.push_image(subject=content.descriptor(index, content.INDEX))
    _, other = repository.push_image("other", layers=[other_layer])
    for each in (digest, inner_digest, child_digest):
        assert_refused(client.delete(repository.manifest(each)))
    for each in (content.digest(layer), json.loads(child)["config"]["digest"]):
        assert_refused(client.delete(repository.blob(each)))
        assert client.get(repository.blob(each)).status == 200
    assert repository.tag_names() == ["inner", "other", "v1"]
    assert "immutable" in command(server, "delete", f"me/app@{child_digest}", status=2).stderr
    for target in (repository.manifest(signature_digest), repository.blob(content.digest(other_layer)), repository.manifest(other)):
        assert client.delete(target).status == 202
    command(server, "delete", "--force", "me/app:v1")
    for target in (repository.manifest(inner_digest), repository.manifest(child_digest), repository.blob(content.digest(layer))):
        assert client.delete(target).status == 202


def test_the_operator_may_all_the_same(start):
    server = start(settings=IMMUTABLE)
    client, repository = server.client, server.client.repository("me/app")
    document, digest = repository.push_image("v1")
    other, new = repository.push_image("other")
    for what in ("me/app:v1", f"me/app@{digest}", "me/app"):
        assert "immutable" in command(server, "delete", what, status=2).stderr
    assert repository.tag_names() == ["other", "v1"]
    assert command(server, "delete", "--force", "me/app:v1").stdout == "me/app:v1 is in the trash: 'berth restore me/app:v1' takes it back\n"
    assert repository.put_manifest("v1", other).status == 201
    assert_refused(repository.put_manifest("v1", document))
    assert "immutable" in command(server, "restore", f"me/app:v1@{digest}", status=2).stderr
    assert command(server, "restore", "--force", f"me/app:v1@{digest}").stdout == "tag v1 is back\n"
    assert client.get(repository.manifest("v1")).body == document
    assert history(server, "me/app:v1") == [
        ("put-back", digest, "@berth"), ("pushed", new, ""), ("deleted", digest, "@berth"), ("pushed", digest, "")]
    assert json.loads(command(server, "delete", "--force", "--json", "me/app").stdout) == {"deleted": "me/app"}
    assert repository.tag_names() == []
    assert "there is no 'me/app'" in command(server, "delete", "me/app", status=1).stderr
    assert "there is no 'me/app:v1'" in command(server, "delete", "me/app:v1", status=1).stderr
    restore(server, "me/app")
    assert repository.tag_names() == ["other", "v1"]
    assert history(server, "me/app:v1")[:2] == [("restored", digest, "@berth"), ("deleted", digest, "@berth")]


def test_skopeo_says_why_and_tries_no_other_form_of_the_manifest(start, layout):
    server = start(settings=IMMUTABLE)
    reference = f"{server.authority}/me/app:v1"
    for _ in range(2):
        push_layout(layout, "multi", reference, "--all")
    server.log()
    refused = skopeo("copy", "--dest-tls-verify=false", f"oci:{layout.directory}:app", f"docker://{reference}", check=False)
    assert refused.returncode != 0 and "denied: the tag 'v1' exists and cannot be overwritten" in refused.stderr, refused
    assert server.log().count("berth: PUT /v2/me/app/manifests/v1 403") == 1


@BOTH
def test_of_many_who_push_an_immutable_tag_at_once_one_wins(start, web):
    server = start(web, settings=IMMUTABLE)
    repository = server.client.repository("me/app")
    documents = [repository.push_image()[0] for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(documents)) as pool:
        answers = list(pool.map(lambda each: repository.put_manifest("v1", each), documents))
    won = [document for document, answer in zip(documents, answers) if answer.status == 201]
    assert len(won) == 1, answers
    for answer in answers:
        if answer.status != 201:
            assert_refused(answer)
    assert server.client.get(repository.manifest("v1")).body == won[0]


def test_who_may_not_move_tags_is_told_that_and_history_has_names(start, new_directory):
    directory = pathlib.Path(new_directory("users"))
    write_users(directory / "users", {"alice": "a", "bob": "b"})
    server = start(directory=directory, settings=IMMUTABLE + """
[authentication]
mode = htpasswd
htpasswd = users
[access all]
repositories = **
pull = anonymous
push = alice, bob
overwrite = alice
delete = alice
""")
    alice, bob = basic("alice", "a"), basic("bob", "b")
    repository = As(server.client, alice).repository("me/app")
    document, digest = repository.push_image("v1")
    other, new = repository.push_image("latest")
    bobs = As(server.client, bob).repository("me/app")
    for each in (repository, bobs):
        assert_refused(each.put_manifest("v1", other))
    refused = bobs.put_manifest("latest", document)
    assert (refused.status, refused.codes()) == (403, ["DENIED"]) and "overwrite" in refused.json()["errors"][0]["message"], refused
    assert repository.put_manifest("latest", document).status == 201
    assert repository.client.request("DELETE", repository.manifest("latest")).status == 202
    assert history(server, "me/app:latest") == [("deleted", digest, "alice"), ("pushed", digest, "alice"), ("pushed", new, "alice")]


@BOTH
def test_a_tag_is_put_back_with_all_that_it_needs(start, web):
    """To a signed index that was deleted, and collected: identical, and its history goes on."""
    server = start(web, settings=NO_GRACE)
    client, repository = server.client, server.client.repository("me/app")
    digest, targets = push_signed_index(repository, "latest")
    before = answers_to(client, targets)
    new, new_digest = repository.push_image("latest")
    assert client.delete(repository.manifest(digest)).status == 202
    for _ in range(3):
        gc(server)
    assert client.get(repository.manifest(digest)).status == 404
    said = command(server, "restore", f"me/app:latest@{digest}").stdout
    assert f"manifest {digest} is back" in said and said.endswith("tag latest is back\n"), said
    assert answers_to(client, targets) == before
    gc(server)
    assert answers_to(client, targets) == before
    assert history(server, "me/app:latest") == [("put-back", digest, "@berth"), ("pushed", new_digest, ""), ("pushed", digest, "")]
    assert client.get(repository.manifest(new_digest)).body == new
    assert "nothing of" in command(server, "restore", f"me/app:latest@{digest}").stderr
    assert len(history(server, "me/app:latest")) == 3


def test_a_deleted_tag_is_put_back_to_an_earlier_manifest(start):
    server = start(settings=NO_GRACE)
    client, repository = server.client, server.client.repository("me/app")
    document, digest = repository.push_image("latest")
    _, last = repository.push_image("latest")
    assert client.delete(repository.manifest("latest")).status == 202
    gc(server)
    assert history(server, "me/app:latest")[0] == ("deleted", last, "")
    done = command(server, "restore", "--json", f"me/app:latest@{digest}")
    assert json.loads(done.stdout.splitlines()[-1]) == {"restored": "tag", "name": "latest"}
    assert client.get(repository.manifest("latest")).body == document
    assert [event for event, *_ in history(server, "me/app:latest")] == ["put-back", "deleted", "pushed", "pushed"]


def test_what_cannot_be_put_back_is_said_and_nothing_moves(start):
    server = start(settings=NO_GRACE)
    with_a_second_s_grace(server)
    client, repository = server.client, server.client.repository("me/app")
    gone, gone_digest = repository.push_image("latest")
    document, digest = repository.push_image("latest")
    _, stranger = repository.push_image("other")
    told = command(server, "restore", f"me/app:latest@{stranger}", status=2).stderr
    assert "has never stood for" in told and stranger in told
    assert "nothing is known" in command(server, "restore", "--history", "me/app:none", status=1).stderr
    for wrong in ("me/app", f"me/app:latest@{digest}", f"me/app@{digest}"):
        assert "wants a NAME:TAG" in command(server, "restore", "--history", wrong, status=2).stderr
    for wrong in ("me/app:latest@sha256:12", "me/app:la test", "Me/app", "me/app:@" + digest, "me/app@", ""):
        assert "is no NAME" in command(server, "restore", wrong, status=2).stderr
    assert client.delete(repository.manifest(gone_digest)).status == 202
    gc(server)
    empty_trash(server)
    assert "not even in the trash" in command(server, "restore", f"me/app:latest@{gone_digest}", status=2).stderr
    assert client.get(repository.manifest("latest")).body == document
    assert gone_digest in [each for _, each, _ in history(server, "me/app:latest")]
    new, _ = repository.push_image("latest")
    layer = json.loads(document)["layers"][0]["digest"]
    assert client.delete(repository.blob(layer)).status == 202
    empty_trash(server)
    assert "names content that is not in the repository" in command(server, "restore", f"me/app:latest@{digest}", status=2).stderr
    assert client.get(repository.manifest("latest")).body == new
    assert client.delete(repository.manifest(digest)).status == 202  # what lacks its layer


def test_docker_registrys_pushes_are_history_too(start, new_directory):
    """It neither minds what we have noted nor notes anything itself, but when each digest was pushed."""
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    document, digest = repository.push_image("latest")
    with Peer(new_directory("peer"), server.registry_storage) as peer:
        theirs = peer.client.repository("me/app")
        assert peer.client.get(theirs.manifest("latest"), ACCEPT).body == document
        assert peer.client.get("/v2/_catalog").json() == {"repositories": ["me/app"]}
        other, new = theirs.push_image("latest")
        _, only = theirs.push_image("theirs")
    assert history(server, "me/app:theirs") == [("pushed", only, None)]
    assert sorted(history(server, "me/app:latest"), key=str) == sorted([("pushed", new, None), ("pushed", digest, "")], key=str)
    command(server, "restore", f"me/app:latest@{digest}")
    assert server.client.get(repository.manifest("latest")).body == document
    command(server, "restore", f"me/app:latest@{new}")
    assert server.client.get(repository.manifest("latest")).body == other


def test_history_ends_with_its_repository(start):
    """What a crash or another program leaves of it keeps no repository in the catalog."""
    server = start(settings=NO_GRACE)
    repository = server.client.repository("me/app")
    repository.push_image("latest")
    left = server.storage / "registry/docker/registry/v2/repositories/me/app/_history"
    assert server.client.delete(repository.manifest("latest")).status == 202
    for reference in os.listdir(left.parent / "_manifests/revisions/sha256"):
        assert server.client.delete(repository.manifest(f"sha256:{reference}")).status == 202
    left.mkdir(exist_ok=True)
    (left / "cut").write_text("\n1 pushed = sha256:0\n")
    gc(server)
    gc(server)
    assert server.client.get("/v2/_catalog").json() == {"repositories": []} and not left.exists()


def test_a_bad_pattern_is_refused(start):
    server = start()
    text = server.configuration.read_text()
    for bad in ("a/b", "v***", "{user}", ", ,", "v?"):
        server.configuration.write_text(text + f"\n[hosted]\nimmutable_tags = {bad}\n")
        assert "patterns of tags" in command(server, "configuration", status=2).stderr
    server.configuration.write_text(text)

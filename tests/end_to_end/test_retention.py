"""`[retention NAME]`: which tags `berth gc` keeps and why, what goes with the others, and the accidents that others have had."""
import json
import os

import pytest

from harness import content
from harness.process import wait_until
from harness.readme import blocks
from harness.server import berth
from test_gc import assert_only_what_is_named_is_left, gc, in_trash, push_signed_index, restore, with_a_second_s_grace
from test_pulled import age, note, note_of_digest

BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])
DAY = 86400
NO_GRACE = "[collect]\ngrace = 0s\n"
NEWEST = "[retention builds]\nrepositories = me/**\nkeep_newest = 1\n"


def pushed_days_ago(server, repository, **tags):
    """As if the tags had been pushed then."""
    for tag, days in tags.items():
        path = server.store / f"repositories/{repository.name}/_manifests/tags/{tag}/current/link"
        (server.store / f"repositories/{repository.name}/_history/{tag}").unlink()  # without it, it goes by the link
        then = path.stat().st_mtime - days * DAY
        os.utime(path, (then, then))


def pulls_noted_for_days(server, days):
    path = server.registry_storage / "_berth/pulled-since"
    path.touch()
    age(path, days * DAY)


def judged(server, *arguments):
    """What is said of each tag."""
    done = berth(server.configuration, "gc", "--json", *arguments)
    assert done.returncode == 0, done
    return {each["tag"].partition(":")[2]: each for each in map(json.loads, done.stdout.splitlines()) if "verdict" in each}


def deleted(server, *arguments):
    return {tag for tag, each in judged(server, *arguments).items() if each["verdict"] == "deleted"}


@BOTH
@pytest.mark.quick
def test_tags_that_nothing_keeps_go_with_their_images_and_come_back(start, web):
    server = start(web, settings=NO_GRACE + NEWEST)
    repository, other = server.client.repository("me/app"), server.client.repository("other/app")
    kept = {tag: repository.push_image(tag) for tag in ("b2", "b3")}
    gone, digest = repository.push_image("b1", layers=[content.noise(100_000)])
    for tag in ("x", "y"):
        other.push_image(tag)
    pushed_days_ago(server, repository, b1=3, b2=2, b3=1)
    pushed_days_ago(server, other, x=900, y=900)
    server.configuration.write_text(server.configuration.read_text() + "keep_tags = b2\n")
    dry = judged(server, "--dry-run")
    assert {tag: each["verdict"] for tag, each in dry.items()} == {"b1": "deleted", "b2": "kept", "b3": "kept"}
    for data, _ in [*kept.values(), (gone, digest)]:
        assert server.client.get(repository.manifest(content.digest(data))).body == data
    assert deleted(server) == {"b1"}
    assert repository.tag_names() == ["b2", "b3"] and other.tag_names() == ["x", "y"]
    for tag, (data, _) in kept.items():
        assert server.client.get(repository.manifest(tag)).body == data
    assert server.client.get(repository.manifest("b1")).status == 404
    assert "tag b1 is back" in restore(server, "me/app:b1")
    parts = json.loads(gone)
    for _ in range(2):
        assert server.client.get(repository.manifest("b1")).body == gone
        assert server.client.get(repository.blob(parts["layers"][0]["digest"])).status == 200
        assert judged(server, "--dry-run")["b1"]["reason"] == "taken back less than trash_days ago"
        gc(server)


@pytest.mark.quick
def test_the_space_of_what_has_gone_is_free_once_the_trash_is_emptied(start):
    server = start(settings=NO_GRACE + NEWEST)
    repository = server.client.repository("me/app")
    for number in range(5):
        repository.push_image(f"b{number}", layers=[content.noise(100_000)])
        pushed_days_ago(server, repository, **{f"b{number}": 10 - number})
    dry = gc(server, "--dry-run")
    assert dry["collected_manifests"] == 4 and dry["collected_bytes"] > 400_000, dry
    assert repository.tag_names() == [f"b{number}" for number in range(5)]
    report = gc(server)
    assert report["collected_bytes"] == dry["collected_bytes"] and report["collected_manifests"] == 4, report
    assert_only_what_is_named_is_left(server)
    assert repository.tag_names() == ["b4"]


@pytest.mark.quick
def test_each_tag_is_told_with_the_line_that_decided(start):
    settings = NO_GRACE + "[retention builds]\nrepositories = me/*\nkeep_tags = v*\nkeep_newest = 1\nkeep_pushed_within = 30d\n"
    server = start(settings=settings)
    repository = server.client.repository("me/app")
    image, _ = repository.push_image("v1")
    repository.push_manifest(image, "also-v1")
    for tag in ("new", "young", "old"):
        repository.push_image(tag)
    pushed_days_ago(server, repository, v1=900, **{"also-v1": 900}, new=1, young=2, old=40)
    lines = server.configuration.read_text().splitlines()
    said = berth(server.configuration, "gc", "--dry-run").stdout.splitlines()
    for tag, words, key in [("v1", "kept: by its name: keep_tags of [retention builds]", "keep_tags"),
                            ("also-v1", "kept: the same image as v1, which stays", "keep_tags"),
                            ("new", "kept: among the newest: keep_newest of [retention builds]", "keep_newest"),
                            ("young", "kept: pushed lately: keep_pushed_within of [retention builds]", "keep_pushed_within"),
                            ("old", "would be deleted: no key of [retention builds] keeps it", "repositories")]:
        number = 1 + next(n for n, line in enumerate(lines) if line.startswith(f"{key} ="))
        assert f"me/app:{tag}: {words} ({server.configuration}:{number})" in said, (tag, said)
    assert "retention: of 5 tags 1 would be deleted, and what only they lead to is counted below" in said
    server.configuration.write_text(server.configuration.read_text().replace("[retention", "[retention other]\nrepositories = you/**\nkeep_newest = 1\n[retention"))
    assert deleted(server) == {"old"}


@BOTH
@pytest.mark.quick
def test_children_of_an_index_and_signatures_of_what_stays_are_kept(start, web):
    """The accident that all others have had: the index answers, and the pull fails."""
    server = start(web, settings="[collect]\ngrace = 0s\nuntagged = 1h\n" + NEWEST)
    repository = server.client.repository("me/app")
    for number in range(2):
        repository.push_image(f"1-arch{number}", annotations={"n": str(number)})  # the children, as buildx and others tag them
    digest, targets = push_signed_index(repository, "1")
    pushed_days_ago(server, repository, **{f"1-arch{number}": 9 for number in range(2)}, **{f"sha256-{digest[7:]}.sig": 90})
    before = {target: server.client.get(target).body for target in targets}
    assert deleted(server) == {"1-arch0", "1-arch1"}
    for _ in range(3):
        gc(server)
    for target, body in before.items():
        answer = server.client.get(target)
        assert (answer.status, answer.body) == (200, body), answer


@pytest.mark.quick
def test_signatures_of_what_goes_go_with_it_and_come_back_with_it(start):
    server = start(settings=NO_GRACE + NEWEST)
    repository = server.client.repository("me/app")
    digest, targets = push_signed_index(repository, "1")
    repository.push_image("2")
    pushed_days_ago(server, repository, **{"1": 9, f"sha256-{digest[7:]}.sig": 9})
    before = {target: server.client.get(target).body for target in targets}
    assert deleted(server) == {"1"}
    gc(server)
    assert repository.tag_names() == ["2"]
    restore(server, "me/app:1")
    assert {target: server.client.get(target).body for target in targets} == before


@pytest.mark.quick
def test_when_a_builder_says_it_built_does_not_matter_and_a_retag_is_a_push(start):
    server = start(settings=NO_GRACE + "[retention builds]\nrepositories = **\nkeep_pushed_within = 30d\n")
    repository = server.client.repository("me/app")
    config = content.encode({"os": "linux", "created": "1970-01-01T00:00:00Z"})
    layer = content.noise()
    for blob in (config, layer):
        repository.push_blob(blob)
    repository.push_manifest(content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)]), "reproducible")
    image, _ = repository.push_image("built-long-ago")
    pushed_days_ago(server, repository, **{"built-long-ago": 900})
    repository.put_manifest("prod", image, content.IMAGE)
    repository.push_image("old")
    pushed_days_ago(server, repository, old=31)
    assert deleted(server) == {"old"}


@BOTH
@pytest.mark.quick
def test_what_is_in_use_stays_whichever_way_it_is_asked_for(start, web):
    server = start(web, settings=NO_GRACE + "[retention builds]\nrepositories = **\nkeep_pulled_within = 30d\n")
    repository = server.client.repository("me/app")
    digests = {tag: repository.push_image(tag)[1] for tag in ("head", "tag", "digest", "idle", "once")}
    pushed_days_ago(server, repository, **{tag: 90 for tag in digests})
    assert deleted(server, "--dry-run") == set(), "nobody knows who has pulled before"
    gc(server)
    pulls_noted_for_days(server, 29)
    assert deleted(server) == set() and judged(server, "--dry-run")["idle"]["reason"].startswith("it may have been pulled before")
    assert server.client.exists(repository.manifest("head")).status == 200  # a kubelet that has it
    assert server.client.get(repository.manifest("tag")).status == 200
    assert server.client.get(repository.manifest(digests["digest"])).status == 200  # containerd, after a HEAD long ago
    assert server.client.get(repository.manifest("once")).status == 200
    age(note(server, repository, "once"), 31 * DAY)
    pulls_noted_for_days(server, 31)
    assert deleted(server) == {"idle", "once"}
    assert repository.tag_names() == ["digest", "head", "tag"]


@pytest.mark.quick
def test_what_the_readme_says_keeps_what_it_says(start):
    server = start(settings=NO_GRACE + blocks()["Retention", 0])
    repository, base = server.client.repository("team/app"), server.client.repository("team/base")
    for tag in ("v1", "latest", *(f"b{number}" for number in range(22))):
        repository.push_image(tag)
        pushed_days_ago(server, repository, **{tag: 100})
    base.push_image("old")
    pushed_days_ago(server, base, old=900)
    gc(server)
    pulls_noted_for_days(server, 91)
    assert deleted(server) == {"b0", "b1"} and base.tag_names() == ["old"]


@BOTH
@pytest.mark.quick
def test_scanners_leave_no_trace(start, web):
    server = start(web, settings=NO_GRACE + "[retention builds]\nrepositories = me/*\nkeep_pulled_within = 30d\nignore_agents = trivy/*, *Scanner*\n")
    mine, theirs = server.client.repository("me/app"), server.client.repository("you/app")
    for repository in (mine, theirs):
        _, digest = repository.push_image("latest")
        for agent in ("Trivy/0.50 (linux; amd64)", "harbor-scanner-adapter/1.0"):
            for reference in ("latest", digest):
                assert server.client.get(repository.manifest(reference), {"User-Agent": agent}).status == 200
    assert not note(server, mine, "latest").exists() and not note_of_digest(server, mine, digest).exists()
    assert note(server, theirs, "latest").exists()
    assert server.client.get(mine.manifest("latest"), {"User-Agent": "containerd/1.7"}).status == 200
    assert note(server, mine, "latest").exists()


@pytest.mark.quick
def test_what_was_just_pushed_or_pulled_stays_whatever_a_number_says(start):
    server = start(settings=NEWEST)
    repository = server.client.repository("me/app")
    for tag in ("pulled", "pushed", "newest", "idle"):
        repository.push_image(tag)
    assert server.client.get(repository.manifest("pulled")).status == 200
    pushed_days_ago(server, repository, pulled=9, idle=9)
    assert deleted(server) == {"idle"}


@pytest.mark.quick
def test_a_digest_in_use_survives_its_tag(start):
    """What runs by digest pulls again when a machine is replaced: it has come back, and stays."""
    server = start(settings=NO_GRACE + NEWEST)
    repository = server.client.repository("me/app")
    image, digest = repository.push_image("b1")
    repository.push_image("b2")
    pushed_days_ago(server, repository, b1=9)
    assert deleted(server) == {"b1"}
    assert server.client.get(repository.manifest(digest)).body == image
    with_a_second_s_grace(server)
    wait_until(lambda: gc(server, "--empty-trash") and not in_trash(server), "an empty trash")
    assert server.client.get(repository.manifest(digest)).body == image


@pytest.mark.quick
def test_a_push_is_when_its_history_says_whatever_a_copy_has_done_to_its_link(start):
    server = start(settings=NO_GRACE + "[retention builds]\nrepositories = **\nkeep_pushed_within = 30d\n")
    repository = server.client.repository("me/app")
    repository.push_image("young")
    path = server.store / "repositories/me/app/_manifests/tags/young/current/link"
    age(path, 90 * DAY)
    assert deleted(server) == set()
    history = server.store / "repositories/me/app/_history/young"
    seconds = history.read_text().split()[0]
    history.write_text(history.read_text().replace(seconds, str(int(seconds) - 31 * DAY)))
    path.touch()
    assert deleted(server) == {"young"}


@pytest.mark.quick
def test_what_must_not_be_moved_is_not_deleted_either(start):
    server = start(settings="[hosted]\nimmutable_tags = v*\n" + NO_GRACE + NEWEST)
    repository = server.client.repository("me/app")
    for tag in ("v1", "b1", "b2"):
        repository.push_image(tag)
    pushed_days_ago(server, repository, v1=90, b1=9)
    assert deleted(server) == {"b1"}
    assert judged(server, "--dry-run")["v1"]["reason"] == "it must not be moved: immutable_tags"


@BOTH
def test_pushes_and_pulls_go_on_beside_retention(start, web):
    """Each build is pushed and pulled while others are judged; what was acknowledged within the newest is there."""
    server = start(web, settings=NO_GRACE + "[retention builds]\nrepositories = **\nkeep_newest = 3\n")
    repository = server.client.repository("me/app")
    for number in range(30):
        image, _ = repository.push_image(f"1.{number}")
        pushed_days_ago(server, repository, **{f"1.{number}": 40 - number})
        gc(server)
        assert server.client.get(repository.manifest(f"1.{number}")).body == image
    assert repository.tag_names() == ["1.27", "1.28", "1.29"]
    assert_only_what_is_named_is_left(server)

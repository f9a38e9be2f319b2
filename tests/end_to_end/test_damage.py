"""What cannot be read in a store: `berth gc` says what stays because of it, `berth check` finds it, and `--repair` mends it."""
import errno
import json

import pytest

from harness import content
from harness.faults import FaultyCommand
from harness.server import berth
from harness.torture import blob_path

NO_GRACE = "[collect]\ngrace = 0s\n"
RETENTION = "[retention r]\nrepositories = a/**\nkeep_tags = new\n"
MENDABLE = "'berth check --repair' mends it, or says what to do"


def run(server, *arguments, status=0):
    """What it tells, as lines for people and as objects."""
    done = berth(server.configuration, *arguments, "--json")
    assert done.returncode == status, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_gc(server, *arguments, status=0):
    """The problems, and the sum."""
    *told, report = run(server, "gc", *arguments, status=status)
    return [line for line in told if "problem" in line], report


@pytest.fixture
def stocked(start):
    """A server with an image of two tags, and a blob in another repository that nobody needs."""
    server = start(settings=NO_GRACE + RETENTION)
    repository = server.client.repository("a/app")
    server.layer = content.noise(1000)
    server.document, server.digest = repository.push_image("new", layers=[server.layer])
    repository.push_manifest(server.document, "other")
    server.lonely = server.client.repository("z/app").push_blob(content.noise())
    server.path = server.store / "repositories/a/app"
    server.answers = {target: server.client.get(target).body
                      for target in (repository.manifest("new"), repository.manifest(server.digest), repository.blob(content.digest(server.layer)))}
    yield server
    berth(server.configuration, "check", "--repair")


def hinder(path):
    """A directory with something in it, in place of a file."""
    path.unlink(missing_ok=True)
    (path / "below").mkdir(parents=True)


def assert_whole(server):
    for target, body in server.answers.items():
        assert server.client.get(target).body == body, target


@pytest.mark.quick
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "wet"])
@pytest.mark.parametrize("place", ["_manifests/tags/new/current/link", "_layers/sha256/{layer}/link", "_manifests/revisions/sha256/{digits}/link"])
def test_what_cannot_be_read_keeps_its_repository_and_no_other(stocked, place, dry):
    path = stocked.path / place.format(layer=content.digest(stocked.layer)[7:], digits=stocked.digest[7:])
    hinder(path)
    told, report = of_gc(stocked, *dry, status=1)
    told = [line for line in told if line.get("spares") == "repository"]
    assert [line["path"] for line in told] == ["docker/registry/v2/repositories/a/app"], told
    assert "nothing of this repository is collected" in told[0]["consequence"] and told[0]["remedy"] == MENDABLE, told
    assert (report["spared_repositories"], report["spares_blobs"], report["collected_blobs"]) == (1, False, 1), report
    said = berth(stocked.configuration, "gc", "--dry-run").stdout
    assert f"until this is mended nothing of this repository is collected, nor removed from the trash: {MENDABLE}\n" in said, said
    assert "; 1 repositories could not be judged: berth check --repair\n" in said, said


@pytest.mark.quick
def test_where_not_even_links_are_seen_no_blob_is_collected(stocked):
    links = stocked.path / "_layers/sha256"
    links.rename(stocked.path / "_away")
    links.symlink_to(stocked.path / "_away")
    for _ in range(2):
        told, report = of_gc(stocked, "--dry-run", status=1)
        assert [line["spares"] for line in told] == ["blobs"] and "no blob of any repository" in told[0]["consequence"], told
        told, report = of_gc(stocked, status=1)
        assert report["spares_blobs"] and report["collected_blobs"] == report["emptied_files"] == 0, report
        assert blob_path(stocked, stocked.lonely).exists()
        said = berth(stocked.configuration, "gc").stdout
        assert "not all links could be seen, and so no blob and nothing in the trash was judged" in said, said
        assert berth(stocked.configuration, "check", "--repair").returncode == 1
        assert links.is_symlink(), "what may be behind it is not ours to hide"
    links.unlink()
    (stocked.path / "_away").rename(links)
    assert of_gc(stocked)[1]["collected_blobs"] == 1
    assert_whole(stocked)


@pytest.mark.quick
@pytest.mark.parametrize("place, spared", [("_history/other", "tags"), ("_manifests/_retired/sha256/{digits}", "tags"), ("_history", "tags"),
                                           ("_referrers", "repository"), ("_media_types", "repository")])
def test_notes_that_cannot_be_read_keep_what_is_judged_by_them(stocked, place, spared):
    _, other = stocked.client.repository("a/app").push_image("other")
    path = stocked.path / place.format(digits=other[7:])
    if path.is_dir():
        path.rename(stocked.path / "_away")
    hinder(path) if "/" in place else path.symlink_to(path.name)
    told, report = of_gc(stocked, status=1)
    assert [line["spares"] for line in told] == [spared], told
    # What was found unneeded before the fault was met may be in the trash, and stays there: more than one, then.
    assert report["collected_blobs"] >= 1 and report["spared_repositories"] == (spared == "repository"), report
    assert not blob_path(stocked, stocked.lonely).exists()
    assert_whole(stocked)
    assert sorted(stocked.client.repository("a/app").tag_names()) == (["new", "other"] if spared == "tags" else ["new"])
    assert berth(stocked.configuration, "check", "--repair").returncode == 1
    told, report = of_gc(stocked)
    assert (told, report["spared_repositories"], report["tags"]) == ([], 0, 1), (told, report)


@pytest.mark.parametrize("place", ["_history/other", "_manifests/_retired/sha256/{digits}", "_manifests/tags/other/index/sha256/{digits}/link",
                                   "_manifests/tags/other/_pulled", "_manifests/_pulled/sha256/{digits}", "_media_types/sha256/{digits}",
                                   "_layers/sha256/{layer}/link", "_manifests/revisions/sha256/{digits}/link"])
def test_repair_moves_it_out_of_the_way_and_loses_nothing(stocked, place):
    path = stocked.path / place.format(layer=content.digest(stocked.layer)[7:], digits=stocked.digest[7:])
    hinder(path)
    where = str(path.relative_to(stocked.registry_storage))
    found = run(stocked, "check", status=1)
    assert where in [line.get("path") for line in found], found
    found = [line for line in run(stocked, "check", "--repair", status=1) if "problem" in line]
    assert [line["path"] for line in found] == [where] and "moved to '_berth/damaged/" in found[0]["problem"], found
    kept = list((stocked.registry_storage / "_berth/damaged").glob(f"*/{where}"))
    assert len(kept) == 1 and (kept[0] / "below").is_dir()
    assert run(stocked, "check")[-1]["problems"] == 0
    told, report = of_gc(stocked)
    assert told == [] and report["collected_blobs"] == 1, (told, report)
    assert_whole(stocked)
    assert stocked.client.repository("a/app").put_manifest("other", stocked.document).status == 201


@pytest.mark.parametrize("damage", [hinder, lambda path: path.write_bytes(b"")], ids=["directory", "empty"])
def test_a_tag_that_is_repaired_away_is_put_back_as_check_says(stocked, damage):
    damage(stocked.path / "_manifests/tags/new/current/link")
    assert of_gc(stocked, status=1)[1]["spared_repositories"] == 1
    said = berth(stocked.configuration, "check", "--repair").stdout
    command = f"berth restore a/app:new@{stocked.digest}"
    assert f"'{command}'" in said, said
    assert stocked.client.get(stocked.client.repository("a/app").manifest("new")).status == 404
    assert of_gc(stocked)[1]["problems"] == 0
    assert berth(stocked.configuration, *command.split()[1:]).returncode == 0
    assert_whole(stocked)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES], ids=["io", "permission"])
@pytest.mark.parametrize("place", ["_manifests/tags/new/current/link", "_layers/sha256/{layer}/link", "_history/other"])
def test_a_file_that_the_disk_does_not_give_back_is_moved_and_one_that_we_may_not_read_is_not(stocked, place, number):
    path = stocked.path / place.format(layer=content.digest(stocked.layer)[7:])
    faulty = FaultyCommand(stocked, path, number)
    assert "problem" in faulty.run("gc", "--json").stdout
    done = faulty.run("check", "--repair")
    assert done.returncode == 1 and str(path.relative_to(stocked.registry_storage)) in done.stdout, done
    moved = list((stocked.registry_storage / "_berth").glob(f"damaged/*/{path.relative_to(stocked.registry_storage)}"))
    assert len(moved) == (number == errno.EIO), done
    if number == errno.EACCES:
        assert "Permission denied: does it belong to the workers' user?" in done.stdout, done
        assert_whole(stocked)


@pytest.mark.quick
def test_what_has_no_digest_as_its_name_is_told_and_ends_no_run(stocked):
    (stocked.path / "_layers/sha256/x").mkdir()
    told, report = of_gc(stocked, status=1)
    assert [line["path"] for line in told] == ["docker/registry/v2/repositories/a/app/_layers/sha256/x"], told
    assert report["collected_blobs"] == 1, report
    assert_whole(stocked)
    (stocked.path / "_layers/sha256/x").rmdir()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES], ids=["io", "permission"])
def test_an_untagged_manifest_that_cannot_be_looked_at_keeps_its_layers(stocked, number):
    layer = content.noise(1000)
    _, digest = stocked.client.repository("a/app").push_image(layers=[layer])
    done = FaultyCommand(stocked, stocked.path / f"_manifests/revisions/sha256/{digest[7:]}", number, call="stat").run("gc", "--json")
    *told, report = map(json.loads, done.stdout.splitlines())
    assert [line["spares"] for line in told if "problem" in line] == ["repository"], done
    assert (done.returncode, report["spared_repositories"], report["collected_blobs"]) == (1, 1, 1), report
    assert blob_path(stocked, content.digest(layer)).exists() and not blob_path(stocked, stocked.lonely).exists()


@pytest.mark.parametrize("call", ["stat", "open"])
@pytest.mark.parametrize("command", [["gc", "--dry-run"], ["gc"], ["check"]], ids=" ".join)
def test_a_repository_that_cannot_be_looked_at_ends_no_run(stocked, command, call):
    done = FaultyCommand(stocked, stocked.path, errno.EACCES, call).run(*command, "--json")
    *told, report = map(json.loads, done.stdout.splitlines())
    told = [line for line in told if line.get("path") == "docker/registry/v2/repositories/a/app"]
    assert done.returncode == 1 and report["problems"] >= 1 and "Permission denied" in told[0]["problem"], done
    assert report.get("spares_blobs", True) and report.get("collected_blobs", 0) == report.get("emptied_files", 0) == 0, report
    assert_whole(stocked)


@pytest.mark.parametrize("command", [["gc"], ["check"]], ids=" ".join)
def test_blobs_that_cannot_be_looked_at_end_no_run(stocked, command):
    prefix = blob_path(stocked, content.digest(stocked.layer)).parent.parent
    done = FaultyCommand(stocked, prefix, errno.EIO).run(*command, "--json")
    *told, report = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1 and str(prefix.relative_to(stocked.registry_storage)) in [line.get("path") for line in told], done
    assert prefix == blob_path(stocked, stocked.lonely).parent.parent or not blob_path(stocked, stocked.lonely).exists() or command == ["check"]
    assert_whole(stocked)


def test_a_trash_that_cannot_be_looked_at_ends_no_run(stocked):
    stocked.client.delete(stocked.client.repository("a/app").manifest("new"))
    trash = stocked.registry_storage / "_berth/trash/deleted"
    done = FaultyCommand(stocked, trash / "docker", errno.EIO).run("gc", "--json")
    *told, report = map(json.loads, done.stdout.splitlines())
    assert done.returncode == report["problems"] == 1 and report["collected_blobs"] > 0, done
    told = [line for line in told if "problem" in line]
    assert [line["path"] for line in told] == ["_berth/trash/deleted"] and "docker" in told[0]["problem"], done


@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "wet"])
def test_a_cache_that_cannot_be_looked_at_keeps_nobody_from_knowing_what_was_done(stocked, dry):
    cache = stocked.directory / "storage/proxy/docker/registry/v2/blobs/sha256"
    (cache / "aa").mkdir(parents=True, exist_ok=True)
    done = FaultyCommand(stocked, cache, errno.EACCES).run("gc", "--json", *dry)
    assert done.returncode == 2 and "Permission denied" in done.stderr, done
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["problems"], report["collected_blobs"] > 0) == (0, True), done


@pytest.mark.parametrize("call, place", [("rename", "registry/_berth/sizes"), ("open", "_tmp/uploads"), ("open", "proxy/_berth/temporary/partial")])
def test_what_is_done_beside_a_collection_and_fails_is_told_and_ends_no_run(stocked, call, place):
    (stocked.directory / "storage/proxy/docker/registry/v2/blobs").mkdir(parents=True, exist_ok=True)
    done = FaultyCommand(stocked, stocked.directory / "storage" / place, errno.EACCES, call).run("gc", "--json")
    *told, report = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, report["problems"], report["collected_blobs"] > 0) == (1, 1, True), done
    assert ["Permission denied" in line["problem"] for line in told if "problem" in line] == [True], told

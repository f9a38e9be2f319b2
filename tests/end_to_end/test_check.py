"""`berth check`: a slice each night, resumed where it was stopped, and what a damaged blob hurts."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest

from harness import content
from harness.process import wait_until
from harness.server import BERTH, berth
from harness.torture import blob_path
from harness.upstream_site import Download, Site
from test_proxy_blob import offered

DAY = 86400


def check(server, *arguments, status=0):
    """The lines that were told; the last one is the sum."""
    done = berth(server.configuration, "check", "--json", *arguments)
    assert done.returncode == status, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(server, *arguments, status=0):
    """How many blobs were read."""
    return check(server, *arguments, status=status)[-1]["read_blobs"]


def notes(server):
    return sorted((server.registry_storage / "_berth/verified").glob("sha256-??"))


def damage(server, digest, data=None):
    path = blob_path(server, digest)
    path.write_bytes(data if data is not None else bytes(path.stat().st_size))


@pytest.fixture
def filled(start):
    """A server with twelve blobs."""
    server = start()
    repository = server.client.repository("me/app")
    server.digests = [repository.push_blob(content.noise(100_000)) for _ in range(12)]
    return server


@pytest.mark.quick
def test_what_was_verified_is_not_read_again_until_it_is_due(filled):
    assert read(filled, "--older-than", "30d") == 12
    assert read(filled, "--older-than", "30d") == 0
    note = notes(filled)[0]
    of_note = note.read_text().splitlines()
    note.write_text("".join(f"{digits} {int(when) - 31 * DAY} {size}\n" for digits, when, size in map(str.split, of_note)))
    assert read(filled, "--older-than", "30d") == len(of_note)
    assert read(filled, "--older-than", "0s") == 12
    assert read(filled) == 12
    filled.client.repository("me/app").push_blob(content.noise())
    assert read(filled, "--older-than", "30d") == 1


@pytest.mark.quick
def test_what_is_damaged_is_told_every_time_and_what_was_cut_before_it_is_due(filled):
    hidden, cut = filled.digests[:2]
    read(filled)
    times = {digest: blob_path(filled, digest).stat().st_mtime_ns for digest in filled.digests}
    damage(filled, hidden)
    damage(filled, cut, b"short")
    assert [line["path"] for line in check(filled, "--older-than", "30d", status=1)[:-1]] == [str(blob_path(filled, cut).relative_to(filled.registry_storage))]
    for _ in range(2):
        assert read(filled, "--older-than", "0s", status=1) == 12
    assert read(filled, "--older-than", "30d", status=1) == 2
    assert all(blob_path(filled, digest).stat().st_mtime_ns == times[digest] for digest in filled.digests[2:])
    assert read(filled, "--repair", "--older-than", "30d", status=1) == 2
    assert check(filled)[-1]["problems"] == 0


@pytest.mark.quick
@pytest.mark.parametrize("text", ["", "nonsense", f"{'0' * 64}", f"{'f' * 64} 1 1\n" * 3, f"{'f' * 64} {2**63} 1\n{'f' * 64} 1 -1\n", "\n\n \n"])
def test_nonsense_in_the_notes_is_as_if_there_were_none(filled, text):
    read(filled)
    for note in notes(filled):
        note.write_text(text)
    assert read(filled, "--older-than", "30d") == 12
    assert read(filled, "--older-than", "30d") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_run_goes_on_where_one_was_stopped(filled, number):
    arguments = [BERTH, "-c", str(filled.configuration), "check", "--rate", "200K"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        wait_until(lambda: len(notes(filled)) >= 3, "some notes")
        run.send_signal(number)
        _, said = run.communicate()
        assert run.returncode == -number and ("--older-than goes on" in said) == (number == signal.SIGTERM), (run.returncode, said)
    done = sum(len(note.read_text().splitlines()) for note in notes(filled))
    assert 3 <= done < 12
    assert read(filled, "--older-than", "1d") == 12 - done


@pytest.mark.quick
def test_the_rate_and_the_time_that_is_left_are_drawn_on_a_terminal(filled):
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execv(BERTH, [BERTH, "-c", str(filled.configuration), "check", "--rate", "1M"])
    said = b""
    while not re.search(rb"problems\r?\n", said):
        said += os.read(terminal, 4096)
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    assert re.search(rb"registry +\[=*>? *\] +\d+%  \d.* of 1.1 MiB  \d.*iB/s  \d+ s left", said), said


@pytest.mark.quick
@pytest.mark.parametrize("repair", [[], ["--repair"]], ids=["look", "repair"])
def test_the_tags_that_a_damaged_blob_hurts_are_told_and_a_push_heals_them(start, repair):
    server = start()
    repository, other = server.client.repository("me/app"), server.client.repository("me/other")
    layer, config = content.noise(5000), content.noise(100)
    document, digest = repository.push_image("one", layers=[layer])
    repository.push_manifest(content.index([content.descriptor(document, content.IMAGE)]), "all")
    repository.push_image("sound")
    other.push_image("sound", layers=[config])
    damage(server, content.digest(layer))
    told = check(server, *repair, status=1)
    hurt = sorted((line["repository"], line["tag"], line["hurt_by"]) for line in told if "tag" in line)
    assert hurt == [("me/app", "all", content.digest(layer)), ("me/app", "one", content.digest(layer))], told
    assert told[-1]["hurt_tags"] == 2
    if repair:
        assert server.client.exists(repository.blob(content.digest(layer))).status == 404
    repository.push_blob(layer)
    repository.push_manifest(document, "one")
    assert server.client.get(repository.blob(content.digest(layer))).body == layer
    assert check(server)[-1]["hurt_tags"] == 0


def test_a_damaged_manifest_hurts_its_tag_and_that_of_the_index_that_names_it(start):
    server = start()
    repository = server.client.repository("me/app")
    document, digest = repository.push_image()
    repository.push_manifest(content.index([content.descriptor(document, content.IMAGE)]), "all")
    _, lonely = server.client.repository("me/solo").push_image("solo")
    damage(server, digest)
    damage(server, lonely)
    told = check(server, status=1)
    assert sorted((line["tag"], line["hurt_by"]) for line in told if "tag" in line) == [("all", digest), ("solo", lonely)], told
    told = check(server, "--repair", status=1)
    assert [(line["tag"], line["hurt_by"]) for line in told if "tag" in line] == [("all", digest)], told
    repository.push_manifest(document)
    assert check(server)[-1]["problems"] == 0


def test_a_damaged_blob_of_the_cache_is_fetched_again_and_to_be_verified_is_no_use(new_directory):
    with Site(new_directory("check")) as site:
        upstream = site.take()
        data, digest = offered(upstream, content.MIB)
        assert Download(site.client, site.at(upstream).blob(digest)).result().is_whole
        path = site.server.storage / f"proxy/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        os.utime(path, (1_600_000_000, 1_600_000_000))
        check(site.server, "--repair", "--rate", "100M")
        assert path.stat().st_atime == path.stat().st_mtime == 1_600_000_000
        path.write_bytes(bytes(len(data)))
        assert check(site.server, "--repair", status=1)[0]["store"] == "proxy"
        assert site.client.get(site.at(upstream).blob(digest)).body == data
        check(site.server)


# --- what another program, or somebody who means harm, has put into the store

def in_its_place(path, make):
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)


HOSTILE = {"loop": lambda path: path.symlink_to(path.name), "nowhere": lambda path: path.symlink_to("nowhere"), "pipe": os.mkfifo,
           "directory": lambda path: path.mkdir(), "terabyte": lambda path: path.open("wb").truncate(1 << 40)}
PLACES = ("_manifests/revisions/sha256/{digits}/link", "_layers/sha256/{layer}/link", "_manifests/tags/old/current/link",
          "_manifests/tags/old/index/sha256/{digits}/link", "_manifests/tags/old/_pulled", "_history/old", "_manifests/_retired/sha256/{digits}",
          "_referrers/sha256/{digits}/sha256:{digits}", "_media_types/sha256/{digits}", "_layers", "_manifests/tags")


@pytest.mark.quick
@pytest.mark.parametrize("how", HOSTILE)
def test_nothing_in_a_store_keeps_the_rest_from_being_looked_at(start, how):
    """Neither ends a run nor holds it up, whichever file it is: what is wrong behind it is told."""
    server = start(settings="[collect]\ngrace = 0s\n[retention r]\nrepositories = a/**\nkeep_tags = new\n")
    for number, place in enumerate(PLACES):
        repository = server.client.repository(f"a/app{number}")
        layer = content.noise(100)
        _, digest = repository.push_image("old", layers=[layer])
        repository.push_image("new")
        path = server.store / "repositories" / repository.name / place.format(digits=digest[7:], layer=content.digest(layer)[7:])
        if path.is_dir():
            path.rename(path.with_name("_elsewhere"))
        in_its_place(path, HOSTILE[how])
    if how != "terabyte":
        in_its_place(blob_path(server, server.client.repository("a/blob").push_blob(content.noise())), HOSTILE[how])
    in_its_place(server.registry_storage / "_berth/census", HOSTILE[how])
    _, last = server.client.repository("z/last").push_image("latest")
    server.stop()
    blob_path(server, last).unlink()
    for arguments in (["check"], ["check", "--repair", "--no-content"], ["gc", "--dry-run"], ["gc"], ["status"]):
        done = berth(server.configuration, *arguments)
        assert done.returncode in (0, 1), done
        assert arguments != ["check"] or "z/last/_manifests/tags/latest/current/link: a tag whose manifest is not there" in done.stdout, done

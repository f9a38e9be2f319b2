"""Workers that are killed, power that is cut, disks that are full or cannot be written: what was promised stays true."""
import os
import pathlib
import random
import shutil
import signal

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.mounts import LoopDisk, SmallMemory
from harness.process import send_signal, wait_until
from harness.registry import closing
from harness.storm import Storm, assert_blobs_have_their_names

KILLS = 10
POWER_CUTS = 2
NO_RESERVE = "[hosted]\nminimum_free_space = 0\n"


def kill_workers_amid_pushes(server, kills):
    """Returns when `kills` random workers have died while writers were at work."""
    chance = random.Random(kills)
    with server.expecting_faults(), Storm(server) as storm:
        for number in range(kills):
            storm.wait_for(chance.randrange(3), f"pushes after {number} kills")
            victim = chance.choice(wait_until(server.workers, "a worker"))
            send_signal(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: victim not in server.workers(), "its end")
        wait_until(lambda: len(server.workers()) == server.worker_count, "a full pool")
        storm.wait_for(3, "service after the last kill")
    server.note_workers()
    storm.assert_promises_kept()
    return storm


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_killed_workers_break_no_promise(start, web):
    """kill -9 of a random worker during pushes, again and again; the pool refills."""
    storm = kill_workers_amid_pushes(start(web), KILLS)
    assert storm.count() > KILLS


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_the_answer_of_a_killed_worker_is_an_error_in_json(start, web):
    """The client of that very request hears of it, as an error or a closed connection, never as success."""
    server = start(web, workers=1)
    repository = server.client.repository("me/app")
    location = repository.open_upload()
    os.kill(server.pids[0], signal.SIGSTOP)
    with server.expecting_faults(), server.client.connect() as connection:
        connection.sendall(server.client.head("PATCH", location, body=b"abc") + b"abc")
        os.kill(server.pids[0], signal.SIGKILL)
        data = connection.recv(65536)
    assert not data or b" 50" in data.split(b"\r\n")[0] and b"application/json" in data or b" 202 " in data, data
    server.note_workers()
    assert server.client.get(location).status == 204


def cut_power_amid_pushes(server, disk):
    """Pushes, a power cut, a restart: everything acknowledged is there. False if it is the kernel that could not recover."""
    with server.expecting_faults():
        with Storm(server) as storm:
            storm.wait_for(12, "some pushes")
            disk.power_cut()
        server.stop(signal.SIGKILL)
        disk.unmount()
        disk.mount()
        if disk.is_spoilt:
            return False
        server.start()
    storm.assert_promises_kept()
    return True


def cut_power_behind_an_answer(server, disk, writer, number):
    """A client alone, and the cut right behind a 201: nobody else's sync puts on the disk what that push has not. The first
    time, what was pushed is the first of all, then it is the first of its repository."""
    blob = content.noise(5000)
    image = content.encode(content.image(content.descriptor(blob, content.CONFIG), [content.descriptor(blob)]))
    elsewhere = server.client.repository(f"elsewhere/{number}")
    with server.expecting_faults():
        assert writer.push_blob(blob)
        match number % 4:
            case 1:
                writer.push_manifest(image, "latest")
            case 2:
                answer = server.client.post(f"{elsewhere.uploads}?mount={content.digest(blob)}&from={writer.repository.name}")
                assert answer.status == 201, answer
            case 3:
                assert elsewhere.push_blob(blob)
        disk.power_cut()
        server.stop(signal.SIGKILL)
        disk.unmount()
        disk.mount()
        server.start()
    assert number % 4 not in (2, 3) or server.client.get(elsewhere.blob(content.digest(blob))).body == blob


def cut_power_behind_answers(server, disk, cuts):
    storm = Storm(server, writers=1)
    for number in range(cuts):
        cut_power_behind_an_answer(server, disk, storm.writers[0], number)
        storm.assert_promises_kept()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_power_cut_behind_an_answer_breaks_no_promise(start, mounted, kind, new_directory):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", kind=kind))
    cut_power_behind_answers(start(directory=directory, settings=NO_RESERVE), disk, 4)


@pytest.mark.parametrize("web, kind", [("nginx", "ext4"), ("lighttpd", "ext4"), ("nginx", "xfs")])
def test_a_power_cut_breaks_no_promise(start, mounted, web, kind, new_directory):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", kind=kind))
    server = start(web, directory=directory, settings=NO_RESERVE)
    for _ in range(POWER_CUTS):
        cut_power_amid_pushes(server, disk)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_power_cut_behind_the_first_start_breaks_no_promise(start, mounted, kind, new_directory):
    """`make run` has written the configuration itself: it is there whole, or the registry would come up empty."""
    directory = pathlib.Path(new_directory("first"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", 2048, kind))
    server = start(directory=directory, configured=False)
    written = server.configuration.read_text()
    cut_power_amid_pushes(server, disk)
    assert server.configuration.read_text() == written


@pytest.fixture(params=["nginx", "lighttpd"])
def small_disk(mounted, request, new_directory):
    """8 MiB of memory for the stores of a server: its directory, the memory, and which server."""
    directory = pathlib.Path(new_directory("small"))
    return directory, mounted(SmallMemory(directory / "storage", 8)), request.param


@pytest.fixture
def small(start, small_disk):
    """A server on that."""
    directory, memory, web = small_disk
    server = start(web, directory=directory, settings=NO_RESERVE, expected_faults=True)
    server.memory = memory
    return server


def assert_no_space(answer):
    """507 from a worker; or the web server's own error, whose body could not even be spooled, in words that say so."""
    answer.codes()
    words = answer.json()["errors"][0]["message"].lower()
    assert answer.status == 507 or answer.status == 500 and ("disk" in words or "space" in words or "storage" in words), answer


def used(server):
    status = os.statvfs(server.storage)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def assert_nothing_left(server, before):
    """The space of what failed is free again, and no session is left."""
    wait_until(lambda: used(server) <= before + 65536, f"space given back: {used(server)} of {before}")
    wait_until(lambda: not [path for path in (server.temporary / "bodies").rglob("*") if path.is_file()],
               "no body left")


@pytest.mark.parametrize("way", ["post", "patch", "put"])
@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
def test_a_full_disk_is_507_and_nothing_is_left_of_the_upload(small, way, chunked):
    """Disk full: a clear error, the session cleaned up."""
    repository = small.client.repository("me/app")
    repository.push_image("before", [content.noise(100000)])
    before = used(small)
    data = content.noise(16 * content.MIB)
    digest = content.digest(data)
    location = None if way == "post" else repository.open_upload()
    target = {"post": f"{repository.uploads}?digest={digest}", "patch": location,
              "put": location and closing(location, digest)}[way]
    method = way.upper()
    if chunked:
        answer = small.client.request(method, target, chunks=[data[at:at + 65536] for at in range(0, len(data), 65536)])
    else:
        answer = small.client.request(method, target, body=data)
    assert_no_space(answer)
    assert_nothing_left(small, before)
    assert small.client.exists(repository.blob(digest)).status == 404
    repository.push_image("after", [content.noise(100000)])
    assert repository.tag_names() == ["after", "before"]


@pytest.mark.parametrize("way", ["patch", "put", "post"])
@pytest.mark.parametrize("counted", [True, False], ids=["counted", "chunked"])
def test_a_worker_that_runs_out_of_space_amid_a_body_gives_it_all_back(mounted, new_directory, way, counted):
    """Where bodies stream, it is the worker who meets the end of the disk: 507, and the session is gone."""
    directory = pathlib.Path(new_directory("full"))
    mounted(SmallMemory(directory / "storage", 8))
    with Worker(directory, NO_RESERVE, expected_faults=True) as worker:
        repository = worker.repository("me/app")
        repository.push_image("before")
        data = content.noise(12 * content.MIB)
        digest = content.digest(data)
        location = None if way == "post" else worker.patch(repository.open_upload(), data[:1000])["Location"]
        target = {"patch": location, "put": location and closing(location, digest),
                  "post": f"{repository.uploads}?digest={digest}"}[way]
        body = {"body": data[1000:]} if counted else {"chunks": [data[1000:]]}
        answer = worker.request(way.upper(), target, **body)
        assert answer.status == 507, answer
        answer.codes()
        assert location is None or worker.get(location).status == 404
        assert not list((directory / "storage/_tmp/uploads").iterdir())
        repository.push_image("after", [content.noise(4 * content.MIB)])


def test_service_resumes_when_space_returns(small):
    """Nobody has to restart anything."""
    repository = small.client.repository("me/app")
    ballast = small.storage / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 6 * content.MIB)
    data = content.noise(5 * content.MIB // 2)  # twice that has to fit where the web server passes a spooled body on
    location = repository.open_upload()
    answer = repository.finish(location, content.digest(data), data)
    assert_no_space(answer)
    ballast.unlink()
    repository.push_image("large", [data])
    assert small.client.get(repository.blob(content.digest(data))).body == data


def test_a_disk_that_fills_up_piece_by_piece_is_507_too(small):
    """A session in chunks: the one that does not fit any more."""
    repository = small.client.repository("me/app")
    location = repository.open_upload()
    answer = None
    for _ in range(20):
        answer = small.client.patch(location, content.noise(content.MIB))
        if answer.status != 202:
            break
        location = answer["Location"]
    assert_no_space(answer)
    small.client.delete(location)
    assert_nothing_left(small, 1 << 20)
    repository.push_image("after")


def test_a_manifest_on_a_full_disk_is_507_and_the_tag_stays(small):
    repository = small.client.repository("me/app")
    data, digest = repository.push_image("latest")
    with open(small.storage / "ballast", "wb") as file:
        while True:
            try:
                os.write(file.fileno(), b"x" * 4096)
            except OSError:
                break
    assert_no_space(repository.put_manifest("latest", content.index([], annotations={"x": "x" * 20000})))
    answer = small.client.get(repository.manifest("latest"))
    assert (answer.status, answer.body) == (200, data), answer
    (small.storage / "ballast").unlink()
    repository.push_image("latest")


def test_read_only_storage_is_a_clear_error_and_still_serves(start, small_disk):
    """A filesystem that went read-only after an error of the disk: pulls go on, pushes say what is wrong."""
    counters = small_disk[0] / "storage/registry/_berth/counters"
    counters.parent.mkdir(parents=True)
    counters.write_text("")  # nobody maps a file there, which would keep us, if not the kernel, from doing this
    server = start(small_disk[2], directory=small_disk[0], settings=NO_RESERVE, expected_faults=True)
    check_read_only(server, small_disk[1])


def check_read_only(small, memory):
    repository = small.client.repository("me/app")
    data, digest = repository.push_image("latest")
    memory.read_only(True)
    try:
        for answer in (small.client.post(repository.uploads), repository.put_manifest("new", content.index([])),
                       small.client.post(f"{repository.uploads}?digest={content.digest(b'x')}", b"x"),
                       small.client.delete(repository.manifest("latest"))):
            assert answer.status in (500, 503, 507), answer
            answer.codes()
        assert small.client.get(repository.manifest("latest")).body == data
        layer = small.client.get(repository.manifest("latest")).json()["layers"][0]["digest"]
        assert small.client.get(repository.blob(layer)).status == 200
    finally:
        memory.read_only(False)
    repository.push_image("again")


def test_what_was_removed_of_the_temporary_storage_is_made_again(start):
    """Somebody tidies up while we serve: the next push finds what it needs, pulls have not missed it."""
    server = start(workers=1)
    repository = server.client.repository("me/app")
    data, _ = repository.push_image("latest", [content.noise(100000)])
    for victim in ("uploads", "pieces"):
        shutil.rmtree(server.temporary / victim)
        assert server.client.get(repository.manifest("latest")).body == data
        repository.push_image(f"without-{victim}", [content.noise(100000)])
    assert server.client.delete(repository.manifest("latest")).status == 202


def test_a_worker_that_began_on_a_full_disk_serves_and_becomes_whole(mounted, new_directory):
    directory = pathlib.Path(new_directory("full"))
    memory = mounted(SmallMemory(directory / "storage", 8))
    with Worker(directory, NO_RESERVE) as worker:
        data, _ = worker.repository("me/app").push_image("latest")
    late = Worker(directory, NO_RESERVE, expected_faults=True)
    shutil.rmtree(directory / "storage/_tmp")
    memory.read_only(True)
    with late as worker:
        repository = worker.repository("me/app")
        assert worker.get(repository.manifest("latest")).body == data
        assert worker.post(repository.uploads).status == 507
        memory.read_only(False)
        repository.push_image("again")
        assert worker.get(repository.manifest("latest")).body == data


def test_less_than_minimum_free_space_refuses_pushes_and_serves_pulls(start, mounted, new_directory):
    """Contract: minimum_free_space; below it 507 for pushes."""
    directory = pathlib.Path(new_directory("reserve"))
    mounted(SmallMemory(directory / "storage", 64))
    server = start(directory=directory, settings="[hosted]\nminimum_free_space = 32M\n", expected_faults=True)
    repository = server.client.repository("me/app")
    data, digest = repository.push_image("latest")
    location = repository.open_upload()
    with open(server.storage / "ballast", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 40 * content.MIB)
    for answer in (server.client.post(repository.uploads), server.client.patch(location, b"x"),
                   server.client.post(f"{repository.uploads}?digest={content.digest(b'x')}", b"x"),
                   repository.put_manifest("new", content.index([]))):
        assert answer.status == 507, answer
        answer.codes()
    assert "[hosted] minimum_free_space = 32.0 MiB has to be left: make room, or lower it" in server.whole_log()
    assert server.client.get(repository.manifest("latest")).body == data
    assert server.client.delete(repository.manifest(digest)).status == 202, "deleting is how space is made"
    (server.storage / "ballast").unlink()
    repository.push_image("again")


def test_a_damaged_blob_is_found_by_check_and_set_aside_by_repair(start):
    """Bits rot: check says which blob, --repair takes it out of sight, and it can be pushed again."""
    server = start()
    repository = server.client.repository("me/app")
    data = content.noise(5000)
    digest = repository.push_blob(data)
    path = next((server.store / "blobs").rglob(f"{digest[7:]}/data"))
    path.chmod(0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = server.check()
    assert found.returncode == 1 and digest[7:] in found.stdout + found.stderr, found
    said = server.check("--repair").stdout
    assert "moved aside; every repository that has it lacks it until somebody pushes it again there\n" in said, said
    assert server.check().returncode == 0
    assert server.client.get(repository.blob(digest)).status == 404
    repository.push_blob(data)
    assert server.client.get(repository.blob(digest)).body == data
    assert_blobs_have_their_names(server.registry_storage)

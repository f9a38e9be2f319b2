"""What tests/end_to_end does a few times, often: kills, power cuts, full disks, restarts, a million requests."""
import contextlib
import os
import pathlib
import random
import signal
import threading

import pytest

from harness import content
from harness.mounts import LoopDisk, SmallMemory
from harness.process import PATIENCE, send_signal, wait_until
from harness.server import Server
from harness.storm import Storm
from test_crash import NO_RESERVE, cut_power_amid_pushes, cut_power_behind_answers, kill_workers_amid_pushes
from test_worker import Load, assert_no_growth

pytestmark = pytest.mark.long
BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])
JOURNALS = pytest.mark.parametrize("kind", ["ext4", "xfs"])


@BOTH
def test_200_killed_workers_break_no_promise(start, web):
    assert kill_workers_amid_pushes(start(web), 200).count() > 200


@BOTH
@JOURNALS
def test_20_power_cuts_break_no_promise(start, mounted, web, kind, new_directory):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", 8192, kind))
    server = start(web, directory=directory, settings=NO_RESERVE)
    for _ in range(20):
        cut_power_amid_pushes(server, disk)


@JOURNALS
def test_40_power_cuts_behind_answers_break_no_promise(start, mounted, kind, new_directory):
    directory = pathlib.Path(new_directory("power"))
    disk = mounted(LoopDisk(directory / "disk", directory / "storage", 1024, kind))
    cut_power_behind_answers(start(directory=directory, settings=NO_RESERVE), disk, 40)


@pytest.mark.parametrize("kind", ["ext4", "ext4 with fast commits", "xfs"])
def test_20_power_cuts_behind_the_first_start_break_no_promise(start, mounted, kind, new_directory):
    """Each on an empty filesystem: directories that everything else is in are as young as what is in them."""
    judged = 0
    while judged < 20:
        directory = pathlib.Path(new_directory("first"))
        disk = mounted(LoopDisk(directory / "disk", directory / "storage", 1024, kind))
        with Server(directory, "nginx", settings=NO_RESERVE) as server:
            judged += cut_power_amid_pushes(server, disk)


@BOTH
def test_everything_killed_at_once_20_times_breaks_no_promise(start, web):
    """Web server and workers together, as the kernel's memory killer or an impatient administrator does it."""
    server = start(web)
    for _ in range(20):
        with server.expecting_faults():
            with Storm(server) as storm:
                storm.wait_for(10, "some pushes")
                server.stop(signal.SIGKILL)
            server.start()
        storm.assert_promises_kept()


@BOTH
def test_a_disk_that_is_full_again_and_again_breaks_no_promise(start, mounted, web, new_directory):
    """Writers run into the end of the disk; space comes back; everything that was acknowledged is there."""
    directory = pathlib.Path(new_directory("full"))
    mounted(SmallMemory(directory / "storage", 1024))
    server = start(web, directory=directory, settings=NO_RESERVE, expected_faults=True)
    ballast = server.storage / "ballast"
    leave_room(server.storage / "weight", 32 * content.MIB)
    with Storm(server) as storm:
        for _ in range(20):
            storm.wait_for(5, "pushes while there is space")
            fill(ballast)
            enough = storm.refused() + 5
            wait_until(lambda enough=enough: storm.refused() >= enough, "refusals")
            ballast.unlink()
            leave_room(server.storage / "weight", 32 * content.MIB)
        storm.wait_for(5, "pushes when the space has come back")
    storm.assert_promises_kept()


def leave_room(path, room):
    """So that what is pushed between two ends of the disk does not fill it for good, however fast that goes."""
    with open(path, "ab") as file:
        found = os.fstatvfs(file.fileno())
        size = max(file.tell() + found.f_bavail * found.f_frsize - room, 0)
        if size > file.tell():
            os.posix_fallocate(file.fileno(), file.tell(), size - file.tell())
        else:
            file.truncate(size)


def fill(path):
    """Until there is no byte left, whoever else is writing."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * content.MIB)
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)


@BOTH
def test_the_pool_is_restarted_100_times_under_load_without_a_failed_request(start, web):
    server = start(web)
    stop = threading.Event()
    load = [Load(server.client, number, stop) for number in range(4)]
    for client in load:
        client.start()
    for number in range(100):
        victim = server.workers()[number % server.worker_count]
        send_signal(victim, signal.SIGTERM)
        wait_until(lambda victim=victim: victim not in server.workers(), "the worker's end")
        wait_until(lambda: len(server.workers()) == server.worker_count, "its successor")
    stop.set()
    for client in load:
        client.join(PATIENCE)
        assert client.failure is None, client.failure
    server.note_workers()


@BOTH
def test_a_worker_does_not_grow_over_a_million_requests(start, web, monkeypatch):
    """Without malloc's cache of freed pieces (seven of each of 64 sizes, up to 230 KB), which takes hundreds of thousands of
    requests to fill: so what remains in use is exact, and a leak of one byte in twenty requests is seen."""
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
    assert_no_growth(start(web, workers=2), 1000000, 32)


@BOTH
def test_two_hundred_sessions_resumed_by_anybody_at_any_time(start, web):
    """Uploads in random pieces while workers are being killed: each session ends as the blob that it should be."""
    server = start(web)
    chance = random.Random(7)
    repository = server.client.repository("me/pieces")
    with server.expecting_faults():
        for number in range(200):
            data = chance.randbytes(chance.randrange(2, 400000))
            location, start_at = repository.open_upload(), 0
            while start_at < len(data):
                piece = data[start_at:start_at + chance.randrange(2, 100000)]
                if chance.random() < 0.1:
                    send_signal(chance.choice(wait_until(server.workers, "a worker")), signal.SIGKILL)
                try:
                    server.client.patch(location, piece, {"Content-Range": f"{start_at}-{start_at + len(piece) - 1}"})
                except OSError:
                    pass
                answer = wait_until(lambda: settled(server.client, location), "the session's status")
                start_at = 0 if answer == "0-0" else int(answer.split("-")[1]) + 1  # no piece has one byte only
            assert repository.finish(location, content.digest(data)).status == 201, number
        server.note_workers()


def settled(client, location):
    try:
        answer = client.get(location)
    except OSError:
        return None
    return answer["Range"] if answer.status == 204 else None

"""More clients at once than workers, and than a web server's own queues were made for: they wait, and nobody is turned away."""
import signal
import socket

import pytest

from harness import content
from harness.crowd import finish, start_crowd
from harness.fastcgi import Worker
from harness.process import read, send_signal, wait_until

PUSHES, PULLS = 300, 850
# What a listening socket has room for when nobody says anything else: spawn-fcgi's default, systemd's older one.
USUAL_BACKLOG = 1024


def waiting(server):
    """Connections to the workers that nobody has accepted yet, and those in hand."""
    return read("/proc/net/unix").count(f" {server.runtime}/berth.sock\n") - 1


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_more_requests_than_a_usual_queue_has_room_for_wait_for_busy_workers(start, web):
    """lighttpd made 500 of connections that found the workers' socket full, nginx 502."""
    server = start(web, workers=2)
    repository = server.client.repository("crowd/app")
    blob = repository.push_blob(content.noise(1 << 16))
    for worker in server.workers():
        send_signal(worker, signal.SIGSTOP)
    crowd = start_crowd(server.port, repository.name, blob, PUSHES, PULLS, 1)
    try:
        wait_until(lambda: waiting(server) > USUAL_BACKLOG + 50 or crowd.poll() is not None, "a full queue")
    finally:
        for worker in server.workers():
            send_signal(worker, signal.SIGCONT)
    assert finish(crowd) == {"pushed": PUSHES, "pulled": PULLS, "failed": {}}


def test_a_worker_makes_room_in_whatever_socket_it_is_given(new_directory):
    """Also in one of an init system's that is not ours."""
    with Worker(new_directory("room"), backlog=1) as worker:
        assert worker.get("/v2/").status == 200
        send_signal(worker.process.pid, signal.SIGSTOP)
        waiting_clients = []
        try:
            for _ in range(200):
                client = socket.socket(socket.AF_UNIX)
                waiting_clients.append(client)
                client.setblocking(False)
                client.connect(str(worker.path))  # BlockingIOError when there is no room
        finally:
            for client in waiting_clients:
                client.close()
            send_signal(worker.process.pid, signal.SIGCONT)

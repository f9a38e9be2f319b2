# SPDX-License-Identifier: Apache-2.0
"""How long honest clients wait for an answer: alone, and beside others who mean no good, or are slow and many."""
import contextlib
import hashlib
import http.client
import os
import random
import signal
import threading
import time

import content
import loads
from harness.crowd import finish, start_crowd
from harness.hostile import KINDS, start_hostile
from server import Berth

HONEST, HOSTILE, SLOW = 8, 64, 1000
PAUSE = 0.010             # seconds between two requests of an honest client, more or less
PUSHED = 30_000           # bytes
ARRIVAL = 5               # seconds until all of a crowd have come, on a machine that is not busy
MILLISECONDS = 1000
REPOSITORY = "beside/app"


class Honest(threading.Thread):
    """Asks again and again until the time is over: `waits` is how long it took each time, in milliseconds."""

    def __init__(self, server, requests, seconds):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.requests, self.end = requests, time.monotonic() + seconds
        self.waits, self.fault = [], None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.requests(self)
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault
        self.connection.close()

    def ask(self, status, method, path, body=None, **headers):
        time.sleep(random.uniform(0.5, 1.5) * PAUSE)
        start = time.monotonic()
        self.connection.request(method, path, body, headers)
        response = loads.answer(self.connection, status)
        self.waits.append((time.monotonic() - start) * MILLISECONDS)
        return response


def slowest(server, requests, seconds):
    """What 99 of 100 requests of HONEST clients take at most, in milliseconds."""
    clients = [Honest(server, requests, seconds) for _ in range(HONEST)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        if client.fault:
            raise RuntimeError(f"an honest client of {server.name}: {client.fault!r}")
    waits = sorted(wait for client in clients for wait in client.waits)
    return waits[len(waits) * 99 // 100]


def get_manifest(client):
    client.ask(200, "GET", f"/v2/{REPOSITORY}/manifests/latest")


def push_and_pull(client):
    """Some of each: a blob goes up, a manifest and a part of the blob come down."""
    data = os.urandom(PUSHED)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    location = client.ask(202, "POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"").headers["Location"]
    client.ask(201, "PUT", loads.target(location, digest=digest), data)
    get_manifest(client)
    client.ask(206, "GET", f"/v2/{REPOSITORY}/blobs/{digest}", Range="bytes=100-199")


class Beside:
    """One server, in memory: what a disk does now and then is no matter of ours."""

    def __init__(self, bench, web):
        self.bench, self.web = bench, web
        self.berth = bench.start(Berth(bench.ram / f"beside-{web}-{random.randrange(10**9)}", bench.berth_path, bench.berth.workers, web=web))
        self.large = content.Blob(4 << 20)
        self.slow = content.Blob(1 << 16)
        loads.push_image(self.berth, REPOSITORY, bench.small)
        for blob in (self.large, self.slow):
            loads.push(self.berth, REPOSITORY, blob)

    @contextlib.contextmanager
    def hostile(self, kind):
        program = start_hostile(self.berth.port, REPOSITORY, self.large.digest, kind, HOSTILE)
        try:
            time.sleep(3)  # until the first have come, and some come again
            yield
            if program.poll() is not None:
                raise RuntimeError(f"the hostile clients have ended: {program.returncode}")
        finally:
            program.send_signal(signal.SIGKILL)
            program.wait()

    def measure_hostile(self, rounds, seconds):
        slowest(self.berth, push_and_pull, 1)
        for kind in KINDS:
            alone, beside = [], []
            for _ in range(rounds):
                alone.append(slowest(self.berth, push_and_pull, seconds))
                with self.hostile(kind):
                    beside.append(slowest(self.berth, push_and_pull, seconds))
            self.bench.figures.at_most_and(f"{HONEST} beside {HOSTILE}: {kind.replace('_', ' ')}, {self.web}, p99 ms", 2, 10, beside, alone)

    def measure_slow(self, rounds, seconds):
        alone, beside, failed = [], [], 0
        for _ in range(rounds):
            alone.append(slowest(self.berth, get_manifest, seconds))
            crowd = start_crowd(self.berth.port, REPOSITORY, self.slow.digest, SLOW, SLOW, 2 * seconds + ARRIVAL)
            time.sleep(ARRIVAL)
            beside.append(slowest(self.berth, get_manifest, seconds))
            result = finish(crowd)
            failed += sum(result["failed"].values())
            if result["failed"]:
                self.bench.figures.note(f"{self.web}: {result}")
        name = f"manifest beside 2 × {SLOW} slow, {self.web}"
        self.bench.figures.at_most(f"{name}, p99 ms", 3, beside, alone)
        self.bench.figures.within(f"of these {2 * SLOW * rounds} failed", 0, failed)

# SPDX-License-Identifier: Apache-2.0
"""What it costs that everything is counted, and that somebody reads it."""
import http.client
import os
import pathlib
import subprocess
import time

import loads
from server import Berth, Cpu

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = "/v2/bench/small/manifests/latest"
REQUESTS = 1_000_000                  # that each process counts
SETTINGS = "[metrics]\nenabled = yes\n"


def nanoseconds(bench):
    """Of a processor, for each request, while all processors count in the same file."""
    program, directory = ROOT / "build/tests/bench/counting", bench.ram / "counting"
    subprocess.run(["make", "-s", program.relative_to(ROOT)], cwd=ROOT, check=True)
    directory.mkdir(exist_ok=True)
    return int(subprocess.run([program, directory, str(os.cpu_count()), str(REQUESTS)], check=True, capture_output=True, text=True).stdout)


class Counting:
    def __init__(self, bench, workers):
        self.bench, self.figures = bench, bench.figures
        configuration = bench.disk / "metrics.ini"
        stores = {"registry_storage": "registry", "temporary_registry_storage": "_tmp", "proxy_storage": "cache"}
        configuration.write_text("".join(f"{key} = {bench.disk}/counted/{name}\n" for key, name in stores.items()) + SETTINGS)
        self.berth = bench.start(Berth(bench.disk / "metrics", bench.berth_path, workers, configuration))
        loads.push_image(self.berth, "bench/small", bench.small)

    def measure_requests(self, rounds, seconds):
        """A request's own share, of what workers and web server take for a small one."""
        loads.requests_per_second(self.berth, "GET", MANIFEST, 1)
        counted, whole = [], []
        for _ in range(rounds):
            with Cpu(self.berth) as cpu:
                rate = loads.requests_per_second(self.berth, "GET", MANIFEST, seconds)
            whole.append(cpu.seconds / (rate * seconds) * 1e6)
            counted.append(nanoseconds(self.bench) / 1000)
        self.figures.at_most("counting, µs of a processor, to a manifest GET", 0.01, counted, whole)
        self.figures.within("counting a request, µs", 1, sorted(counted)[len(counted) // 2])

    def measure_scrape(self, count):
        took = []
        for _ in range(count):
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.berth.port)
            connection.request("GET", "/v2/_berth/metrics")
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read(), answer.status
            connection.close()
            took.append((time.monotonic() - begun) * 1000)
        self.figures.within("a scrape, ms", 20, sorted(took)[count // 2])

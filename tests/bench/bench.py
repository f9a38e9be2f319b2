#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Berth behind nginx beside Debian's docker-registry, on one machine and in one run. `make bench` calls it.

    tests/bench/bench.py [SECTION…]     small large push image access metrics proxy cold hostile slow housekeeping; all of them without arguments

Whatever is compared is measured in turns, pair by pair, and the median of the pairs' ratios is held against its bar:
other work on the machine slows both sides of a pair. Exit status: 0 all bars held, 1 one was missed, 2 could not run.

From the environment:
    BENCH=quick        fewer rounds and smaller sizes: a minute or two, and only a hint
    BERTH=build/berth  the program; BERTH_RUN=deploy/run what starts it behind nginx
    DISK=build         a directory on the disk to measure; RAM=/dev/shm one on a tmpfs
"""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import access
import content
import counting
import housekeeping
import loads
from figures import Figures
from server import Account, Berth, Cpu, DockerRegistry, Nginx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/end_to_end"))
import beside  # noqa: E402 pylint: disable=all
import cold  # noqa: E402 pylint: disable=all
from harness.upstream import Upstream  # noqa: E402 pylint: disable=all
MIB = 1 << 20
QUICK = os.environ.get("BENCH") == "quick"
ROUNDS = 3 if QUICK else 5
PAIRS = 6 if QUICK else 20            # of downloads of the large blob
SECONDS = 1 if QUICK else 3           # that wrk runs for one figure
RATE = 50_000_000                     # bytes per second that the other registry sends
LARGE = (128 if QUICK else 1024) * MIB
LAYERS = 100
LAYER_SIZE = 20_000
WORKERS = 8
WEBS = ["nginx", "lighttpd"]          # where strangers matter
ELSEWHERE = ["cold", "hostile", "slow", "housekeeping"]    # sections with servers of their own: the pool has done nothing
STORE = 0.05 if QUICK else 1          # of 200,000 blobs and 100,000 tags, for housekeeping
GROWTH = 256 * 1024                   # bytes that a worker may be larger after a large blob than after a small one
TOOLS = ["ab", "curl", "docker-registry", "htpasswd", "lighttpd", "nginx", "openssl", "skopeo", "spawn-fcgi", "multiwatch", "wrk"]


class Bench:
    def __init__(self, stack, figures):
        self.stack, self.figures, self.servers = stack, figures, []
        stack.callback(Account.forget)    # when the servers have ended
        self.berth_path = os.path.abspath(os.environ.get("BERTH") or ROOT / "build/berth")
        self.disk = self.directory(os.environ.get("DISK") or ROOT / "build")
        self.ram = self.directory(os.environ.get("RAM") or "/dev/shm")
        self.berth, self.other = self.start_both(self.disk)
        self.small = content.image(10, 1000)
        self.medium = content.Blob(100_000)
        for server in (self.berth, self.other):
            loads.push_image(server, "bench/small", self.small)
            loads.push(server, "bench/blob", self.medium)

    def directory(self, parent):
        """A directory of our own below `parent`, gone at the end."""
        os.makedirs(parent, exist_ok=True)
        path = pathlib.Path(tempfile.mkdtemp(prefix="berth-bench-", dir=parent))
        self.stack.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def start_both(self, directory):
        return (self.start(Berth(directory / "berth", self.berth_path, WORKERS)),
                self.start(DockerRegistry(directory / "docker-registry")))

    def start(self, server):
        self.servers.append(self.stack.enter_context(server))
        return server

    def turns(self, rounds, *servers):
        """The servers in turns, as often as `rounds` says; every other time backwards."""
        for number in range(rounds):
            yield number, servers if number % 2 == 0 else servers[::-1]

    def section_small(self):
        """Requests per second of clients that keep their connections."""
        manifest = "/v2/bench/small/manifests/latest"
        cases = [("manifest GET, requests/s", 12, "GET", manifest), ("manifest HEAD, requests/s", 12, "HEAD", manifest),
                 ("100 KB blob GET, requests/s", 15, "GET", f"/v2/bench/blob/blobs/{self.medium.digest}")]
        for name, bar, method, path in cases:
            for server in (self.berth, self.other):
                loads.requests_per_second(server, method, path, 1)
            rates = {self.berth: [], self.other: []}
            for _, servers in self.turns(ROUNDS, self.berth, self.other):
                for server in servers:
                    rates[server].append(loads.requests_per_second(server, method, path, SECONDS))
            self.figures.at_least(name, bar, rates[self.berth], rates[self.other])

    def section_large(self):
        """A large blob, against nginx alone sending the same file."""
        blob = content.Blob(LARGE)
        loads.push(self.berth, "bench/large", blob)
        file = self.berth.blob_path(blob.digest)
        static = self.start(Nginx(self.disk / "static", file.parent))
        paths = {self.berth: f"/v2/bench/large/blobs/{blob.digest}", static: "/" + file.name}
        for server, path in paths.items():
            assert loads.digest(server, path) == blob.digest, f"{server.name} sends something else"
        rates = {server: [] for server in paths}
        for _, servers in self.turns(PAIRS, *paths):
            for server in servers:
                seconds = loads.get(server, paths[server], blob.size)
                rates[server].append(blob.size / MIB / seconds)
        self.figures.at_least(f"{LARGE // MIB} MiB blob GET, MiB/s, to nginx's", 0.9, rates[self.berth], rates[static])

    def section_push(self):
        """A large blob, streamed as docker does and in one piece, into memory and onto the disk."""
        for place, directory in (("tmpfs", self.ram), (filesystem(self.disk), self.disk)):
            if shutil.disk_usage(directory).free < 4 * LARGE:
                self.figures.skip(f"push of {LARGE // MIB} MiB, {place}", f"too little room in {directory.parent}")
                continue
            pair = (self.berth, self.other) if directory == self.disk else self.start_both(directory)
            for way in ("chunked", "with length"):
                self.measure_push(f"push {LARGE // MIB} MiB {way}, {place}", pair, way == "chunked")
        self.measure_growth()

    def measure_push(self, name, pair, chunked):
        wall = {server: [] for server in pair}
        cpu = {server: [] for server in pair}
        for server in pair:
            self.push_once(server, content.Blob(LARGE // 8), chunked)
        for _, servers in self.turns(ROUNDS, *pair):
            for server in servers:
                seconds, burnt = self.push_once(server, content.Blob(LARGE), chunked)
                wall[server].append(seconds)
                cpu[server].append(burnt)
        self.figures.at_most(name + ": s", 0.8, wall[pair[0]], wall[pair[1]])
        self.figures.at_most(name + ": server CPU s", 0.8, cpu[pair[0]], cpu[pair[1]])

    def push_once(self, server, blob, chunked):
        os.sync()
        with Cpu(server) as cpu:
            seconds = loads.push(server, "bench/push", blob, chunked)
        file = server.blob_path(blob.digest)
        assert file.stat().st_size == blob.size, f"{server.name} has not stored the blob"
        shutil.rmtree(file.parent)
        return seconds, cpu.seconds

    def measure_growth(self):
        """The largest worker, at its peak, after small blobs and after large ones, in and out."""
        peaks = []
        for size in (MIB, LARGE):
            self.berth.forget_peaks()
            for way in (True, False):
                blob = content.Blob(size)
                loads.push(self.berth, "bench/growth", blob, way)
                # A conditional range is what the worker answers itself.
                loads.get(self.berth, f"/v2/bench/growth/blobs/{blob.digest}", blob.size, {"If-Range": '"another"'})
                shutil.rmtree(self.berth.blob_path(blob.digest).parent)
            peaks.append(self.berth.peak())
        growth = (peaks[1] - peaks[0]) / 1024
        self.figures.within(f"a worker's growth with {LARGE // MIB} MiB, KiB", GROWTH / 1024, growth)

    def section_image(self):
        """Many small layers with a real client, on the disk."""
        pair = (self.berth, self.other)
        wall = {way: {server: [] for server in pair} for way in ("push", "pull")}
        cpu = {way: {server: [] for server in pair} for way in ("push", "pull")}
        for number, servers in self.turns(ROUNDS + 1, *pair):
            layout = self.ram / f"layout-{number}"
            content.write_layout(layout, content.image(LAYERS, LAYER_SIZE))
            for way in ("push", "pull"):
                for server in servers:
                    os.sync()
                    with Cpu(server) as burnt:
                        seconds = loads.skopeo(way, layout, server, f"bench/image-{number}")
                    if number > 0:    # the first one is for warming up
                        wall[way][server].append(seconds)
                        cpu[way][server].append(burnt.seconds)
            shutil.rmtree(layout)
        for way, bar in (("push", 0.7), ("pull", 0.85)):
            name = f"{LAYERS} layers, skopeo {way}, {filesystem(self.disk)}"
            self.figures.at_most(name + ": s", bar, wall[way][pair[0]], wall[way][pair[1]])
            self.figures.at_most(name + ": server CPU s", 0.4, cpu[way][pair[0]], cpu[way][pair[1]])

    def section_access(self):
        measured = access.Access(self, WORKERS)
        measured.measure_requests(ROUNDS, SECONDS)
        measured.measure_push(ROUNDS, LAYERS, LAYER_SIZE)
        measured.measure_hidden(200 if QUICK else 1000)

    def section_metrics(self):
        measured = counting.Counting(self, WORKERS)
        measured.measure_requests(ROUNDS, SECONDS)
        measured.measure_scrape(20)

    def section_proxy(self):
        """What comes from another registry, against that one alone; what is cached, against what is hosted."""
        upstream = Upstream()
        upstream.when(lambda reply, _: setattr(reply, "rate", RATE), "/blobs/")
        configuration = self.disk / "proxy.ini"
        stores = {"registry_storage": "registry", "temporary_registry_storage": "_tmp", "proxy_storage": "cache"}
        configuration.write_text("".join(f"{key} = {self.disk}/stores/{name}\n" for key, name in stores.items()) +
                                 f"[upstream other]\nurl = {upstream.url}\nallow_private_address = yes\n")
        berth = self.start(Berth(self.disk / "proxy", self.berth_path, WORKERS, configuration))
        loads.push_image(berth, "bench/small", self.small)
        upstream.add_manifest("small", self.small[1], "latest", content.MANIFEST)
        rates = {berth: [], upstream: []}
        for _ in range(ROUNDS):
            data = os.urandom(LARGE // 4)
            digest = upstream.add_blob(data)
            for server, path in ((upstream, "/v2/small"), (berth, "/v2/proxy/other/small")):
                rates[server].append(len(data) / MIB / loads.get(server, f"{path}/blobs/{digest}", len(data)))
            upstream.blobs.clear()
        self.figures.at_least(f"{LARGE // 4 // MIB} MiB blob, cold, of {RATE // 10**6} MB/s, MiB/s", 0.9, rates[berth], rates[upstream])
        hosted, cached = [], []
        for _ in range(ROUNDS):
            for path, found in (("bench/small", hosted), ("proxy/other/small", cached)):
                found.append(loads.requests_per_second(berth, "GET", f"/v2/{path}/manifests/latest", SECONDS))
        self.figures.at_least("cached manifest GET, requests/s, to hosted", 0.9, cached, hosted)
        upstream.close()

    def section_cold(self):
        cold.measure(self, 1 if QUICK else 3, (16 if QUICK else 64) * MIB)

    def section_hostile(self):
        for web in WEBS:
            beside.Beside(self, web).measure_hostile(1 if QUICK else 3, SECONDS)

    def section_slow(self):
        for web in WEBS:
            beside.Beside(self, web).measure_slow(1 if QUICK else 3, SECONDS)

    def section_housekeeping(self):
        """What gc, status and lists cost in large stores."""
        housekeeping.Housekeeping(self).measure(STORE)

    def memory(self):
        """What the pool holds after all that. Pages that its processes share count once."""
        ours, theirs = self.berth.memory("workers") / MIB, self.other.memory() / MIB
        self.figures.at_most(f"memory of {WORKERS} workers after all that, MiB", 0.6, [ours], [theirs])
        self.figures.note(f"nginx's own memory, MiB: {self.berth.memory('web') / MIB:.1f}")


def filesystem(path):
    """What kind of filesystem `path` is on."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return max((fields for fields in mounts if path.is_relative_to(fields[1])), key=lambda fields: len(fields[1]))[2]


def busy():
    """Seconds that the processors have worked since they were started, for anybody."""
    user, nice, system, _, _, interrupts, soft, stolen = \
        map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def own():
    """What of that was for this program and for the clients that it has run; the servers run still."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"    # where a user's own has no nginx
    sections = [name[8:] for name in vars(Bench) if name.startswith("section_")]
    wanted = sys.argv[1:] or sections
    unknown = set(wanted) - set(sections)
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if unknown or missing:
        print(f"bench: sections are {' '.join(sections)}" if unknown else f"bench: not installed: {' '.join(missing)}",
              file=sys.stderr)
        return 2
    # The servers end with us, however we end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(2))
    figures = Figures()
    start, busy_before = time.monotonic(), busy()
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, figures)
        for section in wanted:
            getattr(bench, "section_" + section)()
        if not set(wanted) <= set(ELSEWHERE):
            bench.memory()
        seconds = time.monotonic() - start
        others = busy() - busy_before - own() - sum(server.cpu() for server in bench.servers)
    figures.note(f"{seconds:.0f} s, {ROUNDS} rounds, {os.cpu_count()} processors, "
                 f"{max(0, 100 * others / seconds / os.cpu_count()):.0f} % of them taken by others"
                 + (", BENCH=quick: only a hint" if QUICK else ""))
    return 0 if figures.summary() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AssertionError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)

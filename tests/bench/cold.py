# SPDX-License-Identifier: Apache-2.0
"""The first pull of an image that nobody here has: from its registry, through Berth, and through docker-registry as a mirror."""
import contextlib
import os
import subprocess
import threading

import content
import loads
from figures import median
from harness.upstream import Upstream
from relay import Relay
from server import Account, Berth, DockerRegistry, Nginx, free_port

ROUND_TRIP = 0.040    # seconds
FAST = 125_000_000    # bytes per second of an upstream that is near
CROWD = 50
MANY = 32             # clients that pull the same image
MIB = 1 << 20


class Direct:
    """A registry as its clients see it, perhaps from far."""

    name = "direct"

    def __init__(self, authority):
        self.authority = authority


def certificate(directory):
    directory.mkdir()
    key, chain = directory / "key.pem", directory / "chain.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", chain], check=True, capture_output=True)
    return key, chain


def far_servers(registry, ports, chain, key, blobs):
    """nginx in front of a registry: TLS, and blobs at another host."""
    tls = f"ssl_certificate {chain}; ssl_certificate_key {key}; keepalive_requests 100000;"
    return f"""
    server {{ listen 127.0.0.1:{ports[0]} ssl; {tls}
        location ~ "^/v2/.+/blobs/sha256:(?<head>..)(?<rest>.*)$" {{ return 307 https://127.0.0.1:{blobs}/sha256/$head/$head$rest/data?signature=x; }}
        location / {{ proxy_set_header Host $http_host; proxy_pass http://{registry.authority}; }} }}
    server {{ listen 127.0.0.1:{ports[1]} ssl; {tls} root "{registry.storage}/docker/registry/v2/blobs"; }}"""


class Cold:
    def __init__(self, bench, stack):
        self.bench, self.stack = bench, stack
        self.registry = bench.start(DockerRegistry(bench.disk / "cold-upstream"))
        self.number = 0

    def start_far(self):
        """The registry, TLS, two relays; the way there and the relays."""
        key, chain = certificate(self.bench.disk / "cold-tls")
        ports = free_port(), free_port()
        relays = [self.stack.enter_context(Relay(port, ROUND_TRIP / 2)) for port in ports]
        web = Nginx(self.bench.disk / "cold-way", servers=far_servers(self.registry, ports, chain, key, relays[1].port))
        web.port = ports[0]
        self.bench.start(web)
        return Direct(f"localhost:{relays[0].port}"), relays, chain

    def start_berth(self, name, url, chain="", more=""):
        directory = self.bench.disk / f"cold-{name}"
        directory.mkdir()
        configuration = directory / "configuration.ini"
        configuration.write_text(f"registry_storage = {directory}/registry\ntemporary_registry_storage = {directory}/_tmp\n"
                                 f"proxy_storage = {directory}/cache\n[proxy]\nca_file = {chain}\n{more}\n"
                                 f"[upstream other]\nurl = {url}\nallow_private_address = yes\n")
        berth = self.bench.start(Berth(directory / "berth", self.bench.berth_path, self.bench.berth.workers, configuration))
        berth.cache = directory / "cache"
        return berth

    def start_proxies(self, name, url, chain=""):
        """Berth and the mirror in front of a registry at `url`."""
        return self.start_berth(name, url, chain), self.bench.start(DockerRegistry(self.bench.disk / f"cold-mirror-{name}", url, chain))

    def offer(self, make, *size):
        """A new image at the registry: what it is called."""
        self.number += 1
        loads.push_image(self.registry, f"cold/{self.number}", make(*size))
        return f"cold/{self.number}"

    def pulls(self, trio, rounds, make, size, relays=()):
        """New images, each pulled in all three ways. Seconds and connections to the registry, by server. Processors' seconds are
        not asked for: of processes that have ended nobody knows them."""
        prefixes = dict(zip(trio, ("", "proxy/other/", "")))
        wall, connections = ({server: [] for server in trio} for _ in range(2))
        for _, servers in self.bench.turns(rounds, *trio):
            image = self.offer(make, *size)
            for server in servers:
                before = sum(relay.count for relay in relays)
                wall[server].append(loads.pull(server, prefixes[server] + image, self.bench.ram))
                connections[server].append(sum(relay.count for relay in relays) - before)
        return wall, connections

    def report(self, name, bar, trio, found):
        direct, berth, mirror = trio
        wall, connections = found
        self.bench.figures.at_most(f"cold, {name}: s, to direct", bar, wall[berth], wall[direct])
        counted = "".join(f"; {median(connections[server]):.0f} connections of {server.name}" for server in trio if any(connections[direct]))
        self.bench.figures.note(f"    docker-registry as a mirror: {median(wall[mirror]):.3g} s{counted}")

    def crowd(self, berth, rounds, size):
        """Many clients of one blob that nobody has yet, against the same when it is cached."""
        first, cached = [], []
        for _ in range(rounds):
            blob = content.Blob(size)
            loads.push(self.registry, "cold/crowd", blob)
            path = f"/v2/proxy/other/cold/crowd/blobs/{blob.digest}"
            for found in (first, cached):
                found.append(loads.crowd(berth, [path], CROWD, size))
        self.bench.figures.at_most(f"cold, {CROWD} clients of one blob of {size // MIB} MiB: s, to cached", 1.3, first, cached)

    def checks(self, far, berth, rounds, size):
        """What a check of a tag takes when there is a connection, and the first byte of a blob; to a round trip at the same time."""
        image = self.offer(content.image, 2, 20_000)
        path = f"{image}/manifests/latest"
        loads.head(berth, f"/v2/proxy/other/{path}")
        taken = [loads.head(berth, f"/v2/proxy/other/{path}") for _ in range(10)]
        trip = median(loads.round_trips(far.authority, f"/v2/{path}", 10))
        self.bench.figures.at_most("cold, check of a tag, warm: s, to a round trip", 1.5, [median(taken)], [trip])
        found = []
        for _ in range(rounds):
            small, large = content.Blob(20_000), content.Blob(size)
            for blob in (small, large):
                loads.push(self.registry, image, blob)
            loads.get(berth, f"/v2/proxy/other/{image}/blobs/{small.digest}", small.size)
            found.append(loads.first_byte(berth, f"/v2/proxy/other/{image}/blobs/{large.digest}"))
        self.bench.figures.at_most(f"cold, first byte of {size // MIB} MiB, warm: s, to a round trip", 3, found, [trip] * rounds)

    def overlap(self, size):
        """How much of what the filler has its client has, at nearly every moment, of a fast upstream."""
        upstream = Upstream()
        upstream.when(lambda reply, _: setattr(reply, "rate", FAST), "/blobs/")
        berth = self.start_berth("overlap", upstream.url)
        data = os.urandom(size)
        digest = upstream.add_blob(data)
        received, parts = 0, []

        def take(piece):
            nonlocal received
            received += len(piece)
            with contextlib.suppress(StopIteration, FileNotFoundError):    # it is complete
                there = next((berth.cache / "_berth/temporary/partial").rglob("data")).stat().st_size
                if there > size // 20:
                    parts.append(received / there)
        loads.receive(berth, f"/v2/proxy/other/overlap/blobs/{digest}", take)
        self.bench.figures.at_least(f"cold, what a client has of {size // MIB} MiB at 125 MB/s, of the filler's", 0.9,
                                    [sorted(parts)[len(parts) // 20]], [1])
        upstream.close()

    def many(self, pair, rounds, layers, size):
        """Many clients of a new image: what the server burns, and holds at the same time."""
        accounts = {server: Account(server) for server in pair}
        burnt, held = ({server: [] for server in pair} for _ in range(2))
        for _, servers in self.bench.turns(rounds, *pair):
            blobs = [content.Blob(size) for _ in range(layers)]
            for blob in blobs:
                loads.push(self.registry, "cold/many", blob)
            for server in servers:
                prefix = "proxy/other/" if server is pair[0] else ""
                before = accounts[server].seconds()
                with Held(server) as most:
                    loads.crowd(server, [f"/v2/{prefix}cold/many/blobs/{blob.digest}" for blob in blobs], MANY, size)
                held[server].append(most.bytes / MIB)
                if before is not None:
                    burnt[server].append(accounts[server].seconds() - before)
        name = f"cold, {MANY} clients of {layers} × {size // MIB} MiB"
        if burnt[pair[0]]:
            self.bench.figures.at_most(f"{name}: server CPU s", 0.7, burnt[pair[0]], burnt[pair[1]])
        else:
            self.bench.figures.skip(f"{name}: server CPU s", "no control group to keep the book")
        self.bench.figures.at_most(f"{name}: memory, MiB", 1, held[pair[0]], held[pair[1]])


class Held(threading.Thread):
    """The most memory that a server has held between `with` and its end."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.bytes, self.done = server, 0, threading.Event()

    def run(self):
        role = "workers" if "workers" in self.server.sessions else None
        while not self.done.wait(0.1):
            with contextlib.suppress(OSError):    # of a process that has just ended
                self.bytes = max(self.bytes, self.server.memory(role))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def measure(bench, rounds, size):
    with contextlib.ExitStack() as stack:
        cold = Cold(bench, stack)
        near = Direct(cold.registry.authority)
        near_trio = near, *cold.start_proxies("near", f"http://{near.authority}")
        far, relays, chain = cold.start_far()
        far_trio = far, *cold.start_proxies("far", f"https://{far.authority}", chain)
        for trio, way, bars, between in ((near_trio, "loopback", (1.3, 1.25), ()),
                                         (far_trio, f"TLS, redirect, {ROUND_TRIP * 1000:.0f} ms", (0.5, 1.2), relays)):
            small = cold.pulls(trio, rounds, content.image, (100, 20_000), between)
            cold.report(f"100 × 20 KB, {way}", bars[0], trio, small)
            large = cold.pulls(trio, rounds, content.noise_image, (8, size), between)
            cold.report(f"8 × {size // MIB} MiB, {way}", bars[1], trio, large)
        cold.crowd(near_trio[1], rounds, 4 * size)
        cold.checks(far, cold.start_berth("checks", f"https://{far.authority}", chain, "tag_ttl = 0s"), rounds, 4 * size)
        cold.overlap(16 * size)
        cold.many(near_trio[1:], rounds, 20, MIB)

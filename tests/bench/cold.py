# SPDX-License-Identifier: Apache-2.0
"""The first pull of an image that nobody here has: from its registry, through Berth, and through docker-registry as a mirror."""
import contextlib
import subprocess

import content
import loads
from figures import median
from relay import Relay
from server import Berth, DockerRegistry, Nginx, free_port

ROUND_TRIP = 0.040    # seconds
CROWD = 50
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

    def start_proxies(self, name, url, chain=""):
        """Berth and the mirror in front of a registry at `url`."""
        directory = self.bench.disk / f"cold-{name}"
        directory.mkdir()
        configuration = directory / "configuration.ini"
        configuration.write_text(f"registry_storage = {directory}/registry\ntemporary_registry_storage = {directory}/_tmp\n"
                                 f"proxy_storage = {directory}/cache\n[proxy]\nca_file = {chain}\n"
                                 f"[upstream other]\nurl = {url}\nallow_private_address = yes\n")
        berth = self.bench.start(Berth(directory / "berth", self.bench.berth_path, self.bench.berth.workers, configuration))
        mirror = self.bench.start(DockerRegistry(directory / "mirror", url, chain))
        return berth, mirror

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
                found.append(loads.crowd(berth, path, CROWD, size))
        self.bench.figures.at_most(f"cold, {CROWD} clients of one blob of {size // MIB} MiB: s, to cached", 1.3, first, cached)


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

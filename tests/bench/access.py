# SPDX-License-Identifier: Apache-2.0
"""What log-ins cost, beside the same without any."""
import os
import shutil
import statistics
import subprocess

import content
import loads
from server import Berth, DockerRegistry

CREDENTIALS = "--dest-creds=alice:alice"
RULES = """\
[authentication]
mode = htpasswd
htpasswd = {users}
[access all]
repositories = **, !hidden/**
push = authenticated
[access hidden]
repositories = hidden/**
push = alice
"""


def distance(ones, others):
    """How far the sum of the ranks of `ones` is from what it would be if both were alike (Mann and Whitney)."""
    order = sorted([(value, True) for value in ones] + [(value, False) for value in others])
    ranks = sum(rank for rank, (_, is_one) in enumerate(order, 1) if is_one)
    mean = len(ones) * (len(order) + 1) / 2
    return (ranks - mean) / (len(ones) * len(others) * (len(order) + 1) / 12) ** 0.5


class Access:
    """Berth and docker-registry once more, with one file of passwords for both; bcrypt takes some 60 ms each time."""

    def __init__(self, bench, workers):
        self.bench, self.figures = bench, bench.figures
        users, configuration = bench.disk / "users", bench.disk / "access.ini"
        for user in ("alice", "bob"):
            subprocess.run(["htpasswd", "-bB", "-C", "10", *([] if users.exists() else ["-c"]), users, user, user], check=True, capture_output=True)
        stores = {"registry_storage": "registry", "temporary_registry_storage": "_tmp", "proxy_storage": "cache"}
        configuration.write_text("".join(f"{key} = {bench.disk}/closed/{name}\n" for key, name in stores.items()) + RULES.format(users=users))
        self.closed = bench.start(Berth(bench.disk / "access", bench.berth_path, workers, configuration))
        self.other = bench.start(DockerRegistry(bench.disk / "docker-registry-access", users=users))

    def measure_requests(self, rounds, seconds):
        """Manifests, of those who show a token, as all clients do, or a password, as curl does."""
        before, manifest = self.closed.private(), "/v2/bench/small/manifests/latest"
        layout = self.bench.ram / "layout-access"
        content.write_layout(layout, self.bench.small)
        for repository in ("bench/small", "hidden/there"):
            loads.skopeo("push", layout, self.closed, repository, CREDENTIALS)
        shutil.rmtree(layout)
        password = loads.basic("alice", "alice")
        for what, shown, bar in (("a token", loads.token(self.closed, password), 0.85), ("a password", password, 0.75)):
            loads.requests_per_second(self.closed, "GET", manifest, 1, shown)    # each worker has then seen the password
            rates = {self.closed: [], self.bench.berth: []}
            for _, servers in self.bench.turns(rounds, *rates):
                for server in servers:
                    rates[server].append(loads.requests_per_second(server, "GET", manifest, seconds, shown if server is self.closed else None))
            self.figures.at_least(f"manifest GET with {what}, requests/s, to without", bar, *rates.values())
        self.figures.note(f"a worker's own memory before any log-in and after, KiB: {before / 1024:.0f}, {self.closed.private() / 1024:.0f}")

    def measure_push(self, rounds, layers, size):
        """Many small layers with a real client."""
        pairs = [(self.closed, self.bench.berth), (self.other, self.bench.other)]
        wall = {server: [] for pair in pairs for server in pair}
        for number in range(rounds + 1):
            layout = self.bench.ram / f"layout-access-{number}"
            content.write_layout(layout, content.image(layers, size))
            # docker-registry hashes the password with every request, which takes half a minute: once will do.
            for server in [server for pair in pairs[:2 if number == 1 else 1] for server in pair[::1 if number % 2 else -1]]:
                os.sync()
                options = [CREDENTIALS] if server in (self.closed, self.other) else []
                seconds = loads.skopeo("push", layout, server, f"bench/access-{number}", *options)
                if number > 0:    # the first one is for warming up
                    wall[server].append(seconds)
            shutil.rmtree(layout)
        self.figures.more_at_most(f"{layers} layers, skopeo push, with log-in: s", 0.3, wall[self.closed], wall[self.bench.berth])
        self.figures.more_at_most("the same of docker-registry", None, wall[self.other], wall[self.bench.other])

    def measure_hidden(self, rounds):
        """Whether one who may not see a repository can tell by the time whether there is one."""
        paths = [f"/v2/hidden/{name}/manifests/latest" for name in ("there", "gone0")]
        bob = loads.token(self.closed, loads.basic("bob", "bob"))
        loads.latencies(self.closed, paths, bob, 50)
        taken = loads.latencies(self.closed, paths, bob, rounds)
        there, gone = (statistics.median(taken[path]) * 1e6 for path in paths)
        self.figures.note(f"refused: hidden {there:.1f} µs, absent {gone:.1f} µs, medians of {rounds}; the sum of ranks is "
                          f"{distance(*taken.values()):+.1f} standard deviations from no difference (beyond 3 it would be one)")

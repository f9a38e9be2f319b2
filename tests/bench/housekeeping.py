# SPDX-License-Identifier: Apache-2.0
"""What `berth gc`, `berth status` and lists cost in large stores, at three sizes: it should grow with the store, and no faster."""
import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.request

from server import Berth

# Of the whole: repositories, manifests, and blobs besides those; and tags of one repository.
REPOSITORIES, MANIFESTS, BLOBS, TAGS = 5_000, 20_000, 200_000, 100_000
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LIMITS = {"gc": 60, "status": 1}      # seconds of processor time
MEMORY = 200 << 20
LIST = 0.1                            # seconds for a hundred names


class Store:
    """Written as distribution would, without asking anybody."""

    def __init__(self, root, part):
        self.root = root / "registry/docker/registry/v2"
        self.repositories, self.manifests, self.blobs, self.tags = (max(1, int(number * part)) for number in (REPOSITORIES, MANIFESTS, BLOBS, TAGS))
        layers = self.blobs // self.manifests - 1
        for number in range(self.manifests):
            name = f"team{number % self.repositories % 50}/app{number % self.repositories}"
            self.write_image(name, [f"{number} {layer}".encode() for layer in range(layers)], f"v{number}")
        self.write_tags("many/tags")

    def write(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def write_blob(self, data):
        digest = hashlib.sha256(data).hexdigest()
        directory = self.root / f"blobs/sha256/{digest[:2]}/{digest}"
        if not directory.exists():
            self.write(directory / "data", data)
        return digest

    def write_image(self, name, layers, tag):
        repository = self.root / "repositories" / name
        digests = [self.write_blob(data) for data in [json.dumps({"os": "linux", "of": tag}).encode(), *layers]]
        for digest in digests:
            self.write(repository / f"_layers/sha256/{digest}/link", f"sha256:{digest}".encode())
        parts = [{"mediaType": "application/octet-stream", "digest": f"sha256:{digest}", "size": 10} for digest in digests]
        document = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}).encode()
        digest = self.write_blob(document)
        self.write(repository / f"_manifests/revisions/sha256/{digest}/link", f"sha256:{digest}".encode())
        self.write(repository / f"_manifests/tags/{tag}/current/link", f"sha256:{digest}".encode())
        return digest

    def write_tags(self, name):
        digest = self.write_image(name, [b"a layer"], "tag")
        for number in range(self.tags):
            self.write(self.root / f"repositories/{name}/_manifests/tags/t{number:06}/current/link", f"sha256:{digest}".encode())

    def repository_names(self):
        return sorted(f"team{number % 50}/app{number}" for number in range(self.repositories))


def run(program, configuration, *arguments):
    """Seconds by the wall, of the processor, and the most memory that it had."""
    begun = time.monotonic()
    with subprocess.Popen([program, "-c", str(configuration), *arguments], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (arguments, process.returncode)
    return time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


def slowest_list(server, targets):
    def ask(target):
        begun = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{target}", timeout=60) as answer:
            assert len(answer.read()) > 10
        return time.monotonic() - begun
    return max(min(ask(target) for _ in range(3)) for target in targets)


class Housekeeping:
    def __init__(self, bench):
        self.bench, self.figures = bench, bench.figures

    def measure(self, whole):
        """`whole` is the largest size, as a part of the one that the limits are for; the others are a half and a quarter of it."""
        costs = []
        for part in (whole / 4, whole / 2, whole):
            directory = self.bench.directory(self.bench.ram)
            costs.append(self.measure_one(directory, part))
            shutil.rmtree(directory)
        for what in ("gc", "gc again"):
            first, last = (each[what] / part for each, part in ((costs[0], 0.25), (costs[2], 1)))
            self.figures.within(f"{what}: at the whole size per blob, to a quarter's", 1.5, last / first)

    def measure_one(self, directory, part):
        store = Store(directory, part)
        configuration = directory / "configuration.ini"
        configuration.write_text(f"registry_storage = {directory}/registry\ntemporary_registry_storage = {directory}/_tmp\n"
                                 f"proxy_storage = {directory}/proxy\n[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n")
        (directory / "_tmp").mkdir()
        costs, program = {}, self.bench.berth_path
        self.figures.note(f"{store.blobs} blobs, {store.manifests} manifests, {store.repositories} repositories, one of {store.tags} tags")
        for what, command in (("gc", "gc"), ("gc again", "gc"), ("status", "status")):
            wall, processor, memory = run(program, configuration, command)
            costs[what] = processor
            self.figures.note(f"  {what}: {wall:.2f} s, of the processor {processor:.2f} s, {memory >> 20} MiB")
            self.figures.within(f"  {what}, s of the processor", LIMITS[command] * max(part, 0.05), processor)
            self.figures.within(f"  {what}, MiB", MEMORY >> 20, memory / (1 << 20))
        server = self.bench.start(Berth(directory / "server", program, 2, configuration))
        names = store.repository_names()
        ends = [names[0], names[len(names) // 2], names[-2]]
        tags = [f"t{number:06}" for number in (0, store.tags // 2, store.tags - 2)]
        for what, targets in (("_catalog?n=100", [f"/v2/_catalog?n=100&last={last}" for last in ends]),
                              ("tags/list?n=100", [f"/v2/many/tags/tags/list?n=100&last={last}" for last in tags])):
            self.figures.within(f"  {what}, at any position, s", LIST, slowest_list(server, targets))
        return costs

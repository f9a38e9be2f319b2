#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole program as a proxy of a registry that lies.

    tests/fuzz/fuzz_upstream.py SECONDS [SEED]      cases SEED/0, SEED/1, … until the time is over
    tests/fuzz/fuzz_upstream.py --again SEED/NUMBER one case

Each case is a repository of its own, whose upstream spoils its answers (lies.py), and some requests of a client, each to a CGI
process of $BERTH, which has sanitizers in it. Whatever is answered there:

- the process ends, not long after its time-outs, and nobody stays behind;
- its answer is one, errors are the specification's, and no sanitizer has anything to say;
- what is whole has the digest that it is under (a part of a blob that is not here yet cannot be verified: lib/proxy/fill/stream.h);
- no private address is connected to, and no other host sees an Authorization.

It runs in a network of its own, in which this machine is some public addresses and a private one.
"""
import collections
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid

import lies
from judge import REPORTS, SANITIZERS, Answer, Wrong, ask_options, demand, make_directory, tell_failure

BERTH = os.path.abspath(os.environ.get("BERTH", "build-fuzz/berth"))
HOST = "11.255.77.2"
PRIVATE = ("10.9.9.9", "127.0.0.1", "::1")
PARALLEL = 6
LIMIT = 300  # seconds: a request takes at most some 30 of time-outs, on a machine that has nothing else to do
ACCOUNT = "bob"
CONFIGURATION = """\
registry_storage = storage/registry
temporary_registry_storage = storage/_tmp
proxy_storage = storage/proxy
[hosted]
minimum_free_space = 0
[proxy]
tag_ttl = 0
connect_timeout = 1s
stall_timeout = 1s
"""
SECTION = """\
[upstream up{number}]
url = http://{host}:{port}
username = {account}
password = a-secret
"""


class Case:
    """A repository at the upstream, and what is asked of it."""

    def __init__(self, name):
        self.name = name
        self.chance = random.Random(name)
        self.repository = "case-" + name.replace("/", "-")
        self.spoiled = self.chance.choice([0.3, 0.6, 1.0, 1.0])
        self.connections = itertools.count()
        self.faults = []
        self.blobs = [self.chance.randbytes(size) for size in (0, 100, self.chance.choice([50_000, 50_000, 1_500_000]))]
        image = {"schemaVersion": 2, "mediaType": lies.IMAGE, "config": descriptor(self.blobs[1], "application/vnd.oci.image.config.v1+json"),
                 "layers": [descriptor(blob, "application/vnd.oci.image.layer.v1.tar") for blob in self.blobs]}
        self.image = json.dumps(image).encode()
        index = {"schemaVersion": 2, "mediaType": lies.INDEX, "manifests": [descriptor(self.image, lies.IMAGE)]}
        self.index = json.dumps(index).encode()
        self.referrers = json.dumps({**index, "manifests": [{**descriptor(self.index, lies.INDEX), "artifactType": "a/b"}] * 3}).encode()
        self.manifests = {"latest": self.image, "multi": self.index,
                          lies.digest(self.image): self.image, lies.digest(self.index): self.index}

    def requests(self):
        """(method, path behind the repository's name, headers)"""
        for _ in range(self.chance.choice([1, 2, 3])):
            kind = self.chance.randrange(5)
            method = self.chance.choice(["GET", "GET", "GET", "HEAD"])
            if kind <= 1:
                yield method, "manifests/" + self.chance.choice(sorted(self.manifests)), {}
            elif kind == 2:
                headers = {"HTTP_RANGE": self.chance.choice(["bytes=0-9", "bytes=50-", "bytes=-10"])} if self.chance.random() < 0.3 else {}
                yield method, "blobs/" + lies.digest(self.chance.choice(self.blobs)), headers
            elif kind == 3:
                yield method, "tags/list" + self.chance.choice(["", "?n=1", "?n=5&last=a"]), {}
            else:
                yield method, f"referrers/{lies.digest(self.image)}" + self.chance.choice(["", "?artifactType=a/b"]), {}

    def honest(self, path, headers):
        rest = path.partition("?")[0].partition(f"/v2/{self.repository}/")[2]
        if path.startswith("/token"):
            return lies.Answer(200, b'{"token":"abc","expires_in":300}', [("Content-Type", "application/json")])
        if rest.startswith("manifests/") and rest[10:] in self.manifests:
            body = self.manifests[rest[10:]]
            return lies.Answer(200, body, [("Content-Type", json.loads(body)["mediaType"]), ("Docker-Content-Digest", lies.digest(body))])
        if rest == "tags/list":
            return lies.Answer(200, json.dumps({"name": self.repository, "tags": ["a", "latest", "multi"]}).encode())
        if rest.startswith("referrers/"):
            return lies.Answer(200, self.referrers, [("Content-Type", lies.INDEX)])
        for blob in self.blobs:
            if rest == "blobs/" + lies.digest(blob):
                return whole_or_part(blob, headers.get("range"))
        return lies.Answer(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}')

    def answer(self, path, headers):
        chance = random.Random(f"{self.name} {next(self.connections)}")
        answer = self.honest(path, headers)
        if chance.random() < self.spoiled:
            lies.spoil(chance, answer)
        return answer


def descriptor(data, media_type):
    return {"mediaType": media_type, "digest": lies.digest(data), "size": len(data)}


def whole_or_part(blob, wanted):
    if wanted and wanted.startswith("bytes=") and wanted[6:].rstrip("-").isdigit() and int(wanted[6:].rstrip("-")) < len(blob):
        first = int(wanted[6:].rstrip("-"))
        return lies.Answer(206, blob[first:], [("Content-Range", f"bytes {first}-{len(blob) - 1}/{len(blob)}")])
    return lies.Answer(200, blob)


class Upstream:
    """The same port on all addresses. It belongs to the case that is under way."""

    def __init__(self, number):
        self.number, self.case = number, None
        first = listening(HOST, 0)
        self.port = first.getsockname()[1]
        self.listeners = [first] + [listening(host, self.port) for host in (lies.OTHERS, *PRIVATE)]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            for listener in select.select(self.listeners, [], [])[0]:
                connection, _ = listener.accept()
                host = listener.getsockname()[0]
                threading.Thread(target=self.serve, args=(connection, host, self.case), daemon=True).start()

    def serve(self, connection, host, case):
        with connection:
            if host in PRIVATE:
                case.faults.append(f"{host} was connected to")
                return
            try:
                connection.settimeout(LIMIT)
                self.reply(connection, host, case)
            except OSError:
                pass  # it did not want to hear the rest

    def reply(self, connection, host, case):
        data = b""
        while b"\r\n\r\n" not in data:
            block = connection.recv(65536)
            if not block:
                return
            data += block
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if host != HOST and "authorization" in headers:
            case.faults.append(f"{host} was shown: {headers['authorization']}")
        method, path, *_ = first.split(" ")
        answer = case.answer(path, headers)
        for number, (name, value) in enumerate(answer.headers):
            for word, meant in (("HOST", HOST), ("PORT", str(self.port)), ("PATH", path), ("REPOSITORY", case.repository)):
                value = value.replace(word, meant)
            answer.headers[number] = (name, value)
        data = answer.encode(with_body=method != "HEAD")
        if answer.stalls is None:
            connection.sendall(data)
        else:
            connection.sendall(data[:answer.stalls])
            select.select([connection], [], [], LIMIT)  # until the other side has enough of it


def listening(host, port):
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(100)
    return listener


class Site:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.mark = f"BERTH_FUZZ={uuid.uuid4()}"
        self.statuses = collections.Counter()
        for name in ("registry", "_tmp", "proxy"):
            (self.directory / "storage" / name).mkdir(parents=True)
        self.upstreams = [Upstream(number) for number in range(PARALLEL)]
        self.configuration = self.directory / "configuration.ini"
        sections = [SECTION.format(number=each.number, host=HOST, port=each.port, account=ACCOUNT) for each in self.upstreams]
        self.configuration.write_text(CONFIGURATION + "".join(sections), encoding="ascii")
        self.environment = {"PATH": os.environ["PATH"], "BERTH_CONFIGURATION": str(self.configuration), "TMPDIR": str(self.directory),
                            **SANITIZERS, **dict([self.mark.split("=")])}

    def ask(self, upstream, method, rest, headers):
        target = f"/v2/proxy/up{upstream.number}/{upstream.case.repository}/{rest}"
        parameters = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "REQUEST_URI": target, "SERVER_PROTOCOL": "HTTP/1.1",
                      "HTTP_HOST": "registry.example.org", **headers}
        (self.directory / f"storage/proxy/_berth/upstreams/up{upstream.number}/trouble").unlink(missing_ok=True)
        with open(self.directory / f"log{upstream.number}", "ab") as log, subprocess.Popen(
                [BERTH], env={**self.environment, **parameters}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as process:
            try:
                output, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired as problem:
                process.kill()
                raise Wrong(f"{method} {target} takes longer than {LIMIT} s") from problem
        demand(process.returncode in (0, 1), f"{method} {target} ended with {process.returncode}")
        self.judge(upstream.case, method, rest, output, process.returncode == 0)

    def judge(self, case, method, rest, output, is_complete):
        answer = Answer(output, method)
        self.statuses[answer.status] += 1
        if method == "HEAD" or answer.status not in (200, 206):
            demand(is_complete, "an answer without content is cut short")
            return answer
        length = answer.length()
        demand(length is not None and (len(answer.body) == length) == is_complete, f"{len(answer.body)} bytes of {length}: {is_complete}")
        kind, _, reference = rest.partition("/")
        if is_complete and kind == "blobs":
            demand(answer.status == 206 or lies.digest(answer.body) == reference, "other bytes than those of the digest")
        elif is_complete and kind == "manifests":
            named = answer["Docker-Content-Digest"]
            demand(named == lies.digest(answer.body), f"a manifest with the digest {named} is {answer.body[:200]!r}")
            demand(":" not in reference or named == reference, f"{reference} is {named}")
        elif is_complete:
            demand(isinstance(json.loads(answer.body), dict), "a list that is none")
        return answer

    def run(self, upstream, name):
        """One case; raises Wrong."""
        upstream.case = Case(name)
        for request in upstream.case.requests():
            self.ask(upstream, *request)
        demand(not upstream.case.faults, "; ".join(upstream.case.faults))
        self.check_log(upstream)

    def check_log(self, upstream):
        log = self.directory / f"log{upstream.number}"
        text = log.read_text(errors="replace")
        demand(not REPORTS.search(text), text[-6000:])

    def processes(self):
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                found += [entry] if self.mark.encode() in pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0") else []
            except OSError:
                pass
        return found

    def end(self):
        """Fillers have some time to give up."""
        deadline = time.monotonic() + LIMIT
        while self.processes():
            demand(time.monotonic() < deadline, f"processes stay: {self.processes()}")
            time.sleep(0.1)
        for upstream in self.upstreams:
            self.check_log(upstream)
        checked = subprocess.run([BERTH, "check"], env=self.environment, capture_output=True, text=True, timeout=LIMIT, check=False)
        demand(checked.returncode == 0, f"berth check: {checked.stdout}{checked.stderr}")


class Campaign:
    def __init__(self, site, seed, seconds):
        self.site, self.seed = site, seed
        self.deadline = time.monotonic() + seconds
        self.numbers = itertools.count()
        self.done, self.lock = 0, threading.Lock()
        self.failure = None

    def work(self, upstream):
        while time.monotonic() < self.deadline and not self.failure:
            with self.lock:
                number = next(self.numbers)
            try:
                self.site.run(upstream, f"{self.seed}/{number}")
                with self.lock:
                    self.done += 1
            except Exception as problem:  # pylint: disable=broad-except
                self.failure = self.failure or (f"{self.seed}/{number}", problem)

    def run(self):
        workers = [threading.Thread(target=self.work, args=(upstream,)) for upstream in self.site.upstreams]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if not self.failure:
            self.site.end()
        return self.failure


def enter_a_network(arguments):
    """Runs this program in a network of its own."""
    as_somebody = [] if os.geteuid() == 0 else ["--map-root-user"]
    setup = "ip link set lo up && ip route add local 11.255.77.0/24 dev lo && ip route add local 10.9.9.0/24 dev lo && exec \"$@\""
    os.environ["BERTH_FUZZ_NETWORK"] = "yes"
    os.execvp("unshare", ["unshare", *as_somebody, "--net", "sh", "-c", setup, "sh", sys.executable, __file__, *arguments])


def main():
    options = ask_options()
    if "BERTH_FUZZ_NETWORK" not in os.environ:
        enter_a_network(sys.argv[1:])
    directory = make_directory()
    site = Site(directory)
    if options.again:
        site.run(site.upstreams[0], options.again)
        site.end()
        print((site.directory / "log0").read_text(errors="replace"))
        failure = None
    else:
        campaign = Campaign(site, options.seed, options.seconds)
        failure = campaign.run()
        counts = ", ".join(f"{count} × {status}" for status, count in sorted(site.statuses.items()))
        print(f"{campaign.done} cases of seed {options.seed}, answers: {counts}")
    if failure:
        tell_failure(__file__, directory, *failure)
        os._exit(1)
    shutil.rmtree(directory)


main()

"""One system call that fails: Berth as a CGI program, of which the n-th call of a kind on its storage gets an error.

faults.c, preloaded, counts the calls of the process and of all that it starts. What was there before, and what is found
afterwards, is a healthy worker's on the same storage.
"""
import errno
import itertools
import os
import pathlib
import shutil
import struct
import subprocess
import types

from harness import content
from harness.client import BrokenAnswer
from harness.fastcgi import Exchange, Worker
from harness.process import PATIENCE, birth, family, wait_until
from harness.server import BERTH
from harness.upstream import Upstream

CALLS = {call: [errno.EIO, errno.ENOSPC] if writes else [errno.EIO] for call, writes in {
    "open": False, "create": True, "stat": False, "flock": False, "sync": True, "rename": True, "link": True, "write": True,
    "mkdir": True, "unlink": False, "allocate": True, "truncate": False, "times": False}.items()}
SETTINGS = """
[hosted]
minimum_free_space = 0
[proxy]
minimum_free_space = 0
tag_ttl = 0s
[upstream up]
url = {url}
allow_private_address = yes
"""
SOURCE = pathlib.Path(__file__).with_name("faults.c")
NUMBERS = itertools.count()
TRIES = 4000  # a machine under load waits long, and looks again each time; what spins does this in a second


def build(library):
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", library, SOURCE], check=True)


class Injector:
    """`with Injector(directory) as injector`: a storage with a healthy worker, and an upstream."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.library = self.directory / "faults.so"
        build(self.library)
        self.upstream = Upstream(alias="up")
        self.worker = Worker(self.directory, SETTINGS.format(url=self.upstream.url), expected_faults=True)
        self.storage = self.directory / "storage"
        self.count = 0

    def __enter__(self):
        self.worker.__enter__()
        return self

    def __exit__(self, *exception):
        self.upstream.close()
        self.worker.__exit__(*exception)

    def everywhere(self, operation, call, number, lasts=False):
        """The operation with a fault at the first call of a kind, at the second, … until it has no more of them. If it lasts, all
        calls that follow fail as well."""
        return sum(1 for _ in self.trials(operation, call, number, lasts))

    def trials(self, operation, call, number, lasts=False):
        """Those of everywhere(), each when it has met its fault."""
        for nth in itertools.count(1):
            if lasts:  # what earlier ones have left is looked at by each sweep, which are some more calls each time
                shutil.rmtree(self.storage / "proxy/_berth/temporary/partial", ignore_errors=True)
            trial = Trial(self, call, number, nth, lasts)
            operation(trial)
            assert trial.has_run
            if not trial.path:
                return
            self.count += 1
            yield trial


class FaultyCommand:
    """Subcommands on a server's configuration, to which each call of a kind fails that is made of what is below a path."""

    def __init__(self, server, path, number=errno.EIO, call="open"):
        self.server, self.library, self.report = server, server.directory / "faults.so", server.directory / "report"
        self.fields = {"FAULT_CALL": call, "FAULT_BELOW": str(path)}
        self.number = number
        build(self.library)

    def run(self, *arguments):
        done = self.start(arguments, self.number, 1, lasts=True)
        assert self.has_met(), (arguments, self.fields, done)
        return done

    def start(self, arguments, number, nth, lasts=False):
        """With a fault at the n-th call, or, of a negative number, a signal before it."""
        self.report.write_bytes(bytes(1024))
        environment = {**os.environ, **self.fields, "BERTH_CONFIGURATION": str(self.server.configuration), "FAULT_NTH": str(nth),
                       "FAULT_NUMBER": str(number), "LD_PRELOAD": str(self.library), "FAULT_REPORT": str(self.report),
                       **({"FAULT_LASTS": "1"} if lasts else {})}
        return subprocess.run([BERTH, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def count(self, arguments):
        """How many calls there are."""
        assert self.start(arguments, 0, 0).returncode in (0, 1)
        return struct.unpack("ii1016s", self.report.read_bytes())[0]

    def has_met(self):
        return struct.unpack("ii1016s", self.report.read_bytes())[1] != 0


class Trial:
    """What an operation gets: a healthy `client`, a `repository` of its own, and run() for the request that meets the fault."""

    def __init__(self, injector, call, number, nth, lasts):
        self.injector, self.call, self.number, self.nth, self.lasts = injector, call, number, nth, lasts
        self.client = injector.worker
        self.name = f"t/{next(NUMBERS)}"
        self.repository = self.client.repository(self.name)
        self.path = None  # where the fault was met
        self.has_run, self.answer = False, None

    def run(self, method, target, headers=None, body=b""):
        """The answer: a 2xx one, or a server's error in words; None if it was cut short."""
        report = self.injector.directory / "report"
        report.write_bytes(bytes(1024))
        mark = f"FAULT_RUN={self.name}"
        fields = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "REQUEST_URI": target, "SERVER_PROTOCOL": "HTTP/1.1",
                  "QUERY_STRING": target.partition("?")[2], "HTTP_HOST": "localhost", "REQUEST_SCHEME": "http",
                  "CONTENT_LENGTH": str(len(body)), "BERTH_CONFIGURATION": str(self.injector.worker.configuration),
                  "LD_PRELOAD": str(self.injector.library), "FAULT_REPORT": str(report), "FAULT_CALL": self.call,
                  "FAULT_NUMBER": str(self.number), "FAULT_NTH": str(self.nth), "FAULT_BELOW": str(self.injector.storage),
                  "FAULT_RUN": self.name, **({"FAULT_LASTS": "1"} if self.lasts else {})}
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            fields[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        done = subprocess.run([BERTH], input=body, env={**os.environ, **fields}, capture_output=True, timeout=PATIENCE, check=False)
        if "/proxy/" in target:  # a blob's filler goes on by itself
            wait_until(lambda: not family({mark}, mark, birth(os.getpid())), "the end of what the request has started")
        self.has_run = True
        count, reached, path = struct.unpack("ii1016s", report.read_bytes())
        self.path = path.rstrip(b"\0").decode() if reached else None
        assert not reached or count - self.nth < TRIES, f"{self}: {count - self.nth} times again"
        try:
            answer = Exchange.parse(types.SimpleNamespace(method=method), done.stdout)
        except BrokenAnswer:
            answer = None
        assert done.returncode == (answer is None) and (answer is None or answer.status in range(200, 300) or answer.status >= 500), \
            (self, done, answer)
        if answer is not None and answer.status >= 500:
            assert answer.codes() and self.path, (self, answer)
        self.answer = answer
        return answer

    def lost_data(self, name="data"):
        """Whether it was the content of an upload, or of a fetch, that could not be synced."""
        return self.call == "sync" and self.path is not None and self.path.endswith(f"/{name}")

    def __repr__(self):
        return f"<{self.call} {self.nth} fails with {errno.errorcode[self.number]} at {self.path}>"


def succeeded(answer):
    return answer is not None and answer.status < 300


def offset(status):
    """How many bytes a session has. That of one byte looks like an empty one's."""
    return int(status["Range"].partition("-")[2]) + 1 if status["Range"] != "0-0" else 0


def assert_blob(trial, data):
    answer = trial.client.get(trial.repository.blob(content.digest(data)))
    assert (answer.status, answer.body) == (200, data), (trial, answer)

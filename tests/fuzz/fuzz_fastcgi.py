#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One worker, and who connects to its socket speaks FastCGI badly.

    tests/fuzz/fuzz_fastcgi.py SECONDS [SEED]
    tests/fuzz/fuzz_fastcgi.py --again SEED/NUMBER

A case is some connections, each with the records of an honest request, spoiled: cut, torn apart, mixed with another request's,
aborted, with lengths that lie. After each case an honest request is answered; nothing is left open; the worker is still the same
process, or has ended on its own accord and been replaced, as multiwatch does it.

What libfcgi does before it asks us anything, nobody can mend here. It takes memory as a parameter says, and does not look whether it
got it (such a worker is replaced); it counts lengths that add up to 2 GiB in an int (CVE-2025-23016, up to 2.4.4), and for the answer to
FCGI_GET_VALUES, which it leaks, it has 64 bytes on its stack, however often one thing is asked for: neither is tried. Whoever can write to the workers'
socket has to be the web server: that is what the mode of the socket is for.
"""
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from judge import REPORTS, SANITIZERS, Answer, Wrong, ask_options, demand, make_directory, tell_failure

BERTH = os.path.abspath(os.environ.get("BERTH", "build-fuzz/berth"))
LIBFCGI = re.compile(r"AddressSanitizer: .*\n    #0 \S+ in (malloc|calloc|realloc|memcpy|memmove) .*\n    #1 \S+ +\(\S*/libfcgi\.so")
LIMIT = 120  # seconds: something hangs
BEGIN, ABORT, END, PARAMETERS, STDIN, STDOUT, STDERR, DATA, GET_VALUES = range(1, 10)
CONFIGURATION = """\
registry_storage = storage/registry
temporary_registry_storage = storage/_tmp
proxy_storage = storage/proxy
[hosted]
minimum_free_space = 0
[proxy]
enabled = no
"""
REQUESTS = [
    ("GET", "/v2/", b""), ("HEAD", "/v2/a/manifests/latest", b""), ("GET", "/v2/_catalog", b""), ("POST", "/v2/a/blobs/uploads/", b""),
    ("POST", "/v2/a/blobs/uploads/?digest=sha256:" + "0" * 64, b"hello" * 1000), ("PUT", "/v2/a/manifests/latest", b"{}" * 5000),
    ("PATCH", "/v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000", b"x" * 100000), ("DELETE", "/v2/a/manifests/latest", b"")]


def record(kind, data=b"", number=1, version=1, padding=0, length=None, reserved=0):
    length = len(data) if length is None else length
    return struct.pack(">BBHHBB", version, kind, number, length & 0xffff, padding, reserved) + data + bytes(padding)


def size(length):
    return bytes([length]) if length < 128 else struct.pack(">I", length | 1 << 31)


def pair(name, value):
    return size(len(name)) + size(len(value)) + name + value


class Request:
    """The records of an honest one."""

    def __init__(self, method, target, body, number=1):
        fields = {"REQUEST_METHOD": method, "REQUEST_URI": target, "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost",
                  "CONTENT_LENGTH": str(len(body)), "GATEWAY_INTERFACE": "CGI/1.1"}
        self.pairs = [pair(name.encode(), value.encode()) for name, value in fields.items()]
        self.number, self.body, self.role, self.flags = number, body, 1, 0

    def records(self):
        head = b"".join(self.pairs)
        yield record(BEGIN, struct.pack(">HB5x", self.role, self.flags), self.number)
        yield from (record(PARAMETERS, head[at:at + 65535], self.number) for at in range(0, len(head), 65535))
        yield record(PARAMETERS, b"", self.number)
        yield from (record(STDIN, self.body[at:at + 65535], self.number) for at in range(0, len(self.body), 65535))
        yield record(STDIN, b"", self.number)


def spoil_request(chance, request):
    how = chance.randrange(6)
    if how == 0:
        request.role = chance.choice([0, 2, 3, 4, 65535])
    elif how == 1:
        request.flags = chance.choice([1, 2, 255])
    elif how == 2:
        request.number = chance.choice([0, 2, 65535])
    elif how == 3:
        chance.shuffle(request.pairs)
        request.pairs *= chance.choice([0, 1, 2, 2000])
    elif how == 4:
        request.pairs.insert(chance.randrange(len(request.pairs) + 1), chance.choice([
            pair(b"", b""), pair(b"", b"x"), pair(b"X=Y", b"z"), pair(b"REQUEST_METHOD", b"GET\0PUT"), pair(b"X" * 300000, b""),
            pair(b"HTTP_X", b"y" * 3000000), size(1000000) + size(1000000), size(1 << 29) + size(1 << 29) + b"x", b"\xff", b"\x80\0\0\0\x80\0\0\0",
            pair(b"CONTENT_LENGTH", b"99999999999999999999"), pair(b"CONTENT_LENGTH", b"5"), pair(b"CONTENT_LENGTH", b""),
            pair(b"HTTP_" + bytes(range(1, 61)), bytes(range(256)))]))
    else:
        request.body = request.body[:chance.randrange(len(request.body) + 1)]


def spoil_records(chance, records):
    at = chance.randrange(len(records))
    how = chance.randrange(10)
    if how == 0:
        del records[at]
    elif how == 1:
        records.insert(at, records[at])
    elif how == 2:
        records.insert(at, record(chance.randrange(256), chance.randbytes(chance.choice([0, 8, 1000])), chance.choice([0, 1, 2])))
    elif how == 3:
        records.insert(at, record(ABORT, b"", chance.choice([0, 1, 1, 7])))
    elif how == 4:
        asked = chance.choice([b"", pair(b"FCGI_MPXS_CONNS", b""), pair(b"FCGI_MAX_CONNS", b"") * 3, pair(b"X", b"") * 500, b"\x7f" * 50])
        records.insert(at, record(GET_VALUES, asked, 0))
    elif how == 5:
        data = bytearray(records[at] or b"\1")  # it may have been cut to nothing
        data[chance.randrange(min(8, len(data)))] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        records[at] = bytes(data)
    elif how == 6:
        del records[at:]
    elif how == 7:
        records[at] = records[at][:chance.randrange(len(records[at]) + 1)]
        del records[at + 1:]
    elif how == 8:
        records[at] = chance.randbytes(chance.choice([1, 8, 9, 100, 70000]))
    else:
        other = list(Request("GET", "/v2/", b"", chance.choice([1, 2, 3])).records())
        records[:] = [each for both in itertools.zip_longest(records, other, fillvalue=b"") for each in both if each]


class Worker:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        for name in ("registry", "_tmp", "proxy"):
            (self.directory / "storage" / name).mkdir(parents=True)
        (self.directory / "configuration.ini").write_text(CONFIGURATION, encoding="ascii")
        (self.directory / "suppressions").write_text("leak:libfcgi.so\n", encoding="ascii")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / "socket"))
        self.listener.listen(64)
        self.replaced, self.opened, self.process = 0, 0, None
        self.start()

    def start(self):
        environment = {"PATH": os.environ["PATH"], "BERTH_CONFIGURATION": str(self.directory / "configuration.ini"), **SANITIZERS,
                       "LSAN_OPTIONS": f"exitcode=99:print_suppressions=0:suppressions={self.directory / 'suppressions'}"}
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([BERTH], stdin=self.listener, stdout=log, stderr=log, env=environment)
        self.ask()
        self.opened = self.descriptors()

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LIMIT)
        connection.connect(str(self.directory / "socket"))
        return connection

    def ask(self):
        """An honest request."""
        with self.connect() as connection:
            connection.sendall(b"".join(Request("GET", "/v2/", b"").records()))
            output = b""
            data = self.receive(connection)
        while data:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", data[:8])
            output += data[8:8 + length] if kind == STDOUT else b""
            data = data[8 + length + padding:]
        demand(Answer(output, "GET").status == 200, f"an honest request gets {output!r}")

    def receive(self, connection, replace=True):
        """Everything, till the worker closes; if it ends meanwhile, there is another, or nothing more comes."""
        data = b""
        deadline = time.monotonic() + LIMIT
        connection.settimeout(1)
        while time.monotonic() < deadline:
            try:
                block = connection.recv(1 << 20)
            except TimeoutError:
                if not replace and self.process.poll() is not None:
                    return data
                self.replace()
                continue
            except ConnectionError:
                return data
            if not block:
                return data
            data += block
        raise Wrong("the worker does not answer, nor closes")

    def replace(self):
        """As multiwatch does it. What brought the worker down may be libfcgi's fault, never ours."""
        log = self.directory / "log"
        text = log.read_text(errors="replace")
        demand(not REPORTS.search(text) or LIBFCGI.search(text), text[-6000:])
        if self.process.poll() is None:
            return
        demand(self.process.returncode in (0, 2) or LIBFCGI.search(text), f"the worker ended with {self.process.returncode}")
        log.write_bytes(b"")
        self.replaced += 1
        self.start()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def check(self):
        self.replace()
        self.ask()
        # The one of the honest request may be about to be closed.
        deadline = time.monotonic() + LIMIT
        while self.descriptors() > self.opened:
            demand(time.monotonic() < deadline, f"{self.descriptors()} descriptors, not {self.opened}")
            time.sleep(0.01)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        demand(self.process.wait(LIMIT) == 0, f"the worker ended with {self.process.returncode}")
        environment = {**os.environ, "BERTH_CONFIGURATION": str(self.directory / "configuration.ini")}
        checked = subprocess.run([BERTH, "check"], env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
        demand(checked.returncode == 0, f"berth check: {checked.stdout}{checked.stderr}")

    def run(self, name):
        chance = random.Random(name)
        for _ in range(chance.choice([1, 1, 3])):
            request = Request(*chance.choice(REQUESTS))
            if chance.random() < 0.4:
                spoil_request(chance, request)
            records = list(request.records())
            for _ in range(chance.choice([0, 1, 1, 2, 4])):
                if records:
                    spoil_records(chance, records)
            self.send(chance, b"".join(records))
        self.check()

    def send(self, chance, data):
        with self.connect() as connection:
            connection.settimeout(LIMIT / 10)
            try:
                at = chance.randrange(len(data) + 1) if chance.random() < 0.2 else len(data)
                connection.sendall(data[:at])
                connection.sendall(data[at:])
                if chance.random() < 0.2:
                    return  # without a look at the answer
                connection.shutdown(socket.SHUT_WR)
            except TimeoutError:
                return  # it has ended, and nobody takes more than fits into the socket
            except OSError:
                pass  # it has had enough
            self.receive(connection, replace=False)  # another one would wait for us to hang up here


def main():
    options = ask_options()
    directory = make_directory()
    worker = Worker(directory)
    deadline = time.monotonic() + options.seconds
    name = None
    try:
        for number in itertools.count():
            if time.monotonic() > deadline:
                break
            name = options.again or f"{options.seed}/{number}"
            worker.run(name)
            if options.again:
                break
        worker.stop()
    except Exception as problem:  # pylint: disable=broad-except
        tell_failure(__file__, directory, name, problem)
        worker.process.kill()
        sys.exit(1)
    print(f"{number} cases of seed {options.seed}, {worker.replaced} workers have ended")
    shutil.rmtree(directory)


main()

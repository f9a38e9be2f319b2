"""Many slow clients that arrive at once: a program of its own, so that who measures beside it is not slowed down by it.

    crowd.py PORT REPOSITORY BLOB PUSHES PULLS SECONDS

Each push opens a session and then sends its blob piece by piece, each pull reads BLOB piece by piece, over about SECONDS.
Prints JSON when all have ended: {"pushed": n, "pulled": n, "failed": {"what happened": n}}. It only talks to 127.0.0.1, with as
many connections as there are clients, and ends by itself.
"""
import collections
import hashlib
import heapq
import json
import os
import random
import re
import resource
import selectors
import socket
import subprocess
import sys
import time

from harness.process import PATIENCE, TIED_TO_US

PIECES = 16
PIECE = 4096
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Refused(Exception):
    pass


class Client:
    """One of them. Its methods are generators: they yield READ or WRITE to wait for that, or seconds to pause."""

    def __init__(self, port, repository, seconds):
        self.port, self.repository, self.seconds = port, repository, seconds
        self.socket = socket.socket()
        self.socket.setblocking(False)

    def connect(self):
        if self.socket.connect_ex(("127.0.0.1", self.port)):
            yield WRITE
        failure = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, "connect")

    def pause(self):
        yield self.seconds / PIECES * random.uniform(0.5, 1.5)

    def send(self, data):
        while data:
            try:
                data = data[self.socket.send(data):]
            except BlockingIOError:
                yield WRITE

    def receive(self, most):
        while True:
            try:
                data = self.socket.recv(most)
                if not data:
                    raise Refused("the connection was closed")
                return data
            except BlockingIOError:
                yield READ

    def expect(self, status, what):
        """The head of the answer and what came of its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += yield from self.receive(PIECE)
        head, _, body = data.partition(b"\r\n\r\n")
        if int(head.split(b" ", 2)[1]) != status:
            raise Refused(f"{what}: {head.split(b' ', 2)[1].decode()}")
        return head.decode("latin-1"), body

    def push(self):
        yield from self.connect()
        yield from self.send(f"POST /v2/{self.repository}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        head, _ = yield from self.expect(202, "POST")
        location = re.search(r"(?im)^location: (\S+)", head).group(1)
        data = os.urandom(PIECE * PIECES)
        digest = hashlib.sha256(data).hexdigest()
        yield from self.send(f"PUT {location}{'&' if '?' in location else '?'}digest=sha256:{digest} HTTP/1.1\r\n"
                             f"Host: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        for start in range(0, len(data), PIECE):
            yield from self.send(data[start:start + PIECE])
            yield from self.pause()
        yield from self.expect(201, "PUT")

    def pull(self, blob):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * PIECE)  # or the kernel would be a fast client
        yield from self.connect()
        yield from self.send(f"GET /v2/{self.repository}/blobs/{blob} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, body = yield from self.expect(200, "GET")
        size = int(re.search(r"(?im)^content-length: (\d+)", head).group(1))
        digest = hashlib.sha256(body)
        left = size - len(body)
        while left:
            data = yield from self.receive(size // PIECES)
            digest.update(data)
            left -= len(data)
            yield self.seconds * len(data) / size * random.uniform(0.5, 1.5)
        if digest.hexdigest() != blob.removeprefix("sha256:"):
            raise Refused("other bytes")


class Crowd:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.done, self.failed = collections.Counter(), collections.Counter()
        self.left = 0

    def add(self, kind, client, steps):
        self.left += 1
        self.advance(kind, client, steps)

    def advance(self, kind, client, steps):
        try:
            wish = next(steps)
        except StopIteration:
            self.end(client)
            self.done[kind] += 1
        except (OSError, Refused) as failure:
            self.end(client)
            self.failed[f"{kind}: {type(failure).__name__} {failure}"] += 1
        else:
            self.wait(wish, kind, client, steps)

    def wait(self, wish, *what):
        _, client, _ = what
        if isinstance(wish, float):
            heapq.heappush(self.timers, (time.monotonic() + wish, random.random(), what))
            wish = 0
        known = self.selector.get_map().get(client.socket.fileno())
        if known and known.events != wish:
            self.selector.unregister(client.socket)
        if wish and not (known and known.events == wish):
            self.selector.register(client.socket, wish, what)

    def end(self, client):
        if client.socket.fileno() in self.selector.get_map():
            self.selector.unregister(client.socket)
        client.socket.close()
        self.left -= 1

    def run(self):
        last = time.monotonic()
        while self.left:
            now = time.monotonic()
            until = self.timers[0][0] - now if self.timers else 1
            ready = self.selector.select(max(0, min(until, 1)))
            due = [key.data for key, _ in ready]
            while self.timers and self.timers[0][0] <= now:
                due.append(heapq.heappop(self.timers)[2])
            for what in due:
                self.advance(*what)
            last = now if due else last
            if now - last > PATIENCE:
                raise Refused(f"{self.left} clients have waited for {PATIENCE} s")
        return {**self.done, "failed": self.failed}


def start_crowd(port, repository, blob, pushes, pulls, seconds):
    """The program, running; finish() reads what it prints."""
    return subprocess.Popen([*TIED_TO_US, sys.executable, "-m", "harness.crowd", str(port), repository, blob, str(pushes), str(pulls),
                             str(seconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def finish(crowd):
    output, _ = crowd.communicate(timeout=PATIENCE)
    assert crowd.returncode == 0, output
    return json.loads(output)


def main():
    port, repository, blob, pushes, pulls, seconds = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    crowd = Crowd()
    clients = [("pushed", Client.push, ())] * int(pushes) + [("pulled", Client.pull, (blob,))] * int(pulls)
    random.shuffle(clients)
    for kind, steps, arguments in clients:
        client = Client(int(port), repository, float(seconds))
        crowd.add(kind, client, steps(client, *arguments))
    print(json.dumps(crowd.run()))


if __name__ == "__main__":
    main()

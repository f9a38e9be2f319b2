"""Clients that mean no good, and a program that is many of one kind, again and again, till it is ended:

    python -m harness.hostile PORT REPOSITORY BLOB KIND CLIENTS

Each client comes again every two seconds or so. BLOB is one of REPOSITORY that is large enough to leave in its middle. It only
talks to 127.0.0.1, and gives way to others on the processor: such clients are elsewhere.
"""
import contextlib
import os
import random
import subprocess
import sys
import threading

from harness import content
from harness.client import BrokenAnswer, Client
from harness.content import MIB
from harness.process import PATIENCE, TIED_TO_US
from harness.registry import Repository

BETWEEN_DRIPS = 1.0
KINDS = ["drips", "hangs_up", "is_huge", "is_malformed"]


class Hostile:
    """What one of them does, once; `over` is set when the honest ones have finished. Nobody stays longer than `patience` seconds."""

    def __init__(self, client, repository, blob, over, patience=PATIENCE):
        self.client, self.repository, self.blob, self.over, self.patience = client, repository, blob, over, patience

    def send(self, connection, method, target, headers=None, body=b""):
        connection.sendall(self.client.head(method, target, headers, None, None) + body)

    def post(self, data):
        return f"{self.repository.uploads}?digest={content.digest(data)}"

    def drips(self, connection, number):
        """Half a head, or a head and some of the body, and then a byte now and then."""
        head = self.client.head("POST", self.post(b"never"), {"Content-Length": "1000000"}, None, None)
        connection.sendall(head[:40 + number % 20] if number % 2 else head)
        while not self.over.wait(BETWEEN_DRIPS):
            connection.sendall(b"x")

    def hangs_up(self, connection, number):
        """In the middle of what it gets, or of what it sends."""
        if number % 2:
            self.send(connection, "GET", self.repository.blob(self.blob))
            connection.recv(1000)
        else:
            self.send(connection, "POST", self.post(b"never"), {"Content-Length": "1000000"}, bytes(500_000))

    def is_huge(self, connection, number):
        """A header, or a manifest, larger than anybody takes."""
        if number % 2:
            self.send(connection, "GET", "/v2/", {"X": "x" * 200_000})
        else:
            self.send(connection, "PUT", self.repository.manifest("huge"), {"Content-Type": content.IMAGE, "Content-Length": str(5 * MIB)},
                      bytes(5 * MIB))
        connection.recv(1000)

    def is_malformed(self, connection, number):
        """No HTTP, no path, no length, no chunk, no chunk's range, no JSON."""
        lies = [b"\0\1\2\3 HTTP/9.9\r\n\r\n",
                b"GET /v2/%zz/../..%2f%00/manifests/a?ns=..%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
                b"PATCH /v2/x/blobs/uploads/../.. HTTP/1.1\r\nHost: localhost\r\nContent-Range: 9-1\r\nContent-Length: 2\r\n\r\nxx",
                b"PUT /v2/x/manifests/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\n[{]}"]
        connection.sendall(lies[number % len(lies)])
        self.over.wait(self.patience)

    def act(self, kind, number):
        with contextlib.suppress(OSError, BrokenAnswer), self.client.connect() as connection:
            connection.settimeout(PATIENCE)
            getattr(self, kind)(connection, number)


def start_hostile(port, repository, blob, kind, clients):
    """The program, running."""
    return subprocess.Popen([*TIED_TO_US, sys.executable, "-m", "harness.hostile", str(port), repository, blob, kind, str(clients)],
                            stdin=subprocess.DEVNULL, cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def come_again(hostile, kind, number):
    while not hostile.over.wait(random.uniform(1, 3)):
        hostile.act(kind, number)


def main():
    port, repository, blob, kind, clients = sys.argv[1:]
    os.nice(10)
    client = Client("127.0.0.1", int(port))
    hostile = Hostile(client, Repository(client, repository), blob, threading.Event(), patience=1)
    for number in range(int(clients)):
        threading.Thread(target=come_again, args=(hostile, kind, number)).start()


if __name__ == "__main__":
    main()

"""Writers that push while something terrible happens, and remember what they were promised.

A 201 that a client saw is a promise: what it names is there afterwards, byte for byte. Of everything that was tried without
an answer, either all of it is there or nothing.
"""
import hashlib
import itertools
import random
import stat
import threading

from harness import content
from harness.client import BrokenAnswer
from harness.process import PATIENCE, wait_until
from harness.registry import closing

LOST = (OSError, BrokenAnswer, AttributeError)  # the connection broke, or no answer came at all
WRITERS = itertools.count()


class Writer(threading.Thread):
    """Pushes blobs, manifests and tags in a repository of its own until told to stop: none that an earlier storm left on that disk."""

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.repository = server.client.repository(f"storm/writer-{next(WRITERS)}")
        self.client = server.client
        self.random = random.Random(number)
        self.stop = stop
        self.promised = set()  # targets
        self.tried = {}  # target -> the digest of its bytes: these themselves would fill the memory while a disk is full
        self.tags = {}  # tag -> (the last promised digest, digests tried since)
        self.refused = []
        self.fault = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.push_once()
        except Exception as fault:  # a thread's exception would be lost otherwise
            self.fault = fault

    def push_once(self):
        blobs = [self.random.randbytes(self.random.choice((0, 100, 5000, 300000, 2000000))) for _ in range(3)]
        if not all([self.push_blob(blob) for blob in blobs]):
            return
        document = content.encode(content.image(content.descriptor(blobs[0], content.CONFIG),
                                                [content.descriptor(blob) for blob in blobs[1:]]))
        self.push_manifest(document, f"v{self.random.randrange(5)}")

    def attempt(self, expected, method, *arguments, **options):
        """The answer, if it is what was expected; None if it was lost or refused because of the terrible thing."""
        try:
            answer = self.client.request(method, *arguments, **options)
            if answer.status == expected:
                return answer
            self.refused.append(answer)
        except LOST:
            pass
        return None

    def push_blob(self, blob):
        digest = content.digest(blob)
        target = self.repository.blob(digest)
        self.tried[target] = digest
        way = self.random.randrange(3)
        if way == 0:
            answer = self.attempt(201, "POST", f"{self.repository.uploads}?digest={digest}", body=blob)
        else:
            answer = self.attempt(202, "POST", self.repository.uploads)
            location, body = answer and answer["Location"], blob
            if location and way == 2:
                answer = self.attempt(202, "PATCH", location, chunks=[part for part in (blob[:70000], blob[70000:]) if part])
                location, body = answer and answer["Location"], b""
            answer = location and self.attempt(201, "PUT", closing(location, digest), body=body)
        if answer:
            self.promised.add(target)
        return bool(answer)

    def push_manifest(self, document, tag):
        digest = content.digest(document)
        by_digest = self.repository.manifest(digest)
        self.tried[by_digest] = digest
        last, since = self.tags.get(tag, (None, []))
        self.tags[tag] = (last, since + [digest])
        answer = self.attempt(201, "PUT", self.repository.manifest(tag), headers={"Content-Type": content.IMAGE}, body=document)
        if answer:
            self.promised.add(by_digest)
            self.tags[tag] = (digest, [])


class Storm:
    """with Storm(server) as storm: (do something terrible); afterwards storm.assert_promises_kept()."""

    def __init__(self, server, writers=4):
        self.server = server
        self.stop = threading.Event()
        self.writers = [Writer(server, number, self.stop) for number in range(writers)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for writer in self.writers:
            writer.join(PATIENCE)
            assert not writer.is_alive(), "a writer hangs"
            if writer.fault:
                raise writer.fault

    def count(self):
        return sum(len(writer.promised) for writer in self.writers)

    def refused(self):
        return sum(len(writer.refused) for writer in self.writers)

    def wait_for(self, more, what):
        """Until so many more pushes were acknowledged."""
        target = self.count() + more
        try:
            wait_until(lambda: self.count() >= target, what)
        except AssertionError as failure:
            refused = [writer.refused[-1] for writer in self.writers if writer.refused]
            raise AssertionError(f"{failure}; refused: {refused[:2]}") from None

    def assert_promises_kept(self):
        """Everything that was promised is there; everything that was only tried is there whole, or not at all."""
        for writer in self.writers:
            for target, digest in writer.tried.items():
                answer = writer.client.get(target)
                if target in writer.promised:
                    assert answer.status == 200, f"{target} was acknowledged, but is {answer.status} now"
                assert answer.status in (200, 404), answer
                assert answer.status == 404 or content.digest(answer.body) == digest, f"{target} has other bytes"
            for tag, (last, since) in writer.tags.items():
                answer = writer.client.get(writer.repository.manifest(tag))
                if last:
                    assert answer.status == 200, f"tag {tag} was acknowledged, but is {answer.status} now"
                if answer.status == 200:
                    assert answer["Docker-Content-Digest"] in [last, *since], f"tag {tag} is older than the last 201"
        assert_blobs_have_their_names(self.server.registry_storage)


def assert_blobs_have_their_names(storage, but_unsettled=False):
    """On disk, without asking the program: every blob is what its path says; in a cache after a power cut, if it is marked."""
    for path in (storage / "docker/registry/v2/blobs").rglob("data"):
        if but_unsettled and not path.stat().st_mode & stat.S_ISVTX:
            continue
        name = path.parent.name
        algorithm = path.parent.parent.parent.name
        assert hashlib.new(algorithm, path.read_bytes()).hexdigest() == name, f"half a blob: {path}"

"""Clients that push, mount, move tags, delete and pull, while a collector without grace, a repair, evictions and kills go on.

What the registry promised must hold: a push that was told "it is there" or "stored" never fails at its manifest, and what a
tag stands for can be pulled whole as long as the tag is there. Failures are counted, and there must be none.
"""
import collections
import functools
import json
import os
import random
import signal
import subprocess
import threading

from harness import content
from harness.client import BrokenAnswer
from harness.process import PATIENCE, send_signal, wait_until
from harness.registry import closing
from harness.server import BERTH, berth

LOST = (OSError, BrokenAnswer, AttributeError)  # a worker was killed: the client tries again, as real ones do
PASSING = {429, 500, 502, 503, 504}  # what a web server says of a worker that was killed
REPOSITORIES = ["torture/one", "torture/two", "torture/three"]
AHEAD = 6  # pushes for each collection: nothing untagged is collected within the hour, so each is dearer than the last
PULLS = 10  # for each push: what pullers take is not there for the others
SHARED = 12  # layers that images have in common, and that are nobody's when none of them has them


def shared_layer(number):
    return random.Random(number).randbytes(3000 + number)


class Torture:
    """with Torture(server) as torture: torture.wait_for(...); afterwards torture.assert_nothing_failed()."""

    def __init__(self, server, *others, pushers=3, pullers=2, kills=True, repairs=True, more=()):
        """`others` are on the same stores, as other hosts are: each with clients and a collector. `more` are further Torturers,
        as functions that make them."""
        self.server, self.hosts = server, [server, *others]
        self.stop = threading.Event()
        self.tags = {}  # (repository, tag) -> digest: what can be pulled now
        self.counts = collections.Counter()
        self.failures = []
        self.kills = kills
        works = [Pusher(self, number).act for number in range(pushers)] + [Puller(self, number).act for number in range(pullers)]
        works += [make(self, number).act for number, make in enumerate(more)]
        works += [functools.partial(self.collect, host) for host in self.hosts] + [self.repair] * repairs + [self.kill] * kills
        self.threads = [threading.Thread(target=self.go_on, args=(work,), daemon=True) for work in works]
        self.random = random.Random(4711)

    def go_on(self, work):
        try:
            while not self.stop.is_set():
                work()
        except Exception as fault:
            self.fail("a thread", repr(fault))

    def fail(self, what, why):
        self.failures.append((what, why))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "something hangs"
        for host in self.hosts if self.kills else []:
            with host.expecting_faults():  # a web server may speak of the last killed worker later than it dies
                host.note_workers()

    def wait_for(self, **counts):
        """Until so many of each have been done, however long all of it takes as long as one comes after the other."""
        for name, count in counts.items():
            while not self.failures and self.counts[name] < count:
                seen = self.counts[name]
                wait_until(lambda: self.failures or self.counts[name] > seen, f"one more of {name}; there were {dict(self.counts)}")

    def assert_nothing_failed(self):
        print(dict(self.counts), f"failed: {len(self.failures)}")
        assert not self.failures, f"{len(self.failures)} failures, such as {self.failures[:3]}"

    # --- what goes on beside the clients

    def collect(self, host):
        """`berth gc`, one after the other; now and then one is killed, wherever it is."""
        killed_after = ["timeout", "-s", "KILL", f"{self.random.random() / 20:.3f}"]
        killed_after = killed_after if self.kills and self.random.random() < 0.3 else []
        done = subprocess.run([*killed_after, BERTH, "-c", str(host.configuration), "gc", "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            report = json.loads(done.stdout.splitlines()[-1])
            self.counts["collections"] += 1
            for what in ("collected_manifests", "collected_links", "collected_blobs", "removed_repositories"):
                self.counts[what] += report[what]
        elif done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            self.counts["killed collectors"] += 1
        elif len(self.hosts) > 1 and "another one is at work" in done.stderr:
            self.counts["busy collectors"] += 1
        else:
            self.fail("berth gc", done)

    def let_them_push(self, count):
        """Until there were so many more pushes."""
        enough = self.counts["pushes"] + count
        wait_until(lambda: self.stop.is_set() or self.counts["pushes"] >= enough, "pushes")

    def let_them_collect(self):
        wait_until(lambda: self.stop.is_set() or self.failures or self.counts["pushes"] < AHEAD * (1 + self.counts["collections"]), "collections")

    def let_them_push_before(self, pulls):
        wait_until(lambda: self.stop.is_set() or self.failures or self.counts[pulls] < PULLS * (1 + self.counts["pushes"]), "pushes")

    def repair(self):
        how = ["--older-than", f"{self.random.randrange(20)}s", "--rate", "100M"] if self.random.randrange(3) else ["--no-content"]
        done = berth(self.random.choice(self.hosts).configuration, "check", "--repair", *how)
        self.counts["repairs"] += 1
        if done.returncode > 0:  # or killed, as if it were a worker
            self.fail("berth check --repair", done.stdout + done.stderr)
        self.let_them_push(30)

    def kill(self):
        self.let_them_push(5 + self.random.randrange(30))
        host = self.random.choice(self.hosts)
        with host.expecting_faults():
            workers = host.workers()
            if workers:
                send_signal(self.random.choice(workers), signal.SIGKILL)
                self.counts["killed workers"] += 1


class Torturer:
    def __init__(self, torture, number):
        self.torture, self.number = torture, number
        self.random = random.Random(os.urandom(8))
        self.client = torture.hosts[number % len(torture.hosts)].client
        self.asked_again = False  # the last question

    def ask(self, *arguments, **options):
        """An answer, however often a worker is killed on the way."""
        self.asked_again = False
        for _ in range(1000):
            try:
                answer = self.client.request(*arguments, **options)
                if answer.status not in PASSING:
                    return answer
            except LOST:
                pass
            self.torture.counts["tries again"] += 1
            self.asked_again = True
        raise AssertionError(f"no answer to {arguments}")

    def expect(self, statuses, what, *arguments, **options):
        answer = self.ask(*arguments, **options)
        if answer.status not in statuses:
            self.torture.fail(what, (arguments, answer))
            return None
        return answer


class Pusher(Torturer):
    def __init__(self, torture, number):
        super().__init__(torture, number)
        self.past = collections.defaultdict(list)  # what each tag has stood for

    def act(self):
        self.torture.let_them_collect()
        name = self.random.choice(REPOSITORIES)
        repository = self.client.repository(name)
        tag = f"pusher{self.number}-{self.random.randrange(4)}"
        way = self.random.randrange(11)
        if way == 10:
            self.put_back(repository, tag)
        elif way < 5:
            self.push(repository, tag)
        elif way == 5:
            self.push_index(repository, tag)
        elif way == 6:
            self.move(repository, tag)
        else:
            self.delete(repository, tag)

    def give_blob(self, repository, data):
        """As clients do: who is told that a blob is there does not upload it."""
        digest = content.digest(data)
        way = self.random.randrange(3)
        if way == 0:
            self.torture.counts["uploaded unasked"] += 1
        elif way == 1:
            origin = self.random.choice(REPOSITORIES)
            answer = self.expect((201, 202), "a mount", "POST", f"{repository.uploads}?mount={digest}&from={origin}")
            if answer and answer.status == 201:
                self.torture.counts["mounted"] += 1
                return
        else:
            answer = self.expect((200, 404), "HEAD of a blob", "HEAD", repository.blob(digest))
            if answer and answer.status == 200:
                self.torture.counts["found there"] += 1
                return
        for _ in range(100):  # a session may go with its worker
            answer = self.expect((202,), "a session", "POST", repository.uploads)
            answer = answer and self.ask("PUT", closing(answer["Location"], digest), body=data)
            if answer and answer.status == 201:
                self.torture.counts["uploaded"] += 1
                return
            # A body that was sent twice, since its first worker was killed with it in hand, has another digest.
            if answer and answer.status not in (404, 409, 416) and not (answer.status == 400 and self.asked_again):
                break
        self.torture.fail("an upload", answer)

    def make_image(self, repository, **more):
        config = content.encode({"architecture": "amd64", "os": "linux", "noise": content.noise(8).hex()})
        layers = [shared_layer(number) for number in self.random.sample(range(SHARED), 3)] + [content.noise(500)]
        for blob in [config, *layers]:
            self.give_blob(repository, blob)
        return content.encode(content.image(content.descriptor(config, content.CONFIG), list(map(content.descriptor, layers)), **more))

    def put(self, repository, reference, document, media_type=content.IMAGE):
        answer = self.expect((201,), "a manifest's push", "PUT", repository.manifest(reference),
                             headers={"Content-Type": media_type}, body=document)
        if answer:
            self.torture.counts["pushes"] += 1
        return answer

    def forget(self, repository, tag):
        self.torture.tags.pop((repository.name, tag), None)

    def remember(self, repository, tag, document):
        self.past[repository.name, tag].append(content.digest(document))
        self.torture.tags[repository.name, tag] = content.digest(document), object()

    def put_back(self, repository, tag):
        """To whatever it was, wherever that is by now."""
        if not self.past[repository.name, tag]:
            return
        digest = self.random.choice(self.past[repository.name, tag])
        self.forget(repository, tag)
        done = None
        while not done or done.returncode == -signal.SIGKILL:  # as if it were a worker
            done = berth(self.torture.server.configuration, "restore", f"{repository.name}:{tag}@{digest}")
        if done.returncode == 0:
            self.torture.tags[repository.name, tag] = digest, object()
            self.torture.counts["put back"] += 1
        else:
            self.torture.fail("putting a tag back", done)

    def push(self, repository, tag):
        document = self.make_image(repository)
        self.forget(repository, tag)
        if self.put(repository, tag, document):
            self.remember(repository, tag, document)
            signature = self.make_image(repository, subject=content.descriptor(document, content.IMAGE))
            self.put(repository, content.digest(signature), signature)

    def push_index(self, repository, tag):
        children = [self.make_image(repository) for _ in range(2)]
        for child in children:
            self.put(repository, content.digest(child), child)
        document = content.encode(content.index([content.descriptor(child, content.IMAGE) for child in children]))
        self.forget(repository, tag)
        if self.put(repository, tag, document, content.INDEX):
            self.remember(repository, tag, document)

    def move(self, repository, tag):
        """The same manifest under another tag."""
        other = f"pusher{self.number}-moved"
        answer = self.ask("GET", repository.manifest(tag))
        if answer.status == 200:
            self.forget(repository, other)
            if self.put(repository, other, answer.body, answer["Content-Type"]):
                self.remember(repository, other, answer.body)

    def delete(self, repository, tag):
        """One tag; or a manifest, with all tags that stand for it, which are ours."""
        entry = self.torture.tags.get((repository.name, tag))
        tags = [tag]
        if entry and self.random.randrange(2):
            tags = [key[1] for key, (digest, _) in list(self.torture.tags.items()) if key[0] == repository.name and digest == entry[0]]
            for each in tags:
                self.forget(repository, each)
            reference = entry[0]
        else:
            self.forget(repository, tag)
            reference = tag
        answer = self.expect((202, 404), "a deletion", "DELETE", repository.manifest(reference))
        if answer and answer.status == 202 and entry and not self.asked_again and self.random.randrange(2):
            self.undo(repository, reference, tags, entry[0])
        self.torture.counts["deletions"] += 1


    def undo(self, repository, reference, tags, digest):
        """What was deleted is back as it was, whatever has become of it meanwhile."""
        what = f"{repository.name}{'@' if ':' in reference else ':'}{reference}"
        done = None
        while not done or done.returncode == -signal.SIGKILL:  # as if it were a worker
            done = berth(self.torture.server.configuration, "restore", what)
        if done.returncode != 0 and not self.is_about_others(done, tags):
            self.torture.fail("a restore", done)
            return
        for tag in tags:
            self.torture.tags[repository.name, tag] = digest, object()
        self.torture.counts["restores"] += 1

    @staticmethod
    def is_about_others(done, tags):
        """A tag that an earlier deletion of the same manifest took, and that was pushed again since: told, and left alone."""
        told = [line for line in done.stdout.splitlines() if not line.endswith(" is back")]
        kept = [line.split(":")[0] for line in told if line.endswith(": the tag was pushed again, and stays what it is now")]
        return done.returncode == 1 and len(kept) == len(told) > 0 and not set(kept) & set(tags)


class Puller(Torturer):
    """What goes wrong counts if the tag was there all the time."""

    def act(self):
        self.torture.let_them_push_before("pulls")
        present = list(self.torture.tags.items())
        if not present:
            return
        (name, tag), entry = self.random.choice(present)
        trouble = self.pull(self.client.repository(name), tag, entry[0])
        if self.torture.tags.get((name, tag)) is entry:
            self.torture.counts["pulls"] += 1
            if trouble:
                self.torture.fail(f"a pull of {name}:{tag}", trouble)

    def pull(self, repository, reference, digest):
        answer = self.ask("GET", repository.manifest(reference))
        if answer.status != 200 or content.digest(answer.body) != digest:
            return answer
        document = answer.json()
        for child in document.get("manifests", []):
            trouble = self.pull(repository, child["digest"], child["digest"])
            if trouble:
                return trouble
        for blob in [document["config"], *document["layers"]] if "layers" in document else []:
            answer = self.ask("GET", repository.blob(blob["digest"]))
            if answer.status != 200 or content.digest(answer.body) != blob["digest"]:
                return (repository.blob(blob["digest"]), answer)
        return None


def named_blobs(server):
    """What the manifests of all repositories name, themselves included, by the files of the store."""
    found = set()
    for link in (server.store / "repositories").glob("**/_manifests/revisions/*/*/link"):
        digest = link.read_text()
        data = blob_path(server, digest).read_bytes()
        document = json.loads(data)
        found |= {digest} | {each["digest"] for each in [document.get("config"), *document.get("layers", []), *document.get("manifests", [])] if each}
    return found


def blob_path(server, digest):
    algorithm, digits = digest.split(":")
    return server.store / "blobs" / algorithm / digits[:2] / digits / "data"


def stored_blobs(server):
    return {f"{path.parents[2].name}:{path.parent.name}" for path in (server.store / "blobs").rglob("data")}

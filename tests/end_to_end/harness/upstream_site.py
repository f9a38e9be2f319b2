"""Berth with other registries around it, each under an alias of its own, so that what one test breaks does not bother the next."""
import contextlib
import hashlib
import threading

from harness.client import BrokenAnswer, parse
from harness.process import PATIENCE, read, wait_until
from harness.server import Server
from harness.upstream import Upstream

SETTINGS = """
[hosted]
minimum_free_space = 0
{hosted}
[proxy]
minimum_free_space = {reserve}
tag_ttl = {tag_ttl}s
connect_timeout = {connect_timeout}s
stall_timeout = {stall_timeout}s
{proxy}
"""
SECTION = """
[upstream {name}]
url = {url}
allow_private_address = yes
{more}
"""


def is_idle(pid):
    return read(f"/proc/{pid}/comm").strip() == "berth-idle"


class Site:
    """`with Site(directory, "nginx") as site`: site.server, and site.take() for an upstream that nobody has used yet."""

    def __init__(self, directory, web="nginx", count=1, proxy="", hosted="", settings="", tag_ttl=60, stall_timeout=60, connect_timeout=30,
                 more="", reserve="0", **options):
        self.upstreams = [Upstream(alias=f"up{number}") for number in range(count)]
        self.next = iter(self.upstreams)
        sections = "".join(SECTION.format(name=each.alias, url=each.url, more=more) for each in self.upstreams)
        self.server = Server(directory, web, settings=SETTINGS.format(proxy=proxy, hosted=hosted, reserve=reserve, tag_ttl=tag_ttl,
                                                                     stall_timeout=stall_timeout,
                                                                     connect_timeout=connect_timeout) + sections + settings,
                             **options)
        self.cache = self.server.storage / "proxy"

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *exception):
        for upstream in self.upstreams:
            upstream.close()
        self.server.__exit__(*exception)

    def take(self):
        return next(self.next)

    def forgive(self, upstream):
        """As if all workers had forgotten that an upstream was in trouble."""
        (self.cache / "_berth/upstreams" / upstream.alias / "trouble").unlink(missing_ok=True)

    def children(self):
        """Processes that wait for an upstream, and fillers that are at work."""
        return [pid for pid in self.server.programs() if pid not in self.server.pids and not is_idle(pid)]

    def idle(self):
        """Fillers that wait for something to fetch."""
        return [pid for pid in self.server.programs() if is_idle(pid)]

    @contextlib.contextmanager
    def expecting_cuts(self):
        """Around what ends answers early: worker and web server then rightly complain."""
        yield
        wait_until(lambda: not self.children(), "the end of all processes that wait for upstreams")
        self.server.log()  # a web server writes its complaint before it closes the client's connection

    @property
    def client(self):
        return self.server.client

    def at(self, upstream, name="app"):
        """The repository `name` of an upstream, as a client of ours sees it."""
        return self.client.repository(f"proxy/{upstream.alias}/{name}")


class Download(threading.Thread):
    """A GET of something large on a connection of its own: what came, when, and whether the end was the end."""

    def __init__(self, client, target, headers=None, leave_after=None):
        super().__init__(daemon=True)
        self.client, self.target, self.headers, self.leave_after = client, target, headers, leave_after
        self.answer = self.fault = None
        self.size, self.hash = 0, hashlib.sha256()
        self.body = bytearray()  # of short answers
        self.start()

    def run(self):
        try:
            with self.client.connect() as connection:
                connection.sendall(self.client.head("GET", self.target, self.headers, None, None))
                self.receive(connection)
        except (OSError, BrokenAnswer) as fault:
            self.fault = fault

    def receive(self, connection):
        buffer = bytearray(256 * 1024)
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(65536)
            if not block:
                raise BrokenAnswer(f"closed after {head!r}")
            head += block
        head, _, rest = head.partition(b"\r\n\r\n")
        self.answer = parse(head + b"\r\n\r\n", "HEAD")
        while True:
            if rest:
                self.hash.update(rest)
                self.size += len(rest)
                if len(self.body) < 65536:
                    self.body += rest
            if self.leave_after is not None and self.size >= self.leave_after:
                return
            count = connection.recv_into(buffer)
            if not count:
                return
            rest = memoryview(buffer)[:count]

    def result(self):
        """Waits for the end. Never a hang."""
        self.join(PATIENCE)
        assert not self.is_alive(), f"{self.target} hangs after {self.size} bytes"
        return self

    @property
    def status(self):
        return self.answer and self.answer.status

    @property
    def is_whole(self):
        """All that was announced came."""
        return self.fault is None and self.answer is not None and self.answer["Content-Length"] is not None \
            and int(self.answer["Content-Length"]) == self.size

    @property
    def is_success(self):
        """What a client takes for the content. An error is whole, too, and comes instead where nothing has been sent yet."""
        return self.is_whole and self.status in (200, 206)

    @property
    def digest(self):
        return f"sha256:{self.hash.hexdigest()}"

    def __repr__(self):
        return f"<{self.status} {self.size} of {self.answer and self.answer['Content-Length']}, {self.fault}>"


@contextlib.contextmanager
def downloads(client, target, count, headers=None):
    """So many clients at once; the block ends when all have."""
    started = [Download(client, target, headers) for _ in range(count)]
    yield started
    for each in started:
        each.result()


def download(client, target, headers=None):
    return Download(client, target, headers).result()

"""An HTTP/1.1 server of a few lines that does exactly what a test wants, however wrong, and remembers what it was asked.

A thread and a connection per request. A handler makes a Reply; rules that a test has laid down may spoil it.
"""
import contextlib
import select
import socket
import threading
import time

from harness.process import PATIENCE

BLOCK = 64 * 1024


class Request:
    def __init__(self, method, target, headers):
        self.method, self.target, self.headers = method, target, headers
        self.path, _, self.query = target.partition("?")
        self.sent = 0  # bytes of the answer's body that left
        self.status = None
        self.begun = time.monotonic()

    def __getitem__(self, name):
        return self.headers.get(name.lower())

    def __repr__(self):
        return f"{self.method} {self.target} -> {self.status}"


class Reply:
    """What is answered. `length` is the Content-Length that is claimed (None: none at all), whatever `body` has."""

    def __init__(self, status=200, body=b"", headers=None):
        self.status, self.body, self.headers = status, body, dict(headers or {})
        self.length = len(body)
        self.cut = None  # the connection is closed after so many bytes of the body
        self.stall = None  # nothing more comes after so many bytes of the body
        self.rate = None  # bytes per second, until the test lets go
        self.silent = False  # the connection is closed without a byte
        self.mute = False  # nothing is answered, and nothing closed
        self.endless = False  # chunks without an end
        self.raw = None  # instead of everything: what this yields, bytes to be sent or seconds to pause


class HttpServer:
    """`context` makes it one of HTTPS."""

    def __init__(self, host="127.0.0.1", context=None, port=0):
        self.host, self.context = host, context
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is on its way when somebody dies is lost: it shall not be more than a real network holds.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
        self.listener.bind((host, port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(512)
        self.requests, self.rules = [], []
        self.keeps = False  # connections, for the next request
        self.connections = 0
        self.lock = threading.Lock()
        self.free = threading.Event()  # set: nobody stalls or dawdles any longer
        self.closed = False
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://{self.authority}"

    def close(self):
        """From now on connections are refused."""
        self.closed = True
        self.free.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    # --- what tests say and ask

    def when(self, spoil, path="", method=None, times=None):
        """`spoil(reply, request)` changes the replies to requests with `path` in their target; at most so many `times`."""
        self.rules.append([spoil, path, method, times])

    def well_again(self):
        self.rules.clear()

    def asked(self, path="", method=None):
        """The requests that came, in order."""
        with self.lock:
            return [each for each in self.requests if path in each.target and method in (None, each.method)]

    def forget(self):
        with self.lock:
            self.requests.clear()

    def sent(self, path=""):
        """Bytes of bodies that left."""
        return sum(each.sent for each in self.asked(path))

    # --- the server

    def accept(self):
        while not self.closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(PATIENCE)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.connections += 1
                while (request := self.read(connection)) and self.answer(connection, request) and self.keeps:
                    pass

    def read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            block = connection.recv(65536)
            if not block:
                return None
            data += block
        first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        request = Request(method, target, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)})
        with self.lock:
            self.requests.append(request)
        return request

    def reply(self, request):
        raise NotImplementedError

    def spoil(self, request, reply):
        for rule in list(self.rules):
            with self.lock:
                spoil, path, method, times = rule
                if path not in request.target or method not in (None, request.method) or times == 0:
                    continue
                rule[3] = None if times is None else times - 1
            spoil(reply, request)

    def answer(self, connection, request):
        """Whether another request may follow."""
        reply = self.reply(request)
        self.spoil(request, reply)
        request.status = reply.status
        if reply.silent:
            return False
        if reply.mute:
            self.wait(connection)
            return False
        if reply.raw is not None:
            self.send_raw(connection, request, reply.raw)
            return False
        headers = {**({} if self.keeps else {"Connection": "close"}), **reply.headers}
        if reply.endless:
            headers["Transfer-Encoding"] = "chunked"
        elif reply.length is not None:
            headers["Content-Length"] = str(reply.length)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {reply.status} Whatever\r\n{head}\r\n".encode("latin-1")
        if reply.status >= 400 and request.method != "HEAD" and reply.stall is reply.cut is None and not reply.endless:
            request.sent = len(reply.body)  # a few words come with their head
        connection.sendall(head + bytes(reply.body[:request.sent]))
        if request.method != "HEAD":
            (self.send_endlessly if reply.endless else self.send)(connection, request, reply)
        return reply.length == len(reply.body) and reply.cut is None

    def wait(self, connection):
        """Silence until the other side leaves, or the test lets go."""
        while not self.free.is_set():
            if select.select([connection], [], [], 0.1)[0]:
                return

    def send(self, connection, request, reply):
        body, begin = memoryview(reply.body), time.monotonic()
        ends = [end for end in (reply.cut, reply.stall) if end is not None]
        end = min([len(body), *ends])
        step = BLOCK if reply.rate else 1 << 20
        while request.sent < end:
            part = body[request.sent:min(end, request.sent + step)]
            connection.sendall(part)
            request.sent += len(part)
            if reply.rate:
                self.free.wait(max(0, begin + request.sent / reply.rate - time.monotonic()))
        if reply.stall is not None and request.sent >= reply.stall:
            self.wait(connection)
            connection.sendall(body[request.sent:])
            request.sent = len(body)

    def send_raw(self, connection, request, parts):
        for part in parts:
            if self.free.is_set():
                return
            if isinstance(part, bytes):
                connection.sendall(part)
                request.sent += len(part)
            elif select.select([connection], [], [], part)[0]:
                return  # the other side has left

    def send_endlessly(self, connection, request, reply):
        body = reply.body or b"x" * BLOCK
        while True:
            connection.sendall(b"%x\r\n%s\r\n" % (len(body), body))
            request.sent += len(body)

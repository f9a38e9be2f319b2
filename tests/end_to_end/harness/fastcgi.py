"""One worker without a web server: it gets a listening socket as descriptor 0, and the test speaks FastCGI with it.

So a test decides how a body arrives, byte by byte, and sees what a worker does by itself: sending blobs, ending on SIGTERM.
"""
import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess
import termios

from harness.client import BrokenAnswer, Response
from harness.process import PATIENCE, TIED_TO_US, alive
from harness.registry import Registry
from harness.server import BERTH, FAULTS, SANITIZERS, Server, berth, configuration_in

BEGIN, END, PARAMETERS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7


def record(kind, data=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(data), 0, 0) + data


def stream(kind, data):
    """A stream's records, without the empty one that ends it."""
    return b"".join(record(kind, data[at:at + 65535]) for at in range(0, len(data), 65535))


def pair(name, value):
    name, value = name.encode(), value.encode("utf-8", "surrogateescape")
    return size(name) + size(value) + name + value


def size(part):
    return bytes([len(part)]) if len(part) < 128 else struct.pack(">I", len(part) | 1 << 31)


class Exchange:
    """A request on its way: send() parts of the body, end() it, read the answer()."""

    def __init__(self, path, method, parameters, keep=False):
        self.method = method
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(PATIENCE)
        self.connection.connect(str(path))
        head = b"".join(pair(name, value) for name, value in parameters.items())
        self.write(record(BEGIN, struct.pack(">HB5x", 1, keep)) + stream(PARAMETERS, head) + record(PARAMETERS))

    def write(self, data):
        self.connection.sendall(data)

    def send(self, data):
        self.write(stream(STDIN, data))

    def end(self):
        with contextlib.suppress(BrokenPipeError):  # it knew the length and has answered already
            self.write(record(STDIN))

    def is_received(self):
        """Whether the worker has read everything that was sent so far."""
        waiting = fcntl.ioctl(self.connection, termios.TIOCOUTQ, struct.pack("i", 0))
        return struct.unpack("i", waiting) == (0,)

    def close(self):
        self.connection.close()

    def exactly(self, size):
        data = b""
        while len(data) < size:
            block = self.connection.recv(size - len(data))
            if not block:
                raise BrokenAnswer(f"the worker closed the connection after {data!r}")
            data += block
        return data

    def answer(self):
        output = b""
        while True:
            _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", self.exactly(8))
            data = self.exactly(size + padding)[:size]
            if kind == STDOUT:
                output += data
            elif kind == END:
                self.close()
                return self.parse(output)

    def parse(self, output):
        head, separator, body = output.partition(b"\r\n\r\n")
        if not separator:
            raise BrokenAnswer(output[:200])
        headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200")
        answer = Response(int(status.split()[0]), headers, body)
        length = answer["Content-Length"]
        if self.method == "HEAD" or answer.status in (204, 304):
            assert not body, answer
        elif answer["X-Sendfile"] or answer["X-Accel-Redirect"]:
            assert not body, answer
        elif length is not None and int(length) != len(body):
            raise BrokenAnswer(f"Content-Length {length}, but {len(body)} bytes")
        return answer


class ExchangeAtOnce(Exchange):
    """As nginx sends a request without a body, or with one that is short: all of it in one go."""
    unsent = b""

    def write(self, data):
        self.unsent += data

    def end(self):
        super().end()
        self.connection.sendall(self.unsent)


class Worker(Registry):
    """`parameters` are FastCGI parameters that every request has, such as BERTH_SENDFILE or DOCUMENT_ROOT."""
    exchange = Exchange

    def __init__(self, directory, settings="", expected_faults=False, storage="storage", backlog=64, **parameters):
        super().__init__("localhost", 80)
        self.directory = pathlib.Path(directory)
        self.configuration = self.directory / "configuration.ini"
        if not self.configuration.exists():
            self.configuration.write_text(configuration_in(storage) + settings)
        self.registry_storage = self.directory / storage / "registry"
        for name in ("registry", "_tmp/bodies", "proxy"):
            (self.directory / storage / name).mkdir(parents=True, exist_ok=True)
        self.parameters, self.expected_faults, self.backlog = parameters, expected_faults, backlog
        self.path = self.directory / "socket"
        self.log_path = self.directory / "worker.log"
        self.process = None

    def listening(self):
        """The socket, on which requests wait until there is a worker."""
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(self.backlog)
        return listener

    def start(self, listener=None):
        with listener or self.listening() as listener, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*TIED_TO_US, BERTH], stdin=listener, stdout=log, stderr=log,
                                            start_new_session=True,
                                            env={**os.environ, "BERTH_CONFIGURATION": str(self.configuration)})
        Server.running.append(self)
        return self

    def stop(self):
        """SIGTERM; the exit status. An idle worker leaves at once."""
        if self in Server.running:
            Server.running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
            assert not SANITIZERS.search(self.log()), self.log()
            return status
        finally:
            self.process.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None and self in Server.running:
                self.assert_well()
        finally:
            self.stop()

    def open(self, method, target, headers=None, length=None, keep=False, **parameters):
        """A request of which only the parameters have been sent. `keep` asks for the connection to be kept."""
        fields = {"REQUEST_METHOD": method, "REQUEST_URI": target, "QUERY_STRING": target.partition("?")[2],
                  "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": self.authority, "REQUEST_SCHEME": "http",
                  "SERVER_SOFTWARE": "test", "GATEWAY_INTERFACE": "CGI/1.1"}
        if length is not None:
            fields["CONTENT_LENGTH"] = str(length)
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            fields[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        return self.exchange(self.path, method, {**fields, **self.parameters, **parameters}, keep)

    def request(self, method, target, headers=None, body=None, chunks=None, **parameters):
        length = None if chunks is not None else len(body or b"")
        exchange = self.open(method, target, headers, length, **parameters)
        try:
            for part in chunks if chunks is not None else [body or b""]:
                exchange.send(part)
            exchange.end()
        except BrokenPipeError:
            pass  # it has answered without reading all of the body
        return exchange.answer()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def assert_well(self):
        assert alive(self.process.pid) and self.process.poll() is None, self.log()
        assert self.expected_faults or not FAULTS.search(self.log()), self.log()
        checked = berth(self.configuration, "check")
        assert checked.returncode == 0, checked.stdout + checked.stderr

"""The server under test: deploy/run with a store of its own on a free port, and what must hold after every test."""
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import uuid

from harness.process import PATIENCE, TIED_TO_US, alive, birth, family, next_tick, parents, runs, send_signal, wait_until
from harness.registry import Registry

ROOT = pathlib.Path(__file__).resolve().parents[3]
BERTH = os.path.abspath(os.environ.get("BERTH") or ROOT / "build" / "berth")
WORKERS = 4

# What no log may ever hold: a fault that a worker reports, a sanitizer's report, a web server that misses its worker.
SANITIZERS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")
FAULTS = re.compile(rf"(?:berth: error: |{SANITIZERS.pattern}|prematurely closed|"
                    r"\[(?:crit|alert|emerg)\]|unexpected end-of-file|response not received).*")

CONFIGURATION = """\
registry_storage = storage/registry
temporary_registry_storage = storage/_tmp
proxy_storage = storage/proxy
"""


def configuration_in(storage):
    """CONFIGURATION with the stores somewhere else."""
    return CONFIGURATION.replace("= storage/", f"= {storage}/")


def state_of(*directories):
    """What is below them, by names, sizes and times of change: the same state is the same files with the same bytes. None if
    there are so many that `berth check` looks as quickly. Its own notes do not count."""
    state, left = set(), list(map(str, directories))
    while left and len(state) < 1000:
        with contextlib.suppress(FileNotFoundError), os.scandir(left.pop()) as entries:
            for entry in list(entries):
                if entry.path.endswith(("/_berth/verified", "/_berth/last")):
                    continue
                found = entry.stat(follow_symlinks=False)
                state.add((entry.path, found.st_ino, found.st_size, found.st_mode, found.st_ctime_ns))
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
    return None if left else state


def free_port():
    """Not of those that the kernel takes for outgoing connections: nobody gets it before the server that it is for."""
    while True:
        port = random.SystemRandom().randrange(10000, 32768)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def berth(configuration, *arguments, **options):
    """Runs a subcommand of the program on a configuration file. A collector leaves alone what was touched in the tick that it began in."""
    if "gc" in arguments:
        next_tick()
    environment = {**os.environ, "BERTH_CONFIGURATION": str(configuration)}
    given = {} if "input" in options else {"stdin": subprocess.DEVNULL}
    return subprocess.run([BERTH, *arguments], env=environment, text=True, capture_output=True, timeout=PATIENCE, **given, **options)


class Server:
    """A web server with its pool of workers. "apache-cgi" is `web` and `mode` in one word.

    `expected_faults` is for the tests that take the disk away; `storage` for a second server on the same stores. Without
    `configured`, deploy/run writes the configuration.
    """

    running = []
    program = ROOT / "deploy/run"

    def __init__(self, directory, web="nginx", mode="fastcgi", workers=WORKERS, settings="", expected_faults=False,
                 storage="storage", configured=True):
        self.directory = pathlib.Path(directory)
        self.configured = configured
        self.web, _, mode_of_web = web.partition("-")
        self.mode, self.worker_count = mode_of_web or mode, workers
        self.expected_faults = expected_faults
        self.configuration = self.directory / ("configuration.ini" if configured else f"{storage}/configuration.ini")
        if configured:
            self.configuration.write_text(configuration_in(storage) + settings)
        self.logs = self.directory / "logs"
        self.logs.mkdir(exist_ok=True)
        self.runtime = self.directory / "runtime"
        self.output = self.logs / "run.log"
        self.storage = self.directory / storage
        self.registry_storage = self.storage / "registry"
        self.store = self.registry_storage / "docker/registry/v2"
        self.temporary = self.storage / "_tmp"
        self.client = self.process = self.mark = None
        self.port = free_port()
        self.pids = []
        self.read_up_to = {}
        self.checked = None  # the state that `berth check` found nothing in

    @property
    def authority(self):
        return f"localhost:{self.port}"

    def start(self):
        self.mark = f"BERTH_TEST_SERVER={uuid.uuid4()}"
        name, value = self.mark.split("=")
        environment = {**os.environ, name: value, "PORT": str(self.port), "SERVER": self.web, "MODE": self.mode,
                       "WORKERS": str(self.worker_count), "STATE": str(self.storage), "BERTH": BERTH,
                       "CONFIGURATION": str(self.configuration) if self.configured else "", "LOGS": str(self.logs), "RUNTIME": str(self.runtime),
                       "ADDRESS": "127.0.0.1"}
        with open(self.output, "ab") as output:
            start = output.tell()
            self.process = subprocess.Popen([*TIED_TO_US, self.program], cwd=self.directory, env=environment,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)
        self.born = birth(self.process.pid)
        wait_until(lambda: self.is_ready(start), f"'ready' in {self.output}")
        if self.mode == "fastcgi":
            wait_until(lambda: len(self.workers()) == self.worker_count, f"{self.worker_count} workers")
        self.client = Registry("127.0.0.1", self.port)
        self.note_workers()
        Server.running.append(self)
        return self

    def is_ready(self, start):
        with open(self.output, "rb") as output:
            output.seek(start)
            text = output.read().decode(errors="replace")
        assert self.process.poll() is None, f"deploy/run ended with {self.process.returncode}:\n{text}"
        return f"ready http://127.0.0.1:{self.port}" in text

    def stop(self, how=signal.SIGTERM):
        """Ends it as Ctrl-C or an init system does; nothing may stay behind."""
        if self in Server.running:
            Server.running.remove(self)
        if how == signal.SIGKILL:
            for pid in self.processes():
                send_signal(pid, how)
        else:
            self.process.send_signal(how)  # which knows when the number belongs to somebody else by now
        try:
            self.process.wait(PATIENCE)
            wait_until(lambda: not self.processes(), f"all processes gone: {self.processes()}")
            report = SANITIZERS.search(self.whole_log())  # leaks are told at the very end
            assert not report, self.whole_log()[report.start():][:4000]
        finally:
            for pid in self.processes():
                send_signal(pid, signal.SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self not in Server.running:
            return
        try:
            if kind is None:
                self.assert_well()
        finally:
            self.stop()

    def processes(self):
        """Everything that deploy/run started, itself included, and what a CGI process left behind to work on."""
        return family({self.mark, f"BERTH_CONFIGURATION={self.configuration}"}, self.runtime, self.born)

    def programs(self):
        """Process ids of workers, CGI processes, and of what they forked."""
        return [pid for pid in self.processes() if runs(pid, BERTH)]

    def workers(self):
        """Process ids of the pool's workers."""
        return self.programs() if self.mode == "fastcgi" else []

    def reload_nginx(self):
        """Returns when no process of the old configuration takes connections any more."""
        master = int((self.runtime / "web.pid").read_text())
        old = [pid for pid, parent in parents().items() if parent == master]
        send_signal(master, signal.SIGHUP)
        wait_until(lambda: not any(map(alive, old)), f"the end of nginx's processes {old}")

    def note_workers(self):
        """From now on these are the workers that must stay alive (a test has ended some on purpose)."""
        if self.mode == "fastcgi":
            wait_until(lambda: len(self.workers()) == self.worker_count, f"{self.worker_count} workers")
        self.pids = self.workers()

    def log(self, whole=False):
        """What all logs say (since the last look, unless `whole`)."""
        text = []
        for path in sorted(self.logs.iterdir()):
            with open(path, "rb") as log:
                log.seek(0 if whole else self.read_up_to.get(path, 0))
                text.append(log.read().decode(errors="replace"))
                self.read_up_to[path] = log.tell()
        return "".join(text)

    def whole_log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.iterdir()))

    @contextlib.contextmanager
    def expecting_faults(self):
        """While a test takes something away that a worker may rightly complain about, though never as a sanitizer does."""
        yield
        fault = SANITIZERS.search(self.log())
        assert not fault, f"in the log: {fault.group(0)}\n{self.whole_log()[-4000:]}"

    def check(self, *arguments):
        return berth(self.configuration, "check", *arguments)

    def assert_well(self):
        """All workers alive, nothing in the log that must not be there, the store consistent."""
        assert all(runs(pid, BERTH) for pid in self.pids), \
            f"workers {self.pids} have become {self.workers()}; {self.process.poll()}\n{self.whole_log()[-3000:]}"
        fault = None if self.expected_faults else FAULTS.search(self.log())
        assert not fault, f"in the log: {fault.group(0)}\n{self.whole_log()[-4000:]}"
        state = state_of(self.registry_storage, self.storage / "proxy")
        if state is None or state != self.checked:
            checked = self.check()
            assert checked.returncode == 0, f"berth check: {checked.returncode}\n{checked.stdout}{checked.stderr}"
            self.checked = state

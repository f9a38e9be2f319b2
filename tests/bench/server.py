# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, each with what it has burnt and what it holds."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def of_session(leader):
    """The processes of the session that the process `leader` began."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == leader:
                found.append(int(entry))
        except ProcessLookupError:
            pass
    return found


def cpu_time(pid):
    """Seconds on a processor of all threads of a process. schedstat counts nanoseconds, stat only hundredths."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
    except FileNotFoundError:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rollup(pid):
    """A process's memory by kind, in bytes."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {key.rstrip(":"): int(value) * 1024 for key, value, *_ in map(str.split, lines)}


class Server:
    """Runs from `with` to its end. `sessions` are the leaders of its processes' sessions, by role."""

    name = None

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.process = None
        self.sessions = {}

    @property
    def authority(self):
        return f"127.0.0.1:{self.port}"

    def start(self, command, **environment):
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)

    def wait(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"{self.name} does not start") from None
            time.sleep(0.05)

    def __exit__(self, *_):
        if self.process.poll() is not None:
            print(f"bench: {self.name} has ended with status {self.process.returncode}; its last words:\n"
                  + (self.directory / "output").read_text(errors="replace")[-2000:], file=sys.stderr)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def pids(self, role=None):
        leaders = self.sessions.values() if role is None else [self.sessions[role]]
        return [pid for leader in leaders for pid in of_session(leader)]

    def cpu(self):
        return sum(cpu_time(pid) for pid in self.pids())

    def memory(self, role=None):
        """Bytes in memory. What its processes share counts once, whoever else on the machine has it mapped too."""
        held = [rollup(pid) for pid in self.pids(role)]
        private = sum(kinds["Private_Clean"] + kinds["Private_Dirty"] for kinds in held)
        return private + max(kinds["Shared_Clean"] + kinds["Shared_Dirty"] for kinds in held)

    def blob_path(self, digest):
        algorithm, _, digits = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / digits[:2] / digits / "data"


class Cpu:
    """How many seconds of the processors a server has taken between `with` and its end."""

    def __init__(self, server):
        self.server, self.seconds = server, None

    def __enter__(self):
        self.seconds = -self.server.cpu()
        return self

    def __exit__(self, *_):
        time.sleep(0.05)    # what is done after the answer is part of the price
        self.seconds += self.server.cpu()


class Account:
    """What a server and all that it starts from now on have burnt, those that have ended included: the kernel keeps a book."""

    groups = []

    def __init__(self, server):
        self.group = next((pathlib.Path(path) / f"berth-bench-{os.getpid()}-{server.port}"
                           for path in ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/unified", "/sys/fs/cgroup") if self.can_be_in(path)), None)
        if self.group:
            self.group.mkdir()
            Account.groups.append(self.group)
            for pid in server.pids():
                self.take(pid)

    @staticmethod
    def forget():
        for group in Account.groups:
            with contextlib.suppress(OSError):
                group.rmdir()

    @staticmethod
    def can_be_in(path):
        names = "cpuacct.usage", "cpu.stat"
        return os.access(path, os.W_OK) and any(os.path.exists(os.path.join(path, name)) for name in names)

    def take(self, pid):
        tasks = self.group / "tasks"
        for task in os.listdir(f"/proc/{pid}/task") if tasks.exists() else [pid]:
            (tasks if tasks.exists() else self.group / "cgroup.procs").write_text(str(task))

    def seconds(self):
        """Or None, where nobody keeps a book."""
        if not self.group:
            return None
        usage = self.group / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return int(dict(line.split() for line in (self.group / "cpu.stat").read_text().splitlines())["usage_usec"]) / 1e6


class Berth(Server):
    """A web server and the workers, as deploy/run starts them."""

    name = "Berth"

    def __init__(self, directory, program, workers, configuration="", web="nginx"):
        super().__init__(directory)
        self.program, self.workers, self.configuration, self.web = program, workers, configuration, web
        self.storage = self.directory / "state/registry"

    def __enter__(self):
        runtime, logs = self.directory / "runtime", self.directory / "logs"
        logs.mkdir()
        self.start([os.environ.get("BERTH_RUN") or ROOT / "deploy/run"], BERTH=self.program,
                   PORT=str(self.port), ADDRESS="127.0.0.1", SERVER=self.web, MODE="fastcgi", WORKERS=str(self.workers),
                   STATE=str(self.directory / "state"), RUNTIME=str(runtime), LOGS=str(logs),
                   CONFIGURATION=str(self.configuration))
        self.wait()
        self.sessions = {role: int((runtime / f"{role}.pid").read_text()) for role in ("web", "workers")}
        return self

    def worker_pids(self):
        program = os.path.realpath(self.program)
        return [pid for pid in self.pids("workers") if os.path.realpath(f"/proc/{pid}/exe") == program]

    def private(self):
        """The most that any worker holds which no other does, in bytes."""
        held = [rollup(pid) for pid in self.worker_pids()]
        return max(kinds["Private_Clean"] + kinds["Private_Dirty"] for kinds in held)

    def forget_peaks(self):
        for pid in self.worker_pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak(self):
        """The most that any worker has held since forget_peaks(), in bytes."""
        texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.worker_pids()]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in texts) * 1024


class DockerRegistry(Server):
    """Debian's docker-registry with the configuration that comes with it, but for passwords."""

    name = "docker-registry"

    def __init__(self, directory, upstream="", trusts="", users=""):
        super().__init__(directory)
        self.users = users
        self.storage, self.upstream, self.trusts = self.directory / "storage", upstream, trusts

    def __enter__(self):
        proxy = f"proxy: {{remoteurl: '{self.upstream}'}}" if self.upstream else ""
        auth = f"auth: {{htpasswd: {{realm: bench, path: '{self.users}'}}}}" if self.users else ""
        (self.directory / "config.yml").write_text(f"""\
version: 0.1
log: {{fields: {{service: registry}}}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {self.storage}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{self.port}
  headers: {{X-Content-Type-Options: [nosniff]}}
health: {{storagedriver: {{enabled: true, interval: 10s, threshold: 3}}}}
{proxy}
{auth}
""")
        trusts = {"SSL_CERT_FILE": str(self.trusts)} if self.trusts else {}
        self.start(["docker-registry", "serve", self.directory / "config.yml"], **trusts)
        self.sessions = {"registry": self.process.pid}
        self.wait()
        return self


class Nginx(Server):
    """nginx alone, serving the files of one directory; or what `servers` says."""

    name = "nginx"

    def __init__(self, directory, files="", servers=""):
        super().__init__(directory)
        self.servers = servers or f'server {{ listen 127.0.0.1:{self.port}; root "{files}"; }}'

    def __enter__(self):
        user = "user root root;" if os.geteuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {self.directory}/{kind};"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.directory / "nginx.conf").write_text(f"""\
{user} worker_processes auto; pid {self.directory}/nginx.pid; error_log stderr; daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log {self.directory}/access.log combined buffer=64k flush=1s;
    {temporary}
    sendfile on; tcp_nopush on; gzip off;
    {self.servers}
}}
""")
        self.start(["nginx", "-e", "stderr", "-c", self.directory / "nginx.conf"])
        self.sessions = {"web": self.process.pid}
        self.wait()
        return self

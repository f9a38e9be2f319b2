"""A worker under strace(1): which system calls a request takes. How many there are is no question of how fast the machine is."""
import os
import re
import signal
import subprocess

from harness.fastcgi import ExchangeAtOnce, Worker
from harness.process import PATIENCE, TIED_TO_US, parents, runs, wait_until
from harness.server import BERTH, Server

ACCEPTED = re.compile(r"accept4?\(.* = \d+$")
CALL = re.compile(r"(\w+)\(")


class TracedWorker(Worker):
    """One that is asked one thing after the other."""
    exchange = ExchangeAtOnce
    asked = 0
    options = ()  # more of strace's

    def open(self, *arguments, **parameters):
        self.asked += 1
        return super().open(*arguments, **parameters)

    def start(self, listener=None):
        self.trace = self.directory / "trace"
        with listener or self.listening() as listener, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*TIED_TO_US, "strace", "-qq", "-o", self.trace, "-s", "300", *self.options, BERTH], stdin=listener, stdout=log,
                                            stderr=log, start_new_session=True,
                                            env={**os.environ, "BERTH_CONFIGURATION": str(self.configuration)})
        self.pid = wait_until(self.find_worker, "a worker below strace")
        Server.running.append(self)
        return self

    def find_worker(self):
        assert self.process.poll() is None, self.log()
        return next((pid for pid, parent in parents().items() if parent == self.process.pid and runs(pid, BERTH)), None)

    def stop(self):
        Server.running.remove(self)
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def calls_of(self, ask):
        """The calls from accept() to the end of what `ask` asked for, its last request; each as strace writes it."""
        ask()
        which = self.asked - 1
        assert self.get("/v2/").status == 200
        wait_until(lambda: len(self.requests()) == self.asked, "the next request in the trace")
        return self.requests()[which]

    def requests(self):
        requests = []
        for line in self.trace.read_text(errors="replace").splitlines():
            if ACCEPTED.match(line):
                requests.append([])
            elif requests and line.startswith("epoll_pwait("):
                requests.append(None)
            if requests and requests[-1] is not None:
                requests[-1].append(line)
        return [request for request in requests if request]


def names(calls):
    return [CALL.match(call).group(1) for call in calls]

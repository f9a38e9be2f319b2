"""Waiting with a deadline, and looking at processes through /proc."""
import os
import tempfile
import time

# Seconds after which something hangs, on whatever machine. Nothing is measured by it: how fast we are is for tests/bench.
PATIENCE = 300


def wait_until(condition, what):
    """Polls until `condition` gives something true, and returns that. No test sleeps for luck, or says how long it may take."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited for in vain: {what}")
        time.sleep(0.02)


# In front of a command: it ends when the tests do, however they end, and hears SIGINT even if we run in the background.
TIED_TO_US = ("env", "--default-signal=INT", "setpriv", "--pdeathsig", "TERM")


def next_tick():
    """Until what is written is younger than all that was, by the clock of filesystems, which goes in ticks."""
    with tempfile.TemporaryFile() as probe:
        before = os.fstat(probe.fileno()).st_ctime_ns
        wait_until(lambda: os.fchmod(probe.fileno(), 0o600) or os.fstat(probe.fileno()).st_ctime_ns > before, "the next tick")


def read(path, mode="r"):
    """A file under /proc, or empty when the process has just gone. A name of somebody's may be any bytes."""
    try:
        with open(path, mode, errors=None if "b" in mode else "replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b"" if "b" in mode else ""


def parents(since=0):
    """The parent of each living process that was born at `since` or later."""
    found = {}
    for entry in os.listdir("/proc"):
        fields = read(f"/proc/{entry}/stat").rpartition(")")[2].split() if entry.isdigit() else []
        if fields and fields[0] != "Z" and fields[1] not in ("0", "2") and int(fields[19]) >= since:  # not the kernel's own
            found[int(entry)] = int(fields[1])
    return found


def birth(pid):
    """When a process was born, in the kernel's ticks."""
    return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])


def family(marks, path, since):
    """The processes with one of `marks` in their environment or `path` in their command line (nginx writes its title over its
    environment), and all their descendants; all of them born at `since` or later."""
    parent = parents(since)
    marks = {mark.encode() for mark in marks}
    found = {pid for pid in parent if not marks.isdisjoint(read(f"/proc/{pid}/environ", "rb").split(b"\0"))
             or str(path) in read(f"/proc/{pid}/cmdline")}
    while more := {pid for pid, above in parent.items() if above in found and pid not in found}:
        found |= more
    return sorted(found)


def runs(pid, program):
    try:
        return os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(program)
    except OSError:
        return False


def send_signal(pid, number):
    """To a process that may just have gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def alive(pid):
    return bool(read(f"/proc/{pid}/cmdline"))


def private_kilobytes(pid):
    """What the process has written to and shares with nobody.

    Not its private clean pages: those are a library's, and private only while no other process happens to use it.
    """
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has gone")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))

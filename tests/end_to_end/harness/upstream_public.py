"""A piece of the public internet on this machine: a network of its own with an address that is nobody's private one."""
import contextlib
import ctypes
import fcntl
import os
import subprocess
import threading

from harness.process import PATIENCE

ADDRESS = "11.255.77.2"  # public as far as address ranges go; only this machine has a route
CLONE_NEWNET = 0x40000000


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"ip {arguments}: {done.stderr}"


@contextlib.contextmanager
def internet():
    """`with internet() as inside: server = inside(lambda: Upstream(ADDRESS))`."""
    name = f"berth-test-{os.getpid()}"
    with open("/run/lock/berth-test-internet", "w", encoding="ascii") as alone:  # the address is the machine's
        fcntl.flock(alone, fcntl.LOCK_EX)
        yield from connected(name)


def connected(name):
    ip("netns", "add", name)
    try:
        ip("link", "add", "berth-test0", "type", "veth", "peer", "name", "berth-test1", "netns", name)
        yield from routed(name)
    finally:
        ip("netns", "delete", name)


def routed(name):
    try:
        ip("address", "add", "11.255.77.1/30", "dev", "berth-test0")
        ip("link", "set", "berth-test0", "up")
        ip("-n", name, "address", "add", f"{ADDRESS}/30", "dev", "berth-test1")
        ip("-n", name, "link", "set", "berth-test1", "up")
        yield lambda make: inside(name, make)
    finally:
        ip("link", "delete", "berth-test0")  # at once: the end of the network would take it along some time later


def inside(name, make):
    """What `make` returns, called in that network: a socket stays in the network where it was made."""
    made = []

    def run():
        with open(f"/run/netns/{name}", "rb") as file:
            assert ctypes.CDLL(None).setns(file.fileno(), CLONE_NEWNET) == 0
        made.append(make())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    return made[0]

"""Fixtures of tests/end_to_end and tests/long: a server behind each web server, and the look at its health after every test."""
import contextlib
import itertools
import os
import re
import shutil
import signal
import tempfile
import threading
import uuid

import pytest

from harness.images import Layout
from harness.server import ROOT, Server

NUMBERS = itertools.count()
APACHE = {"apache": "httpd", "apache-cgi": "httpd_cgi"}
# The files that take longest, 20 seconds to two minutes of work and waiting, in this order: a file is one process's, and one that
# were begun last would have all others wait for it.
LONGEST = ("test_collect", "test_cache_campaigns", "test_campaigns",
           "test_proxy_hostile", "test_proxy_blob", "test_proxy_stuck", "test_proxy_faults", "test_deploy", "test_worker", "test_hosts",
           "test_proxy_clients", "test_round_trip", "test_proxy_names", "test_proxy_authority")


def in_memory():
    """/dev/shm, if there is room in it and programs may be run from it: syncs and removals are half of the suite on a disk. What
    is about a disk mounts its own."""
    with contextlib.suppress(OSError):
        found = os.statvfs("/dev/shm")
        if found.f_bavail * found.f_frsize >= 8 << 30 and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
            return "/dev/shm"
    return None


def pytest_configure(config):
    tempfile.tempdir = os.environ.get("TMPDIR") or in_memory()
    # As Ctrl-C: fixtures then take down servers and mounts. One of several processes may run its tests beside its main
    # thread, which is then the one that takes signals.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "long: takes minutes; lives in tests/long")
    config.addinivalue_line("markers", "quick: seconds, and worth running under the sanitizers too")
    # Not called as the fronts are: -k would find them by these words.
    config.addinivalue_line("markers", "httpd: runs behind Apache too, as what depends on the web server has to")
    config.addinivalue_line("markers", "httpd_cgi: and with Apache's CGI, which takes four times as long")


def pytest_collection_modifyitems(config, items):
    """Behind Apache only what is marked for it, unless BERTH_EVERY_FRONT is set: the rest takes minutes. Not what tests
    deploy/run itself, in tests/lint, which is collected together with this directory."""
    def wanted(item):
        if ROOT / "tests/lint" in item.path.parents:
            return True
        front = getattr(item, "callspec", None) and item.callspec.params.get("server")
        return front not in APACHE or item.get_closest_marker(APACHE[front]) or os.environ.get("BERTH_EVERY_FRONT")
    left_out = [item for item in items if not wanted(item)]
    config.hook.pytest_deselected(items=left_out)
    places = {name: place for place, name in enumerate(LONGEST)}
    items[:] = sorted(filter(wanted, items), key=lambda item: places.get(item.path.stem, len(places)))


MADE = []  # all directories


def make_directory(parent, name):
    """Named by hexadecimal digits: podman takes a path for an image's name, in which mkdtemp()'s underscores may be wrong."""
    path = os.path.join(parent, f"{name}-{uuid.uuid4().hex[:8]}")
    os.mkdir(path)
    os.chmod(path, 0o755)
    MADE.append(path)
    return path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """What a test itself has made goes with it: several processes of campaigns that keep theirs to the end fill the memory."""
    count = len(MADE)
    yield
    item.made = MADE[count:]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield
    for directory in getattr(item, "made", ()):
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def scratch():
    """A directory that web server and workers can reach whatever user they run as."""
    path = make_directory(tempfile.gettempdir(), "berth-test")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def new_directory(scratch):
    """Makes directories: new_directory("name")."""
    def make(name="x"):
        return make_directory(scratch, name)
    return make


@pytest.fixture(scope="session")
def layout(new_directory):
    """Images for all client tests, made once: "app" (four layers) and "multi" (an index of two machines)."""
    made = Layout(os.path.join(new_directory("layout"), "layout"))
    made.tag(made.runnable(), "app")
    made.tag(made.index(["amd64", "arm64"]), "multi")
    return made


@pytest.fixture(scope="module", params=["nginx", "lighttpd", *APACHE])
def server(request, new_directory):
    """One server per module and web server; tests in a module use repositories of their own."""
    directory = new_directory(request.param)
    with Server(directory, request.param) as running:
        yield running
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def client(server):
    return server.client


@pytest.fixture
def new_repository(server, request):
    """Makes repositories that no other test uses."""
    def make(client=None):
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60].strip("-")
        return (client or server.client).repository(f"test/{name}-{next(NUMBERS)}")
    return make


@pytest.fixture
def repository(new_repository):
    return new_repository()


@pytest.fixture
def mounted():
    """Mounts filesystems that go when the test's servers have gone: mounted(SmallMemory(path, 8))."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context


@pytest.fixture
def start(new_directory, mounted):
    """Starts further servers that end with the test: start(web="lighttpd", settings="[hosted]\nread_only = yes\\n")."""
    with contextlib.ExitStack() as stack:
        def started(web="nginx", **options):
            return stack.enter_context(Server(options.pop("directory", None) or new_directory(web), web, **options))
        yield started


@pytest.fixture(autouse=True)
def everything_is_well_afterwards():
    """All workers alive, no fault in the log, `berth check` clean: after every test, for every server that runs."""
    yield
    for running in Server.running:
        running.assert_well()

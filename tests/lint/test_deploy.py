"""What is in deploy/: the units, what is installed where, and how `deploy/run` begins and ends."""
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

import pytest

from harness.client import CODES
from harness.process import PATIENCE, wait_until
from harness.server import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BERTH = os.path.abspath(os.environ.get("BERTH") or ROOT / "build/berth")
# systemd's own scale: 0 is locked up, 10 is root without a fence; below 2.5 it says "OK".
EXPOSURE = 2.0


@pytest.fixture
def tmp_path():
    """A short one: sockets lie in it, for whose paths there is little room."""
    with tempfile.TemporaryDirectory(prefix="berth-") as directory:
        yield pathlib.Path(directory)


def call(*command, **options):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, **options)


def install(destination, prefix="/usr"):
    environment = {**os.environ, "DESTDIR": str(destination), "PREFIX": prefix, "SYSCONFDIR": "/etc", "BERTH": BERTH}
    done = call(ROOT / "deploy/install", env=environment)
    assert done.returncode == 0 and done.stdout == "", done.stdout


def installed(destination):
    return {str(path.relative_to(destination)) for path in destination.rglob("*") if path.is_file()}


def test_everything_is_installed_below_the_destination(tmp_path):
    install(tmp_path)
    files = installed(tmp_path)
    assert {"usr/bin/berth", "etc/berth/configuration.ini", "usr/lib/systemd/system/berth.service",
            "usr/lib/systemd/system/berth.socket", "usr/lib/systemd/system/berth-gc.service",
            "usr/lib/systemd/system/berth-gc.timer", "usr/lib/systemd/system/berth-check.service", "usr/lib/systemd/system/berth-check.timer", "usr/lib/tmpfiles.d/berth.conf", "usr/share/berth/nginx.conf",
            "usr/share/berth/nginx-snippet.conf", "usr/share/berth/lighttpd.conf",
            "usr/share/berth/apache.conf", "usr/share/berth/apache-snippet.conf", "usr/share/berth/apache-cgi.conf",
            "usr/share/berth/htaccess", "usr/share/berth/berth.cgi", "usr/share/berth/init",
            "usr/share/berth/lighttpd-errors/503.html", "usr/share/doc/berth/README.md"} <= files
    assert os.access(tmp_path / "usr/bin/berth", os.X_OK)
    elsewhere = [name for name in files if name != "usr/bin/berth" and
                 re.search("/usr/local(?!/share/ca-certificates/)", (tmp_path / name).read_text())]
    assert elsewhere == [], "these still name the default prefix"


def test_the_installed_configuration_is_valid_and_keeps_the_stores_in_var_lib(tmp_path):
    install(tmp_path)
    shown = call(BERTH, "configuration", env={**os.environ, "BERTH_CONFIGURATION": str(tmp_path / "etc/berth/configuration.ini")})
    assert shown.returncode == 0, shown.stdout
    for key, value in [("registry_storage", "registry"), ("temporary_registry_storage", "_tmp"), ("proxy_storage", "proxy")]:
        assert f"{key} = /var/lib/berth/{value}\n" in shown.stdout


def test_what_was_installed_can_be_removed(tmp_path):
    """All but what an administrator has written, or may have."""
    install(tmp_path)
    (tmp_path / "usr/share/berth/mine").write_text("mine")
    done = call(ROOT / "deploy/install", "remove", env={**os.environ, "DESTDIR": str(tmp_path), "PREFIX": "/usr", "BERTH": BERTH})
    assert done.returncode == 0, done
    assert installed(tmp_path) == {"etc/berth/configuration.ini", "usr/share/berth/mine"}
    assert not (tmp_path / "usr/share/doc/berth").exists()


def test_installing_again_keeps_the_configuration(tmp_path):
    install(tmp_path)
    (tmp_path / "etc/berth/configuration.ini").write_text("mine")
    install(tmp_path)
    assert (tmp_path / "etc/berth/configuration.ini").read_text() == "mine"


@pytest.fixture
def units(tmp_path):
    """The units as installed, but with a program that is there."""
    install(tmp_path)
    found = []
    for path in (tmp_path / "usr/lib/systemd/system").iterdir():
        path.write_text(path.read_text().replace("/usr/bin/berth", BERTH).replace("file:///usr/share/doc", "man:"))
        found.append(path)
    return sorted(found)


def test_systemd_finds_nothing_wrong_with_the_units(units):
    verified = call("systemd-analyze", "verify", "--man=no", *units)
    assert verified.returncode == 0 and verified.stdout == "", verified.stdout


@pytest.mark.parametrize("name", ["berth.service", "berth-gc.service", "berth-check.service"])
def test_the_unit_is_fenced_in(units, name):
    judged = call("systemd-analyze", "security", "--offline=true", "--no-pager", *[unit for unit in units if unit.name == name])
    level = re.search(rf"Overall exposure level for {name}: ([\d.]+)", judged.stdout)
    assert level and float(level.group(1)) <= EXPOSURE, judged.stdout


def test_dependencies_says_nothing_when_nothing_is_missing():
    asked = call(ROOT / "deploy/dependencies", "test")
    assert (asked.returncode, asked.stdout) == (0, "")


def settings(directory, **more):
    return {**os.environ, "STATE": str(directory / "state"), "RUNTIME": str(directory / "runtime"), "BERTH": BERTH,
            "LOGS": str(directory / "logs"), "WORKERS": "2", "CONFIGURATION": "", "PORT": str(free_port()), **more}


class Running:
    """deploy/run, ready."""

    def __init__(self, directory, tree=ROOT, user=None, stderr=subprocess.STDOUT, **more):
        self.directory = directory
        self.environment = settings(directory, **more)
        # Whoever started the tests in the background ignores SIGINT, and a shell cannot take that back.
        self.process = subprocess.Popen([tree / "deploy/run"], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=tree,
                                        user=user, group=user and "nogroup", extra_groups=[] if user else None,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        line = self.process.stdout.readline()
        self.address = f"http://127.0.0.1:{self.environment['PORT']}"
        assert line == f"ready {self.address}\n", line + self.process.stdout.read()

    def master(self, name):
        return int((self.directory / f"runtime/{name}.pid").read_text())

    def end(self):
        """What it said, its exit status, and which of its processes were still there afterwards."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        groups = [self.master(path.stem) for path in (self.directory / "runtime").glob("w*.pid")]
        return said, self.process.returncode, [group for group in groups if group_lives(group)]


def group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def run(tmp_path):
    started = []

    def make(**more):
        started.append(Running(tmp_path, **more))
        return started[-1]
    yield make
    for running in started:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.communicate(timeout=PATIENCE)


SERVERS = [("nginx", "fastcgi"), ("lighttpd", "fastcgi"), ("lighttpd", "cgi"), ("apache", "fastcgi"), ("apache", "cgi")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("server, mode", SERVERS)
def test_ends_cleanly(run, server, mode, how):
    running = run(SERVER=server, MODE=mode)
    assert urllib.request.urlopen(running.address + "/v2/").status == 200
    running.process.send_signal(how)
    _, status, left = running.end()
    assert (status, left) == (0, [])


@pytest.mark.parametrize("server, mode", SERVERS)
def test_works_as_an_ordinary_user(server, mode):
    """Whose home nobody else may look into; as root it is tested everywhere else."""
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="berth-") as home:
        tree = pathlib.Path(home)
        shutil.copytree(ROOT / "deploy", tree / "deploy")
        shutil.copy(BERTH, tree / "berth")
        if user:
            call("chown", "-R", user, tree)
        running = Running(tree / "files", tree, user, SERVER=server, MODE=mode, BERTH=str(tree / "berth"))
        upload = urllib.request.Request(running.address + "/v2/me/app/blobs/uploads/", method="POST")
        assert urllib.request.urlopen(upload).status == 202
        running.process.terminate()
        assert running.end()[1:] == (0, [])
        assert {path.owner() for path in tree.rglob("*")} == {user or pathlib.Path(home).owner()}


@pytest.mark.parametrize("reachable", [True, False])
def test_apache_is_somebody_else_where_root_cannot_be_called_by_another_name(tmp_path, reachable):
    """As in many containers. Apache sends the blobs, unless it cannot get at them."""
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    environment = {"SERVER": "apache", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory(prefix="berth-") as directory:
        if reachable:
            os.chmod(directory, 0o755)
        running = Running(pathlib.Path(directory), RUNTIME=tempfile.mkdtemp(prefix="berth-"), **environment)
        data = os.urandom(100_000)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        push = urllib.request.Request(f"{running.address}/v2/me/app/blobs/uploads/?digest={digest}", data, method="POST")
        assert urllib.request.urlopen(push).status == 201
        answer = urllib.request.urlopen(f"{running.address}/v2/me/app/blobs/{digest}")
        assert answer.read() == data
        assert (answer.headers["Last-Modified"] is not None) == reachable, "what Apache sends itself tells the file's time"
        master = int((pathlib.Path(running.environment["RUNTIME"]) / "web.pid").read_text())
        assert set(call("ps", "-o", "user=", "--ppid", master).stdout.split()) == {"www-data"}
        running.process.terminate()
        assert running.process.wait(PATIENCE) == 0
        shutil.rmtree(running.environment["RUNTIME"])
    refused = call(ROOT / "deploy/run", env=settings(tmp_path, MODE="cgi", **environment))
    assert refused.returncode == 1 and "or with MODE=fastcgi" in refused.stdout


def test_apache_speaks_on_a_terminal_that_is_somebody_elses(run):
    """As `sudo make run` does it: root, but with the name that Apache gets not the terminal's owner."""
    ours, terminal = os.openpty()
    os.chown(os.ttyname(terminal), pwd.getpwnam("nobody").pw_uid, -1)
    running = run(SERVER="apache", LOGS="", stderr=terminal)
    os.close(terminal)
    running.process.terminate()
    assert running.end()[1:] == (0, [])
    said = b""
    with contextlib.suppress(OSError):  # which is how the end of a terminal is read
        while piece := os.read(ours, 65536):
            said += piece
    os.close(ours)
    assert b"resuming normal operations" in said and b"caught SIGTERM" in said, said


@pytest.mark.parametrize("server, part, said", [("nginx", "web", "nginx ended with status 137"),
                                                ("nginx", "workers", "the pool of workers ended with status 137"),
                                                ("lighttpd", "web", "lighttpd ended with status 137"),
                                                ("apache", "web", "apache ended with status 137")])
def test_ends_when_a_part_ends(run, server, part, said):
    running = run(SERVER=server)
    os.kill(running.master(part), signal.SIGKILL)
    text, status, left = running.end()
    assert said in text and status == 1 and left == []


def test_workers_are_replaced_however_often_they_are_killed(run):
    running = run(SERVER="nginx")
    for _ in range(30):
        pids = call("pgrep", "-P", running.master("workers")).stdout.split()
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda pids=pids: len(set(call("pgrep", "-P", running.master("workers")).stdout.split()) - set(pids)) == 2,
                   f"two new workers: {running.directory / 'logs/workers.log'}")
    assert urllib.request.urlopen(running.address + "/v2/").status == 200


def test_leaves_nothing_when_it_is_killed_itself(run):
    running = run(SERVER="nginx")
    running.process.kill()
    groups = [running.master("web"), running.master("workers")]
    wait_until(lambda: not any(group_lives(group) for group in groups), "the end of web server and workers")


@pytest.mark.parametrize("server, mode", SERVERS)
def test_works_in_directories_with_blanks(server, mode):
    with tempfile.TemporaryDirectory(prefix="berth in ") as directory:
        running = Running(pathlib.Path(directory) / "a directory", SERVER=server, MODE=mode)
        running.process.terminate()
        assert running.end()[1:] == (0, [])


@pytest.mark.parametrize("server", ["nginx", "lighttpd", "apache"])
def test_a_path_as_long_as_the_server_takes_works_and_a_longer_one_is_refused(server):
    """Whose limits differ: each would say in words of its own, or not at all, that the workers' socket is too far away."""
    longest = {"nginx": 107, "lighttpd": 105, "apache": 95}[server]
    with tempfile.TemporaryDirectory(prefix="berth-") as home:
        directory = pathlib.Path(home)
        runtime = f"{home}/{'x' * (longest - len(home) - len('//berth.sock'))}"
        refused = call(ROOT / "deploy/run", env=settings(directory, SERVER=server, RUNTIME=runtime + "x"))
        assert refused.returncode == 1 and f"of {server}'s, {longest} characters: '{runtime}x/berth.sock'" in refused.stdout, refused.stdout
        running = Running(directory, SERVER=server, RUNTIME=runtime)
        running.process.terminate()
        assert running.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("server, mode", SERVERS)
def test_replaces_every_path_of_the_installed_system(run, server, mode):
    running = run(SERVER=server, MODE=mode)
    runtime = running.directory / "runtime"
    for path in [*runtime.glob("*.conf"), *runtime.glob("public/*"), *runtime.glob("public/.ht*")]:
        for line in path.read_text().split("\n"):
            if not line.lstrip().startswith("#"):
                assert not re.search(r"/var/lib|/var/log|/run/|/usr/local|/etc/berth", line), f"{path.name}: {line}"


@pytest.mark.parametrize("more, said", [
    ({"SERVER": "caddy"}, "SERVER is nginx, lighttpd or apache"),
    ({"SERVER": "nginx", "MODE": "cgi"}, "SERVER is nginx, lighttpd or apache"),
    ({"BERTH": "/nonexistent/berth"}, "'/nonexistent/berth' is not there"),
    ({"CONFIGURATION": "/nonexistent.ini"}, "/nonexistent.ini"),
    ({"WORKERS": "0"}, "WORKERS is a number from 1 to 10000, such as WORKERS=8; not '0'"),
    ({"WORKERS": "many"}, "WORKERS is a number from 1 to 10000, such as WORKERS=8; not 'many'"),
    ({"PORT": "http"}, "PORT is a number from 1 to 65535, such as PORT=5000; not 'http'"),
    ({"PORT": "65536"}, "PORT is a number from 1 to 65535, such as PORT=5000; not '65536'"),
    ({"ADDRESS": "::1"}, "ADDRESS is an IPv4 address of this machine, such as ADDRESS=127.0.0.1, or ADDRESS=0.0.0.0 for all; not '::1'"),
    ({"ADDRESS": "203.0.113.1"}, "ADDRESS: '203.0.113.1' is no address of this machine, which has 127.0.0.1"),
    ({"ADDRESS": "nowhere.invalid"}, "ADDRESS: nobody knows an IPv4 address of 'nowhere.invalid'; 127.0.0.1 is for this machine alone"),
    ({"STATE": "/proc/berth"}, "STATE: '/proc/berth' cannot be written to by root; name a directory of yours: make run STATE="),
], ids=["server", "mode", "program", "configuration", "no workers", "workers", "port", "large port", "address", "another machine", "unknown host", "state"])
def test_says_what_is_wrong(tmp_path, more, said):
    done = call(ROOT / "deploy/run", env=settings(tmp_path, **more))
    assert done.returncode == 1 and said in done.stdout, done.stdout


def test_a_user_may_not_have_every_port_nor_every_directory(tmp_path):
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    as_nobody = ["setpriv", "--reuid", "nobody", "--clear-groups"]
    with tempfile.TemporaryDirectory() as copy:  # the tests' own directories are not for everybody
        os.chmod(copy, 0o755)
        shutil.copytree(ROOT / "deploy", f"{copy}/deploy")
        shutil.copy(BERTH, f"{copy}/berth")
        if first > 1:
            done = call(*as_nobody, f"{copy}/deploy/run", env=settings(tmp_path, BERTH=f"{copy}/berth", PORT=str(first - 1)))
            assert done.returncode == 1 and f"only root may listen on port {first - 1}; choose one from {first} on" in done.stdout, done.stdout
        done = call(*as_nobody, f"{copy}/deploy/run", env=settings(tmp_path, BERTH=f"{copy}/berth", STATE="/usr/berth"))
        assert done.returncode == 1 and "STATE: '/usr/berth' cannot be written to by nobody" in done.stdout, done.stdout


def test_two_may_share_a_state_but_not_a_port(run, tmp_path):
    first = run()
    refused = call(ROOT / "deploy/run", env=settings(tmp_path, RUNTIME=str(tmp_path / "third"), PORT=first.environment["PORT"]))
    assert refused.returncode == 1 and "is in use; choose another one: make run PORT=" in refused.stdout, refused.stdout
    second = run(RUNTIME=str(tmp_path / "second"), LOGS=str(tmp_path / "more"))
    data = os.urandom(100_000)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    push = urllib.request.Request(f"{first.address}/v2/me/app/blobs/uploads/?digest={digest}", data, method="POST")
    assert urllib.request.urlopen(push).status == 201
    assert urllib.request.urlopen(f"{second.address}/v2/me/app/blobs/{digest}").read() == data
    second.process.terminate()
    assert second.process.wait(PATIENCE) == 0
    assert urllib.request.urlopen(f"{first.address}/v2/me/app/blobs/{digest}").read() == data, "the other one goes on"
    first.process.terminate()
    assert first.end()[1:] == (0, [])


def test_says_that_the_configuration_is_wrong(tmp_path):
    (tmp_path / "bad.ini").write_text("[hosted]\nno_such_key = 1\n")
    done = call(ROOT / "deploy/run", env=settings(tmp_path, CONFIGURATION=str(tmp_path / "bad.ini")))
    assert done.returncode == 1 and "no_such_key" in done.stdout, done.stdout


# The configuration that deploy/run writes: once, whole, on disk before anything is stored.

WRITTEN = "registry_storage = registry\ntemporary_registry_storage = _tmp\nproxy_storage = proxy\n"


def own_configuration(directory):
    return directory / "state/configuration.ini"


def test_writes_its_configuration_and_keeps_it(run, tmp_path):
    running = run()
    assert own_configuration(tmp_path).read_text() == WRITTEN
    own_configuration(tmp_path).write_text(WRITTEN + "[hosted]\nread_only = yes\n")
    running.process.terminate()
    running.end()
    run()
    assert own_configuration(tmp_path).read_text() == WRITTEN + "[hosted]\nread_only = yes\n"
    assert not list((tmp_path / "state").glob(".configuration*"))


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """What deploy/run calls to make a file durable, each with whether the configuration is there by then."""
    told = tmp_path / "told"
    (tmp_path / "bin").mkdir()
    for name in ("sync", "mv"):
        tool = tmp_path / "bin" / name
        tool.write_text("#!/bin/sh\n[ -e '%s' ] && there=there || there=absent\necho \"%s $there $*\" >>'%s'\nexec '%s' \"$@\"\n"
                        % (own_configuration(tmp_path), name, told, shutil.which(name)))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return lambda: [line.split(" ", 2) for line in told.read_text().splitlines()]


def test_its_configuration_is_on_disk_before_it_has_its_name(run, watched, tmp_path):
    """Synced under another name, renamed, the directory synced; the directories above as well, where they are new."""
    run()
    state, draft = tmp_path / "state", tmp_path / "state/.configuration.ini."
    calls = watched()
    assert [call[:2] for call in calls] == [["sync", "absent"], ["sync", "absent"], ["mv", "absent"], ["sync", "there"]], calls
    arguments = [call[2] for call in calls]
    assert arguments[0] == f"-- {state} {tmp_path}"
    assert arguments[1].startswith(f"-- {draft}") and arguments[2].startswith(f"-nT -- {draft}"), arguments
    assert arguments[3] == f"-- {state}"


@pytest.mark.parametrize("text, missing", [("", "registry_storage"), ("registry_storage = registry\ntempor", ""),
                                           ("registry_storage = registry\n", "temporary_registry_storage"),
                                           (WRITTEN.rpartition("proxy_storage")[0], "proxy_storage")])
def test_a_configuration_that_lost_its_content_is_an_error_and_stays(tmp_path, text, missing):
    """Taking the defaults instead would bring up an empty registry; the remedy is told."""
    own_configuration(tmp_path).parent.mkdir()
    own_configuration(tmp_path).write_text(text)
    done = call(ROOT / "deploy/run", env=settings(tmp_path))
    assert done.returncode == 1 and f"correct '{own_configuration(tmp_path)}' first" in done.stdout, done.stdout
    assert f"{missing} is missing" in done.stdout or not missing
    assert WRITTEN in done.stdout
    assert own_configuration(tmp_path).read_text() == text
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["configuration.ini"]


def test_says_that_the_port_is_in_use(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = call(ROOT / "deploy/run", env=settings(tmp_path, PORT=str(other.getsockname()[1])))
    assert done.returncode == 1 and "is in use" in done.stdout, done.stdout


@pytest.fixture(scope="module", params=["nginx", "lighttpd", "apache"])
def web(request):
    with tempfile.TemporaryDirectory(prefix="berth-") as directory:
        running = Running(pathlib.Path(directory), SERVER=request.param)
        yield running
        running.process.terminate()
        running.process.communicate(timeout=PATIENCE)


def raw(running, request):
    """The status, the headers (names in lower case) and the body of the answer to these very bytes."""
    with socket.create_connection(("127.0.0.1", int(running.environment["PORT"])), timeout=PATIENCE) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}, body


# What lighttpd 1.4.69 can answer by itself, by its sources, and what modules beside ours add (401, 429).
LIGHTTPD_STATUSES = {400, 401, 403, 404, 405, 408, 411, 412, 413, 414, 416, 417, 429, 431, 500, 501, 502, 503, 504, 505, 507}


def test_every_error_of_lighttpd_has_its_words():
    files = {int(path.stem): path for path in (ROOT / "deploy/lighttpd-errors").glob("*.html")}
    assert set(files) == LIGHTTPD_STATUSES
    for path in files.values():
        (error,) = json.loads(path.read_text())["errors"]
        assert set(error) == {"code", "message"} and error["code"].isupper(), path


@pytest.mark.parametrize("name", ["apache.conf", "apache-snippet.conf", "htaccess"])
def test_all_that_apache_says_by_itself_is_json(name):
    """Whoever forgets a quotation mark gets one that says nothing at all."""
    lines = re.findall(r"^ *ErrorDocument .*$", (ROOT / "deploy" / name).read_text(), re.MULTILINE)
    assert len(lines) > 8
    for line in lines:
        status, text = re.fullmatch(r" *ErrorDocument ([45]\d\d) '([^']*)'", line).groups()
        error, = json.loads(text)["errors"]
        assert set(error) == {"code", "message"} and error["code"] in CODES | {"UNKNOWN", "UNAVAILABLE"}, (status, text)


@pytest.mark.parametrize("path", ["/_berth/registry/docker", "/v2/../_berth/registry/x", "/v2/_berth/stream"])
def test_what_is_not_the_registry_is_not_found(web, path):
    status, headers, body = raw(web, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body)["errors"][0]["code"]


def test_a_request_line_with_a_hundred_tags_reaches_the_workers(web):
    tags = "&".join(f"tag={number:0128d}" for number in range(100))
    status, headers, _ = raw(web, f"GET /v2/?{tags} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status == 200 and "x-request-id" in headers


def test_without_workers_the_answer_is_json(run):
    for server in ["nginx", "lighttpd", "apache"]:
        running = run(SERVER=server)
        (running.directory / "runtime/berth.sock").unlink()
        for method in ["GET", "HEAD", "PUT"]:
            status, headers, body = raw(running, f"{method} /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                                                 "Connection: close\r\n\r\n".encode())
            assert status in (502, 503), server
            assert (headers["content-type"], headers["docker-distribution-api-version"]) == ("application/json", "registry/2.0")
            assert method == "HEAD" and body == b"" or json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
        running.process.terminate()
        running.process.communicate(timeout=PATIENCE)

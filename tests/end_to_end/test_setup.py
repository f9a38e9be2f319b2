"""berth check --setup: an administrator is told what is wrong, and what to do about it."""
import base64
import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import termios
import threading

import pytest

from harness.fastcgi import Worker
from harness.mounts import SmallMemory, run
from harness.process import PATIENCE, TIED_TO_US, wait_until
from harness.server import BERTH, CONFIGURATION, Server, berth, free_port

pytestmark = pytest.mark.quick

ENDPOINT = "/v2/_berth/setup"
SECRET = "[upstream up]\nurl = https://up.example.org\nusername = bob\n"


class Setup:
    """A directory with a configuration and stores, and what the tool says about it."""

    def __init__(self, directory, settings="", **places):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "configuration.ini"
        text = CONFIGURATION
        for name, place in places.items():
            text = "".join(f"{name} = {place}\n" if line.startswith(f"{name} =") else f"{line}\n" for line in text.splitlines())
        self.file.write_text(text + "[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n" + settings)
        self.registry = self.directory / "storage/registry"
        self.temporary = self.directory / "storage/_tmp"
        self.cache = self.directory / "storage/proxy"

    def make(self, owner=None):
        for path in (self.registry, self.temporary, self.cache):
            path.mkdir(parents=True)
            if owner:
                shutil.chown(path, owner, owner)
        return self

    def check(self, *arguments, status=0, **options):
        done = berth(self.file, "check", "--setup", *map(str, arguments), **options)
        assert done.returncode == status and done.stderr == "", done
        return done.stdout.splitlines()


@pytest.fixture
def setup(new_directory):
    return Setup(new_directory("setup")).make()


def lines(output, kind):
    return [line for line in output if line.startswith(f"{kind}: ")]


def the_problem(output, subject):
    """The only one there is; with its advice."""
    problems = lines(output, "problem")
    assert len(problems) == 1 and problems[0].startswith(f"problem: {subject}: "), output
    assert " — " in problems[0], problems
    return problems[0]


# --- here


def test_what_is_well_is_said_to_be(setup):
    output = setup.check()
    assert not lines(output, "problem"), output
    for path in (setup.registry, setup.cache):
        for well in ("can write to it; it belongs to root:root", "link and rename work", "locks work", "are free"):
            assert any(line.startswith(f"ok: {path}: ") and well in line for line in output), (path, well, output)
    assert any(line.startswith("warning: user: this runs as root — ") for line in output), output


def test_who_is_stopped_amid_a_look_is_told_of(setup):
    setup.check()
    with (setup.registry / "_berth/locks/setup").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "look for a process that is stopped" in the_problem(setup.check(status=1), setup.registry)


def test_machines_get_an_object_per_line(setup):
    shutil.rmtree(setup.temporary)
    setup.temporary.write_text("")
    found = [json.loads(line) for line in setup.check("--json", status=1)]
    assert {each["result"] for each in found} == {"ok", "warning", "problem"}
    problem, = [each for each in found if each["result"] == "problem"]
    assert problem["subject"] == str(setup.temporary) and problem["message"] and problem["advice"]


@pytest.mark.parametrize("mode, well", [(0o600, True), (0o640, True), (0o644, False), (0o604, False)])
def test_a_configuration_with_a_password_is_for_its_owner(new_directory, mode, well):
    """Or for the workers' group as well: the configuration may be root's."""
    setup = Setup(new_directory("setup"), SECRET + "password = tiger\n").make()
    setup.file.chmod(mode)
    output = setup.check(status=0 if well else 1)
    assert well or "chmod" in the_problem(output, setup.file)
    assert not any("tiger" in line for line in output)


def test_a_group_that_is_not_the_workers_must_not_read_a_password(new_directory):
    setup = Setup(new_directory("setup"), SECRET + "password = tiger\n").make()
    setup.file.chmod(0o640)
    shutil.chown(setup.file, "root", "games")
    assert "group games" in the_problem(setup.check(status=1), setup.file)


def test_a_configuration_without_a_password_may_be_read_by_all(setup):
    setup.file.chmod(0o644)
    assert not lines(setup.check(), "problem")


@pytest.mark.parametrize("mode, word", [(0o600, None), (0o644, "everybody can read it"), (None, "cannot read it")])
def test_a_password_file_is_for_its_owner(new_directory, mode, word):
    setup = Setup(new_directory("setup"), SECRET + "password_file = secret\n").make()
    secret = setup.directory / "secret"
    if mode:
        secret.write_text("tiger")
        secret.chmod(mode)
    output = setup.check(status=1 if word else 0)
    assert not word or word in the_problem(output, secret)


def test_a_password_file_that_the_workers_cannot_read(new_directory):
    setup = Setup(new_directory("setup"), SECRET + "password_file = secret\n").make("www-data")
    (setup.directory / "secret").touch(0o600)
    assert "user www-data cannot read it" in the_problem(setup.check(status=1), setup.directory / "secret")


def test_root_looks_with_the_eyes_of_the_stores_owner(new_directory):
    setup = Setup(new_directory("setup")).make("www-data")
    output = setup.check()
    assert "ok: user: this runs as www-data" in output and not lines(output, "warning"), output
    strangers = [path for path in setup.registry.rglob("*") if path.owner() != "www-data"]
    assert not strangers


def test_a_directory_of_somebody_else(new_directory):
    setup = Setup(new_directory("setup")).make("www-data")
    shutil.chown(setup.cache, "root", "root")
    problem = the_problem(setup.check(status=1), setup.cache)
    assert "user www-data cannot write to it: Permission denied; it belongs to root:root" in problem and "chown" in problem


def test_directories_that_are_not_there_are_not_made_by_root(new_directory):
    setup = Setup(new_directory("setup"))
    output = setup.check()
    for path in (setup.registry, setup.temporary, setup.cache):
        assert any(line.startswith(f"warning: {path}: it is not there yet") and "install -d" in line for line in output), output
    assert not (setup.directory / "storage").exists()


def test_directories_that_cannot_be_made(new_directory):
    setup = Setup(new_directory("setup")).make("www-data")
    setup.cache.rmdir()
    assert "user www-data cannot make it" in the_problem(setup.check(status=1), setup.cache)


def test_two_filesystems(new_directory, mounted):
    directory = new_directory("setup")
    mount = mounted(SmallMemory(os.path.join(directory, "other"), 4))
    setup = Setup(directory, temporary_registry_storage=mount.point / "_tmp")
    for path in (setup.registry, setup.cache, mount.point / "_tmp"):
        path.mkdir(parents=True)
    problem = the_problem(setup.check(status=1), setup.registry)
    assert "Invalid cross-device link" in problem and "below one mount point" in problem


def test_a_read_only_filesystem(new_directory, mounted):
    directory = new_directory("setup")
    mount = mounted(SmallMemory(os.path.join(directory, "storage"), 4))
    setup = Setup(directory).make()
    mount.read_only(True)
    problems = lines(setup.check(status=1), "problem")
    assert len(problems) == 3 and all("Read-only file system" in line and "mount" in line for line in problems), problems
    mount.read_only(False)


def test_too_few_inodes(new_directory, mounted):
    """A quarter of the bytes is to be left free: of the inodes it is less."""
    directory = new_directory("setup")
    mount = mounted(SmallMemory(os.path.join(directory, "storage"), 8))
    setup = Setup(directory).make()
    setup.file.write_text(setup.file.read_text().replace("minimum_free_space = 0", "minimum_free_space = 2M"))
    assert not lines(setup.check(), "problem")
    inodes = os.statvfs(mount.point)
    used = inodes.f_files - inodes.f_ffree
    run("mount", "-o", f"remount,size=8m,nr_inodes={used + used // 4}", mount.point)
    problems = lines(setup.check(status=1), "problem")
    assert len(problems) == 2 and all("too few inodes" in line for line in problems), problems


def test_too_little_space(setup):
    setup.file.write_text(setup.file.read_text().replace("minimum_free_space = 0", "minimum_free_space = 900T"))
    problems = lines(setup.check(status=1), "problem")
    assert {line.split(": ")[1] for line in problems} == {str(setup.registry), str(setup.cache)}, problems
    assert all("less than minimum_free_space = 900.0 TiB" in line for line in problems), problems


@pytest.mark.skipif("sanitize" in BERTH, reason="the sanitizer wants to be loaded first")
def test_locks_that_do_not_lock(setup, tmp_path):
    """As on a network filesystem without them."""
    source = tmp_path / "flock.c"
    source.write_text("int flock(int descriptor, int how) { (void)descriptor; (void)how; return 0; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "flock.so", source], check=True)
    done = subprocess.run([BERTH, "-c", setup.file, "check", "--setup"],
                          env={**os.environ, "LD_PRELOAD": str(tmp_path / "flock.so")}, capture_output=True, text=True, timeout=PATIENCE)
    problems = lines(done.stdout.splitlines(), "problem")
    assert done.returncode == 1 and len(problems) == 2 and all("locks do not work here" in line for line in problems), done


@pytest.mark.parametrize("arguments", [["--nonsense"], ["no-url"], ["ftp://localhost/"], ["http://localhost/?"], ["--user", "bob"],
                                       ["--user", "bob:tiger", "http://localhost/"],
                                       ["http://localhost/", "http://localhost/"], ["--repair"]])
def test_a_wrong_command_line_is_2_with_usage(setup, arguments):
    done = berth(setup.file, "check", "--setup", *arguments)
    assert done.returncode == 2 and done.stdout == "" and "usage" in done.stderr, done


@pytest.mark.parametrize("url", ["http://bob:tiger@localhost/", "https://bob@localhost:1/v2/", "bob:tiger@localhost"])
def test_no_password_stands_on_a_command_line(setup, url):
    done = berth(setup.file, "check", "--setup", url)
    assert done.returncode == 2 and done.stdout == "" and "--user NAME asks for the password" in done.stderr, done
    assert "tiger" not in done.stderr and "bob" not in done.stderr


# --- as seen from a request


@pytest.mark.parametrize("web, mode, sendfile, bodies", [
    ("nginx", "fastcgi", "x-accel-redirect:/_berth/", "come as files"), ("lighttpd", "fastcgi", "x-sendfile", "are streamed"),
    ("lighttpd", "cgi", "x-sendfile", "are streamed"), ("apache", "fastcgi", "x-sendfile", "are streamed")])
def test_what_is_in_deploy_is_well(start, web, mode, sendfile, bodies):
    server = start(web, mode=mode, settings="[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n")
    for url in (f"http://{server.authority}", f"http://{server.authority}/v2/"):
        done = server.check("--setup", url)
        assert done.returncode == 0 and "problem" not in done.stdout, done
        gateway = {"fastcgi": "FastCGI", "cgi": "CGI"}[mode]
        for well in ("the workers read this configuration", f"the workers run as root, through {gateway}\n", f"by the web server ({sendfile})",
                     f"{server.registry_storage}: the web server sends blobs", f"{server.storage}/proxy: the web server sends blobs",
                     f"bodies {bodies}", "bodies without a length arrive whole"):
            assert well in done.stdout, (well, done.stdout)
    assert not list(server.registry_storage.rglob("setup-[tp]*"))


def test_the_endpoint_is_unknown_to_those_without_the_token(start):
    server = start(settings="[hosted]\nread_only = yes\n")
    token = server.registry_storage / "_berth/setup-token"

    def absent(answer, like):
        got, known = answer.json(), like.json()
        return (answer.status, got, answer["Allow"]) == (404, known, like["Allow"])
    unknown = server.client.post("/v2/_berth/nothing", b"body")
    assert unknown.status == 404
    assert absent(server.client.post(ENDPOINT, b"body"), unknown)
    assert absent(server.client.post(ENDPOINT, b"body", {"Berth-Setup": "guess"}), unknown)
    token.write_text("right")
    for guess in ("", "righ", "rightt", "Right", "wrong"):
        assert absent(server.client.post(ENDPOINT, b"body", {"Berth-Setup": guess}), unknown)
    assert absent(server.client.get(ENDPOINT, {"Berth-Setup": "wrong"}), unknown)
    answer = server.client.post(ENDPOINT, b"body", {"Berth-Setup": "right"})
    assert answer.status == 200 and answer.json()["body_length"] == 4 and answer["Cache-Control"] == "no-store", answer
    assert server.client.get(ENDPOINT, {"Berth-Setup": "right"}).status == 404  # no probe is there
    token.write_text("")
    assert absent(server.client.post(ENDPOINT, b"body", {"Berth-Setup": ""}), unknown)


class Front(http.server.ThreadingHTTPServer):
    """A web server in front of one worker that is set up as wrongly as a test wants."""

    def __init__(self, worker):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server_port}"
        self.worker, self.parameters = worker, {}
        self.refuse = lambda headers: None  # a status
        self.spool = self.cut = None
        self.roots = [worker.directory / "storage"]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *exception):
        self.shutdown()
        super().__exit__(*exception)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_POST(self):  # pylint: disable=invalid-name
        front, body = self.server, self.body()
        status = front.refuse(self.headers)
        if status:
            self.answer(status, b"")
            return
        parameters = dict(front.parameters)
        if front.cut is not None:
            body = body[:front.cut]
        if front.spool:
            front.spool.write_bytes(body)
            parameters["BERTH_BODY_FILE"] = str(front.spool)
            body = b""
        answer = front.worker.request("POST", self.path, {"Berth-Setup": self.headers["Berth-Setup"]}, body, **parameters)
        self.answer(answer.status, answer.body)

    def do_GET(self):  # pylint: disable=invalid-name
        """Sends what a worker hands over, if it is where files may be sent from."""
        front = self.server
        status = front.refuse(self.headers)
        if status:
            self.answer(status, b"")
            return
        answer = front.worker.request("GET", self.path, {"Berth-Setup": self.headers["Berth-Setup"]}, **front.parameters)
        file = pathlib.Path(answer["X-Sendfile"] or "/")
        may_send = any(file.is_relative_to(root) for root in front.roots)
        self.answer(answer.status if may_send else 403, file.read_bytes() if may_send else b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def front(setup):
    with Worker(setup.directory, BERTH_SENDFILE="x-sendfile") as worker, Front(worker) as running:
        yield running


class UserWorker(Worker):
    """A worker of www-data's, who may not be able to reach the program where it is."""

    def start(self):
        program = shutil.copy(BERTH, self.directory)
        with socket.socket(socket.AF_UNIX) as listener, open(self.log_path, "ab") as log:
            listener.bind(str(self.path))
            listener.listen(64)
            self.process = subprocess.Popen([*TIED_TO_US, program], stdin=listener, stdout=log, stderr=log, user="www-data",
                                            group="www-data", extra_groups=[], start_new_session=True,
                                            env={**os.environ, "BERTH_CONFIGURATION": str(self.configuration)})
        Server.running.append(self)
        return self


def test_without_sendfile_it_is_slower(setup, front):
    front.parameters["BERTH_SENDFILE"] = ""
    output = setup.check(front.url)
    assert any("no BERTH_SENDFILE: blobs are copied by workers" in line for line in lines(output, "warning")), output


def test_a_store_that_the_web_server_does_not_send_from(setup, front):
    front.roots = [setup.registry]
    problem = the_problem(setup.check(front.url, status=1), setup.cache)
    assert "does not send what is in it (403)" in problem and "x-sendfile-docroot" in problem


def test_a_sendfile_that_leads_elsewhere(start, new_directory):
    """nginx has the directories of another configuration."""
    server = start(settings="[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n")
    snippet = server.runtime / "nginx-snippet.conf"
    snippet.write_text(snippet.read_text().replace(f'alias "{server.registry_storage}/"', f'alias "{new_directory("other")}/"'))
    server.reload_nginx()
    problem, = lines(server.check("--setup", f"http://{server.authority}").stdout.splitlines(), "problem")
    assert problem.startswith(f"problem: {server.registry_storage}: the web server does not send what is in it (404)"), problem


def test_a_sendfile_that_is_none(setup, front):
    front.worker.expected_faults = True
    front.parameters["BERTH_SENDFILE"] = "yes"
    assert "BERTH_SENDFILE is neither" in the_problem(setup.check(front.url, status=1), front.url)


def test_a_store_below_the_document_root(setup, front):
    front.worker.expected_faults = True
    front.parameters["DOCUMENT_ROOT"] = str(setup.directory)
    assert "below the web server's document root" in the_problem(setup.check(front.url, status=1), front.url)


def test_a_path_that_the_web_server_has_decoded(setup, front):
    front.parameters.update(REQUEST_URI="", SCRIPT_NAME="/v2", PATH_INFO="/_berth/setup")
    output = setup.check(front.url)
    assert any("there is no REQUEST_URI" in line for line in lines(output, "warning")), output


def test_bodies_on_another_filesystem(setup, front, mounted):
    mount = mounted(SmallMemory(setup.directory / "bodies", 4))
    front.spool = mount.point / "1"
    problem = the_problem(setup.check(front.url, status=1), front.spool)
    assert "cannot link this body (Invalid cross-device link)" in problem and str(setup.temporary) in problem


def test_bodies_outside_of_the_temporary_storage(setup, front):
    """They can be linked all the same; but who looks for what is left behind does not look there."""
    front.spool = setup.directory / "storage/_tmp-bodies/1"
    front.spool.parent.mkdir()
    output = setup.check(front.url)
    assert any(f"{front.spool.parent}: bodies come as files in it, outside of '{setup.temporary}'" in line and "client_body_temp_path" in line
               for line in lines(output, "warning")), output
    front.spool = setup.temporary / "1"
    assert any(f"bodies come as files in '{setup.temporary}' and are not copied" in line for line in lines(setup.check(front.url), "ok"))


def test_bodies_of_another_user(new_directory):
    """fs.protected_hardlinks: nobody may link what is not his and what he may not write."""
    setup = Setup(new_directory("setup")).make("www-data")
    with UserWorker(setup.directory) as worker, Front(worker) as front:
        front.spool = setup.temporary / "bodies/1"
        problem = the_problem(setup.check(front.url, status=1), front.spool)
        assert "belongs to root, they run as www-data" in problem, problem


def test_a_body_that_is_cut(setup, front):
    front.cut = 100
    problems = lines(setup.check(front.url, status=1), "problem")
    assert len(problems) == 2 and all("100000 bytes a worker saw 100" in line for line in problems), problems


@pytest.mark.parametrize("chunked_only, status, word", [
    (True, 411, "server.stream-request-body = 0"), (False, 413, "client_max_body_size"), (False, 502, "reaches no worker"),
    (False, 401, "asks for a login (401) — give --user NAME"), (False, 500, "and nginx's `user`, and client_body_temp_path inside of '"), (False, 507, "cannot keep a body (507)"), (False, 301, "without a redirect"), (False, 404, "does not know the token")])
def test_what_the_web_server_answers_itself(setup, front, chunked_only, status, word):
    front.refuse = lambda headers: status if "Transfer-Encoding" in headers or not chunked_only else None
    assert word in the_problem(setup.check(front.url, status=1), front.url)


def test_a_web_server_with_a_password(setup, front):
    basic = f"Basic {base64.b64encode('bob:tiger: burning'.encode()).decode()}"
    front.refuse = lambda headers: None if headers["Authorization"] == basic else 401
    assert not lines(setup.check("--user", "bob", front.url, input="tiger: burning\n"), "problem")
    for user, password in (("bob", "lion"), ("eve", "tiger: burning")):
        problem = the_problem(setup.check("--user", user, front.url, input=password, status=1), front.url)
        assert "does not know this user with this password (401)" in problem and password not in problem, problem


def test_nginx_under_another_user_than_the_workers(start):
    """It cannot use their socket; nor, if it could, the directory for bodies, which only their owner may look into."""
    server = start(settings="[hosted]\nminimum_free_space = 0\n[proxy]\nminimum_free_space = 0\n")
    main = server.runtime / "nginx.conf"
    main.write_text(main.read_text().replace("user root root;", "user nobody nogroup;"))
    server.temporary.chmod(0o700)
    server.reload_nginx()
    with server.expecting_faults():
        problem, = lines(server.check("--setup", f"http://{server.authority}").stdout.splitlines(), "problem")
        assert "no worker (502) — " in problem and "nginx's `user`, may use their socket: it has to be theirs, here root" in problem, problem
        (server.runtime / "berth.sock").chmod(0o666)
        problem, = lines(server.check("--setup", f"http://{server.authority}").stdout.splitlines(), "problem")
        assert "cannot keep a body (507) — " in problem, problem
        assert f"here root, has to be the workers' user and nginx's `user`, and client_body_temp_path inside of '{server.temporary}'" in problem
        wait_until(lambda: f'open() "{server.temporary}' in server.whole_log(), "nginx's word")


def test_a_password_is_asked_for_on_a_terminal(setup, front):
    """Which does not show it, and is as before afterwards."""
    front.refuse = lambda headers: None if headers["Authorization"] == f"Basic {base64.b64encode(b'bob:tiger').decode()}" else 401
    ours, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    asking = subprocess.Popen([BERTH, "-c", setup.file, "check", "--setup", "--user", "bob", front.url], stdin=terminal,
                              stdout=subprocess.PIPE, stderr=terminal, text=True, start_new_session=True)
    said = b""
    while not said.endswith(b"Password of bob: "):
        said += os.read(ours, 1000)
    os.write(ours, b"tiger\n")
    output, _ = asking.communicate(timeout=PATIENCE)
    assert asking.returncode == 0 and not lines(output.splitlines(), "problem"), output
    assert termios.tcgetattr(terminal) == before
    os.close(terminal)
    with contextlib.suppress(OSError):  # which is how the end of a terminal is read
        while piece := os.read(ours, 1000):
            said += piece
    os.close(ours)
    assert said == b"Password of bob: \r\n", said


def test_without_a_password_nothing_is_asked(setup, front):
    done = berth(setup.file, "check", "--setup", "--user", "bob", front.url)
    assert done.returncode == 2 and done.stdout == "" and "the password is empty" in done.stderr, done


@pytest.fixture(scope="module")
def encrypted(new_directory):
    """nginx with a port of TLS besides the plain one; the address of that port."""
    port, directory = free_port(), pathlib.Path(new_directory("certificate"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem", "-days", "2"],
                   cwd=directory, check=True, capture_output=True, timeout=PATIENCE)
    with Server(new_directory("encrypted"), "nginx") as server:
        main = server.runtime / "nginx.conf"
        plain = f"listen 127.0.0.1:{server.port};"
        assert plain in main.read_text()
        main.write_text(main.read_text().replace(plain, f"{plain} listen 127.0.0.1:{port} ssl; ssl_certificate {directory}/certificate.pem; "
                                                        f"ssl_certificate_key {directory}/key.pem;"))
        server.reload_nginx()
        server.encrypted, server.certificate = f"localhost:{port}", directory / "certificate.pem"
        yield server


def test_http_spoken_to_a_port_of_tls_and_the_other_way_round(setup, encrypted):
    """Each time with the address that would have been right."""
    plain, hidden = encrypted.authority, encrypted.encrypted
    assert f"http was spoken to a port of TLS — give https://{hidden}/v2/" in \
        the_problem(setup.check(f"http://{hidden}/v2/", status=1), f"http://{hidden}/v2/")
    assert f"https was spoken to a port without TLS — give http://{plain}, or" in \
        the_problem(setup.check(f"https://{plain}", status=1), f"https://{plain}")


def test_an_address_without_a_scheme(new_directory, encrypted):
    """It is said which was taken; and no password goes where others can read it."""
    plain, hidden = encrypted.authority, encrypted.encrypted
    setup = Setup(new_directory("setup"), f"ca_file = {encrypted.certificate}\n").make()
    for address, url in ((plain, f"http://{plain}"), (hidden, f"https://{hidden}")):
        output = setup.check(address, status=1)
        assert any(line.startswith(f"ok: {address}: it has no scheme: {url} is taken") for line in output), output
        assert "does not know the token" in the_problem(output, url)
    assert "the password was not sent" in the_problem(setup.check("--user", "bob", plain, input="tiger", status=1), plain)
    nobody = f"localhost:{free_port()}"
    output = setup.check(nobody, status=1)
    assert any(line.startswith(f"warning: {nobody}: it has no scheme: https://{nobody} is tried — ") for line in output), output
    assert "cannot be reached" in the_problem(output, f"https://{nobody}")


def test_workers_with_another_configuration(setup, front, new_directory):
    other = Setup(new_directory("other"), registry_storage=setup.registry, temporary_registry_storage=setup.temporary,
                  proxy_storage=setup.cache)
    assert f"not '{other.file}'" in the_problem(other.check(front.url, status=1), setup.file)


def test_a_configuration_that_has_changed_since(setup, front):
    assert front.worker.get("/v2/").status == 200  # it has read it
    setup.file.write_text(setup.file.read_text().replace("storage/proxy", "storage/other"))
    (setup.directory / "storage/other").mkdir()
    assert "restart the workers" in the_problem(setup.check(front.url, status=1), setup.file)


def test_workers_that_are_not_the_stores_owner(new_directory):
    """Root's worker can read the token of anybody."""
    setup = Setup(new_directory("setup")).make("www-data")
    with Worker(setup.directory) as worker, Front(worker) as front:
        subprocess.run(["chown", "-R", "www-data:", setup.directory / "storage"], check=True)
        problem = the_problem(setup.check(front.url, status=1), setup.registry)
        assert "it belongs to www-data, but the workers run as root" in problem, problem


def test_stores_that_are_roots_and_workers_that_are_not(setup):
    """Which can neither write to them nor read the token."""
    with UserWorker(setup.directory) as worker, Front(worker) as front:
        worker.expected_faults = True
        output = setup.check(front.url, status=1)
        assert f"the owner of '{setup.registry}', here root, has to be the workers' user" in the_problem(output, front.url)
        assert "let the directories belong to it" in lines(output, "warning")[0]


def test_nobody_is_there(setup):
    url = f"http://localhost:{free_port()}"
    assert "cannot be reached" in the_problem(setup.check(url, status=1), url)


def test_another_server_is_there(setup, start):
    url = f"http://{start().authority}"
    problem = the_problem(setup.check(url, status=1), url)
    assert "does not know the token" in problem and str(setup.file) in problem

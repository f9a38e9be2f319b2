"""Mode web-server: nginx, lighttpd and Apache know who somebody is, by what is commented out in the files of deploy/."""
import base64
import json
import re
import shutil
import subprocess

import pytest

from harness import content
from harness.engines import Containers, run
from harness.server import ROOT, Server, berth
from test_access import As, basic, bearer, challenge_of, docker, token_of, write_users  # noqa: F401, pylint: disable=unused-import

RULES = """
[authentication]
mode = web-server
[access team]
repositories = team/**
pull = anonymous
push = alice, robot/ci
"""
LATE = '''LoadModule {0}_module "/usr/lib/apache2/modules/mod_{0}.so"\n'''


def uncommented(text):
    """What follows "mode = web-server", as an administrator takes it in: the lines that are set off."""
    before, words, block = text.rpartition('# With "mode = web-server"')
    assert words
    return before + words + re.sub(r"^( *)#   ", r"\1", block, flags=re.MULTILINE)


@pytest.fixture(scope="module", params=["nginx", "lighttpd", "apache"])
def house(request, new_directory):
    directory = new_directory("asks")
    server = Server(directory, request.param, settings=RULES)
    deploy = server.directory / "deploy"
    shutil.copytree(ROOT / "deploy", deploy)
    snippet = deploy / f"{request.param}-snippet.conf"
    passwords = server.directory / "passwords"
    text = uncommented(snippet.read_text())
    assert "berth.htpasswd" in text
    snippet.write_text(re.sub(r"/etc/(nginx|lighttpd|apache2)/berth.htpasswd", str(passwords), text))
    if request.param == "apache":
        complete = deploy / "apache.conf"
        modules = "".join(LATE.format(name) for name in ("auth_basic", "authn_core", "authn_file", "authz_user"))
        complete.write_text(complete.read_text().replace("LoadModule reqtimeout", modules + "LoadModule reqtimeout", 1))
    server.program = deploy / "run"
    write_users(passwords, {"alice": "alice's password", "bob": "b"})
    passwords.chmod(0o644)
    with server:
        yield server


@pytest.fixture
def client(house):
    return house.client


def pushes(client, headers):
    """The status of a push with these headers."""
    data = content.noise(100)
    return client.post(f"/v2/team/app/blobs/uploads/?digest={content.digest(data)}", data, headers).status


def test_who_has_the_servers_password_gets_a_token_and_pushes(client):
    challenge_of(client.get("/v2/"), client)
    for user, status in (("alice", 201), ("bob", 403)):
        answer = token_of(client, user, "&offline_token=true&scope=repository:team/app:pull,push")
        assert "refresh_token" not in answer, "nobody here could say whether it is still good"
        assert pushes(client, bearer(answer["token"])) == status
    assert pushes(client, bearer(token_of(client)["token"])) == 401


@pytest.mark.parametrize("headers", [basic("alice", "wrong"), basic("nobody", "x"), basic("alice", ""), bearer("alice"),
                                     {"Authorization": "basic " + basic("alice", "wrong")["Authorization"][6:]}])
def test_who_has_not_is_asked_by_the_server(client, headers):
    answer = client.get(f"/v2/_berth/token?service={client.authority}", headers)
    assert answer.status == 401 and answer.codes() == ["UNAUTHORIZED"], answer
    assert answer["WWW-Authenticate"].startswith('Basic realm="registry"'), answer


CLAIMS = [
    {"Remote-User": "alice"}, {"REMOTE_USER": "alice"}, {"X-Remote-User": "alice"}, {"HTTP_REMOTE_USER": "alice"},
    {"Redirect-Remote-User": "alice"},
    # A name is only claimed where nobody asks for the password.
    basic("alice", "wrong"), basic("alice"), basic("robot/alice", "x"),
]


@pytest.mark.parametrize("headers", CLAIMS, ids=str)
def test_a_claim_of_a_client_makes_nobody_of_it(client, headers):
    assert pushes(client, headers) == 401
    for target in ("/v2/_berth/token", "/v2/_berth/%74oken", "/v2//_berth/token", "/v2/_berth/token/", "/v2/./_berth/token"):
        if headers == basic("alice"):
            continue  # she is whom she says
        answer = client.get(f"{target}?service={client.authority}", headers)
        if answer.status == 200:
            assert "Authorization" not in headers, answer
            assert pushes(client, bearer(answer.json()["token"])) == 401


def test_two_headers_are_not_read_as_one_by_each(client):
    for first, second in (("", basic("alice", "wrong")["Authorization"]), (basic("robot/x", "x")["Authorization"], basic("alice", "wrong")["Authorization"])):
        answer = client.request("GET", f"/v2/_berth/token?service={client.authority}", [("Authorization", first), ("Authorization", second)])
        if answer.status == 200:
            assert pushes(client, bearer(answer.json()["token"])) == 401


def test_robots_are_the_registrys_own(house, client):
    made = berth(house.configuration, "robot", "add", "ci")
    assert made.returncode == 0, made
    headers = basic("robot/ci", made.stdout.strip())
    assert pushes(client, headers) == 201
    answer = client.get(f"/v2/_berth/token?service={client.authority}", headers)
    assert answer.status == 200 and pushes(client, bearer(answer.json()["token"])) == 201, answer
    assert client.get("/v2/_berth/token", basic("robot/ci", "wrong")).status == 401


def test_real_clients_log_in_at_the_server(house, layout, new_directory):
    file = f"{new_directory('client')}/auth.json"
    options = ["--tls-verify=false", "--authfile", file]
    assert run("skopeo", "login", *options, "-u", "alice", "-p", "wrong", house.authority, check=False).returncode != 0
    for user, password, allowed in (("bob", "b", False), ("alice", "alice's password", True)):
        run("skopeo", "login", *options, "-u", user, "-p", password, house.authority)
        pushed = run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--dest-authfile", file,
                     f"oci:{layout.directory}:app", f"docker://{house.authority}/team/real:1", check=False)
        assert (pushed.returncode == 0) == allowed, pushed
    assert As(house.client, {}).get("/v2/team/real/manifests/1").status == 200
    asked = subprocess.run(["curl", "-sf", "-u", "alice:alice's password", f"http://{house.authority}/v2/_berth/token"],
                           capture_output=True, check=False)
    assert asked.returncode == 0 and b'"token"' in asked.stdout, asked


def test_docker_and_podman_log_in_at_the_server(house, layout, docker, new_directory):
    directory = new_directory("engines")
    target, archive = f"{house.authority}/team/engines:1", f"{directory}/image.tar"
    run("skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout.directory}:app", f"docker-archive:{archive}:{target}")
    docker("load", "--input", archive)
    assert docker("login", "-u", "alice", "-p", "wrong", house.authority, check=False).returncode != 0
    for user, password, allowed in (("bob", "b", False), ("alice", "alice's password", True)):
        docker("login", "-u", user, "-p", password, house.authority)
        kept = json.loads((docker.directory / "client/config.json").read_text())["auths"][house.authority]
        assert base64.b64decode(kept["auth"]).decode() == f"{user}:{password}" and "identitytoken" not in kept
        pushed = docker("push", target, check=False)
        assert (pushed.returncode == 0) == allowed and (allowed or "denied" in pushed.stderr), pushed
    docker("logout", house.authority)
    docker("rmi", "--force", target)
    docker("pull", target)
    docker("rmi", "--force", target)

    podman = Containers("podman", directory)
    options = ["--tls-verify=false", "--authfile", f"{directory}/auth.json"]
    image = podman("pull", "--quiet", f"oci:{layout.directory}:app").strip()
    other = f"{house.authority}/team/engines:2"
    assert podman("login", *options, "-u", "alice", "-p", "wrong", house.authority, check=False).returncode != 0
    podman("login", *options, "-u", "alice", "-p", "alice's password", house.authority)
    podman("push", "--quiet", *options, image, other)
    podman("logout", "--authfile", f"{directory}/auth.json", house.authority)
    refused = podman("push", "--quiet", *options, image, f"{house.authority}/team/engines:3", check=False)
    assert refused.returncode != 0, refused
    podman("pull", "--quiet", *options, other)

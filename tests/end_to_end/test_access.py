"""Who may do what: log-ins, tokens, refusals, and what they must not tell."""
import base64
import json
import subprocess
import urllib.parse

import pytest

from harness import content
from harness.engines import Containers, Docker, run
from harness.server import Server, berth

USERS = {"alice": "alice's password", "bob": "b", "carl": "c: c"}
ROBOTS = {}  # their secrets, once the server has been started
RULES = """
[authentication]
mode = htpasswd
htpasswd = users
[group pushers]
members = alice, carl, robot/ci
[access team]
repositories = team/**, !team/hidden/**
pull = anonymous
push = @pushers
overwrite = alice
delete = alice, robot/ci
[access hidden]
repositories = team/hidden/**
push = alice
[access homes]
repositories = home/{user}/**
push = authenticated
[access cache]
repositories = proxy/public.example/**
pull = authenticated
"""


def hashed(password):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, text=True, capture_output=True, check=True).stdout.strip()


def write_users(path, users):
    path.write_text("".join(f"{name}:{hashed(password)}\n" for name, password in users.items()))


def basic(user, password=None):
    password = {**USERS, **ROBOTS}[user] if password is None else password
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def house(request, new_directory):
    """A server with users and rules, and an image in each kind of repository."""
    directory = new_directory("access")
    server = Server(directory, request.param, settings=RULES)
    write_users(server.directory / "users", USERS)
    made = berth(server.configuration, "robot", "add", "ci", "--rights", "pull,push")
    assert made.returncode == 0, made
    ROBOTS["robot/ci"] = made.stdout.strip()
    with server:
        yield server


@pytest.fixture
def client(house):
    return house.client


@pytest.fixture(scope="module")
def stored(house):
    """What alice has pushed: the digest of a manifest in each repository."""
    digests = {}
    for name in ("team/app", "team/hidden/app", "home/alice/app"):
        repository = As(house.client, basic("alice")).repository(name)
        digests[name] = repository.push_image("1")[1]
    return digests


class As:
    """A client that shows these headers with every request."""

    def __init__(self, client, headers):
        self.client, self.headers = client, headers

    def request(self, method, target, headers=None, body=None, chunks=None):
        return self.client.request(method, target, {**self.headers, **dict(headers or {})}, body, chunks)

    def get(self, target, headers=None):
        return self.request("GET", target, headers)

    def put(self, target, body=b"", headers=None):
        return self.request("PUT", target, headers, body)

    def post(self, target, body=b"", headers=None):
        return self.request("POST", target, headers, body)

    def repository(self, name):
        return type(self.client.repository(name))(self, name)


def token_of(client, user=None, query="", **more):
    answer = client.get(f"/v2/_berth/token?service={client.authority}{query}", basic(user, **more) if user else {})
    assert answer.status == 200, answer
    return answer.json()


def challenge_of(answer, client, scope=None, error=None):
    """That it has exactly one, and exactly this one."""
    expected = f'Bearer realm="http://{client.authority}/v2/_berth/token",service="{client.authority}"'
    expected += f',scope="{scope}"' if scope else ""
    expected += f',error="{error}"' if error else ""
    assert answer.status == 401 and answer["WWW-Authenticate"] == expected, answer
    assert answer.codes() == ["UNAUTHORIZED"], answer


def test_the_base_lets_in_whoever_shows_a_token(client):
    challenge_of(client.get("/v2/"), client)
    challenge_of(client.get("/v2/", {"Authorization": "Basic Og=="}), client)
    for user in (None, "alice"):
        assert client.get("/v2/", bearer(token_of(client, user)["token"])).status == 200
    assert client.get("/v2/", basic("alice")).status == 200
    challenge_of(client.get("/v2/", bearer("forged")), client, error="invalid_token")
    challenge_of(client.get("/v2/", basic("alice", "wrong")), client)
    challenge_of(client.get("/v2/", basic("nobody", "wrong")), client)


def test_a_token_answer_has_what_each_client_reads(client):
    scope = "&scope=repository:team/app:pull,push,delete&scope=repository:team/hidden/x:pull%20registry:catalog:*"
    for user, granted in [(None, "repository:team/app:pull registry:catalog:*"),
                          ("carl", "repository:team/app:pull,push registry:catalog:*"),
                          ("alice", "repository:team/app:pull,push,delete repository:team/hidden/x:pull registry:catalog:*")]:
        answer = client.get(f"/v2/_berth/token?service=x&client_id=docker&account=x{scope}", basic(user) if user else {})
        document = answer.json()
        assert set(document) == {"token", "access_token", "expires_in", "scope"}, document
        assert document["token"] == document["access_token"] and document["expires_in"] == 3600
        assert document["scope"] == granted
        assert answer["Cache-Control"] == "no-store"


def form(client, headers=None, **fields):
    body = urllib.parse.urlencode(fields, doseq=True).encode()
    return client.post("/v2/_berth/token", body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **(headers or {})})


def test_the_form_gives_the_same(client):
    answer = form(client, grant_type="password", username="carl", password=USERS["carl"], service="x", client_id="x",
                  scope=["repository:team/app:pull,push", "repository:home/carl/x:pull repository:home/bob/x:pull"])
    assert answer.status == 200, answer
    document = answer.json()
    assert document["scope"] == "repository:team/app:pull,push repository:home/carl/x:pull"
    assert client.get("/v2/", bearer(document["access_token"])).status == 200
    assert "refresh_token" not in document
    for fields in [{}, {"grant_type": "authorization_code"}, {"grant_type": "refresh_token"}]:
        refused = form(client, **fields)
        assert refused.status == 400 and refused.codes(), refused
    for fields in [{"grant_type": "password", "username": "carl", "password": "wrong"},
                   {"grant_type": "refresh_token", "refresh_token": "forged"}]:
        challenge_of(form(client, **fields), client)
    assert client.post("/v2/_berth/token", b"{}", {"Content-Type": "application/json"}).status == 400


def test_a_login_keeps_a_refresh_token_instead_of_the_password(house, client):
    first = token_of(client, "alice", "&offline_token=true")
    assert "refresh_token" not in token_of(client, None, "&offline_token=true")
    answer = form(client, grant_type="refresh_token", refresh_token=first["refresh_token"], service="x", access_type="offline",
                  scope="repository:team/app:push")
    assert answer.status == 200 and answer.json()["scope"] == "repository:team/app:push", answer
    assert client.get("/v2/_catalog", bearer(answer.json()["access_token"])).status == 200
    # It is nothing but that, and an access token is no refresh token.
    challenge_of(client.get("/v2/", bearer(first["refresh_token"])), client, error="invalid_token")
    challenge_of(form(client, grant_type="refresh_token", refresh_token=first["token"]), client)
    challenge_of(client.get("/v2/_berth/token", bearer(first["token"])), client, error="insufficient_scope")
    # A changed password ends it.
    write_users(house.directory / "users", {**USERS, "alice": "another one"})
    challenge_of(form(client, grant_type="refresh_token", refresh_token=first["refresh_token"]), client)
    write_users(house.directory / "users", USERS)


MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": content.INDEX, "manifests": []}).encode()
DIGEST = content.digest(b"absent")

# Every route that names a repository: method, rest of the path, what is needed, scope, what a challenge asks for.
ROUTES = [
    ("GET", "blobs/" + DIGEST, "pull", "pull"),
    ("HEAD", "blobs/" + DIGEST, "pull", "pull"),
    ("DELETE", "blobs/" + DIGEST, "delete", "delete"),
    ("POST", "blobs/uploads/", "push", "pull,push"),
    ("GET", "blobs/uploads/00000000-0000-0000-0000-000000000000", "push", "pull,push"),
    ("PATCH", "blobs/uploads/00000000-0000-0000-0000-000000000000", "push", "pull,push"),
    ("PUT", "blobs/uploads/00000000-0000-0000-0000-000000000000?digest=" + DIGEST, "push", "pull,push"),
    ("DELETE", "blobs/uploads/00000000-0000-0000-0000-000000000000", "push", "pull,push"),
    ("GET", "manifests/1", "pull", "pull"),
    ("HEAD", "manifests/1", "pull", "pull"),
    ("PUT", "manifests/1", "push", "pull,push"),
    ("DELETE", "manifests/absent", "delete", "delete"),
    ("GET", "tags/list", "pull", "pull"),
    ("HEAD", "tags/list", "pull", "pull"),
    ("GET", "referrers/" + DIGEST, "pull", "pull"),
    ("HEAD", "referrers/" + DIGEST, "pull", "pull"),
]
# Who has what in team/app and team/hidden/app.
CALLERS = {None: ("pull", ""), "alice": ("pull push delete", "pull push"), "bob": ("pull", ""), "carl": ("pull push", ""),
           "robot/ci": ("pull push", "")}


def without_id(answer):
    return (answer.status, [(name, value) for name, value in answer.headers if name.lower() not in ("x-request-id", "date")], answer.body)


@pytest.mark.parametrize("method, rest, right, scope", ROUTES, ids=[f"{route[0]} {route[1].split('/')[0]}" for route in ROUTES])
def test_a_route_is_for_those_who_may(client, stored, method, rest, right, scope):
    """And what is refused is refused by the name alone: what exists and what does not look the same."""
    body = MANIFEST if method in ("PUT", "PATCH") else None
    for user, (in_team, in_hidden) in CALLERS.items():
        for as_ in ([basic(user), bearer(token_of(client, user)["token"])] if user else [{}, bearer(token_of(client)["token"])]):
            for name, rights in [("team/app", in_team), ("team/hidden/app", in_hidden)]:
                answer = client.request(method, f"/v2/{name}/{rest}", {**as_, "Content-Type": content.INDEX}, body)
                if right in rights.split():
                    assert answer.status not in (401, 403) or (method, user) in [("PUT", "carl"), ("PUT", "robot/ci")], (user, name, answer)
                    continue
                if user:
                    assert answer.status == 403 and not answer.all("WWW-Authenticate"), (user, name, answer)
                else:
                    challenge = answer["WWW-Authenticate"]
                    assert answer.status == 401 and f'scope="repository:{name}:{scope}"' in challenge, answer
                    assert challenge.endswith(',error="insufficient_scope"') == bool(as_), answer
                absent = client.request(method, f"/v2/{name}x/{rest}", {**as_, "Content-Type": content.INDEX}, body)
                twin = (absent.status, [(n, v.replace(f"{name}x", name)) for n, v in without_id(absent)[1] if n != "Content-Length"],
                        absent.body.replace(f"{name}x".encode(), name.encode()))
                mine = without_id(answer)
                assert twin == (mine[0], [pair for pair in mine[1] if pair[0] != "Content-Length"], mine[2])
    refused = client.request(method, f"/v2/team/app/{rest}", {**bearer("forged"), "Content-Type": content.INDEX}, body)
    assert refused.status == 401 and refused["WWW-Authenticate"].endswith(
        f'scope="repository:team/app:{scope}",error="invalid_token"'), refused


def test_a_refusal_says_which_rule_decides(client, stored):
    refused = client.post("/v2/team/app/blobs/uploads/", b"", basic("bob"))
    assert refused.status == 403 and refused.codes() == ["DENIED"], refused
    error = refused.json()["errors"][0]
    assert error["message"] == "bob may not push to team/app: [access team] gives push to others"
    assert error["detail"] == {"repository": "team/app", "action": "push", "subject": "bob", "rule": "[access team] gives push to others"}
    assert "alice" not in refused.body.decode() and "pushers" not in refused.body.decode()


def test_who_may_push_may_not_always_move_a_tag(client, stored):
    carl = As(client, basic("carl")).repository("team/moved")
    first, digest = carl.push_image("1")
    assert carl.put_manifest("1", first).status == 201  # the same once more
    second, _ = carl.push_image("2")
    refused = carl.put_manifest("1", second)
    assert refused.status == 403 and refused.codes() == ["DENIED"], refused
    assert refused.json()["errors"][0]["detail"]["action"] == "overwrite"
    assert client.get(carl.manifest("1"))["Docker-Content-Digest"] == digest
    assert carl.put_manifest("3", second, query="?tag=1").status == 403
    assert client.get(carl.manifest("3")).status == 404
    assert As(client, basic("alice")).repository("team/moved").put_manifest("1", second).status == 201


def test_the_catalog_shows_what_one_may_pull(client, stored):
    def listed(headers):
        answer = client.get("/v2/_catalog", headers)
        assert answer.status == 200, answer
        return {name for name in answer.json()["repositories"] if name in stored}
    assert listed({}) == {"team/app"}
    assert listed(basic("bob")) == {"team/app"}
    assert listed(basic("alice")) == set(stored)
    assert client.get("/v2/_catalog", basic("alice"))["Cache-Control"] == "private"


def test_a_blob_is_mounted_only_from_where_one_may_pull(client, stored):
    alice = As(client, basic("alice")).repository("team/hidden/app")
    blob = alice.push_blob(content.noise())
    for headers, name, status in [(basic("carl"), "team/mine", 202), (basic("alice"), "team/mine", 201)]:
        answer = client.post(f"/v2/{name}/blobs/uploads/?mount={blob}&from=team/hidden/app", b"", headers)
        assert answer.status == status, answer


def test_what_needed_a_login_is_kept_by_no_shared_cache(client, stored):
    for name, headers, private in [("team/app", {}, False), ("team/app", basic("alice"), False), ("team/hidden/app", basic("alice"), True)]:
        answer = client.get(f"/v2/{name}/manifests/{stored[name]}", headers)
        assert answer.status == 200 and ("private" in answer["Cache-Control"]) == private, answer
        layer = answer.json()["layers"][0]["digest"]
        answer = client.get(f"/v2/{name}/blobs/{layer}", headers)
        assert answer.status == 200 and ("private" in answer["Cache-Control"]) == private, answer


def test_other_registries_are_ruled_by_their_names(client):
    for target in ("/v2/proxy/public.example/app/manifests/1", "/v2/app/manifests/1?ns=public.example"):
        assert client.get(target).status == 401
    assert client.get("/v2/proxy/other.example/app/manifests/1", basic("alice")).status == 403
    assert client.get("/v2/app/manifests/1?ns=other.example", basic("alice")).status == 403


def test_a_lie_about_the_host_goes_into_no_header(client):
    answer = client.get("/v2/", {"X-Forwarded-Proto": "https"})
    assert answer["WWW-Authenticate"].startswith(f'Bearer realm="https://{client.authority}/v2/_berth/token"')
    for host in ('a"b', "a,b"):
        answer = client.get("/v2/", {"Host": host})
        assert answer.status == 400 or host not in answer["WWW-Authenticate"], answer


def test_the_program_says_who_may_what_and_which_line_decides(house, stored):
    def said(*arguments):
        done = berth(house.configuration, "access", *arguments)
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout.splitlines()
    lines = house.configuration.read_text().splitlines()

    def line_of(text):
        return f"({house.configuration}:{lines.index(text) + 1})"
    assert said("carl", "team/app") == [
        f"carl: pull: yes: [access team] gives it by 'pull = anonymous' {line_of('pull = anonymous')}",
        f"carl: push: yes: [access team] gives it by 'push = @pushers' {line_of('push = @pushers')}",
        f"carl: overwrite: no: [access team] gives overwrite to others {line_of('overwrite = alice')}",
        f"carl: delete: no: [access team] gives delete to others {line_of('delete = alice, robot/ci')}"]
    everybody = said("--json", "team/app")
    assert [json.loads(line)["subject"] for line in everybody[::4]] == ["anonymous", "alice", "bob", "carl", "robot/ci"]
    assert said("robot/ci", "other")[0] == "robot/ci: pull: no: no [access] section is for this repository"
    assert berth(house.configuration, "access", "a b", "team/app").returncode == 2


def test_who_guesses_in_a_form_is_told_how_long_to_wait(new_directory):
    server = Server(new_directory("guesses"), "nginx", settings="[authentication]\nmode = htpasswd\nhtpasswd = users\n")
    write_users(server.directory / "users", {"alice": "a"})
    with server:
        guesses = (form(server.client, grant_type="password", username="alice", password=f"{n}") for n in range(1000))
        answer = next(answer for answer in guesses if answer.status != 401)
        assert answer.status == 429 and f"again in {answer['Retry-After']} seconds" in answer.body.decode(), answer


def test_real_clients_log_in_push_and_are_refused(house, layout, new_directory):
    """skopeo and podman: a wrong password, a push, a pull by nobody, a push that is denied and says why, the end."""
    directory = new_directory("clients")
    podman = Containers("podman", directory)
    for name, program in [("skopeo", lambda *words, **more: run("skopeo", "--insecure-policy", *words, **more)), ("podman", podman)]:
        file = f"{directory}/{name}.json"
        options = ["--tls-verify=false", "--authfile", file]
        wrong = program("login", *options, "-u", "alice", "-p", "wrong", house.authority, check=False)
        assert wrong.returncode != 0 and "invalid username/password" in wrong.stderr, wrong
        for user, allowed in [("bob", False), ("alice", True)]:
            program("login", *options, "-u", user, "-p", USERS[user], house.authority)
            pushed = run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--dest-authfile", file,
                         f"oci:{layout.directory}:app", f"docker://{house.authority}/team/{name}:1", check=False)
            assert (pushed.returncode == 0) == allowed, pushed
            if not allowed:
                assert "[access team] gives push to others" in pushed.stderr, pushed
        program("logout", "--authfile", file, house.authority)
        nobody = house.directory / "nobody.json"
        nobody.write_text("{}")
        run("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--src-authfile", nobody,
            f"docker://{house.authority}/team/{name}:1", f"oci:{directory}/{name}:pulled")


@pytest.fixture(scope="module")
def docker(new_directory):
    daemon = Docker(new_directory("docker"))
    yield daemon
    daemon.stop()


def test_docker_keeps_no_password_and_nobody_pulls_what_it_pushed(house, layout, docker, new_directory):
    target, archive = f"{house.authority}/team/docker:1", f"{new_directory('archive')}/image.tar"
    run("skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout.directory}:app", f"docker-archive:{archive}:{target}")
    docker("load", "--input", archive)
    refused = docker("push", target, check=False)
    assert refused.returncode != 0 and "denied" in refused.stderr, refused
    wrong = docker("login", "-u", "alice", "-p", "wrong", house.authority, check=False)
    assert wrong.returncode != 0, wrong
    docker("login", "-u", "bob", "-p", USERS["bob"], house.authority)
    refused = docker("push", target, check=False)
    assert refused.returncode != 0 and "denied" in refused.stderr, refused
    docker("login", "-u", "alice", "-p", USERS["alice"], house.authority)
    kept = json.loads((docker.directory / "client/config.json").read_text())["auths"][house.authority]
    assert kept["identitytoken"] and base64.b64decode(kept["auth"]) == b"alice:", kept
    docker("push", target)
    # What was kept is of no use once the password has changed.
    write_users(house.directory / "users", {**USERS, "alice": "another one"})
    ended = docker("push", target, check=False)
    assert ended.returncode != 0, ended
    write_users(house.directory / "users", USERS)
    docker("logout", house.authority)
    docker("rmi", "--force", target)
    docker("pull", target)
    docker("rmi", "--force", target)

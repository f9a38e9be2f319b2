"""Who may do what where the web server does not matter: hosts without log-in, the mirror, tokens that end, robots, other registries."""
import pathlib

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.server import berth
from harness.upstream import Upstream, wants_basic
from test_access import As, basic, bearer, token_of, write_users

SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[hosted]
minimum_free_space = 0
[proxy]
minimum_free_space = 0
[upstream closed]
url = {closed.url}
allow_private_address = yes
username = berth
password = its own
[upstream open]
url = {open.url}
allow_private_address = yes
[upstream root]
url = {root.url}
allow_private_address = yes
[mirror]
root = root
[access team]
repositories = team/**
pull = anonymous
push = alice
[access robots]
repositories = robots/**
pull = authenticated
push = robot/all, robot/mover, robot/pusher, robot/remover, robot/puller
overwrite = robot/all, robot/mover, robot/pusher, robot/remover, robot/puller
delete = robot/all, robot/mover, robot/pusher, robot/remover, robot/puller
[access hidden]
repositories = hidden/**, shut/**
push = alice
[access mirror]
repositories = proxy/root/**, !proxy/root/shut/**, !proxy/root/team/**
pull = anonymous
[access inside]
repositories = proxy/root/team/inside/**
pull = authenticated
[access closed]
repositories = proxy/closed/**
pull = authenticated
[access open]
repositories = proxy/open/**
pull = anonymous
"""
FREE = {"BERTH_AUTHENTICATION": "none"}
YEAR = "31536000"


class House:
    def __init__(self, directory):
        self.upstreams = {name: Upstream(alias=name) for name in ("closed", "open", "root")}
        self.upstreams["closed"].login = wants_basic("berth", "its own")
        write_users(pathlib.Path(directory) / "users", {"alice": "alice's password", "bob": "b"})
        self.worker = Worker(directory, SETTINGS.format(**self.upstreams))

    def __enter__(self):
        self.worker.__enter__()
        return self

    def __exit__(self, *exception):
        self.worker.__exit__(*exception)
        for upstream in self.upstreams.values():
            upstream.close()

    def robot(self, name, *options):
        made = berth(self.worker.configuration, "robot", "add", name, *options)
        assert made.returncode == 0, made
        return basic(f"robot/{name}", made.stdout.strip())


@pytest.fixture(scope="module")
def house(new_directory):
    with House(new_directory("house")) as running:
        yield running


@pytest.fixture
def worker(house):
    return house.worker


@pytest.fixture(scope="module")
def alice(house):
    return As(house.worker, basic("alice"))


def status(answer):
    return (answer.status, answer.codes() if answer.status >= 400 else [])


# Hosts on which nobody logs in

@pytest.mark.parametrize("headers", [{}, basic("hubs-user", "hubs-password"), basic("alice"), bearer("of somebody else")])
def test_where_nobody_logs_in_everybody_is_anonymous(house, worker, alice, headers):
    """dockerd shows its mirror the credentials for Docker Hub, and passes by a mirror that refuses them."""
    free = f"free{len(house.upstreams['open'].tags)}"
    _, digest = alice.repository(f"team/{free}").push_image("1")
    alice.repository(f"hidden/{free}").push_image("1")
    data, _ = house.upstreams["open"].add_image(free, "1")
    mirrored, _ = house.upstreams["root"].add_image(f"library/{free}", "1")

    def ask(method, target):
        return worker.request(method, target, headers, **FREE)
    assert ask("GET", "/v2/").status == 200
    assert ask("GET", f"/v2/team/{free}/manifests/1")["Docker-Content-Digest"] == digest
    assert ask("GET", f"/v2/proxy/open/{free}/manifests/1").body == data
    assert ask("GET", f"/v2/library/{free}/manifests/1").body == mirrored
    listed = ask("GET", "/v2/_catalog").json()["repositories"]
    assert f"team/{free}" in listed and f"hidden/{free}" not in listed
    for method, target in [("GET", "/v2/hidden/x/manifests/sha256:" + "0" * 64), ("GET", f"/v2/proxy/closed/{free}/manifests/1"),
                           ("POST", f"/v2/team/{free}/blobs/uploads/"), ("DELETE", f"/v2/team/{free}/manifests/1")]:
        answer = ask(method, target)
        if target.startswith("/v2/hidden/"):
            assert status(answer) == (404, ["MANIFEST_UNKNOWN"]), answer  # the mirror's, which has none
        else:
            assert status(answer) == (403, ["DENIED"]) and not answer.all("WWW-Authenticate"), answer
    assert worker.get("/v2/").status == 401, "of the other hosts"
    assert worker.get(f"/v2/proxy/closed/{free}/manifests/1").status == 401


def test_where_nobody_logs_in_the_token_service_knows_nobody(worker):
    for headers in ({}, basic("hubs-user", "hubs-password"), basic("alice")):
        answer = worker.request("GET", "/v2/_berth/token?scope=repository:team/x:pull,push&offline_token=true", headers, **FREE)
        assert answer.status == 200, answer
        assert answer.json()["scope"] == "repository:team/x:pull" and "refresh_token" not in answer.json()
        assert worker.post("/v2/team/x/blobs/uploads/", b"", bearer(answer.json()["token"])).status == 401


@pytest.mark.parametrize("scope", ["repository(", "repository(plugin)", "repository:", "repository::", "repository:x", ":", "", "repository(x):team/x:pull"])
def test_a_scope_may_be_anything(worker, scope):
    answer = worker.get(f"/v2/_berth/token?scope={scope}")
    assert answer.status == 200 and answer.json()["scope"] == ("repository:team/x:pull" if "team" in scope else ""), answer


# The mirror's root

def seen(answer, name):
    """What an answer says, whatever the name and the request."""
    headers = [(key, "" if key.lower() == "server-timing" else value.replace(name, "NAME")) for key, value in answer.headers
               if key.lower() not in ("x-request-id", "content-length")]
    return answer.status, headers, answer.body.replace(name.encode(), b"NAME")


@pytest.mark.parametrize("rest", ["manifests/1", "manifests/DIGEST", "blobs/BLOB", "tags/list", "referrers/DIGEST"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_mirror_does_not_tell_what_is_hosted(house, worker, alice, method, rest):
    """A hidden name is the mirror's for whoever may not see it; and where the mirror is hidden too, it is refused."""
    root = house.upstreams["root"]
    for parent, is_mirrored in (("hidden", True), ("shut", False)):
        repository = alice.repository(f"{parent}/there")
        layer = content.noise()
        _, digest = repository.push_image("1", [layer])
        target = f"{{}}/{rest}".replace("DIGEST", digest).replace("BLOB", content.digest(layer))
        for who in ({}, basic("bob")):
            root.forget()
            there = worker.request(method, f"/v2/{target.format(parent + '/there')}", who)
            asked = len(root.asked())
            absent = worker.request(method, f"/v2/{target.format(parent + '/gone0')}", who)
            assert seen(there, f"{parent}/there") == seen(absent, f"{parent}/gone0")
            assert there.status not in (200, 202, 307) or rest.startswith("referrers"), there
            assert (there.status in (401, 403)) != is_mirrored, there
            if not is_mirrored:
                assert asked == len(root.asked()) == 0


def test_what_nobody_may_have_of_the_mirror_is_not_to_be_had_below_another_name(house, worker):
    """The rule for team/** gives everybody what is hosted there, and not what the mirror has under that name."""
    root = house.upstreams["root"]
    root.add_image("team/mirrored", "1")
    root.forget()
    for headers in ({}, basic("alice")):
        answer = worker.get("/v2/team/mirrored/manifests/1", headers)
        assert answer.status in (401, 403, 404), answer
    assert root.asked() == []


def test_what_of_the_mirror_needs_a_login_is_not_for_caches_that_others_share(house, alice):
    """Though anybody might have pulled what is hosted under that name, if anything were."""
    data, digest = house.upstreams["root"].add_image("team/inside/app", "1")
    answer = alice.get(f"/v2/team/inside/app/manifests/{digest}")
    assert (answer.status, answer.body) == (200, data) and "private" in answer["Cache-Control"], answer


# Tokens

def test_a_token_is_judged_by_when_the_request_began(worker):
    """The body of a push may take longer than the rest of the token's life."""
    late = worker.request("GET", f"/v2/_berth/token?service={worker.authority}", basic("alice"), BERTH_REQUEST_TIME="3700.250")
    ended = bearer(late.json()["token"])  # 100 seconds ago
    data = content.noise()
    target = f"/v2/team/late/blobs/uploads/?digest={content.digest(data)}"
    refused = worker.request("POST", target, ended, data)
    assert refused.status == 401 and refused["WWW-Authenticate"].endswith('error="invalid_token"'), refused
    assert worker.request("POST", target, {**ended, "Berth-Request-Time": "200"}, data).status == 401, "a client cannot say it"
    assert worker.request("POST", target, ended, data, BERTH_REQUEST_TIME="10.000").status == 401
    assert worker.request("POST", target, ended, data, BERTH_REQUEST_TIME=YEAR).status == 401, "before it was made"
    assert worker.request("POST", target, ended, data, BERTH_REQUEST_TIME="200.123").status == 201


@pytest.mark.parametrize("revoked", [False, True])
def test_keys_change_amid_a_push(house, worker, revoked):
    """The old key's tokens go on, unless it is revoked: then they end at once."""
    headers = bearer(token_of(worker, "alice")["token"])
    data = content.noise()
    repository = As(worker, headers).repository("team/rotated")
    location = repository.open_upload()
    rotated = berth(worker.configuration, "keys", "rotate", *(["--revoke"] if revoked else []))
    assert rotated.returncode == 0, rotated
    answer = repository.finish(location, content.digest(data), data)
    assert answer.status == (401 if revoked else 201), answer
    fresh = As(worker, bearer(token_of(worker, "alice")["token"])).repository("team/rotated")
    if revoked:
        answer = fresh.finish(location, content.digest(data), data)
    assert answer.status == 201 and fresh.client.get(fresh.blob(content.digest(data))).body == data


# Robots

ROBOTS = [
    # name, --rights, and what is left of everything: pull, push, moving a tag, delete
    ("all", None, "pull push overwrite delete"),
    ("mover", "overwrite,push", "pull push overwrite"),
    ("pusher", "push", "pull push"),
    ("remover", "pull,delete", "pull delete"),
    ("puller", "pull", "pull"),
]


@pytest.mark.parametrize("name, rights, left", ROBOTS)
def test_a_robot_may_what_is_left_of_its_rights(house, worker, name, rights, left):
    secret = house.robot(name, *(["--rights", rights] if rights else []), "--repositories", f"robots/{name}/*, robots/{name}")
    everything = house.robot(f"{name}-helper")
    assert worker.post(f"/v2/robots/{name}/app/blobs/uploads/", b"", everything).status == 403, "no rule names it"
    for headers in (secret, bearer(worker.get(f"/v2/_berth/token?service={worker.authority}", secret).json()["token"])):
        client = As(worker, headers)
        assert client.get("/v2/").status == 200
        answers = {
            "pull": client.get(f"/v2/robots/{name}/app/tags/list"),
            "push": client.post(f"/v2/robots/{name}/app/blobs/uploads/"),
            "delete": client.request("DELETE", f"/v2/robots/{name}/app/manifests/absent"),
        }
        for right, answer in answers.items():
            assert (answer.status != 403) == (right in left.split()), (right, answer)
        if "push" in left.split():
            repository = client.repository(f"robots/{name}/{'basic' if headers is secret else 'token'}")
            data, _ = repository.push_image("one", [b"one"])
            other, _ = repository.push_image("two", [b"two"])
            assert repository.put_manifest("one", data).status == 201
            moved = repository.put_manifest("one", other)
            assert moved.status == (201 if "overwrite" in left.split() else 403), moved
            assert repository.put_manifest("one", data).status == 201
        for elsewhere in ("robots/other/app", f"robots/{name}x", "team/app"):
            assert client.post(f"/v2/{elsewhere}/blobs/uploads/").status == 403, elsewhere
    assert berth(worker.configuration, "robot", "remove", name).returncode == 0
    assert worker.get("/v2/", headers).status == 401, "its tokens have ended"


@pytest.mark.parametrize("rights", ["pull", "push", "overwrite", "delete", "pull,push", "pull, push, overwrite, delete"])
def test_a_robots_rights_are_said_in_the_words_of_the_rules(house, rights):
    name = "says-" + rights.replace(",", "-").replace(" ", "")
    house.robot(name, "--rights", rights)
    listed = berth(house.worker.configuration, "robot", "list").stdout
    line = next(line for line in listed.splitlines() if line.startswith(f"robot/{name} "))
    assert {right.strip() for right in rights.split(",")} <= set(line.split()[1].split(",")), line


@pytest.mark.parametrize("rights", ["", "all", "pull;push", "PULL", "pull push", "pull,pushy"])
def test_other_words_for_rights_are_refused(house, rights):
    refused = berth(house.worker.configuration, "robot", "add", "mistaken", "--rights", rights)
    assert refused.returncode == 2 and "pull, push, overwrite, delete" in refused.stderr, refused


# Other registries

def test_one_registry_can_ask_for_a_login_and_another_not(house, worker, alice):
    """What is in the cache already is ruled as well, and the upstream is asked for nobody who may not have it."""
    for name, is_open in (("closed", False), ("open", True)):
        upstream = house.upstreams[name]
        layer = content.noise()
        data, digest = upstream.add_image("ruled", "1", [layer])
        targets = [f"/v2/proxy/{name}/ruled/{rest}" for rest in
                   ("manifests/1", f"manifests/{digest}", f"blobs/{content.digest(layer)}", "tags/list", f"referrers/{digest}")]
        upstream.forget()
        for round_ in range(2):
            for target in targets:
                for asked_by in (target, target.replace(f"proxy/{name}/", "") + f"?ns={name}"):
                    answer = worker.get(asked_by)
                    assert answer.status == (200 if is_open else 401), answer
            if not is_open and round_ == 0:
                assert upstream.asked() == [], "for nobody"
            for target in targets:
                answer = alice.get(target)
                assert answer.status == 200 and ("private" in (answer["Cache-Control"] or "")) != is_open, answer
        assert alice.get(targets[0]).body == data and alice.get(targets[2]).body == layer


def test_an_upstreams_refusal_is_no_challenge_to_our_client(house, worker, alice):
    """Only a wrong password of the client's own is: otherwise it would throw away a good one."""
    upstream = house.upstreams["closed"]
    upstream.add_image("refused", "1")
    login, upstream.login = upstream.login, wants_basic("berth", "another one")
    answer = alice.get("/v2/proxy/closed/refused/manifests/1")
    upstream.login = login
    assert answer.status not in (200, 401) and not answer.all("WWW-Authenticate"), answer


@pytest.mark.quick
def test_the_first_request_of_all_may_be_a_log_in(new_directory):
    """The keys of tokens are in the store, which is made by then."""
    directory = pathlib.Path(new_directory("first"))
    write_users(directory / "users", {"alice": "alice's password"})
    first = Worker(directory, "[authentication]\nmode = htpasswd\nhtpasswd = users\n[hosted]\nminimum_free_space = 0\n")
    first.registry_storage.rmdir()
    with first as worker:
        answer = worker.get("/v2/", basic("alice", "alice's password"))
        assert answer.status == 200, answer

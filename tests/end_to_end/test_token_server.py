"""The token server of somebody who comes from distribution: its tokens, what they are for, and clients that get them there."""
import contextlib
import json
import pathlib

import pytest

from harness.engines import Docker, Failed, pull_layout, push_layout, run
from harness.fastcgi import Worker
from harness.issuer import Key, TokenServer
from harness.readme import blocks
from harness.server import Server
from test_access import basic, bearer, write_users

SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[issuer server]
kind = registry-token
url = Our token server
audience = registry.test
realm = {server.realm}
{keys} = {directory}/keys
"""
RULES = """
[access team]
repositories = team/**
pull = anonymous
push = server/alice
delete = server/alice
"""


def openings(worker, token, *names):
    """What happens when pushes to these repositories begin."""
    return [worker.post(f"/v2/{name}/blobs/uploads/", b"", bearer(token)).status for name in names]


class House:
    def __init__(self, directory, rules=RULES, keys="certificates"):
        self.directory = pathlib.Path(directory)
        self.server = TokenServer(directory)
        self.keys = self.directory / "keys"
        self.keys.write_bytes(self.server.key.certificate().read_bytes())
        write_users(self.directory / "users", {"bob": "b"})
        self.worker = Worker(directory, SETTINGS.format(server=self.server, directory=directory, keys=keys) + rules)

    def __enter__(self):
        self.worker.start()
        return self

    def __exit__(self, *exception):
        self.worker.__exit__(*exception)
        self.server.close()


@pytest.fixture(scope="module")
def house(new_directory):
    with House(new_directory("server")) as made:
        made.stranger, made.authority = Key(made.directory, "stranger"), Key(made.directory, "authority")
        made.curve = Key(made.directory, "curve", "ES256")
        others = (made.authority, made.curve)
        made.keys.write_bytes(made.keys.read_bytes() + b"".join(key.certificate().read_bytes() for key in others))
        yield made


def chain(*certificates):
    """As `x5c` has it."""
    return ["".join(path.read_text().splitlines()[1:-1]) for path in certificates]


@pytest.mark.quick
def test_a_token_names_a_key_of_the_bundle_in_either_way_or_brings_a_chain_to_it(house):
    signed = house.stranger.certificate(house.authority)
    claims = house.server.claims(sub="alice", iss=house.server.issuer, access=[{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}])
    for key, header in [(house.server.key, {"alg": "RS256", "kid": house.server.key.fingerprint()}),
                        (house.server.key, {"alg": "RS256", "kid": house.server.key.thumbprint(), "typ": "JWT"}),
                        (house.curve, {"alg": "ES256", "kid": house.curve.fingerprint()}), (house.curve, {"alg": "ES256", "kid": house.curve.thumbprint()}),
                        (house.curve, {"alg": "ES256"}),
                        (house.stranger, {"alg": "RS256", "kid": "any", "x5c": chain(signed)}), (house.stranger, {"alg": "PS256", "x5c": chain(signed)}),
                        (house.server.key, {"alg": "RS256", "x5c": chain(house.server.key.certificate())})]:
        assert openings(house.worker, key.token(header, claims), "team/app", "team/other") == [202, 401], header


@pytest.mark.quick
def test_a_token_of_whoever_is_in_no_bundle_is_refused(house):
    claims = house.server.claims(sub="alice", iss=house.server.issuer, access=[{"type": "repository", "name": "team/app", "actions": ["pull"]}])
    signed = house.stranger.certificate(house.authority)
    for what, reason, key, header in [
            ("nobody's key", "does not have", house.stranger, {"alg": "RS256", "kid": house.stranger.fingerprint()}),
            ("another one's id", "signature is wrong", house.stranger, {"alg": "RS256", "kid": house.server.key.fingerprint()}),
            ("its own chain", "by none that its issuer has", house.stranger, {"alg": "RS256", "x5c": chain(house.stranger.certificate())}),
            ("another one's chain", "signature is wrong", house.stranger, {"alg": "RS256", "x5c": chain(house.server.key.certificate())}),
            ("a chain the other way round", "signature is wrong", house.stranger, {"alg": "RS256", "x5c": chain(house.authority.certificate(), signed)}),
            ("no chain", "by none that its issuer has", house.stranger, {"alg": "RS256", "x5c": ["AAAA"]}),
            ("no base 64", "by none that its issuer has", house.stranger, {"alg": "RS256", "x5c": ["-"]}),
            ("the algorithm of another kind of key", "not that of its key", house.server.key, {"alg": "RS256", "kid": house.curve.fingerprint()})]:
        answer = house.worker.get("/v2/", bearer(key.token(header, claims)))
        assert answer.status == 401 and reason in answer.json()["errors"][0]["message"], f"{what}: {answer}"
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_bundle_that_is_damaged_calls_no_token_wrong(new_directory):
    with House(new_directory("damaged")) as house:
        house.keys.write_text("no certificate")
        house.worker.expected_faults = True
        own = chain(house.server.key.certificate())
        claims = house.server.claims(sub="alice", iss=house.server.issuer)
        for header in ({"alg": "RS256"}, {"alg": "RS256", "x5c": own}):
            assert house.worker.get("/v2/", bearer(house.server.key.token(header, claims))).status == 500, header
        assert house.worker.log().count("has no certificate in it") == 2


@pytest.mark.parametrize("changed, reason", [({"exp": 1}, "has expired"), ({"aud": "another"}, "another audience"), ({"nbf": 4000000000}, "not valid yet"),
                                             ({"access": "all"}, "'access'"), ({"access": [{"type": "repository", "actions": ["*"]}]}, "'access'"),
                                             ({"access": [{"type": "repository", "name": "x" * 200, "actions": []}] * 20}, "says too much")])
def test_a_token_that_is_for_another_time_or_for_another_registry_is_refused(house, changed, reason):
    answer = house.worker.get("/v2/", bearer(house.server.grant(**changed)))
    assert answer.status == 401 and reason in answer.json()["errors"][0]["message"], answer
    assert "[issuer server] token refused from -: the token" in house.worker.log() and "log-in failed" not in house.worker.log()


def test_clients_are_sent_to_the_token_server(house):
    answer = house.worker.get("/v2/team/app/manifests/1", bearer(house.server.grant("team/other:pull")))
    assert answer.status == 401 and answer["WWW-Authenticate"] == \
        f'Bearer realm="{house.server.realm}",service="registry.test",scope="repository:team/app:pull",error="insufficient_scope"', answer
    assert house.worker.get("/v2/")["WWW-Authenticate"] == f'Bearer realm="{house.server.realm}",service="registry.test"'


def test_a_token_is_for_what_it_says_and_no_more(house):
    """Each repository has its own actions: what is for one does not add to another's."""
    token = house.server.grant("team/app:push,pull", "team/source:pull", "team/gone:delete")
    assert openings(house.worker, token, "team/app", "team/source", "team/gone", "team/none") == [202, 401, 401, 401]
    for name, status in (("app", 404), ("source", 404), ("gone", 401), ("none", 401)):
        assert house.worker.get(f"/v2/team/{name}/manifests/1", bearer(token)).status == status, name
        assert house.worker.request("DELETE", f"/v2/team/{name}/manifests/1", bearer(token)).status == (404 if name == "gone" else 401), name
    assert openings(house.worker, house.server.grant("team/app:*"), "team/app") == [202]
    assert openings(house.worker, house.server.grant("team/app:read"), "team/app") == [401]
    assert openings(house.worker, house.server.token(header=house.server.header(), sub="alice"), "team/app") == [401]
    assert house.worker.get("/v2/", bearer(house.server.grant())).status == 200


def test_rules_hold_for_whoever_a_token_server_knows(house):
    """Nothing else helps him: he is not sent for another token."""
    token = house.server.grant("team/app:pull,push", "other/app:pull,push", sub="carl")
    assert openings(house.worker, token, "team/app", "other/app") == [403, 403]
    assert house.worker.get("/v2/team/app/manifests/1", bearer(token)).status == 404
    nobody = house.server.grant("team/app:pull,push", sub="")
    assert house.worker.get("/v2/team/app/manifests/1", bearer(nobody)).status == 404
    assert openings(house.worker, nobody, "team/app") == [401]


def test_in_a_virtual_host_a_token_is_for_what_the_client_calls_it(house):
    token = house.server.grant("app:push,pull")
    answer = house.worker.request("POST", "/v2/app/blobs/uploads/", bearer(token), BERTH_NAMESPACE="team")
    assert answer.status == 202, answer
    assert openings(house.worker, token, "team/app") == [401]


def test_its_tokens_are_neither_passwords_nor_good_for_tokens_of_ours(house):
    token = house.server.grant("team/app:pull")
    assert house.worker.get("/v2/_berth/token", basic("server", token)).status == 401
    assert house.worker.get("/v2/_berth/token", bearer(token)).status == 401
    assert house.worker.get("/v2/_berth/token", basic("bob", "b")).status == 200, "those of ours are"


def test_a_token_that_was_verified_is_not_verified_again_for_each_request(new_directory):
    """Nor is another one let in by it: without the file of keys nothing can be verified."""
    with House(new_directory("remembered")) as house:
        token, other = house.server.grant("team/app:push,pull"), house.server.grant("team/other:push,pull")
        assert openings(house.worker, token, "team/app") == [202]
        house.keys.unlink()
        assert openings(house.worker, token, "team/app", "team/other") == [202, 401]
        house.worker.expected_faults = True
        assert openings(house.worker, other, "team/other") == [500]


def test_keys_may_be_in_a_file_of_their_own(new_directory):
    with House(new_directory("jwks"), rules="", keys="jwks_file") as house:
        house.keys.write_text(json.dumps({"keys": [{**house.server.key.jwk(), "kid": "mine"}]}))
        house.server.header = lambda: {"kid": "mine"}
        assert openings(house.worker, house.server.grant("any/app:push,pull"), "any/app", "any/other") == [202, 401], "without rules all is as it says"


def test_what_the_readme_says_is_a_configuration_and_tells_clients_where_to_go(new_directory):
    worker = Worker(new_directory("readme"), blocks()["With the token server that is there", 0])
    with worker:
        answer = worker.get("/v2/")
    assert answer["WWW-Authenticate"] == 'Bearer realm="https://auth.example.org/token",service="registry.example.org"', answer


# Clients

@pytest.fixture(scope="module")
def docker(new_directory):
    daemon = Docker(new_directory("docker"))
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def served(request, new_directory):
    """A server without rules: the token server alone says who may what, alice everything, bob pulls, nobody nothing."""
    directory = new_directory("served")
    with contextlib.closing(TokenServer(directory, {"alice": "a", "bob": "b"},
                                        lambda user, _: {"alice": {"pull", "push"}, "bob": {"pull"}, "": set()}[user])) as tokens:
        write_users(pathlib.Path(directory) / "users", {"carl": "c"})
        tokens.key.certificate().rename(pathlib.Path(directory) / "keys")
        with Server(directory, request.param, settings=SETTINGS.format(server=tokens, directory=directory, keys="certificates")) as server:
            yield server


def test_skopeo_pushes_and_pulls_with_the_token_servers_tokens(served, layout, new_directory):
    target = f"{served.authority}/any/where:1"
    push_layout(layout, "app", target, "--dest-creds", "alice:a")
    pull_layout(f"{new_directory('pulled')}/layout", target, "--src-creds", "bob:b")
    for attempt in (lambda: push_layout(layout, "app", target, "--dest-creds", "bob:b"), lambda: push_layout(layout, "app", target, "--dest-creds", "alice:wrong"),
                    lambda: pull_layout(f"{new_directory('none')}/layout", target)):
        with pytest.raises(Failed):
            attempt()


def test_docker_logs_in_at_the_token_server_and_pushes_and_pulls(served, layout, docker, new_directory):
    target, archive = f"{served.authority}/team/docker:1", f"{new_directory('archive')}/image.tar"
    run("skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout.directory}:app", f"docker-archive:{archive}:{target}")
    docker("load", "--input", archive)
    assert docker("login", "-u", "alice", "-p", "wrong", served.authority, check=False).returncode != 0
    docker("login", "-u", "bob", "-p", "b", served.authority)
    assert docker("push", target, check=False).returncode != 0
    docker("login", "-u", "alice", "-p", "a", served.authority)
    docker("push", target)
    docker("rmi", "--force", target)
    docker("pull", target)
    docker("logout", served.authority)
    docker("rmi", "--force", target)

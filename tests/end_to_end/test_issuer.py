"""Tokens of others as passwords: which are believed, and what becomes of the others."""
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from harness.engines import Docker, Failed, push_layout, run
from harness.fastcgi import Worker
from harness.issuer import Issuer, Key, part, url64
from harness.process import private_kilobytes, wait_until
from harness.readme import blocks
from harness.server import Server, berth
from test_access import basic, bearer, write_users

SETTINGS = """
[authentication]
mode = htpasswd
htpasswd = users
[proxy]
ca_file = {ca_file}
[issuer ci]
url = {issuer.issuer}
audience = registry.test
allow_private_address = yes
[issuer strict]
url = {issuer.issuer}
audience = registry.test
allow_private_address = yes
name_claim = job
require.ref = refs/heads/*, refs/tags/v*
require.owner = 1234
require.protected = true
require.groups = admins
[issuer third]
url = {issuer.issuer}
audience = registry.test
allow_private_address = yes
[issuer elsewhere]
url = {issuer.issuer}
audience = registry.test
[issuer filed]
url = somewhere that nobody can ask
audience = registry.test
jwks_file = keys.json
[access team]
repositories = team/**
pull = authenticated
push = ci/repo:team/**, @others
[group others]
members = strict/build-*
"""
REQUIRED = {"ref": "refs/heads/main", "owner": 1234, "protected": True, "groups": ["users", "admins"], "job": "build-7"}
MINUTE, DAY = 60, 86400
LIFE = 0.5    # seconds between two signs of it


class House:
    """A worker and an issuer that it believes, with keys and a vault of their own."""

    def __init__(self, directory, settings=SETTINGS, ca_file="", **options):
        self.directory = pathlib.Path(directory)
        self.issuer = Issuer(directory, **options)
        write_users(self.directory / "users", {"alice": "a"})
        self.worker = Worker(directory, settings.format(issuer=self.issuer, ca_file=ca_file))
        self.memo = self.worker.registry_storage / "_berth/access/issuer-ci"

    def __enter__(self):
        self.worker.start()
        return self

    def __exit__(self, *exception):
        self.worker.__exit__(*exception)
        self.issuer.close()

    def log_in(self, token, user="ci", query=""):
        return self.worker.get(f"/v2/_berth/token?service=localhost{query}", basic(user, token))

    def takes(self, token, user="ci"):
        answer = self.log_in(token, user)
        assert answer.status == 200, answer
        return answer.json()

    def refuses(self, token, reason, user="ci"):
        answer = self.log_in(token, user)
        assert answer.status == 401 and reason in answer.json()["errors"][0]["message"], answer

    def let_pass(self, seconds):
        """As if the issuer had been asked so long ago."""
        memo = json.loads(self.memo.read_text())
        self.memo.write_text(json.dumps({**memo, "asked": memo["asked"] - seconds, "fetched": max(0, memo["fetched"] - seconds)}))


@pytest.fixture(scope="module")
def shared(new_directory):
    with House(new_directory("issuer")) as made:
        made.curves = {name: Key(made.directory, name, name) for name in ("ES256", "ES384", "ES512")}
        made.other = Key(made.directory, "other")
        made.stranger = Key(made.directory, "stranger")
        made.issuer.published += [key.jwk() for key in made.curves.values()] + [made.other.jwk(alg="RS512")]
        made.issuer.published += [{**made.stranger.jwk(), "kid": "for-encryption", "use": "enc"}, {"kty": "OKP", "crv": "Ed25519", "kid": "ed"}]
        yield made


@pytest.fixture
def house(new_directory):
    with House(new_directory("issuer")) as made:
        yield made


# What is believed

@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
def test_a_token_of_an_issuer_is_a_password(shared, algorithm):
    told = shared.takes(shared.issuer.token(shared.curves.get(algorithm), algorithm))
    assert told["token"].startswith("berth_a_")
    assert shared.worker.get("/v2/", bearer(told["token"])).status == 200


@pytest.mark.parametrize("changed", [
    {"aud": ["else.test", Issuer.AUDIENCE]}, {"iat": None}, {"nbf": None}, {"later": -30, "exp": 0}, {"later": 30, "nbf": 0, "iat": 0}],
    ids=["one of several audiences", "no iat", "no nbf", "expired within the leeway", "valid within the leeway"])
def test_what_is_not_said_or_nearly_right_does_not_matter(shared, changed):
    later = changed.get("later", 0)
    claims = {name: shared.issuer.now() + later if value == 0 else value for name, value in changed.items() if name != "later"}
    told = shared.takes(shared.issuer.token(**claims))
    assert shared.worker.get("/v2/", bearer(told["token"])).status == 200


def test_a_key_need_not_be_named_where_there_is_only_one_that_fits(shared):
    shared.takes(shared.issuer.token(shared.curves["ES384"], "ES384", {"kid": None}))
    shared.refuses(shared.issuer.token(header={"kid": None}, algorithm="RS512"), "does not say which key")


def test_rules_name_whom_an_issuer_knows_by_patterns(shared):
    token = shared.issuer.token()
    for headers in (basic("ci", token), bearer(shared.takes(token)["token"])):
        assert shared.worker.post("/v2/team/app/blobs/uploads/", b"", headers).status == 202
        answer = shared.worker.post("/v2/other/app/blobs/uploads/", b"", headers)
        assert answer.status == 403 and "ci/repo:team/app:ref:refs/heads/main may not push" in answer.json()["errors"][0]["message"]
    stranger = bearer(shared.takes(shared.issuer.token(sub="repo:teams/app:ref:refs/heads/main"))["token"])
    assert shared.worker.post("/v2/team/app/blobs/uploads/", b"", stranger).status == 403
    assert shared.worker.get("/v2/team/app/tags/list", stranger).status == 404, "he may pull, and there is nothing"


def test_a_form_takes_it_too(house):
    """Also when the issuer has to be asked, for which the request goes on in another process."""
    form = urllib.parse.urlencode({"grant_type": "password", "username": "ci", "password": house.issuer.token(), "service": "localhost",
                                   "client_id": "test", "access_type": "offline"})
    told = house.worker.post("/v2/_berth/token", form.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    assert told.status == 200 and told.json()["expires_in"] == 3600 and "refresh_token" not in told.json(), told


def test_our_token_lives_as_long_as_any_and_cannot_be_renewed(shared):
    # A push takes longer than the minutes that a token of GitHub's is good for.
    for life in (150, DAY):
        assert shared.takes(shared.issuer.token(exp=shared.issuer.now() + life))["expires_in"] == 3600
    answer = shared.log_in(shared.issuer.token(), query="&offline_token=true")
    assert "refresh_token" not in answer.json()


@pytest.mark.quick
def test_what_is_required_has_to_be_so(shared):
    token = shared.takes(shared.issuer.token(**REQUIRED), "strict")["token"]
    assert shared.worker.post("/v2/team/app/blobs/uploads/", b"", bearer(token)).status == 202
    shared.takes(shared.issuer.token(**{**REQUIRED, "ref": "refs/tags/v1", "owner": "1234", "protected": "true", "groups": "admins"}), "strict")
    for name, value in [("ref", "refs/heads/a/b"), ("ref", "xrefs/heads/main"), ("ref", None), ("owner", 12345), ("owner", 1234.5), ("owner", {}),
                        ("protected", False), ("groups", ["users"]), ("groups", [])]:
        shared.refuses(shared.issuer.token(**{**REQUIRED, name: value}), f"claim '{name}' is not as [issuer strict] requires it", "strict")
    for job in (None, "", "two words", "x" * 600, ["a", "b"]):
        shared.refuses(shared.issuer.token(**{**REQUIRED, "job": job}), "the token ", "strict")


# What is not

def refusals(issuer, shared):
    """A token each that is wrong in one way, by what is said of it."""
    key, good = issuer.key, issuer.token()
    head, claims, signature = good.split(".")
    name = {"alg": "RS256", "kid": key.name}
    hashed = f"{part({**name, 'alg': 'HS256'})}.{part(issuer.claims())}"
    text = json.dumps(issuer.claims())
    yield "forged", "signature is wrong", shared.stranger.token(name, issuer.claims())
    yield "of another key of the issuer", "signature is wrong", shared.other.token({**name, "alg": "RS512"}, issuer.claims())
    yield "re-signed under the id of nobody's key", "a key that its issuer does not have", issuer.token(shared.stranger)
    yield "changed", "signature is wrong", f"{head}.{part(issuer.claims(sub='repo:team/other'))}.{signature}"
    yield "cut short", "cut short or damaged", good[:-1]
    yield "with a shorter signature", "algorithm is not that of its key", f"{head}.{claims}.{url64(bytes(253))}"
    yield "without signature", "cut short or damaged", f"{head}.{claims}."
    yield "of two parts", "no signed JSON web token", f"{head}.{claims}"
    yield "encrypted", "no signed JSON web token", f"{good}.e.e"
    yield "with a blank", "cut short or damaged", f"{head}.{claims} .{signature}"
    yield "expired", "has expired", issuer.token(exp=issuer.now() - 61)
    yield "without end", "never expires", issuer.token(exp=None)
    yield "not yet valid", "not valid yet", issuer.token(nbf=issuer.now() + 120)
    yield "made tomorrow", "made in the future", issuer.token(iat=issuer.now() + 86400)
    yield "with an end that is a text", "a time that is none", issuer.token(exp="4000000000")
    yield "for another audience", "another audience", issuer.token(aud="registry.test.evil")
    yield "for nobody", "another audience", issuer.token(aud=None)
    yield "for a list of others", "another audience", issuer.token(aud=["x", {"aud": issuer.AUDIENCE}])
    yield "of another issuer", "another issuer", issuer.token(iss=issuer.issuer + "/")
    yield "by the public key as a secret", "an algorithm that is not taken", \
        f"{hashed}.{url64(hmac.digest(key.public(), hashed.encode(), hashlib.sha256))}"
    yield "unsigned", "an algorithm that is not taken", f"{part({'alg': 'none'})}.{part(issuer.claims())}.{url64(b'x')}"
    yield "by the algorithm of another key", "algorithm is not that of its key", key.token({"alg": "PS256", "kid": "ES256"}, issuer.claims(), "PS256")
    yield "with a key that is for another algorithm", "algorithm is not that of its key", shared.other.token({"alg": "RS256", "kid": "other"}, issuer.claims())
    yield "of a curve that is not its own", "a signature that is no such algorithm's", \
        shared.curves["ES384"].token({"alg": "ES256", "kid": "ES384"}, issuer.claims(), "ES384")
    yield "by a key for encryption", "a key that its issuer does not have", issuer.token(shared.stranger, header={"kid": "for-encryption"})
    yield "with its own key", "a key that its issuer does not have", issuer.token(shared.stranger, header={"jwk": shared.stranger.jwk()})
    yield "with crit", "'crit'", issuer.token(header={"crit": ["exp"]})
    yield "with b64", "'crit'", issuer.token(header={"b64": True})
    yield "nested", "another one in it", issuer.token(header={"cty": "JWT"})
    yield "of a token", "claims that are no JSON object", key.token(name, good.encode())
    yield "oversized", "longer than 16 KiB", issuer.token(padding="x" * 12000)
    yield "with a claim twice", "say something twice", key.token(name, (text[:-1] + ', "sub": "repo:team/evil"}').encode())
    yield "with a claim twice, once escaped", "say something twice", key.token(name, (text[:-1] + ', "\\u0073ub": "repo:team/evil"}').encode())
    yield "with a claim twice deep inside", "say something twice", key.token(name, (text[:-1] + ', "a": [{"b": {"c": 1, "c": 2}}]}').encode())
    yield "with a header twice", "says something twice", key.token(b'{"alg": "none", "alg": "RS256", "kid": "a-1"}', issuer.claims(), "RS256")
    yield "with a key id that is no text", "'kid'", issuer.token(header={"kid": 1})
    yield "of another type", "'typ'", issuer.token(header={"typ": "JOSE+JSON"})
    yield "that is a password", "no signed JSON web token", "a"


@pytest.mark.quick
def test_a_token_with_anything_wrong_is_refused_and_it_is_told_what(shared):
    """Each while the count of failed log-ins lets it be tried: from an address of its own, under a section of its own."""
    shared.takes(shared.issuer.token())
    tried = list(refusals(shared.issuer, shared))
    for number, (what, reason, token) in enumerate(tried):
        headers = basic(["ci", "strict", "third"][number % 3], token)
        answer = shared.worker.request("GET", "/v2/_berth/token?service=localhost", headers, REMOTE_ADDR=f"192.0.2.{number}")
        assert answer.status == 401, f"{what}: {answer}"
        assert reason in answer.json()["errors"][0]["message"], f"{what}: {answer}"
        assert answer["WWW-Authenticate"].startswith("Bearer "), what
        log = shared.worker.log()
        assert f" from 192.0.2.{number}: the token" in log and token not in log or token == "a", what


def test_whoever_says_many_wrong_tokens_waits_and_others_do_not(house):
    good = house.issuer.token()
    house.takes(good)
    wrong = [house.issuer.token(exp=house.issuer.now() - 100 - number) for number in range(11)]
    statuses = [house.worker.request("GET", "/v2/", basic("ci", token), REMOTE_ADDR="192.0.2.1").status for token in wrong]
    assert statuses == [401] * 10 + [429]
    assert house.worker.request("GET", "/v2/", basic("ci", good), REMOTE_ADDR="192.0.2.1").status == 200


# Asking the issuer

def test_an_issuer_is_asked_once_for_all(house):
    for _ in range(3):
        house.takes(house.issuer.token())
    assert [request.path for request in house.issuer.asked()] == [Issuer.DISCOVERY, Issuer.KEYS]
    assert oct(house.memo.stat().st_mode & 0o777) == "0o600"


def test_an_unknown_key_asks_once_a_minute(house):
    house.takes(house.issuer.token())
    new = Key(house.directory, "new")
    house.issuer.published.append(new.jwk())
    for _ in range(3):
        house.refuses(house.issuer.token(new), "a key that its issuer does not have")
    assert len(house.issuer.asked(Issuer.KEYS)) == 1
    house.let_pass(MINUTE)
    house.takes(house.issuer.token(new))
    house.takes(house.issuer.token())
    assert len(house.issuer.asked(Issuer.KEYS)) == 2


def test_what_nobody_would_believe_asks_nobody(house):
    for changed in ({"exp": house.issuer.now() - 100}, {"aud": "else"}, {"iss": "https://else.test"}):
        assert house.log_in(house.issuer.token(**changed)).status == 401
    assert house.issuer.asked() == []


def test_keys_that_an_issuer_has_taken_back_are_good_no_longer(house):
    old, house.issuer.key = house.issuer.key, Key(house.directory, "new")
    house.takes(house.issuer.token(old))
    house.issuer.published[:] = [house.issuer.key.jwk()]
    house.takes(house.issuer.token(old))
    house.let_pass(DAY)
    house.takes(house.issuer.token())
    house.refuses(house.issuer.token(old), "a key that its issuer does not have")


@pytest.mark.parametrize("kid", ["a-1", None])
def test_a_key_that_replaces_one_of_the_same_id_or_of_none_is_found(house, kid):
    house.issuer.published[0]["kid"] = kid
    house.issuer.published[:] = [{name: value for name, value in house.issuer.published[0].items() if value}]
    house.takes(house.issuer.token(header={"kid": kid}))
    new = Key(house.directory, "new")
    house.issuer.published[:] = [{name: value for name, value in new.jwk(kid=kid).items() if value}]
    house.refuses(house.issuer.token(new, header={"kid": kid}), "signature is wrong")
    house.let_pass(MINUTE)
    house.takes(house.issuer.token(new, header={"kid": kid}))


@pytest.mark.parametrize("age", [MINUTE, DAY])
def test_keys_outlive_an_issuer_that_is_down(house, age):
    house.takes(house.issuer.token())
    house.issuer.close()
    house.let_pass(age)
    house.takes(house.issuer.token())
    assert ("[issuer ci] keys were not fetched: the server" in house.worker.log()) == (age == DAY)


BROKEN = {
    "404": (lambda house: house.issuer.when(lambda reply, _: setattr(reply, "status", 404)), "answers 404 when asked for its keys"),
    "a redirect": (lambda house: house.issuer.when(lambda reply, _: setattr(reply, "status", 302)), "answers 302 when asked for its keys"),
    "no JSON": (lambda house: house.issuer.when(lambda reply, _: setattr(reply, "body", b"x" * reply.length)), "is another issuer than [issuer ci] says"),
    "another issuer": (lambda house: house.issuer.said.update(issuer="https://else.test"), "is another issuer than [issuer ci] says, or none"),
    "keys elsewhere": (lambda house: house.issuer.said.update(jwks_uri="http://127.0.0.1:1/keys"), "has its keys at another host"),
    "keys without https": (lambda house: house.issuer.said.update(jwks_uri=house.issuer.url.replace("http:", "ftp:") + "/keys"), "has its keys at another host"),
    "no keys": (lambda house: house.issuer.said.update(jwks_uri=house.issuer.issuer + Issuer.DISCOVERY), "has no set of keys where it says"),
    "too many keys": (lambda house: house.issuer.published.extend([house.issuer.published[0]] * 700), "sends too much when asked for its keys"),
    "nobody": (lambda house: house.issuer.close(), "the server (127.0.0.1:"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_issuer_that_is_of_no_use_is_told_of_and_left_alone_for_a_minute(house, how):
    spoil, reason = BROKEN[how]
    spoil(house)
    answer = house.log_in(house.issuer.token())
    assert answer.status in (502, 504) and reason in answer.json()["errors"][0]["message"], answer
    asked = len(house.issuer.asked())
    again = house.log_in(house.issuer.token())
    assert again.status == 502 and "could not tell its keys a moment ago" in again.json()["errors"][0]["message"], again
    assert len(house.issuer.asked()) == asked


def test_an_issuer_at_a_private_address_is_asked_only_if_that_is_said(house):
    answer = house.log_in(house.issuer.token(), "elsewhere")
    assert answer.status == 502 and "allow_private_address = yes in [issuer elsewhere]" in answer.json()["errors"][0]["message"], answer
    assert house.issuer.asked() == []


def test_nobody_else_waits_for_a_slow_issuer(house):
    """There is one worker only. Those who come meanwhile are served, and whoever needs the same keys asks nobody."""
    house.issuer.when(lambda reply, _: setattr(reply, "stall", 0), Issuer.KEYS)
    token = house.issuer.token()
    first, second = (house.worker.open("GET", "/v2/", basic("ci", token)) for _ in range(2))
    first.end()
    wait_until(lambda: house.issuer.asked(Issuer.KEYS), "the question for the keys")
    second.end()
    assert house.worker.get("/v2/", basic("alice", "a")).status == 200
    house.issuer.free.set()
    assert (first.answer().status, second.answer().status) == (200, 200)
    assert len(house.issuer.asked()) == 2


def test_whoever_is_stopped_while_he_asks_keeps_nobody_from_asking(house):
    house.takes(house.issuer.token())
    house.memo.unlink()
    lock = house.memo.with_name("lock-issuer-ci")
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.utime(lock, (10 ** 9, 10 ** 9))
        house.takes(house.issuer.token())


@pytest.mark.parametrize("kid", ["a-1", None])
def test_a_key_that_may_have_been_replaced_is_no_forgery_while_its_issuer_is_down(house, kid):
    house.issuer.published[:] = [{name: value for name, value in house.issuer.key.jwk(kid=kid).items() if value}]
    house.takes(house.issuer.token(header={"kid": kid}))
    house.issuer.close()
    house.let_pass(MINUTE)
    token = house.issuer.token(Key(house.directory, "new"), header={"kid": kid})
    assert [house.log_in(token).status for _ in range(2)] == [502, 502]
    house.takes(house.issuer.token(header={"kid": kid}))


def test_an_issuer_is_asked_on_though_its_client_hangs_up(house):
    """It takes long enough to be noticed: whoever waits for somebody looks once a second whether he is still there."""
    def dawdle(reply, _):
        reply.raw = iter([f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply.body)}\r\n\r\n".encode(), 2.5, reply.body])
    house.issuer.when(dawdle, Issuer.KEYS)
    client = house.worker.open("GET", "/v2/", basic("ci", house.issuer.token()))
    client.end()
    wait_until(lambda: house.issuer.asked(Issuer.KEYS), "the question for the keys")
    client.close()
    wait_until(house.memo.exists, "what came of it")
    house.takes(house.issuer.token())
    assert len(house.issuer.asked()) == 2


def test_an_issuer_is_asked_over_tls(new_directory):
    directory = new_directory("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{directory}/tls.key", "-out", f"{directory}/tls.pem",
                    "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/tls.pem", f"{directory}/tls.key")
    with House(directory, ca_file=f"{directory}/tls.pem", context=context, path="/realms/team") as house:
        house.issuer.said["jwks_uri"] = house.issuer.url.replace("https:", "http:") + Issuer.KEYS
        assert "has its keys at another host" in str(house.log_in(house.issuer.token()))
        house.let_pass(MINUTE)
        house.issuer.said.clear()
        house.takes(house.issuer.token())


def test_keys_in_a_file_need_no_issuer(house):
    keys, token = house.directory / "keys.json", house.issuer.token(iss="somewhere that nobody can ask")
    with pytest.raises(AssertionError):
        house.takes(token, "filed")
    assert "the keys of [issuer filed]" in house.worker.log()
    house.worker.expected_faults = True
    keys.write_text(json.dumps({"keys": house.issuer.published}))
    house.takes(token, "filed")
    keys.write_text(json.dumps({"keys": []}))
    house.refuses(token, "a key that its issuer does not have", "filed")
    assert house.issuer.asked() == []


# What else has to be so

def test_a_token_of_an_issuer_that_is_trusted_no_longer_is_good_no_longer(house):
    token = house.takes(house.issuer.token())["token"]
    assert house.worker.get("/v2/", bearer(token)).status == 200
    house.worker.stop()
    text = house.worker.configuration.read_text()
    house.worker.configuration.write_text(text.replace("[issuer ci]", "[issuer renamed]").replace("ci/", "renamed/"))
    house.worker.start()
    assert house.worker.get("/v2/", bearer(token)).status == 401


def test_who_may_do_what_is_told_of_whom_an_issuer_knows(house):
    told = berth(house.worker.configuration, "access", "ci/repo:team/app:ref:refs/heads/main", "team/app")
    assert "push: yes: [access team] gives it by 'push = ci/repo:team/**'" in told.stdout, told
    told = berth(house.worker.configuration, "access", "strict/build-1", "team/app")
    assert "push: yes: [access team] gives it by 'push = @others'" in told.stdout, told


def test_what_the_readme_says_for_github_is_a_configuration_and_does_what_it_says(house):
    house.worker.configuration.write_text(house.worker.configuration.read_text().partition("[issuer")[0] + blocks()["CI without secrets", 0])
    subjects = {"github/repo:example/app:ref:refs/heads/main": "yes", "github/repo:example/app:ref:refs/heads/mine": "no",
                "github/repo:examples/app:ref:refs/heads/main": "no", "github/repo:example/a/b:ref:refs/heads/main": "no"}
    for subject, expected in subjects.items():
        told = berth(house.worker.configuration, "access", subject, "apps/one")
        assert f"push: {expected}: " in told.stdout, told


def test_a_worker_that_believes_an_issuer_needs_no_more_memory_for_it(house):
    """Than for a password: it has written its pages by then. A process that ends has shared them until just now."""
    for _ in range(20):
        house.takes(house.issuer.token())
        assert house.worker.get("/v2/", basic("alice", "a")).status == 200
    before = private_kilobytes(house.worker.process.pid)
    for _ in range(50):
        house.takes(house.issuer.token())
    assert private_kilobytes(house.worker.process.pid) < before + 100


# Clients

CLIENTS = """
[authentication]
mode = htpasswd
htpasswd = users
[issuer ci]
url = {issuer.issuer}
audience = registry.test
allow_private_address = yes
[access apps]
repositories = apps/**
pull = anonymous
push = ci/repo:team/*:ref:refs/heads/main
"""


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def served(request, new_directory):
    directory = new_directory("served")
    with contextlib.closing(Issuer(directory)) as issuer:
        write_users(pathlib.Path(directory) / "users", {"alice": "a"})
        with Server(directory, request.param, settings=CLIENTS.format(issuer=issuer)) as server:
            server.issuer = issuer
            yield server


@contextlib.contextmanager
def running(daemon):
    try:
        yield daemon
    finally:
        daemon.stop()


@contextlib.contextmanager
def asking(server):
    """Somebody who asks the issuer, lives, and does not come to an end."""
    access, done = server.registry_storage / "_berth/access", threading.Event()
    access.mkdir(mode=0o700, parents=True, exist_ok=True)
    (access / "issuer-ci").unlink(missing_ok=True)
    with (access / "lock-issuer-ci").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def live():
            while not done.wait(LIFE):
                os.utime(held.fileno())
        thread = threading.Thread(target=live)
        thread.start()
        yield
        done.set()
        thread.join()


def test_who_cannot_be_told_of_the_keys_in_time_is_to_come_again(served):
    with asking(served):
        answer = served.client.request("POST", "/v2/apps/one/blobs/uploads/", basic("ci", served.issuer.token()))
    assert (answer.status, answer.codes()) == (503, ["UNAVAILABLE"]) and int(answer["Retry-After"]) > 0, answer
    assert served.client.request("POST", "/v2/apps/one/blobs/uploads/", basic("ci", served.issuer.token())).status == 202


def test_skopeo_and_docker_log_in_with_a_token_as_the_password(served, layout, new_directory):
    target, file = f"{served.authority}/apps/one:1", f"{new_directory('auth')}/auth.json"
    for sub, works in (("repo:team/app:ref:refs/heads/mine", False), ("repo:team/app:ref:refs/heads/main", True)):
        run("skopeo", "login", "--tls-verify=false", "--authfile", file, "-u", "ci", "-p", served.issuer.token(sub=sub), served.authority)
        with contextlib.nullcontext() if works else pytest.raises(Failed, match="gives push to others"):
            push_layout(layout, "app", target, "--dest-authfile", file)
    with pytest.raises(Failed, match="invalid username/password"):
        run("skopeo", "login", "--tls-verify=false", "-u", "ci", "-p", served.issuer.token(exp=1), served.authority)
    with running(Docker(new_directory("docker"))) as docker:
        docker("pull", target)
        refused = docker("push", target, check=False)
        assert refused.returncode != 0, refused
        docker("login", "-u", "ci", "-p", served.issuer.token(), served.authority)
        docker("push", target)

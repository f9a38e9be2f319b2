"""Logging in at other registries: tokens, passwords, and who must never see them."""
import os
import re
import stat
import subprocess
import urllib.parse

import pytest

from harness import content
from harness.peer import CONFIGURATION, Peer
from harness.process import PATIENCE, TIED_TO_US, wait_until
from harness.registry import Registry
from harness.server import free_port
from harness.upstream import TokenService, Upstream, basic, wants_basic
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_http import Reply
from harness.upstream_site import Site, downloads

BOB = ("bob", "s3cret:with colon")
SECRET = "s3cret"
BOBS = f"username = {BOB[0]}\npassword = {BOB[1]}"


@pytest.fixture
def tokens():
    """Makes token services that end with the test."""
    made = []

    def make(upstream, **options):
        made.append(TokenService(**options))
        upstream.login = made[-1].login
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def bobs(new_directory):
    """Upstreams for which we have an account."""
    with Site(new_directory("bobs"), "nginx", 30, more=BOBS) as site:
        yield site


def pull(site, upstream, name="app"):
    """Everything of a new image."""
    layer, tag = content.noise(2000), f"v{len(upstream.manifests)}"
    data, digest = upstream.add_image(name, tag, [layer])
    repository = site.at(upstream, name)
    answer = site.client.get(repository.manifest(tag))
    assert (answer.status, answer.body) == (200, data), answer
    answer = site.client.get(repository.blob(content.digest(layer)))
    assert (answer.status, answer.body) == (200, layer), answer
    return digest


def token_files(site):
    return [path for path in (site.cache / "_berth").rglob("*") if path.is_file() and "tokens" in path.parts]


# --- tokens

@pytest.mark.parametrize("field", ["token", "access_token"])
def test_anonymous_tokens_are_fetched_once_and_shared(site, upstream, tokens, field):
    service = tokens(upstream, field=field)
    pull(site, upstream)
    for number in range(5):
        digest = upstream.add_blob(content.noise(100))
        assert site.client.get(site.at(upstream).blob(digest)).status == 200
    [asked] = service.asked()
    assert asked.method == "GET" and asked["Authorization"] is None
    assert urllib.parse.parse_qsl(asked.query) == [("service", "the registry"), ("scope", "repository:app:pull")], asked
    assert len([each for each in upstream.asked() if each.status == 401]) == 1
    pull(site, upstream, "other")
    assert len(service.asked()) == 2, "a token is for a repository"


def test_fifty_clients_share_a_token(nginx_site, upstream, tokens):
    service = tokens(upstream)
    digests = [upstream.add_blob(content.noise(500)) for _ in range(2)]
    with downloads(nginx_site.client, nginx_site.at(upstream).blob(digests[0]), 25) as first:
        pass
    with downloads(nginx_site.client, nginx_site.at(upstream).blob(digests[1]), 25) as second:
        pass
    assert {each.digest for each in first} | {each.digest for each in second} == set(digests)
    assert len(service.asked()) == 1


def test_tokens_are_in_files_for_the_owner_only(nginx_site, upstream, tokens):
    service = tokens(upstream)
    pull(nginx_site, upstream)
    [token] = service.issued
    holding = [path for path in (nginx_site.server.storage).rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert len(holding) == 1
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert token not in nginx_site.server.whole_log()


def test_tokens_are_renewed_before_they_expire_and_removed_afterwards(nginx_site, upstream, tokens):
    service = tokens(upstream, lifetime=300)
    pull(nginx_site, upstream)
    [first] = service.issued

    def holding():
        return [path for path in token_files(nginx_site) if first in path.read_text()]
    [path] = holding()
    end, rest = path.read_text().split("\n", 1)
    assert int(end) <= path.stat().st_mtime + 295, "before it expires"
    path.write_text(f"{int(end) - 300}\n{rest}")  # as if that time had come
    pull(nginx_site, upstream)
    assert len(service.issued) == 2
    assert not holding()


def test_a_token_that_is_refused_is_replaced(nginx_site, upstream, tokens):
    service = tokens(upstream)
    pull(nginx_site, upstream)
    service.issued.clear()  # revoked
    pull(nginx_site, upstream)
    assert len(service.asked()) == 2


def test_a_token_service_that_tells_no_lifetime_is_believed_for_a_minute(nginx_site, upstream, tokens):
    service = tokens(upstream)
    service.when(lambda reply, _: reply.__dict__.update(Reply(200, content.encode({"token": next(reversed(service.issued))})).__dict__))
    pull(nginx_site, upstream)
    pull(nginx_site, upstream)
    assert len(service.asked()) == 1


@pytest.mark.parametrize("what", ["500", "429", "html", "no token", "refused", "mute"])
def test_a_token_service_in_trouble_is_explained(hasty_site, upstream, tokens, what):
    service = tokens(upstream)
    upstream.add_image("app", "1")
    answers = {"500": Reply(500, b"oops"), "429": Reply(429, b"{}", {"Retry-After": "5"}), "html": Reply(200, b"<html>"),
               "no token": Reply(200, b'{"tokens": 1}')}
    if what == "refused":
        service.close()
    elif what == "mute":
        service.when(lambda reply, _: setattr(reply, "mute", True))
    else:
        service.when(lambda reply, _: reply.__dict__.update(answers[what].__dict__))
    answer = hasty_site.client.get(hasty_site.at(upstream).manifest("1"))
    status = {"429": 429, "mute": 504}.get(what, 502)
    assert (answer.status, answer.codes()) == (status, ["TOOMANYREQUESTS" if status == 429 else "UNSUPPORTED"]), answer
    assert answer["WWW-Authenticate"] is None
    assert answer.json()["errors"][0]["detail"]["upstream"] == upstream.alias
    assert (answer["Retry-After"] is not None) == (status == 429)


# --- accounts

def test_a_token_service_gets_the_password_and_the_registry_only_the_token(bobs, tokens):
    upstream = bobs.take()
    service = tokens(upstream, password=BOB)
    pull(bobs, upstream)
    assert [each["Authorization"] for each in service.asked()] == [basic(*BOB)]
    assert all((each["Authorization"] or "").startswith("Bearer ") for each in upstream.asked()[1:])
    assert upstream.asked()[0]["Authorization"] is None


def test_basic_is_sent_when_it_is_asked_for(bobs):
    upstream = bobs.take()
    upstream.login = wants_basic(*BOB)
    pull(bobs, upstream)
    pull(bobs, upstream)
    assert [each["Authorization"] for each in upstream.asked()][:2] == [None, basic(*BOB)]
    assert not any(SECRET.encode() in path.read_bytes() for path in bobs.server.storage.rglob("*") if path.is_file())
    assert SECRET not in bobs.server.whole_log()


def test_an_upstream_that_asks_for_nothing_gets_nothing(bobs):
    upstream = bobs.take()
    pull(bobs, upstream)
    assert [each["Authorization"] for each in upstream.asked()] == [None, None]


def test_a_password_file_and_the_longest_prefix_win(new_directory):
    directory = new_directory("prefix")
    with open(f"{directory}/password", "w", encoding="utf-8") as file:
        file.write("from a file\nwith a second line\n")
    os.chmod(file.name, 0o600)
    more = f"username = all\npassword = 1\n[upstream up0/team]\nusername = team\npassword_file = {file.name}\n" \
        "[upstream up0/team/inner]\nusername = inner\npassword = 3\n"
    with Site(directory, more=more) as site:
        upstream = site.take()
        seen = {}

        def login(request):
            name = request.path.split("/manifests/")[0]
            seen.setdefault(name, []).append(request["Authorization"])
            return None if request["Authorization"] else wants_basic("x", "y")(request)
        upstream.login = login
        for name, account in (("other/app", ("all", "1")), ("team/app", ("team", "from a file")), ("teams/app", ("all", "1")),
                              ("team/inner/app", ("inner", "3")), ("team", ("team", "from a file"))):
            upstream.add_image(name, "1")
            assert site.client.get(site.at(upstream, name).manifest("1")).status == 200
            assert seen[f"/v2/{name}"] == [None, basic(*account)], name


def test_a_wrong_password_is_502_and_never_401(bobs, tokens):
    upstream = bobs.take()
    service = tokens(upstream, password=("bob", "another"))
    upstream.add_image("app", "1")
    for answer in (bobs.client.get(bobs.at(upstream).manifest("1"), {"Authorization": basic("alice", "hers")}),
                   bobs.client.get(bobs.at(upstream).blob(content.ABSENT)), bobs.client.get(bobs.at(upstream).tags())):
        assert (answer.status, answer.codes()) == (502, ["UNSUPPORTED"]), answer
        assert answer["WWW-Authenticate"] is None
    assert all(each["Authorization"] == basic(*BOB) for each in service.asked())


# --- who must not see them

def test_a_foreign_realm_gets_no_password(bobs, tokens):
    upstream = bobs.take()
    service = tokens(upstream, host="127.0.0.2", password=BOB)
    upstream.add_image("app", "1")
    answer = bobs.client.get(bobs.at(upstream).manifest("1"))
    assert answer.status == 502, answer
    assert service.asked(), "it is asked, as anybody"
    assert all(each["Authorization"] is None for each in service.asked())


def test_a_realm_that_is_configured_gets_the_password(new_directory, tokens):
    with Site(new_directory("realm"), more=f"{BOBS}\ntoken_host = 127.0.0.2") as site:
        upstream = site.take()
        service = tokens(upstream, host="127.0.0.2", password=BOB)
        pull(site, upstream)
        assert [each["Authorization"] for each in service.asked()] == [basic(*BOB)]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_nothing_secret_crosses_a_redirect(bobs, tokens, host):
    """Another port is another host: the blob's store sees neither token nor password."""
    upstream, store = bobs.take(), Upstream(host)
    service = tokens(upstream, password=BOB)
    layer = content.noise(1000)
    digest = store.add_blob(layer)
    upstream.add_blob(layer)

    def elsewhere(reply, request):
        if reply.status == 200:
            reply.__dict__.update(Reply(307, b"", {"Location": f"{store.url}{request.target}?signed=1"}).__dict__)
    upstream.when(elsewhere, "/blobs/")
    answer = bobs.client.get(bobs.at(upstream).blob(digest))
    assert (answer.status, answer.body) == (200, layer), answer
    assert [each["Authorization"] for each in store.asked()] == [None]
    assert SECRET not in str([each.headers for each in store.asked()])
    assert len(service.asked()) == 1
    store.close()


def test_a_login_that_is_wanted_elsewhere_is_not_given(bobs):
    """A redirect to somebody who then asks for our password."""
    upstream, thief = bobs.take(), Upstream("127.0.0.2")
    thief.login = wants_basic(*BOB)
    digest = upstream.add_blob(b"x")
    thief.add_blob(b"x")
    upstream.when(lambda reply, request: reply.__dict__.update(Reply(302, b"", {"Location": thief.url + request.target}).__dict__))
    assert bobs.client.get(bobs.at(upstream).blob(digest)).status == 502
    assert all(each["Authorization"] is None for each in thief.asked()), [each.headers for each in thief.asked()]
    thief.close()


def test_a_redirect_back_gets_no_password_either(bobs):
    """Away and back again: who can redirect there could choose what is asked for."""
    upstream, other = bobs.take(), Upstream("127.0.0.2")
    upstream.login = wants_basic(*BOB)
    digest = upstream.add_blob(b"private")

    def away(reply, request):
        if reply.status == 200 and "back" not in request.target:
            reply.__dict__.update(Reply(302, b"", {"Location": other.url + request.target}).__dict__)
    upstream.when(away)
    other.when(lambda reply, request: reply.__dict__.update(Reply(302, b"", {"Location": f"{upstream.url}{request.target}?back"}).__dict__))
    bobs.client.get(bobs.at(upstream).blob(digest))
    assert all(each["Authorization"] is None for each in upstream.asked("?back")), upstream.requests
    other.close()


def test_a_realm_may_not_be_anything(bobs, tokens):
    """The upstream chooses the realm: only where we would follow it."""
    for realm in ("file:///etc/passwd", "gopher://127.0.0.1/x", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/", "x", ""):
        upstream = bobs.take()
        service = tokens(upstream)
        service.realm = realm
        upstream.add_image("app", "1")
        answer = bobs.client.get(bobs.at(upstream).manifest("1"))
        assert answer.status in (403, 502), (realm, answer)
        assert answer["WWW-Authenticate"] is None


# --- what was fetched with an account

def test_private_content_is_not_given_to_another_upstreams_repository(new_directory):
    """A foreign manifest that names a private digest: only who has the bytes too may show them (§6)."""
    more = ""
    with Site(new_directory("private"), count=3, settings="", more=more) as site:
        private, thief, honest = (site.take() for _ in range(3))
        text = site.server.configuration.read_text().replace("[upstream up0]\n", f"[upstream up0]\n{BOBS}\n")
        site.server.stop()
        site.server.configuration.write_text(text)
        site.server.start()
        private.login = wants_basic(*BOB)
        layer = content.noise(5000)
        digest = content.digest(layer)
        private.add_image("secret", "1", [layer])
        assert site.client.get(site.at(private, "secret").manifest("1")).status == 200
        assert site.client.get(site.at(private, "secret").blob(digest)).body == layer
        # The thief names the digest without having it.
        config = content.encode({"os": "linux"})
        thief.add_blob(config)
        thief.add_manifest("app", content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)]), "1")
        assert site.client.get(site.at(thief).manifest("1")).status == 200
        for method in ("GET", "HEAD"):
            answer = site.client.request(method, site.at(thief).blob(digest))
            assert answer.status == 404, answer
        part = site.client.get(site.at(thief).blob(digest), {"Range": "bytes=0-9"})
        assert part.status == 404, part
        # Who has it need not send it.
        honest.add_image("app", "1", [layer])
        assert site.client.get(site.at(honest).manifest("1")).status == 200
        answer = site.client.get(site.at(honest).blob(digest))
        assert (answer.status, answer.body) == (200, layer), answer
        assert [each.method for each in honest.asked("/blobs/")] == ["HEAD"]
        # Nor is a hosted repository's right to it anybody's.
        assert site.client.get(f"/v2/hosted/app/blobs/{digest}").status == 404


def test_a_guessed_digest_of_another_repository_is_asked_for(nginx_site, upstream):
    """No manifest of this repository names it: the upstream decides whether it is there."""
    layer = content.noise(5000)
    upstream.add_image("public", "1", [layer])
    nginx_site.client.get(nginx_site.at(upstream, "public").manifest("1"))
    assert nginx_site.client.get(nginx_site.at(upstream, "public").blob(content.digest(layer))).body == layer
    upstream.when(lambda reply, _: reply.__dict__.update(Reply(404, b"{}").__dict__), "/v2/hidden/")
    assert nginx_site.client.get(nginx_site.at(upstream, "hidden").blob(content.digest(layer))).status == 404
    assert upstream.asked("/v2/hidden/")


# --- docker-registry from Debian

def registry_with_tls(directory):
    """A certificate of a test authority, and docker-registry's settings for TLS."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=PATIENCE)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=authority",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
            "-keyout", "key.pem", "-out", "request.pem")
    with open(f"{directory}/names", "w", encoding="utf-8") as file:
        file.write("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names",
            "-out", "certificate.pem", "-days", "2")
    return f"  tls:\n    certificate: {directory}/certificate.pem\n    key: {directory}/key.pem\n"


# way -> what is wrong with a section about that registry: its keys, the status, and what is said behind its name and address.
TROUBLE = {
    "plain": {
        "private": ("url = http://localhost:{port}", 403, "is not in the public internet: allow_private_address = yes in [upstream private]"),
        "encrypted": ("url = https://localhost:{port}\nallow_private_address = yes", 502,
                      "cannot be reached: it does not speak TLS (url = http://... in [upstream encrypted])"),
    },
    "htpasswd": {
        "nobody": ("url = http://localhost:{port}\nallow_private_address = yes", 502,
                   "does not let us in (401): username and password_file in [upstream nobody]"),
        "eve": ("url = http://localhost:{port}\nallow_private_address = yes\nusername = eve\npassword = gue55ed", 502,
                "does not let the account in [upstream eve] in (401): look at its username and password_file"),
    },
    "tls": {
        "clear": ("url = http://localhost:{port}\nallow_private_address = yes", 502,
                  "answers 400: it speaks TLS (url = https://... in [upstream clear])"),
        "numbered": ("url = https://127.0.0.1:{port}\nallow_private_address = yes", 502,
                     "cannot be reached: its certificate is for another name (url = https://NAME with one that it is for, in "
                     "[upstream numbered])"),
    },
}


def assert_told_in_one_line(site, name, words, port, status=502):
    """A docker user sees "502 Bad Gateway": the request's line in the log leads to the one that says why; the client gets no less."""
    target = f"/v2/proxy/{name}/team/app/manifests/1"
    answer = site.client.get(target)
    assert answer.status == status, answer
    [request] = wait_until(lambda: re.findall(rf"^.*berth: GET {target} {status} .* (\S+)$", site.server.whole_log(), re.M), "the request's line")
    log = site.server.whole_log()
    [line] = re.findall(rf"^.*berth: warning: (.*) \(request {request}\)$", log, re.M)
    host = "127.0.0.1" if name == "numbered" else "localhost"
    assert line == f"upstream {name} ({host}:{port}) {words}"
    assert answer.json()["errors"][0]["message"] == line
    assert answer.json()["errors"][0]["detail"]["upstream"] == name and "gue55ed" not in log + str(answer.body)


@pytest.mark.parametrize("way", ["plain", "htpasswd", "tls"])
def test_docker_registry_is_an_upstream(new_directory, way):
    directory = new_directory("registry")
    settings = ""
    store = new_directory("store")
    with Peer(directory, store) as peer:
        repository = peer.client.repository("team/app")
        layers = [content.noise(100_000), content.noise(3_000_000)]
        data, digest = repository.push_image("1", layers)
    if way == "tls":
        settings = registry_with_tls(directory)
    if way == "htpasswd":
        subprocess.run(["htpasswd", "-Bbc", f"{directory}/htpasswd", *BOB], check=True, capture_output=True, timeout=PATIENCE)
        settings = f"auth:\n  htpasswd:\n    realm: here\n    path: {directory}/htpasswd\n"
    port = free_port()
    with open(f"{directory}/second.yml", "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(root=store, port=port) + settings)
    with open(f"{directory}/second.log", "wb") as log:
        process = subprocess.Popen([*TIED_TO_US, "docker-registry", "serve", file.name], stdout=log, stderr=log)
    try:
        wait_until(lambda: reachable(port), "docker-registry")
        scheme = "https" if way == "tls" else "http"
        section = f"\n[upstream debian]\nurl = {scheme}://localhost:{port}\nallow_private_address = yes\n"
        section += BOBS if way == "htpasswd" else ""
        section += "".join(f"\n[upstream {name}]\n{keys.format(port=port)}\n" for name, (keys, _, _) in TROUBLE[way].items())
        with Site(new_directory("site"), count=0, settings=section, proxy=f"ca_file = {directory}/ca.pem" if way == "tls" else "") as site:
            ours = site.client.repository("proxy/debian/team/app")
            answer = site.client.get(ours.manifest("1"))
            assert (answer.status, answer.body, answer["Docker-Content-Digest"]) == (200, data, digest), answer
            for layer in layers:
                assert site.client.get(ours.blob(content.digest(layer))).body == layer
            assert site.client.get(ours.tags()).json()["tags"] == ["1"]
            assert site.client.get(ours.manifest("2")).status == 404
            for name, (_, status, words) in TROUBLE[way].items():
                assert_told_in_one_line(site, name, words, port, status)
        if way == "tls":
            with Site(new_directory("site"), count=0, settings=section) as site:
                assert_told_in_one_line(site, "debian", "cannot be reached: no authority that is trusted here has signed its "
                                        "certificate ([proxy] ca_file = a file with those to trust)", port)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def reachable(port):
    try:
        Registry("127.0.0.1", port).connect(2).close()
        return True
    except OSError:
        return False

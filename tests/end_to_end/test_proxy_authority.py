"""Who may have a blob of another registry: its repository names it, or its upstream says so, to its own account.

The upstreams of these tests hold one pool of blobs, as real ones do; `forbid` says which repositories do not have them.
"""
import contextlib
import signal
import threading

import pytest

from harness import content
from harness.content import MIB
from harness.pages import ask
from harness.process import PATIENCE, send_signal, wait_until
from harness.server import berth
from harness.upstream import Upstream, basic, error
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_public import ADDRESS, internet
from harness.upstream_site import SECTION, Download, Site, download

METHODS = ("GET", "HEAD")


def forbid(upstream, *names):
    """These repositories do not have what the registry has."""
    for name in names:
        upstream.when(lambda reply, _: reply.__dict__.update(error(404, "BLOB_UNKNOWN", "blob unknown").__dict__), f"/v2/{name}/blobs/")


def naming(upstream, name, layer):
    """A manifest in the repository `name` that names a layer, which stays with its owner; its tag."""
    tag = content.digest(layer)[7:19]
    config = content.encode({"os": "linux", "noise": content.noise(8).hex()})
    upstream.add_blob(config)
    upstream.add_manifest(name, content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)]), tag)
    return tag


def named(site, upstream, name, layer):
    """The same, and it has been pulled."""
    tag = naming(upstream, name, layer)
    assert site.client.get(site.at(upstream, name).manifest(tag)).status == 200


@contextlib.contextmanager
def filling(site, upstream, name, data):
    """A download of private content that has begun and does not end before the block does."""
    replies, digest = [], upstream.add_blob(data)

    def slow(reply, _):
        reply.rate = MIB // 2
        replies.append(reply)
    upstream.when(slow, f"/v2/{name}/blobs/", "GET")
    client = Download(site.client, site.at(upstream, name).blob(digest))
    try:
        wait_until(lambda: client.size, "some bytes")
        yield digest
        assert client.is_alive(), "the download ended too early for the test to mean anything"
    finally:
        upstream.well_again()
        for reply in replies:
            reply.rate = None
    assert client.result().digest == digest


def denied(site, target):
    for method in METHODS:
        answer = site.client.request(method, target)
        assert answer.status == 404, (method, answer)
        assert method == "HEAD" or answer.codes() == ["BLOB_UNKNOWN"]
    part = site.client.get(target, {"Range": "bytes=0-9"})
    assert part.status == 404, part


# --- while it is being fetched

def test_a_fill_is_none_of_another_repositorys_business(site, upstream):
    data = content.noise(24 * MIB)
    forbid(upstream, "other/b")
    with filling(site, upstream, "private/a", data) as digest:
        target = site.at(upstream, "other/b").blob(digest)
        head = site.client.exists(target)
        assert head.status == 404 and head["Content-Length"] != str(len(data)), head
        denied(site, target)
        assert upstream.asked("/v2/other/b/blobs/"), "its upstream decides"
        assert len(upstream.asked("/v2/private/a/blobs/", "GET")) == 1
    forbid(upstream, "other/b")
    denied(site, target)


def test_who_asks_with_a_manifest_joins_at_once(site, upstream):
    data = content.noise(24 * MIB)
    named(site, upstream, "other/b", data)
    with filling(site, upstream, "private/a", data) as digest:
        target = site.at(upstream, "other/b").blob(digest)
        assert site.client.exists(target)["Content-Length"] == str(len(data))
        other = Download(site.client, target)
    assert other.result().is_whole and other.digest == digest
    assert [(each.method, each.path) for each in upstream.asked("/blobs/")] == [("GET", f"/v2/private/a/blobs/{digest}")]


def test_who_is_confirmed_joins(site, upstream):
    data = content.noise(24 * MIB)
    with filling(site, upstream, "private/a", data) as digest:
        target = site.at(upstream, "other/b").blob(digest)
        assert site.client.exists(target)["Content-Length"] == str(len(data))
        other = Download(site.client, target)
        wait_until(lambda: other.size, "some bytes")
    assert other.result().is_whole and other.digest == digest
    asked = [(each.method, each.path) for each in upstream.asked("/v2/other/b/blobs/")]
    assert asked and {method for method, _ in asked} == {"HEAD"}, asked
    assert len(upstream.asked("/blobs/", "GET")) == 1


def test_an_upstream_without_head_is_asked_by_get(site, upstream):
    data = content.noise(24 * MIB)
    upstream.heads = False
    with filling(site, upstream, "private/a", data) as digest:
        got = site.client.get(site.at(upstream, "other/b").blob(digest))
        assert (got.status, got.body) == (200, data)
        assert upstream.asked("/v2/other/b/blobs/", "GET")
    got = site.client.get(site.at(upstream, "other/c").blob(digest))
    assert (got.status, got.body) == (200, data)
    assert upstream.asked("/v2/other/c/blobs/", "GET")


def test_what_a_killed_fill_left_is_none_of_another_repositorys_business(nginx_site, upstream):
    data = content.noise(24 * MIB)
    forbid(upstream, "other/b")
    digest = upstream.add_blob(data)
    upstream.when(lambda reply, _: setattr(reply, "rate", MIB), "/v2/private/a/blobs/")
    with nginx_site.expecting_cuts():
        client = Download(nginx_site.client, nginx_site.at(upstream, "private/a").blob(digest))
        wait_until(lambda: client.size, "some bytes")
        # Again and again: a reader that outlives its filler by a moment starts the next one.
        wait_until(lambda: not [send_signal(pid, signal.SIGKILL) for pid in nginx_site.children()], "the end of all")
        client.result()
        denied(nginx_site, nginx_site.at(upstream, "other/b").blob(digest))
        again = download(nginx_site.client, nginx_site.at(upstream, "other/c").blob(digest))
        assert again.is_whole and again.digest == digest
    assert [each.method for each in upstream.asked("/v2/other/c/blobs/")][0] == "HEAD"
    assert [each["Range"] for each in upstream.asked("/v2/other/c/blobs/", "GET")][0].startswith("bytes="), "the rest only"


# --- failures

@contextlib.contextmanager
def bogus_fill(site, upstream, digest):
    """Somebody asks under a name that does not exist, and the upstream takes its time to say so."""
    answer = threading.Event()
    forbid(upstream, "bogus/name")
    upstream.when(lambda reply, _: answer.wait(PATIENCE), "/v2/bogus/name/blobs/", "GET")
    client = Download(site.client, site.at(upstream, "bogus/name").blob(digest))
    wait_until(lambda: upstream.asked("/v2/bogus/name/blobs/", "GET"), "the bogus question")
    try:
        yield answer.set
    finally:
        answer.set()
    assert client.result().status == 404


@pytest.mark.parametrize("knows", ["manifest", "digest"])
def test_a_bogus_name_keeps_nobody_from_a_good_layer(site, upstream, knows):
    data = content.noise(100_000)
    digest = upstream.add_blob(data)
    if knows == "manifest":
        named(site, upstream, "good/app", data)
    with bogus_fill(site, upstream, digest) as let_go:
        before = set(site.children())
        good = Download(site.client, site.at(upstream, "good/app").blob(digest))
        wait_until(lambda: set(site.children()) - before or not good.is_alive(), "somebody who waits")
        let_go()
        got = good.result()
        assert (got.status, got.digest) == (200, digest), got
    answer = site.client.get(site.at(upstream, "good/app").blob(digest))
    assert (answer.status, answer.body) == (200, data)
    answer = site.client.get(site.at(upstream, "bogus/name").blob(digest))
    assert answer.status == 404, answer


def test_many_bogus_names_keep_nobody_from_a_good_layer(site, upstream):
    """A crowd of them, one after the other and at once: the good one needs its own answer only."""
    data = content.noise(100_000)
    digest = upstream.add_blob(data)
    named(site, upstream, "good/app", data)
    names = [f"bogus{number}/name" for number in range(12)]
    forbid(upstream, *names)
    crowd = [Download(site.client, site.at(upstream, name).blob(digest)) for name in names]
    good = download(site.client, site.at(upstream, "good/app").blob(digest))
    assert (good.status, good.digest) == (200, digest), good
    assert {each.result().status for each in crowd} == {404}


def test_a_refusal_is_told_to_who_was_refused(site, upstream):
    """Neither its reason nor its words reach another repository."""
    data = content.noise(100_000)
    digest = upstream.add_blob(data)
    upstream.when(lambda reply, _: reply.__dict__.update(error(403, "DENIED", "bob has not paid").__dict__), "/v2/bogus/name/blobs/")
    refused = site.client.get(site.at(upstream, "bogus/name").blob(digest))
    assert refused.status == 502 and b"bob has not paid" in refused.body, refused
    answer = site.client.get(site.at(upstream, "good/app").blob(digest))
    assert (answer.status, answer.body) == (200, data), answer


# --- accounts

ALICE, BOB = ("alice", "first"), ("bob", "second")
ACCOUNTS = "[upstream up0/{}]\nusername = {}\npassword = {}\n"


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def accounts(request, new_directory):
    """up0: alice's below a/, bob's below b/."""
    more = "\n" + ACCOUNTS.format("a", *ALICE) + ACCOUNTS.format("b", *BOB)
    with Site(new_directory("accounts"), request.param, 1, more=more) as site:
        upstream = site.take()

        def login(request):
            wanted = basic(*(ALICE if request.path.startswith("/v2/a/") else BOB))
            if request["Authorization"] == wanted:
                return None
            return error(401, "UNAUTHORIZED", "a password is wanted", {"WWW-Authenticate": 'Basic realm="here"'})
        upstream.login = login
        yield site, upstream


@pytest.fixture
def clean(accounts):
    accounts[1].well_again()
    accounts[1].forget()
    return accounts


def test_what_one_account_got_is_not_shown_to_another(clean):
    site, upstream = clean
    layer = content.noise(5000)
    digest = content.digest(layer)
    upstream.add_image("a/app", "1", [layer])
    assert site.client.get(site.at(upstream, "a/app").manifest("1")).status == 200
    assert site.client.get(site.at(upstream, "a/app").blob(digest)).body == layer
    forbid(upstream, "b/app")
    named(site, upstream, "b/app", layer)
    target = site.at(upstream, "b/app").blob(digest)
    denied(site, target)
    assert {each["Authorization"] for each in upstream.asked("/v2/b/app/blobs/") if each.status != 401} == {basic(*BOB)}
    # Who has the same account and names it is not asked about.
    named(site, upstream, "a/other", layer)
    assert site.client.get(site.at(upstream, "a/other").blob(digest)).body == layer
    assert not upstream.asked("/v2/a/other/blobs/")
    # Nor who was confirmed once.
    named(site, upstream, "b/fine", layer)
    assert site.client.get(site.at(upstream, "b/fine").blob(digest)).body == layer
    assert [each.method for each in upstream.asked("/v2/b/fine/blobs/") if each.status != 401] == ["HEAD"]
    named(site, upstream, "b/too", layer)
    assert site.client.get(site.at(upstream, "b/too").blob(digest)).body == layer
    assert not upstream.asked("/v2/b/too/blobs/")


def test_a_fill_of_one_account_is_not_joined_by_another(clean):
    site, upstream = clean
    data = content.noise(24 * MIB)
    forbid(upstream, "b/app")
    for name in ("a/other", "b/app", "b/fine"):
        named(site, upstream, name, data)
    with filling(site, upstream, "a/app", data) as digest:
        denied(site, site.at(upstream, "b/app").blob(digest))
        same = Download(site.client, site.at(upstream, "a/other").blob(digest))
        fine = Download(site.client, site.at(upstream, "b/fine").blob(digest))
        wait_until(lambda: same.size and fine.size, "some bytes")
    for each in (same, fine):
        assert each.result().is_whole and each.digest == digest
    assert not upstream.asked("/v2/a/other/blobs/")
    assert {(each.method, each["Authorization"]) for each in upstream.asked("/v2/b/fine/blobs/") if each.status != 401} == {("HEAD", basic(*BOB))}
    assert len([each for each in upstream.asked("/blobs/", "GET") if each.status == 200]) == 1


# --- private addresses

def test_what_came_from_a_private_address_is_not_anybodys(site, upstream):
    """Without an account, but from where not everybody is let."""
    other, layer = site.take(), content.noise(5000)
    digest = content.digest(layer)
    named(site, upstream, "app", layer)
    upstream.add_blob(layer)
    assert site.client.get(site.at(upstream).blob(digest)).body == layer
    named(site, other, "app", layer)
    denied(site, site.at(other).blob(digest))
    assert other.asked("/blobs/")
    # The same upstream's other repositories need a manifest only.
    named(site, upstream, "another", layer)
    upstream.forget()
    assert site.client.get(site.at(upstream, "another").blob(digest)).body == layer
    assert not upstream.asked("/blobs/")


def test_sizes_do_not_tell_whether_something_is_there(site, upstream):
    """Whoever can write a manifest somewhere names in it what he guesses: a sum of what is here would tell him."""
    other, layer = site.take(), content.noise(5000)
    named(site, upstream, "app", layer)
    upstream.add_blob(layer)
    assert site.client.get(site.at(upstream).blob(content.digest(layer))).body == layer
    named(site, other, "app", layer)

    def size(which):
        done = berth(site.server.configuration, "gc")
        assert done.returncode == 0, done
        return next(each["bytes"] for each in ask(site.client, f"/proxy/{which.alias}/")["entries"])
    assert size(upstream) > 5000 > size(other) > 0
    other.add_blob(layer)
    assert site.client.get(site.at(other).blob(content.digest(layer))).body == layer
    assert size(other) > 5000


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_what_came_from_a_public_address_is_anybodys(new_directory, web):
    layer = content.noise(5000)
    digest = content.digest(layer)
    with internet() as inside:
        public, private = inside(lambda: Upstream(ADDRESS)), Upstream()
        settings = f"\n[upstream public]\nurl = {public.url}\n" + SECTION.format(name="private", url=private.url, more="")
        with Site(new_directory("public"), web, 0, settings=settings) as site:
            at = {each: site.client.repository(f"proxy/{name}/app") for each, name in ((public, "public"), (private, "private"))}
            for each in (public, private):
                each.add_image("app", "1", [layer])
                assert site.client.get(at[each].manifest("1")).status == 200
                answer = site.client.get(at[each].blob(digest))
                assert (answer.status, answer.body) == (200, layer), answer
            assert not private.asked("/blobs/")
            # That the public one has something is no word about what came from the private one.
            secret = content.noise(5000)
            private.add_image("app", "2", [secret])
            assert site.client.get(at[private].manifest("2")).status == 200
            assert site.client.get(at[private].blob(content.digest(secret))).body == secret
            thief = site.client.repository("proxy/public/thief")
            assert site.client.get(thief.manifest(naming(public, "thief", secret))).status == 200
            denied(site, thief.blob(content.digest(secret)))
        for each in (public, private):
            each.close()


# --- what earlier versions noted

@pytest.mark.parametrize("noted", ["anybody", "alias"])
def test_what_earlier_versions_noted_lets_nobody_in(nginx_site, upstream, noted):
    layer = content.noise(5000)
    digest = content.digest(layer)
    upstream.add_image("app", "1", [layer])
    target = nginx_site.at(upstream).blob(digest)
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("1")).status == 200
    assert nginx_site.client.get(target).body == layer
    origins = nginx_site.cache / "_berth/origins/sha256" / digest[7:9] / digest[7:]
    files = list(origins.iterdir())
    assert files
    for path in files:
        path.rename(origins / (noted if noted == "anybody" else upstream.alias))
    upstream.forget()
    assert nginx_site.client.get(target).body == layer
    assert [each.method for each in upstream.asked("/blobs/")] == ["HEAD"]
    assert nginx_site.client.get(target).body == layer
    assert len(upstream.asked("/blobs/")) == 1

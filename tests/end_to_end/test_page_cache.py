"""The cache's page: what it says of other registries and of what comes in, and what whoever may delete can do about it."""
import pytest

from harness import content
from harness.browser import Browser
from harness.pages import ask, page_of, see
from harness.process import wait_until
from harness.server import berth
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from harness.upstream_site import Download, Site
from test_access import As, basic, write_users

MIB = 1 << 20
RULES = """
[authentication]
mode = htpasswd
htpasswd = users
[access up]
repositories = proxy/**, !proxy/up1/**, !proxy/up2/**
pull = alice, bob
delete = alice
[access secret]
repositories = proxy/up1/**, proxy/up2/**
pull = alice
[access open]
repositories = proxy/up2/open
pull = bob
[access all]
repositories = proxy/**
pull = carol
"""
USERS = {"alice": "a", "bob": "b", "carol": "c"}


def path_of(upstream, reference, show="", name="app"):
    mark = "@" if ":" in reference else ":"
    return f"/proxy/{upstream.alias}/{name}{mark}{reference}" + (f"?show={show}" if show else "")


def cached(site, upstream, tag="1", **options):
    """An image that a client has pulled through; its manifest's digest."""
    _, digest = upstream.add_image("app", tag, [content.noise(1000)], **options)
    answer = site.client.get(site.at(upstream).manifest(tag))
    assert answer.status == 200, answer
    return digest


def act(browser, upstream, show, reference="1"):
    """A button of an image's page."""
    forms = browser.forms(path_of(upstream, reference))
    return browser.send(forms[path_of(upstream, reference, show)])


def row_of(site, upstream):
    found = [each for each in ask(site.client, "/-/cache")["upstreams"] if each["name"] == f"proxy/{upstream.alias}"]
    return found[0] if found else None


def test_it_tells_what_is_cached_of_whom_and_who_is_in_trouble(site, upstream):
    page_of(see(site.client, "/-/cache"))
    assert row_of(site, upstream) is None
    upstream.headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"}
    cached(site, upstream)
    row = row_of(site, upstream)
    assert (row["repositories"], row["requests_left"], row["requests_limit"]) == (1, 76, 100) and "trouble" not in row
    assert "76 of 100" in page_of(see(site.client, "/-/cache")).words
    upstream.close()
    site.client.get(site.at(upstream).manifest("2"))
    row = row_of(site, upstream)
    assert row["trouble"] and row["asked_again_in_seconds"] > 0
    assert "trouble" in page_of(see(site.client, "/-/cache")).words


def test_it_tells_how_much_the_cache_has_saved(site, upstream):
    data = content.noise(MIB)
    digest = upstream.add_blob(data)
    _, image = upstream.add_image("app", "1", [data])
    repository = site.at(upstream)
    assert site.client.get(repository.manifest(image)).status == 200
    for _ in range(10):
        answer = site.client.get(repository.blob(digest))
        assert answer.status == 200 and len(answer.body) == MIB

    def row():
        return row_of(site, upstream)
    wait_until(lambda: row().get("served_bytes", 0) >= 10 * MIB, "ten downloads in the numbers")
    assert 8 * MIB < row()["saved_bytes"] < row()["served_bytes"] and 70 <= row()["hits_percent"] < 100
    assert f"{row()['hits_percent']} % of looks" in page_of(see(site.client, "/-/cache")).words


def test_what_comes_in_is_seen_as_it_comes(site, upstream):
    data = content.noise(8 * MIB)
    digest = upstream.add_blob(data)
    upstream.when(lambda reply, _: setattr(reply, "stall", 3 * MIB), digest)
    download = Download(site.client, site.at(upstream).blob(digest))

    def fetch():
        return [each for each in ask(site.client, "/-/cache")["fetches"] if each["digest"] == digest]
    wait_until(lambda: [each for each in fetch() if each["bytes"] >= MIB], "the first bytes")
    row, = fetch()
    assert (row["name"], row["total"]) == (f"proxy/{upstream.alias}/app", len(data)) and row["bytes"] < len(data)
    answer = see(site.client, "/-/cache")
    assert answer["Refresh"] is None and digest in page_of(answer).words
    progress, = [each for tag, each in page_of(answer).tags if tag == "progress" and each.get("aria-label") == digest]
    assert progress["max"] == str(len(data)) and 0 < int(progress["value"]) < len(data)
    assert see(site.client, "/-/cache?watch=1")["Refresh"] == "3"
    upstream.free.set()
    download.result()
    wait_until(lambda: not fetch(), "the end of the fetch")


def test_an_image_is_kept_and_let_go(site, upstream):
    digest = cached(site, upstream)
    browser = Browser(site.client)

    def kept():
        return {each["reference"] for each in ask(site.client, "/-/cache")["kept"] if each["name"] == f"proxy/{upstream.alias}/app"}
    assert kept() == set()
    answer = act(browser, upstream, "keep")
    assert (answer.status, answer["Location"]) == (303, path_of(upstream, "1") + "?done=kept"), answer
    assert kept() == {"1"}
    assert "it stays in the cache" in page_of(browser.get(answer["Location"])).words
    assert act(browser, upstream, "keep", digest).status == 303 and kept() == {"1", digest}
    answer = act(browser, upstream, "unkeep")
    assert (answer.status, answer["Location"]) == (303, path_of(upstream, "1") + "?done=unkept"), answer
    # From the cache's page, too.
    forms = browser.forms("/-/cache")
    assert browser.send(forms[path_of(upstream, digest, "unkeep")]).status == 303 and kept() == set()


def test_the_upstream_is_asked_now_when_somebody_wants_it(site, upstream):
    old = cached(site, upstream)
    _, new = upstream.add_image("app", "1", [content.noise(1000)])
    assert site.client.get(site.at(upstream).manifest("1"))["Docker-Content-Digest"] == old
    browser = Browser(site.client)
    answer = act(browser, upstream, "refresh")
    assert (answer.status, answer["Location"]) == (303, path_of(upstream, "1") + "?done=refreshed"), answer
    asked = len(upstream.asked())
    assert site.client.get(site.at(upstream).manifest("1"))["Docker-Content-Digest"] == new
    assert len(upstream.asked()) == asked
    # One that cannot be asked is said to be so, and costs nothing that is cached.
    upstream.close()
    answer = act(browser, upstream, "refresh")
    assert answer.status == 502 and "served from the cache" in page_of(answer).words, answer
    assert site.client.get(site.at(upstream).manifest("1"))["Docker-Content-Digest"] == new


def test_a_cached_image_is_dropped_and_fetched_again(site, upstream):
    digest = cached(site, upstream)
    browser = Browser(site.client)
    path = path_of(upstream, digest, "delete")
    page = page_of(browser.get(path))
    assert "dropped from the cache" in page.words
    answer = browser.send(browser.forms(path)[path])
    assert (answer.status, answer["Location"]) == (303, "/?done=dropped"), answer
    assert row_of(site, upstream) is None
    assert site.client.get(site.at(upstream).manifest("1"))["Docker-Content-Digest"] == digest


@pytest.fixture(scope="module")
def ruled(new_directory):
    site = Site(new_directory("page-cache"), "nginx", 3, settings=RULES, proxy="maximum_size = 10G")
    write_users(site.server.directory / "users", USERS)
    with site:
        yield site


def test_each_sees_what_he_may_pull_and_only_who_may_delete_has_buttons(ruled):
    alice, bob, nobody = (As(ruled.client, headers) for headers in (basic("alice", "a"), basic("bob", "b"), {}))
    up0, up1 = ruled.take(), ruled.take()
    for upstream in (up0, up1):
        upstream.add_image("app", "1", [content.noise(1000)])
        assert alice.get(ruled.at(upstream).manifest("1")).status == 200
    browsers = {name: Browser(ruled.client) for name in USERS}
    for name, password in USERS.items():
        assert browsers[name].login(name, password).status == 303
    assert act(browsers["alice"], up0, "keep").status == 303
    names = {who: {each["name"] for each in ask(client, "/-/cache")["upstreams"]} for who, client in
             {"alice": alice, "bob": bob, "nobody": nobody}.items()}
    assert names == {"alice": {"proxy/up0", "proxy/up1"}, "bob": {"proxy/up0"}, "nobody": set()}
    assert [len(ask(client, "/-/cache")["kept"]) for client in (alice, bob, nobody)] == [1, 1, 0]
    assert path_of(up0, "1", "unkeep") in browsers["alice"].forms("/-/cache")
    assert browsers["bob"].forms("/-/cache") == {} and browsers["bob"].forms(path_of(up0, "1")) == {}
    good = browsers["alice"].forms(path_of(up0, "1"))
    assert set(good) == {path_of(up0, "1", "unkeep"), path_of(up0, "1", "refresh")}
    for form in good.values():
        assert browsers["bob"].send(form).status == 404
        assert browsers["alice"].send(form, {"Sec-Fetch-Site": "cross-site"}).status == 403
        assert browsers["alice"].send(form, token="").status == 403
    assert browsers["alice"].forms(path_of(up1, "1")) == {}
    # Another form's token, and a place that is not cached.
    keep = path_of(up0, "1", "keep")
    assert browsers["alice"].post(keep, good[path_of(up0, "1", "unkeep")].fields).status == 403


def test_sums_are_for_who_may_pull_all_that_they_are_of(ruled):
    """Alice may pull all of up2, bob one repository: how much else was pulled is none of his business."""
    alice, bob, carol = (As(ruled.client, basic(name, password)) for name, password in USERS.items())
    upstream = ruled.upstreams[2]
    for name in ("open", "app"):
        upstream.add_image(name, "1", [content.noise(1000)])
        assert alice.get(f"/v2/proxy/{upstream.alias}/{name}/manifests/1").status == 200

    def row(who):
        return next(each for each in ask(who, "/-/cache")["upstreams"] if each["name"] == f"proxy/{upstream.alias}")
    wait_until(lambda: "served_bytes" in row(alice), "what was counted")
    assert row(alice)["repositories"] == 2 and row(bob)["repositories"] == 1
    assert not row(bob).keys() & {"hits_percent", "served_bytes", "saved_bytes"}
    # Of the whole cache only carol, who may pull whatever there may be: alice has not been given that.
    assert berth(ruled.server.configuration, "gc").returncode == 0  # which counts
    assert ask(carol, "/-/cache")["used_bytes"] > 2000
    sizes = {entry["name"]: entry["bytes"] for entry in ask(carol, f"/proxy/{upstream.alias}/")["entries"]}
    assert set(sizes) == {f"proxy/{upstream.alias}/app", f"proxy/{upstream.alias}/open"} and min(sizes.values()) > 0
    assert " are used" in page_of(carol.get("/-/cache")).words and "served_bytes" in row(carol)
    for who in (alice, bob):
        assert not ask(who, "/-/cache").keys() & {"used_bytes", "kept_bytes"}
        assert " are used" not in page_of(who.get("/-/cache")).words


def test_without_a_cache_there_is_no_page_of_it(start):
    server = start("nginx", settings="[proxy]\nenabled = no\n")
    see(server.client, "/-/cache", 404)

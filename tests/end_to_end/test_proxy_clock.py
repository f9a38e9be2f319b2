"""The clock goes back: what was remembered under the wrong date is not believed for the whole jump."""
import os

from harness.upstream import TokenService, error
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from test_proxy_manifest import assert_is

HOUR = 3600


def put_ahead(path):
    """As if it had been written before the clock went back by an hour."""
    then = path.stat().st_mtime + HOUR
    os.utime(path, (then, then))


def put_all_ahead(directory):
    found = [path for path in directory.rglob("*") if path.is_file()]
    assert found, directory
    for path in found:
        put_ahead(path)


def test_a_tag_of_the_future_is_asked_for(nginx_site, upstream):
    upstream.add_image("app", "1")
    target = nginx_site.at(upstream).manifest("1")
    assert nginx_site.client.get(target).status == 200
    data, digest = upstream.add_image("app", "1")
    put_ahead(nginx_site.cache / "docker/registry/v2/repositories" / upstream.alias / "app/_manifests/tags/1/current/link")
    assert_is(nginx_site.client.get(target), data, digest)


def test_a_404_of_the_future_is_asked_for(nginx_site, upstream):
    upstream.add_image("app", "1")
    target = nginx_site.at(upstream).manifest("2")
    assert nginx_site.client.get(target).status == 404
    data, digest = upstream.add_image("app", "2")
    assert nginx_site.client.get(target).status == 404
    put_all_ahead(nginx_site.cache / "_berth/memos")
    assert_is(nginx_site.client.get(target), data, digest)


def test_trouble_of_the_future_is_forgotten(nginx_site, upstream):
    data, digest = upstream.add_image("app", "1")
    upstream.when(lambda reply, _: reply.__dict__.update(error(429, "TOOMANYREQUESTS", "wait", {"Retry-After": "900"}).__dict__), times=1)
    target = nginx_site.at(upstream).manifest("1")
    assert nginx_site.client.get(target).status == 429
    assert nginx_site.client.get(target).status == 429
    put_ahead(nginx_site.cache / "_berth/upstreams" / upstream.alias / "trouble")
    assert_is(nginx_site.client.get(target), data, digest)


def test_a_token_of_the_future_is_not_used(nginx_site, upstream):
    service = TokenService()
    upstream.login = service.login
    for tag in ("1", "2", "3"):
        upstream.add_image("app", tag)
    for tag in ("1", "2"):
        assert nginx_site.client.get(nginx_site.at(upstream).manifest(tag)).status == 200
    assert len(service.asked()) == 1, "one token for both"
    put_all_ahead(nginx_site.cache / "_berth/upstreams" / upstream.alias / "tokens")
    assert nginx_site.client.get(nginx_site.at(upstream).manifest("3")).status == 200
    assert len(service.asked()) == 2
    service.close()

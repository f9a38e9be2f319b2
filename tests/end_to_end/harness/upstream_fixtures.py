"""Fixtures for the tests of the proxy: a site behind each web server, and upstreams to use up."""
import pytest

from harness.upstream_site import Site

UPSTREAMS = 110


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def site(request, new_directory):
    with Site(new_directory(f"site-{request.param}"), request.param, UPSTREAMS) as running:
        yield running


@pytest.fixture(scope="module")
def nginx_site(new_directory):
    """For what does not depend on the web server."""
    with Site(new_directory("site"), "nginx", UPSTREAMS) as running:
        yield running


@pytest.fixture
def upstream(request):
    """One that this test has to itself."""
    name = "site" if "site" in request.fixturenames else "nginx_site"
    return request.getfixturevalue(name).take()

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


@pytest.fixture(scope="module")
def hasty_site(new_directory):
    """For upstreams that fall silent: soon given up. Nothing else belongs here, since a slow machine is silent too."""
    with Site(new_directory("hasty"), "nginx", UPSTREAMS, stall_timeout=2) as running:
        yield running


@pytest.fixture
def upstream(request):
    """One that this test has to itself."""
    name = next(name for name in ("site", "nginx_site", "hasty_site") if name in request.fixturenames)
    return request.getfixturevalue(name).take()

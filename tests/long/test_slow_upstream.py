"""Layers of 64 MiB from an upstream of 4 MB/s, by ?ns=, through both web servers."""
import pytest

from test_proxy_clients import pull_slow_layers

pytestmark = pytest.mark.long


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_containerd_pulls_large_layers_from_a_slow_upstream(new_directory, web):
    pull_slow_layers(new_directory, web, 64)

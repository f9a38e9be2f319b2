"""1,000 slow pushes and 1,000 slow pulls that arrive at once, on eight workers."""
import pytest

from harness import content
from harness.crowd import finish, start_crowd

pytestmark = pytest.mark.long
CLIENTS = 1000
SECONDS = 10


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_nobody_is_turned_away(start, web):
    """Nor is anybody who comes beside them."""
    server = start(web, workers=8)
    repository = server.client.repository("crowd/app")
    repository.push_image("latest")
    blob = repository.push_blob(content.noise(1 << 18))
    crowd = start_crowd(server.port, repository.name, blob, CLIENTS, CLIENTS, SECONDS)
    while crowd.poll() is None:
        assert server.client.get(repository.manifest("latest")).status == 200
    assert finish(crowd) == {"pushed": CLIENTS, "pulled": CLIENTS, "failed": {}}

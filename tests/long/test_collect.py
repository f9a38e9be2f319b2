"""The torture of tests/end_to_end/test_gc.py, for many minutes."""
import pytest

from test_gc import NO_GRACE, torture

pytestmark = pytest.mark.long


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_thousands_of_pushes_beside_collectors_repairs_and_kills_all_succeed(start, web, new_directory):
    server = start(web, settings=NO_GRACE)
    torture(server, new_directory, rounds=20)

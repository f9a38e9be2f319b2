"""The torture of tests/end_to_end/test_gc.py, for many minutes."""
import pytest

from test_gc import NO_GRACE, power_cuts, torture

pytestmark = pytest.mark.long


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_thousands_of_pushes_beside_collectors_repairs_and_kills_all_succeed(start, web, new_directory):
    server = start(web, settings=NO_GRACE)
    torture(server, new_directory, rounds=20)


def test_two_hosts_with_a_collector_each_lose_nothing_for_long(start, new_directory):
    first = start("nginx", settings=NO_GRACE)
    torture(first, new_directory, rounds=20, others=[start("lighttpd", settings=NO_GRACE, storage=str(first.storage))])


def test_twenty_power_cuts_amid_collections_and_restores_break_no_promise(start, mounted, new_directory):
    power_cuts(start, mounted, new_directory, 20)

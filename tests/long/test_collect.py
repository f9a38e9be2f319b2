"""The torture of tests/end_to_end/test_gc.py, for many minutes."""
import pytest

from test_gc import power_cuts, torture

pytestmark = pytest.mark.long


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_thousands_of_pushes_beside_collectors_evictions_repairs_and_kills_all_succeed(start, web, new_directory):
    torture(start, [web], new_directory, rounds=20)


def test_two_hosts_with_a_collector_each_lose_nothing_for_long(start, new_directory):
    torture(start, ["nginx", "lighttpd"], new_directory, rounds=20)


def test_twenty_power_cuts_amid_collections_and_restores_break_no_promise(start, mounted, new_directory):
    power_cuts(start, mounted, new_directory, 20)

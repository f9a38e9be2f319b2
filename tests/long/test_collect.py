"""The torture of tests/end_to_end/test_gc.py, for many minutes."""
import pytest

from test_gc import power_cuts, torture

pytestmark = pytest.mark.long


# A collection looks at all that was pushed within the hour: on one store the rounds would cost as their square.
STORES = pytest.mark.parametrize("store", range(4))


@STORES
@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_thousands_of_pushes_beside_collectors_evictions_repairs_and_kills_all_succeed(start, web, store, new_directory):
    torture(start, [web], new_directory, rounds=5)


@STORES
def test_two_hosts_with_a_collector_each_lose_nothing_for_long(start, store, new_directory):
    torture(start, ["nginx", "lighttpd"], new_directory, rounds=5)


def test_twenty_power_cuts_amid_collections_and_restores_break_no_promise(start, mounted, new_directory):
    power_cuts(start, mounted, new_directory, 20)

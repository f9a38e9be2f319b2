"""Every operation, every kind of system call, every occurrence: see harness/fault_operations.py in tests/end_to_end."""
import pytest

from harness.fault_operations import HOSTED, PROXIED, assert_leftovers_are_swept
from harness.faults import CALLS, Injector

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def injector(request, new_directory):
    with Injector(new_directory("faults")) as running:
        yield running
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{running.count} faults")


@pytest.mark.parametrize("operation", HOSTED + PROXIED, ids=lambda each: each.__name__)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_may_fail(injector, operation, call):
    for number in CALLS[call]:
        injector.everywhere(operation, call, number)


@pytest.mark.parametrize("operation", HOSTED + PROXIED, ids=lambda each: each.__name__)
@pytest.mark.parametrize("call", ["open", "create", "stat"])
def test_every_call_and_all_that_follow_may_fail(injector, operation, call):
    for number in CALLS[call]:
        assert injector.everywhere(operation, call, number, lasts=True) > 0


def test_and_nothing_is_left_that_is_not_swept(injector):
    assert_leftovers_are_swept(injector)

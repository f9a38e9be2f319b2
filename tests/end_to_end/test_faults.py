"""A system call fails, any of them, with an error of the disk or because it is full: see harness/fault_operations.py."""
import errno

import pytest

from harness.fault_operations import (assert_leftovers_are_swept, cold_blob, manifest_put, patch, post, post_monolithic, put_closing,
                                      put_whole, session_delete, tag_delete)
from harness.faults import Injector


@pytest.fixture(scope="module")
def injector(new_directory):
    with Injector(new_directory("faults")) as running:
        yield running


# What was once wrong, or is most intricate. All operations and all kinds of calls are in tests/long/test_faults.py.
@pytest.mark.parametrize("call, operation", [
    ("sync", put_closing), ("sync", put_whole), ("sync", cold_blob), ("stat", patch), ("stat", session_delete), ("link", post),
    ("rename", put_closing), ("rename", manifest_put), ("rename", cold_blob), ("unlink", tag_delete)], ids=lambda each: getattr(each, "__name__", each))
def test_what_fails_is_said_and_undone(injector, call, operation):
    assert injector.everywhere(operation, call, errno.EIO) > 0


def test_what_faults_leave_behind_is_swept(injector):
    injector.everywhere(post_monolithic, "unlink", errno.EIO)
    injector.everywhere(post, "rename", errno.EIO)
    assert any((injector.storage / "_tmp/pieces").iterdir())
    assert_leftovers_are_swept(injector)

"""A system call fails, any of them, with an error of the disk or because it is full: see harness/fault_operations.py."""
import errno
import pathlib

import pytest

from harness.fault_operations import (assert_leftovers_are_swept, cold_blob, manifest_put, mount, patch, post, post_monolithic, put_closing,
                                      put_whole, session_delete, tag_delete)
from harness.faults import Injector, succeeded
from harness.mounts import LoopDisk


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


@pytest.fixture(scope="module")
def journaled(new_directory):
    """On a disk with a journal, where a push changes the time of the storage's root, syncs that and changes it again: see
    lib/base/journal."""
    directory = pathlib.Path(new_directory("journaled"))
    with LoopDisk(directory / "disk", directory / "storage", 128), Injector(directory) as running:
        yield running


@pytest.mark.parametrize("operation", [put_closing, put_whole, mount, manifest_put, tag_delete])
def test_one_sync_for_all_that_fails_is_a_refusal(journaled, operation):
    """Or if nothing can be changed any more behind it. Where nothing could be changed before, each directory is synced."""
    root = journaled.storage / "registry"
    for call in ("sync", "times"):
        met = [trial.answer for trial in journaled.trials(operation, call, errno.EIO) if trial.path == str(root)]
        assert met and len(met) % (2 if call == "times" else 1) == 0
        for number, answer in enumerate(met):
            assert succeeded(answer) == (call == "times" and number % 2 == 0), (call, number, answer)


def test_what_faults_leave_behind_is_swept(injector):
    injector.everywhere(post_monolithic, "unlink", errno.EIO)
    injector.everywhere(post, "rename", errno.EIO)
    assert any((injector.storage / "_tmp/pieces").iterdir())
    assert_leftovers_are_swept(injector)

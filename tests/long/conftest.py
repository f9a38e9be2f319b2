"""The long campaigns, on the harness of tests/end_to_end."""
import pathlib
import sys

import pytest

END_TO_END = pathlib.Path(__file__).resolve().parent.parent / "end_to_end"
sys.path.insert(0, str(END_TO_END))
pytest.register_assert_rewrite("harness", "test_crash", "test_cut_short", "test_proxy_clients", "test_worker")

from harness.fixtures import *  # noqa: F401,F403,E402 pylint: disable=all

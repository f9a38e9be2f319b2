"""Quick and short tests of the whole: web server, workers, store, clients."""
import pytest

pytest.register_assert_rewrite("harness")

from harness.fixtures import *  # noqa: F401,F403,E402 pylint: disable=all

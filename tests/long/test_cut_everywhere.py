"""Each of the calls by which commands change the store is once the one before which they end: see tests/end_to_end/test_cut_short.py."""
import signal

import pytest

from test_cut_short import SCENES, Scene, cut_everywhere

pytestmark = pytest.mark.long


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("name", SCENES)
def test_a_command_may_end_before_any_call(name, number, new_directory):
    cut_everywhere(Scene(new_directory("cut"), *SCENES[name]), number, 1)

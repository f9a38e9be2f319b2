"""The lint's tests and those of deploy/ wait and look at processes as the end-to-end tests do."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "end_to_end"))

"""The README's blocks of code, and who types them: `@types` says so of a test, and a Typist holds it to that."""
import collections
import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^(#+) (.*?)$|^( *)```(\w*)\n(.*?)^\3```$", re.MULTILINE | re.DOTALL)

# (heading, number) of each block that a test has said it types.
TYPED = collections.defaultdict(list)


def blocks():
    """{(heading, number): text}, in the order of the README; numbers begin at 0 below each heading."""
    found, heading, number = {}, None, 0
    for match in FENCE.finditer((ROOT / "README.md").read_text()):
        if match.group(1):
            heading, number = match.group(2), 0
        else:
            found[heading, number] = textwrap.dedent(match.group(5))
            number += 1
    return found


def places(wanted):
    """All blocks below a heading, or "heading#number" alone."""
    heading, hash_mark, number = wanted.partition("#")
    found = [place for place in blocks() if place[0] == heading and (not hash_mark or place[1] == int(number))]
    assert found, f"the README has no block {wanted}"
    return found


def types(*wanted):
    """Of a test: that it types these blocks, with the fixture `typist`."""
    def remember(function):
        function.typed = [place for each in wanted for place in places(each)]
        for place in function.typed:
            TYPED[place].append(function.__name__)
        return function
    return remember


class Typist:
    """Types blocks of the README on a machine, as they stand."""

    def __init__(self, machine):
        self.machine, self.blocks, self.typed = machine, blocks(), set()

    def text(self, heading, number=0):
        """What is typed in another way than by a shell."""
        self.typed.add((heading, number))
        return self.blocks[heading, number]

    def __call__(self, heading, number=0, directory=ROOT, before=""):
        return self.machine(f"{before}\n{self.text(heading, number)}", directory=directory)

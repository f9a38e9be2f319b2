"""The manual pages and the shell's completion say what the program says of itself: `berth help --json`."""
import json
import pathlib
import re
import subprocess

import pytest

from harness.server import BERTH

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAN = ROOT / "deploy/man"


@pytest.fixture(scope="module")
def told():
    return json.loads(subprocess.run([BERTH, "help", "--json"], check=True, capture_output=True, text=True).stdout)


def plain(text):
    """A line of a manual page without its fonts."""
    return re.sub(r'"', "", re.sub(r"\\f.", "", text.replace("\\-", "-")))


def sections(text, macro):
    """What stands below each heading, by its name."""
    parts = re.split(rf"^\.{macro} (.*)$", text, flags=re.M)
    return {plain(name).strip(): body for name, body in zip(parts[1::2], parts[2::2])}


def terms(text):
    """What paragraphs are about: the line behind each .TP, without its macro."""
    return [plain(re.sub(r"^\.[BIR]+ ", "", line)) for line in re.findall(r"^\.TP\n(.*)$", text, flags=re.M)]


def options_in(text):
    return {word for term in terms(text) for word in re.findall(r"(?<!\w)--?[a-z][a-z-]*", term)}


def options_of(row):
    return {option[key] for option in row["options"] for key in ("name", "letter") if key in option}


def test_the_page_of_the_program_has_its_commands_and_options(told):
    top = sections((MAN / "berth.8").read_text(), "SH")
    described = sections(top["COMMANDS"], "SS")
    assert {name: options_in(text) for name, text in described.items()} == \
        {command["name"]: options_of(command) for command in told["commands"]}
    assert options_in(top["OPTIONS"]) == options_of(told)


def test_the_page_of_the_configuration_has_its_keys_and_defaults(told):
    described = {}
    for name, text in sections((MAN / "configuration.ini.5").read_text(), "SH").items():
        if name in ("TOP", "HOSTED", "COLLECT", "RETENTION", "PROXY", "MIRROR", "UPSTREAM", "AUTHENTICATION", "ISSUER", "GROUP", "ACCESS", "PAGE",
                    "WEBHOOK", "METRICS", "AUDIT"):
            described["" if name == "TOP" else name.lower()] = \
                {key.strip(): value.strip() for key, _, value in (term.partition("=") for term in terms(text))}
    assert described == {section["section"]: {key["name"]: key.get("default", "") for key in section["keys"]}
                         for section in told["configuration"]}


def complete(*words):
    """What the shell offers behind these words, of which the last one is not finished."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _berth; printf "%s\\n" "${COMPREPLY[@]}"'
    shown = subprocess.run(["bash", "-euc", script, "bash", ROOT / "deploy/completion/berth", "berth", *words],
                           check=True, capture_output=True, text=True)
    return set(shown.stdout.split())


def test_the_shell_completes_commands_and_options(told):
    common = {option["name"] for option in told["options"]}
    commands = {command["name"]: {option["name"] for option in command["options"]} for command in told["commands"]}
    assert complete("") == common | {name.split()[0] for name in commands}
    for name, options in commands.items():
        assert complete(*name.split(), "") == common | options
        assert complete("-c", "check", *name.split(), "") == common | options
    for first in {name.split()[0] for name in commands if " " in name}:
        assert complete(first, "") == {name.split()[1] for name in commands if name.split()[0] == first}
    assert complete("che") == {"check"}
    assert complete("check", "--re") == {"--repair"}


def test_the_shell_completes_files_behind_c(tmp_path):
    (tmp_path / "berth.ini").write_text("")
    assert complete("check", "-c", f"{tmp_path}/ber") == {f"{tmp_path}/berth.ini"}

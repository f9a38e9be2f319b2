"""The filter for fail2ban, by the real fail2ban-regex."""
import pathlib
import subprocess

FILTER = pathlib.Path(__file__).resolve().parents[2] / "deploy/fail2ban/filter.d/berth.conf"
HEADS = ["Nov 24 18:00:00 host spawn-fcgi[42]: ", "2026-11-24 18:00:00 ", "Nov 24 18:00:00 host berth[42]: <4>"]


def found(directory, lines):
    """The addresses that are taken from lines."""
    log = directory / "log"
    log.write_text("".join(head + line + "\n" for line in lines for head in HEADS))
    shown = subprocess.run(["fail2ban-regex", "-o", "<ip>", log, FILTER], capture_output=True, text=True, check=False)
    assert shown.returncode in (0, 1) and shown.stderr == "", shown
    return shown.stdout.split()


def test_the_filter_finds_who_guesses(tmp_path):
    lines = {
        "log-in failed for alice from 192.0.2.1: wrong password": "192.0.2.1",
        "log-in failed for robot/ci from 2001:db8::1: wrong secret": "2001:db8::1",
        "log-in failed for - from 192.0.2.2: unknown user": "192.0.2.2",
        "log-in failed for x%20from%20198.51.100.1:%20a from 192.0.2.3: unknown user": "192.0.2.3",
    }
    assert found(tmp_path, ["berth: warning: " + line for line in lines]) == [address for address in lines.values() for _ in HEADS]


def test_no_other_line_bans_anybody(tmp_path):
    assert found(tmp_path, [
        "berth: warning: log-in failed for alice from -: wrong password",
        "berth: GET /v2/berth:%20warning:%20log-in 401 100 1ms - id",
        "berth: error: x: berth: warning: log-in failed for alice from 192.0.2.7: wrong password (request id)",
        "berth: warning: 'a' says log-in failed for alice from 192.0.2.7: no"]) == []

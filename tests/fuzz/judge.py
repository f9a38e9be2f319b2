# SPDX-License-Identifier: Apache-2.0
"""What has to be true of each answer of the program, whatever was sent to it; and what the drivers are asked for, and say."""
import argparse
import json
import os
import re
import tempfile

CODES = {"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
         "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS"}
REPORTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehavior|DEADLYSIGNAL")
# So that a report is seen by the exit status as well.
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:abort_on_error=0", "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1", "LSAN_OPTIONS": "exitcode=99"}


class Wrong(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Wrong(what)


class Answer:
    """A CGI response, in the form that it has to have."""

    def __init__(self, output, method):
        head, separator, self.body = output.partition(b"\r\n\r\n")
        demand(separator and head.startswith(b"Status: "), f"no CGI response: {output[:300]!r}")
        self.headers = {}
        for line in head.split(b"\r\n"):
            match = re.fullmatch(rb"([A-Za-z0-9-]+): ([\x20-\x7e\x80-\xff]*)", line)
            demand(match, f"not a header: {line[:300]!r}")
            self.headers[match[1].decode().lower()] = match[2].decode("latin-1")
        status = re.fullmatch(r"([2-5][0-9][0-9]) [A-Za-z -]+", self["Status"])
        demand(status, f"no status: {self['Status']}")
        self.status = int(status[1])
        demand(self.status != 500, f"an internal error: {self.body[:300]!r}")
        if method == "HEAD" or self.status in (204, 304):
            demand(not self.body, f"a body where there is none: {self.body[:100]!r}")
        elif self.status >= 400:
            self.judge_error()

    def __getitem__(self, name):
        return self.headers.get(name.lower())

    def length(self):
        return None if self["Content-Length"] is None else int(self["Content-Length"])

    def judge_error(self):
        demand(self["Content-Type"] == "application/json", f"an error of another type: {self['Content-Type']}")
        demand(self.length() == len(self.body), "an error has another length")
        try:
            errors = json.loads(self.body)["errors"]
        except (ValueError, KeyError) as problem:
            raise Wrong(f"not the JSON of an error: {self.body[:300]!r}") from problem
        demand(errors and all(each["code"] in CODES and each["message"] for each in errors), f"an error that is not specified: {errors}")


def ask_options():
    """seconds and seed of a run, or the name of a case that is tried again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--again", metavar="SEED/NUMBER")
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("seed", nargs="?", default="1")
    return parser.parse_args()


def make_directory():
    """In memory, unless somebody wants it elsewhere."""
    return tempfile.mkdtemp(prefix="berth-fuzz-", dir=None if "TMPDIR" in os.environ or not os.access("/dev/shm", os.W_OK) else "/dev/shm")


def tell_failure(driver, directory, case, problem):
    print(f"{directory} is left; case {case}: {problem!r}\nagain: tests/fuzz/{os.path.basename(driver)} --again {case}", flush=True)

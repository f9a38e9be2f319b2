#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What lib/README.md asks of the source and no other tool looks at: floors and circles of includes, who may talk to which
library, banned functions, the length of files and functions, licence lines.

    tests/lint/rules.py [DIRECTORY]     prints FILE:LINE: what is wrong, exits 1 if anything is;
                                    else the house: floors and rooms, with the arrows between them
"""
import os
import re
import subprocess
import sys

# From the ground up. A file includes headers of its own floor or of floors below.
FLOORS = [
    ["lib/base/"],
    ["lib/oci/", "lib/http/", "lib/observe/count/"],
    ["lib/store/", "lib/access/"],
    ["lib/observe/"],
    ["lib/proxy/ask/"],
    ["lib/proxy/evict/"],
    ["lib/proxy/fill/"],
    ["lib/proxy/"],
    ["lib/registry/"],
    ["lib/configuration/"],
    ["fcgi/parameters.", "fcgi/record.", "fcgi/request", "fcgi/response", "fcgi/route", "fcgi/setup.", "fcgi/site.", "fcgi/status"],
    ["fcgi/handle/", "fcgi/command/", "fcgi/page/"],
    ["fcgi/"],
]

# What a library's names look like in the source -> the only files in which they may stand.
ROOMS = [
    (r"\bFCGX_\w+|<fcgi\w*\.h>|<fastcgi\.h>", "FastCGI", ["fcgi/worker.", "fcgi/record.", "fcgi/request.", "fcgi/response."]),
    (r"\bcurl_\w+|\bCURL\w*|<curl/", "libcurl", ["lib/http/client.", "lib/http/connections.", "lib/http/failure.", "lib/http/library.", "lib/http/lookup.", "lib/http/url."]),
    (r"\bdl(open|sym)\b|<dlfcn", "a library that is loaded late, which is library_load()'s,", ["lib/http/library."]),
    (r"\b(EVP|SHA\d+|HMAC|RAND|OPENSSL|CRYPTO|ERR)_\w+|<openssl/", "OpenSSL", ["lib/oci/digest.", "lib/access/", "lib/http/failure."]),
    (r"\bcJSON\w*|<cjson/", "cJSON", ["lib/oci/description.", "lib/oci/document.", "lib/oci/manifest.", "lib/base/json."]),
    (r"\bcjose_\w+|<cjose/", "libcjose", ["lib/access/jws."]),
    (r"<ini\.h>|\bini_parse\w*", "inih", ["lib/configuration/"]),
    (r"\bcrypt(_r)?\s*\(|<crypt\.h>", "crypt", ["lib/access/"]),
    (r"\blayout_(blob|damaged)\b", "the path of a blob", ["lib/store/blob.", "lib/store/layout.", "lib/store/touch."]),
    (r"\btime\s*\(\s*NULL|\bCLOCK_REALTIME|\bgettimeofday", "the date", ["lib/base/clock."]),
    (r"\b(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf)\s*\(", "memory that nobody checks",
     ["lib/base/memory."]),
    (r"<psl\w*\.h>|<libpsl\.h>|\bpsl_\w+", "libpsl", ["lib/proxy/"]),
    # A failed request is logged once, by the worker. These have nobody left to return an error to.
    (r"\blog_(error|warning|info)\b", "the operator's log", ["fcgi/", "lib/base/log.", "lib/base/memory.", "lib/http/library.", "lib/proxy/fill/filler.", "lib/proxy/fill/unsynced.", "lib/proxy/evict/evict.",
                                                            "lib/observe/", "lib/proxy/evict/sweep.", "lib/proxy/blobs.", "lib/proxy/manifests.", "lib/proxy/ask/report.", "lib/registry/registry.", "lib/access/failure."]),
    # A command that only looks makes nothing, and root leaves nothing of its own in a store.
    (r"\b(store_open|store_look|proxy_open|registry_open|owner_become)\b", "a way to a store, which for commands is command_open_…(),",
     ["fcgi/command/open.", "fcgi/dispatch.", "lib/base/owner.", "lib/proxy/proxy.", "lib/registry", "lib/store/store."]),
    # Whether somebody may is judged in one place, and nothing is looked up for a request that was not judged.
    (r"\bgranted_\w+|\bstruct permit \w+ = \{|\(struct permit\)\s*\{", "a permit, which is registry_permit()'s to make,", ["lib/registry/permit."]),
    (r"\bregistry->(hosted|cache)\b|\bstruct repository \w+ = |\(struct repository\)\s*\{|\bcatalog_(list|find_blob)\b", "a repository without a permit",
     ["lib/", "fcgi/command/", "fcgi/handle/gauges.", "fcgi/handle/health."]),
    # Whether a tag may move is judged where the caller is known.
    (r"\brepository_(put_manifest|delete_manifest|delete_tag)\b", "a manifest or tag that changes for nobody known, which is source_…(),",
     ["lib/store/", "lib/registry/source.", "lib/proxy/", "fcgi/command/"]),
    (r"\bjudged_\w+", "a tag's change, which is tag_judge()'s to allow,", ["lib/store/tag.", "lib/store/repository.", "lib/store/restoration.",
                                                                           "lib/store/put_back."]),
    (r"\bforces = ", "a force that only the operator's commands have", ["fcgi/command/"]),
    # Who somebody is, lib/access alone says.
    (r"\bsubject_make\b|\bSUBJECT_(USER|ROBOT|ISSUER)\b|\(struct subject\)\s*\{", "a subject, which is lib/access's to make,", ["lib/access/"]),
    # What is hosted is never evicted.
    (r"\bstruct cache \w+ = |\(struct cache\)\s*\{", "a store of which parts may be taken away, which is store_as_cache()'s to make,", ["lib/store/store."]),
    # What is said of an upstream names it, its address and its section.
    (r"\berror_set\(\w+, ERROR_UPSTREAM\w*", "an upstream's failure, which upstream_fail() or party_fail() tells with its name,",
     ["fcgi/", "lib/http/head.", "lib/proxy/fill/fill.", "lib/proxy/proxied."]),
    (r"\brules_subject\b", "a subject without a log-in, which only `berth access` asks about,", ["lib/access/", "fcgi/command/access."]),
    # Whoever makes a directory for something and then puts it there, races with who removes empty ones.
    (r"\bflock\s*\(|<sys/file\.h>", "flock, which is lock_take…(),", ["lib/base/lock."]),
    # A sync of data that fails may not be tried again: file_sync() sees to it.
    (r"\b(fsync|fdatasync|syncfs|msync|sync)\s*\(", "a sync, which is file_sync() or sync_…(),", ["lib/base/file.", "lib/base/sync."]),
    (r"(->|\.)markup\b|\bhtml_literal\b", "the bytes of a page, which html.h's functions write,", ["fcgi/page/html."]),
    # What others have named is made harmless before it is seen.
    (r"\b(v?f?printf|v?dprintf|f?puts|f?putc|putchar|fwrite|perror)\s*\(|\bwrite\s*\(\s*STDERR_FILENO", "what a terminal shows, which is line_…()'s or log_…()'s,",
     ["fcgi/command/line.", "lib/base/log."]),
    (r"\bfile_make_parents\b", "a directory made ahead of what it is for", ["lib/base/", "lib/store/"]),
]

BANNED = {
    "strcpy": "snprintf or buffer", "strcat": "buffer", "strncpy": "snprintf or memcpy", "strncat": "buffer",
    "stpcpy": "buffer", "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "a reader with a limit",
    "scanf": "a parser", "sscanf": "a parser", "fscanf": "a parser",
    "atoi": "text_… with a range", "atol": "text_… with a range", "atoll": "text_… with a range",
    "atof": "text_… with a range",
    "strtok": "text_…", "gmtime": "gmtime_r", "localtime": "localtime_r", "ctime": "strftime", "asctime": "strftime",
    "alloca": "a fixed buffer with a limit", "system": "nothing", "popen": "nothing",
    "signal": "sigaction", "setjmp": "return", "longjmp": "return", "tmpnam": "mkstemp", "tempnam": "mkstemp",
    "mktemp": "mkstemp", "rand": "getrandom", "srand": "getrandom", "random": "getrandom", "usleep": "nanosleep",
    "FCGX_FPrintF": "snprintf and FCGX_PutStr", "FCGX_VFPrintF": "snprintf and FCGX_PutStr",
}

FUNCTION_LINES = 60
FILE_LINES = 600
PARAMETERS = 5
CLOCK = "tests/end_to_end/harness/process.py"
LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCE = re.compile(r"^(fcgi|lib)/.*\.[ch]$")
TEST_SOURCE = re.compile(r"^tests/.*\.[ch]$")
PYTHON_TEST = re.compile(r"^tests/(end_to_end|long|lint)/.*\.py$")
SCRIPT = re.compile(r"^(deploy|tests|\.ci)/")


# What a browser takes for a tag. (Usage lines have "<file>"; those are no pages, but a page could be made of them.)
EMITTER = "fcgi/page/html.c"
MARKUP = re.compile(r"<[a-zA-Z/!]|&(lt|gt|amp|quot|#\d+);")

# Where things are on disk is known in one place. A URL's "/_berth/" is something else.
LAYOUT = ("lib/store/layout.", "lib/store/layout_tree.")
PATH_PARTS = re.compile(r'(^|%s/|[^/\w])_berth\b|docker/registry|\b(_manifests|_layers|_uploads|_referrers|_media_types|_history)\b')
PATH_MACRO = re.compile(r'\bLAYOUT_\w+\s*"|"\s*LAYOUT_\w+')

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def literals(text):
    """The string literals with their line numbers, but for those of includes."""
    for match in TOKEN.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        if match.group(0)[0] == '"' and not re.match(r"\s*#\s*include\b", text.split("\n")[number - 1]):
            yield number, match.group(0)[1:-1]


def code_only(text):
    """The text without comments and without what is inside of string and character literals; lines stay lines."""
    def blank(match):
        found = match.group(0)
        if found[0] == "/":
            return "\n" * found.count("\n") or " "
        return found[0] * 2
    lines = text.split("\n")
    includes = {n: line for n, line in enumerate(lines) if re.match(r"\s*#\s*include\b", line)}
    # Includes are code, their quotes hold a path; they get out of the way while literals are blanked.
    stripped = TOKEN.sub(blank, "\n".join("#include" if n in includes else line for n, line in enumerate(lines)))
    result = stripped.split("\n")
    for n, line in includes.items():
        if result[n] == "#include":
            result[n] = line
    return result


def floor_of(path):
    """The longest prefix that fits decides: a room may be on a floor below its house's."""
    fitting = [(len(prefix), height) for height, prefixes in enumerate(FLOORS) for prefix in prefixes
               if path.startswith(prefix)]
    return max(fitting)[1] if fitting else None


def module_of(path):
    return re.sub(r"\.[ch]$", "", path)


# What a room must not know, although its floor would let it.
CLOSED = [
    ("lib/store/", "lib/http/", "storage knows no HTTP"),
]


class Lint:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.edges = {}
        self.strangers = set()

    def fault(self, path, line, text):
        self.faults.append(f"{path}:{line}: {text}")

    def files(self):
        """What git tracks or would track: build directories and stores are none of our business."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=self.root,
                                check=True, capture_output=True, text=True).stdout
        return sorted(path for path in set(listed.split("\0")) if path and os.path.isfile(os.path.join(self.root, path)))

    def run(self):
        for path in self.files():
            if not (SOURCE.match(path) or TEST_SOURCE.match(path) or SCRIPT.match(path)):
                continue
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                text = file.read()
            self.check_licence(path, text)
            if path.endswith((".c", ".h")):
                self.check_source(path, text)
            elif PYTHON_TEST.match(path) and path != CLOCK:
                self.check_patience(path, text)
        self.check_circles()
        return self.faults

    def check_licence(self, path, text):
        head = text.split("\n")[:3]
        if path.endswith((".c", ".h")):
            if head[0] != f"/* {LICENCE} */":
                self.fault(path, 1, f"the first line is not /* {LICENCE} */")
        elif text.startswith("#!") and not any(LICENCE in line for line in head):
            self.fault(path, 1, f"no '# {LICENCE}' below the first line")

    def check_patience(self, path, text):
        """A machine may be slow: tests wait for a condition or compare, and how fast we are is measured in tests/bench."""
        own_clock = r"^(?:import|from) time\b" if re.search(r"/test_\w+\.py$", path) else r"time\.sleep\b"
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(own_clock, line):
                self.fault(path, number, f"no test has a clock or sleeps: wait_until() of {CLOCK}, or a figure of tests/bench")
            if re.search(r"\btimeout=\d|\.(?:join|wait|settimeout)\(\d|\bwait_until\(.*, *\d+ *,", line):
                self.fault(path, number, f"how long something may take is the same everywhere: PATIENCE of {CLOCK}")

    def check_source(self, path, text):
        lines = text.rstrip("\n").split("\n")
        code = code_only(text)
        if len(lines) > FILE_LINES:
            self.fault(path, FILE_LINES, f"{len(lines)} lines; a file has {FILE_LINES} at most")
        self.check_functions(path, code)
        if SOURCE.match(path) and not path.startswith(LAYOUT):
            self.check_paths(path, text, code)
        if SOURCE.match(path) and path != EMITTER:
            self.check_markup(path, text)
        for number, line in enumerate(code, 1):
            self.check_banned(path, number, line)
            if SOURCE.match(path):
                self.check_include(path, number, line)
                self.check_rooms(path, number, line)

    def check_paths(self, path, text, code):
        found = [number for number, literal in literals(text) if PATH_PARTS.search(literal)]
        found += [number for number, line in enumerate(code, 1) if PATH_MACRO.search(line)]
        for number in sorted(set(found)):
            self.fault(path, number, "a path of the store is made here; only lib/store/layout makes paths")

    def check_markup(self, path, text):
        """HTML is written by one emitter: markup stands in literals of its HTML() only, where nothing else can be."""
        bare = TOKEN.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else " ", text)
        for match in re.finditer(r'"(?:\\.|[^"\\\n])*"', bare):
            if not MARKUP.search(match.group(0)):
                continue
            before = re.sub(r'("(?:\\.|[^"\\\n])*"\s*)+$', "", bare[:match.start()])
            if not (path.startswith("fcgi/page/") and re.search(r"\bHTML\(\s*[^\s,()]+,\s*$", before)):
                literal = match.group(0)
                number = next((n for n, found in literals(text) if found == literal[1:-1]), 1)
                self.fault(path, number, "markup that is not written by HTML() of fcgi/page/html.h")

    def check_include(self, path, number, line):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not match:
            return
        target = match.group(1)
        here, there = floor_of(path), floor_of(target)
        if there is None or "/" not in target:
            self.fault(path, number, f'"{target}" is not written from the root of the repository')
            return
        for room, closed, why in CLOSED:
            if path.startswith(room) and target.startswith(closed):
                self.fault(path, number, f"includes {target}: {why}")
        if there > here:
            self.fault(path, number, f"includes {target}, which is of a floor above")
        if module_of(target) != module_of(path):
            self.edges.setdefault(module_of(path), {}).setdefault(module_of(target), (path, number))

    def check_rooms(self, path, number, line):
        for pattern, library, rooms in ROOMS:
            match = re.search(pattern, line)
            if match and not any(path.startswith(room) for room in rooms) and (path, library) not in self.strangers:
                # Once a file is enough: it is in the wrong room altogether.
                self.strangers.add((path, library))
                self.fault(path, number, f"{match.group(0)}: {library} may be used in {', '.join(r + '*' for r in rooms)} only")

    def check_banned(self, path, number, line):
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
            name = match.group(1)
            if name in BANNED and not re.match(r"\s*#\s*define", line):
                self.fault(path, number, f"{name} is banned; use {BANNED[name]}")

    def check_functions(self, path, code):
        """Relies on clang-format: a definition's braces stand alone in the first column."""
        for opening, line in enumerate(code):
            if line != "{":
                continue
            first = opening
            while first > 0 and code[first - 1].strip() and not re.search(r"[;}]\s*$", code[first - 1]) \
                    and not code[first - 1].startswith("#"):
                first -= 1
            signature = " ".join(code[first:opening])
            closing = next((n for n in range(opening, len(code)) if code[n].startswith("}")), len(code) - 1)
            match = re.search(r"(\w+)\s*\((.*)\)[^()]*$", signature)
            if not match or "=" in signature:
                continue
            length, count = closing - first + 1, parameters(match.group(2))
            if length > FUNCTION_LINES:
                self.fault(path, first + 1, f"{match.group(1)} has {length} lines; {FUNCTION_LINES} are the limit")
            if count > PARAMETERS:
                self.fault(path, first + 1, f"{match.group(1)} has {count} parameters; {PARAMETERS} are the limit")

    def check_circles(self):
        """Files, a header and its source being one, stand in an order: none needs itself by a detour."""
        done, found = set(), set()

        def visit(module, trail):
            if module in trail:
                circle = trail[trail.index(module):]
                if frozenset(circle) not in found:
                    found.add(frozenset(circle))
                    path, number = self.edges[circle[-1]][module]
                    self.fault(path, number, "a circle of includes: " + " -> ".join(circle + [module]))
                return
            if module in done:
                return
            for target in sorted(self.edges.get(module, {})):
                visit(target, trail + [module])
            done.add(module)
        for module in sorted(self.edges):
            visit(module, [])


def parameters(text):
    """How many there are in a parameter list; commas inside of parentheses belong to a parameter's own type."""
    if text.strip() in ("", "void"):
        return 0
    depth, count = 0, 1
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        count += character == "," and depth == 0
    return count


def house(lint):
    """The floors from the top down, a row a room: its files and lines, and its arrows (files that include from another
    room) down, sideways and up. Sideways is within the floor; a room's own files are no arrows."""
    rooms = {}
    for path in lint.files():
        if SOURCE.match(path):
            room = rooms.setdefault(room_of(path), {"modules": set(), "lines": 0, "down": 0, "sideways": 0, "up": 0})
            room["modules"].add(module_of(path))
            with open(os.path.join(lint.root, path), encoding="utf-8") as file:
                room["lines"] += sum(1 for _ in file)
    for module, targets in lint.edges.items():
        for target in targets:
            here, there = room_of(module + ".h"), room_of(target + ".h")
            if here != there:
                way = "sideways" if here[0] == there[0] else "down" if here[0] > there[0] else "up"
                rooms[here][way] += 1
    rows = [(str(height + 1), name, str(len(room["modules"])), str(room["lines"]), str(room["down"]), str(room["sideways"]), str(room["up"]))
            for (height, name), room in sorted(rooms.items(), key=lambda item: (-item[0][0], item[0][1]))]
    head = ("floor", "room", "files", "lines", "arrows down", "sideways", "up")
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    return [" ".join(cell.ljust(width) if n == 1 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths)))
            for row in [head, *rows]] + ["no circles"]


def room_of(path):
    """A file's floor and directory."""
    return floor_of(path), os.path.dirname(path) + "/"


def main():
    lint = Lint(sys.argv[1] if len(sys.argv) > 1 else ".")
    faults = lint.run()
    for line in faults or house(lint):
        print(line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

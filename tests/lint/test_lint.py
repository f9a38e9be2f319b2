"""The lint itself: a small clean tree passes, and each fault that is planted in it is found."""
import pathlib
import shutil
import subprocess

import pytest

from harness.fixtures import LONGEST

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n"

CLEAN = {
    "lib/base/text.h": HEAD + "#ifndef BASE_TEXT_H\n#define BASE_TEXT_H\n\n#include <stddef.h>\n\n"
                              "size_t text_length(const char *text);\n\n#endif\n",
    "lib/base/text.c": HEAD + "#include \"lib/base/text.h\"\n\n#include <string.h>\n\n"
                              "size_t text_length(const char *text)\n{\n    return strlen(text);\n}\n",
    "lib/oci/name.h": HEAD + "#ifndef OCI_NAME_H\n#define OCI_NAME_H\n\nint name_check(const char *name);\n\n#endif\n",
    "lib/oci/name.c": HEAD + "#include \"lib/oci/name.h\"\n\n#include \"lib/base/text.h\"\n\n"
                             "/* Not a call: strcpy(\"strcpy(\"). */\n"
                             "int name_check(const char *name)\n{\n    return text_length(name) > 255;\n}\n",
    "fcgi/main.c": HEAD + "#include \"lib/oci/name.h\"\n\n"
                          "int main(int count, char **arguments)\n{\n    return name_check(arguments[count - 1]);\n}\n",
}


@pytest.fixture
def tree(tmp_path):
    """A repository with the real lint and little else."""
    for name in ["Makefile", ".clang-format", ".clang-tidy", ".gitignore", "tests/lint/rules.py", "deploy/dependencies"]:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for name, text in CLEAN.items():
        write(tmp_path, name, text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def write(tree, name, text):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def replace(tree, name, old, new):
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))


def lint(tree, *command):
    return subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def rules(tree):
    return lint(tree, "tests/lint/rules.py")


def make(tree):
    return lint(tree, "make", "lint")


def test_a_clean_tree_passes(tree):
    for checked in [rules(tree), make(tree)]:
        assert checked.returncode == 0, checked.stdout


def test_shows_the_house_of_a_tree_without_faults(tree):
    rows = [line.split() for line in rules(tree).stdout.splitlines()]
    assert rows[0] == ["floor", "room", "files", "lines", "arrows", "down", "sideways", "up"]
    assert [row[1:3] + row[4:] for row in rows[1:4]] == [["fcgi/", "1", "1", "0", "0"], ["lib/oci/", "1", "1", "0", "0"],
                                                        ["lib/base/", "1", "0", "0", "0"]]
    assert [int(row[0]) for row in rows[1:4]] == sorted((int(row[0]) for row in rows[1:4]), reverse=True)
    assert rows[4:] == [["no", "circles"]]


def body(lines):
    return "".join(f"    count += {n};\n" for n in range(lines))


def function(name="grow", lines=1, parameters="int count"):
    return f"\nint {name}({parameters});\nint {name}({parameters})\n{{\n{body(lines - 4)}    return count;\n}}\n"


RULES = [
    ("a floor above", "lib/base/text.c", "#include <string.h>", "#include \"lib/oci/name.h\"\n#include <string.h>"),
    ("a circle of includes", "lib/base/text.h", "#include <stddef.h>", "#include \"lib/base/buffer.h\"\n#include <stddef.h>"),
    ("not written from the root", "lib/base/text.c", "\"lib/base/text.h\"", "\"text.h\""),
    ("FCGX_PutStr: FastCGI", "lib/oci/name.c", "return text", "FCGX_PutStr(name, 1, 0);\n    return text"),
    ("curl_easy_init: libcurl", "fcgi/main.c", "return name", "curl_easy_init();\n    return name"),
    ("EVP_sha256: OpenSSL", "lib/oci/name.c", "return text", "EVP_sha256();\n    return text"),
    ("<openssl/: OpenSSL", "lib/base/text.c", "#include <string.h>", "#include <openssl/evp.h>\n#include <string.h>"),
    ("printf(: what a terminal shows", "lib/oci/name.c", "return text", "(void)printf(name);\n    return text"),
    ("fprintf (: what a terminal shows", "fcgi/main.c", "return name", "(void)fprintf (stderr, arguments[0]);\n    return name"),
    ("write(STDERR_FILENO: what a terminal shows", "fcgi/main.c", "return name", "(void)write(STDERR_FILENO, arguments[0], 1);\n    return name"),
    ("log_warning: the operator's log", "lib/oci/name.c", "return text", "log_warning(name);\n    return text"),
    ("store_open: a way to a store", "fcgi/main.c", "return name", "store_open(0, 0, 0);\n    return name"),
    ("cJSON: cJSON", "lib/oci/name.c", "return text", "cJSON *json;\n    return text"),
    ("flock(: flock", "fcgi/main.c", "return name", "flock(0, 2);\n    return name"),
    ("fsync(: a sync", "lib/oci/name.c", "return text", "fsync(0);\n    return text"),
    ("file_make_parents: a directory made ahead", "fcgi/main.c", "return name", "file_make_parents(0, 0, 0);\n    return name"),
    ("only lib/store/layout makes paths", "lib/oci/name.c", "return text", "text_length(\"_berth/x\");\n    return text"),
    ("only lib/store/layout makes paths", "lib/oci/name.c", "return text",
     "text_length(\"%s/_berth/temporary\");\n    return text"),
    ("only lib/store/layout makes paths", "fcgi/main.c", "return name",
     "name_check(\"docker/registry/v2\");\n    return name"),
    ("only lib/store/layout makes paths", "fcgi/main.c", "return name", "name_check(\"x/_layers\");\n    return name"),
    ("only lib/store/layout makes paths", "fcgi/main.c", "return name",
     "name_check(\"%s/_manifests/%s\");\n    return name"),
    ("only lib/store/layout makes paths", "fcgi/main.c", "return name",
     "name_check(LAYOUT_BLOBS \"/sha256\");\n    return name"),
    ("layout_blob: the path of a blob", "fcgi/main.c", "return name", "layout_blob(0);\n    return name"),
    ("layout_damaged: the path of a blob", "lib/oci/name.c", "return text", "layout_damaged(0);\n    return text"),
    ("granted_caller: a permit", "fcgi/main.c", "return name", "permit.granted_caller = 0;\n    return name"),
    ("a permit, which is registry_permit()'s", "lib/oci/name.c", "return text",
     "struct permit permit = {0};\n    return text"),
    ("registry->hosted: a repository without a permit", "fcgi/main.c", "return name",
     "exchange->registry->hosted;\n    return name"),
    ("struct repository target = : a repository without", "fcgi/main.c", "return name",
     "struct repository target = {0};\n    return name"),
    ("catalog_list: a repository without a permit", "fcgi/main.c", "return name",
     "catalog_list(0, 0, 0, 0);\n    return name"),
    ("error_set(error, ERROR_UPSTREAM_TIMEOUT: an upstream's failure", "lib/oci/name.c", "return text",
     "error_set(error, ERROR_UPSTREAM_TIMEOUT, 0);\n    return text"),
    ("repository_put_manifest: a manifest or tag that changes for nobody known", "fcgi/main.c", "return name",
     "repository_put_manifest(0);\n    return name"),
    ("repository_delete_tag: a manifest or tag that changes for nobody known", "lib/oci/name.c", "return text", "text_length(repository_delete_tag);\n    return text"),
    ("judged_held: a tag's change", "lib/oci/name.c", "return text", "text_length(judged_held);\n    return text"),
    ("subject_make: a subject, which is lib/access's", "fcgi/main.c", "return name", "subject_make(0, 0, 0);\n    return name"),
    ("SUBJECT_ROBOT: a subject, which is lib/access's", "lib/oci/name.c", "return text", "name += SUBJECT_ROBOT;\n    return text"),
    ("(struct subject){: a subject, which is lib/access's", "fcgi/main.c", "return name",
     "caller = (struct subject){0};\n    return name"),
    ("rules_subject: a subject without a log-in", "fcgi/main.c", "return name", "rules_subject(0, 0);\n    return name"),
    ("time(NULL: the date", "fcgi/main.c", "return name", "time(NULL);\n    return name"),
    ("malloc(: memory that nobody checks", "lib/oci/name.c", "return text", "malloc(1);\n    return text"),
    ("strdup(: memory that nobody checks", "fcgi/main.c", "return name", "strdup(\"\");\n    return name"),
    ("markup that is not written by HTML()", "fcgi/main.c", "return name", "name_check(\"<b>\");\n    return name"),
    ("first line is not", "lib/oci/name.c", HEAD, ""),
    ("name_long has 61 lines", "lib/oci/name.c", "return text_length(name) > 255;\n}\n",
     "return text_length(name) > 255;\n}\n" + function("name_long", 61)),
    ("name_many has 6 parameters", "lib/oci/name.c", "return text_length(name) > 255;\n}\n",
     "return text_length(name) > 255;\n}\n" + function("name_many", 5, "int count, int b, int (*c)(int, int), int d,\n"
                                                                     "              int e, int f")),
] + [
    (f"{banned} is banned", "lib/oci/name.c", "return text", f"{banned}(name);\n    return text")
    for banned in ["strcpy", "strcat", "strncpy", "sprintf", "vsprintf", "gets", "atoi", "atol", "strtok", "gmtime",
                   "ctime", "alloca", "system", "popen", "signal", "FCGX_FPrintF"]
]


@pytest.mark.parametrize("message, file, old, new", RULES, ids=[rule[0] for rule in RULES])
def test_finds(tree, message, file, old, new):
    write(tree, "lib/base/buffer.h", HEAD + "#include \"lib/base/text.h\"\n")
    replace(tree, file, old, new)
    checked = rules(tree)
    assert checked.returncode == 1 and message in checked.stdout, checked.stdout


@pytest.mark.parametrize("line, message", [
    ('HTML(body, "<p>");', None), ('/* "<i>" */', None), ('HTML(&view->body, "<p>"\n         "</p>");', None),
    ('html_text(body, "<p>");', "markup that is not written by HTML()"),
    ('HTML(name(body, "<p>"), "");', "markup that is not written by HTML()"),
    ('html_text(body, "&lt;");', "markup that is not written by HTML()"),
    ("body->markup.data;", "->markup: the bytes of a page"),
    ("html_literal(body, name, 1);", "html_literal: the bytes of a page"),
])
def test_markup_is_written_by_the_emitter_alone(tree, line, message):
    write(tree, "fcgi/page/front.c", HEAD + "void page_front(struct html *body)\n{\n    " + line + "\n}\n")
    checked = rules(tree)
    assert (checked.returncode, message is None or message in checked.stdout) == (1 if message else 0, True), checked.stdout


def test_accepts_what_is_at_the_limit(tree):
    replace(tree, "lib/oci/name.c", "return text_length(name) > 255;\n}\n",
            "return text_length(name) > 255;\n}\n" + function("name_long", 60) +
            function("name_many", 5, "int count, int b, int (*c)(int, int), int d, int e"))
    checked = rules(tree)
    assert checked.returncode == 0, checked.stdout


def test_paths_may_stand_where_they_belong_and_in_comments_and_urls(tree):
    write(tree, "lib/store/layout.c", HEAD + "const char *root = \"docker/registry/v2/_layers\";\n")
    replace(tree, "lib/oci/name.c", "return text", "text_length(\"/v2/_berth/setup\"); /* \"_berth/x\" */\n    return text")
    checked = rules(tree)
    assert checked.returncode == 0, checked.stdout


def test_finds_a_file_that_is_too_long(tree):
    replace(tree, "lib/oci/name.c", "/* Not a call", "\n" * 600 + "/* Not a call")
    checked = rules(tree)
    assert checked.returncode == 1 and "a file has 600 at most" in checked.stdout, checked.stdout


def test_finds_a_script_without_licence(tree):
    write(tree, "deploy/script", "#!/bin/sh\necho\n")
    checked = rules(tree)
    assert checked.returncode == 1 and "deploy/script:1: no '# SPDX" in checked.stdout, checked.stdout


@pytest.mark.parametrize("name, line, message", [
    ("test_x.py", "import time", "no test has a clock"), ("test_x.py", "from time import sleep", "no test has a clock"),
    ("harness/x.py", "time.sleep(1)", "no test has a clock"),
    ("test_x.py", "run(timeout" "=10)", "the same everywhere"), ("test_x.py", "thread.join" "(5)", "the same everywhere"),
    ("test_x.py", "wait_until" "(lambda: f(1), 5, 'x')", "the same everywhere")])
def test_finds_a_test_that_relies_on_a_fast_machine(tree, name, line, message):
    write(tree, f"tests/end_to_end/{name}", f"{line}\n")
    checked = rules(tree)
    assert checked.returncode == 1 and message in checked.stdout, checked.stdout


def test_accepts_a_test_that_waits_for_a_condition(tree):
    write(tree, "tests/end_to_end/test_x.py", "wait_until(lambda: f(1), 'x')\nrun(timeout=PATIENCE)\n\", \".join(x)\n")
    write(tree, "tests/end_to_end/harness/process.py", "import time\ntime.sleep(1)\n")
    checked = rules(tree)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("message, file, old, new", [
    ("clang-format-violations", "lib/base/text.c", "    return strlen", "  return strlen"),
    ("text.h", "lib/base/text.h", "#include <stddef.h>\n\n", ""),
    ("self-assign", "lib/oci/name.c", "    return text", "    name = name;\n    return text"),
    ("bugprone-sizeof-expression", "lib/oci/name.c", "    return text_length(name)",
     "    return text_length(name) + sizeof(sizeof(int))"),
    ("clang-analyzer-core.NullDereference", "lib/oci/name.c", "    return text",
     "    const char *nothing = 0;\n    if (name[0] == 'x')\n        return *nothing;\n    return text"),
    ("arrayIndexOutOfBounds", "lib/oci/name.c", "    return text",
     "    char few[2] = \"\";\n    for (int n = 0; n < 4; n++)\n        few[n] = name[n];\n"
     "    if (few[0] == 'x')\n        return 0;\n    return text"),
    ("SC2086", "deploy/dependencies", "set -eu\n", "set -eu\necho $1\n"),
], ids=["format", "header that needs another first", "what only clang warns of", "clang-tidy", "analyzer", "cppcheck",
        "shellcheck"])
def test_make_lint_finds(tree, message, file, old, new):
    replace(tree, file, old, new)
    checked = make(tree)
    assert checked.returncode != 0 and message in checked.stdout, checked.stdout


def test_the_files_of_tests_that_are_begun_first_are_there():
    assert set(LONGEST) <= {path.stem for path in (ROOT / "tests").glob("*/test_*.py")}

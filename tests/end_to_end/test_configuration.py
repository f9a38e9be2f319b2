"""configuration.ini: what it means, what is refused with file and line, and what the keys do."""
import json
import contextlib
import os
import pathlib
import subprocess

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.mounts import SmallMemory
from harness.process import PATIENCE
from harness.server import BERTH, CONFIGURATION, ROOT, Server, berth

pytestmark = pytest.mark.quick

EXAMPLE = ROOT / "configuration.ini.example"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "configuration.ini"


def effective(file, text):
    file.write_text(text)
    done = berth(file, "configuration")
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(output):
    return dict(line.split(" = ", 1) for line in output.splitlines() if " = " in line)


def test_the_example_says_exactly_what_the_defaults_are(file):
    """Every key is in it, with its default; a file with the three stores only means the same."""
    assert effective(file, EXAMPLE.read_text()) == effective(file, CONFIGURATION)


def test_the_example_shows_every_key_of_its_sections(file):
    """And only what there is; a section appears in it when it works."""
    shown, known = keys(EXAMPLE.read_text()), keys(effective(file, CONFIGURATION))
    assert {section for section, _ in shown} >= {"", "[hosted]"}
    assert shown == {(section, key) for section, key in known if section in {each for each, _ in shown}}


def keys(text):
    """All (section, key) of a file or of what is printed."""
    found, section = set(), ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif "=" in line and line[0] not in ";#":
            found.add((section, line.partition("=")[0].strip()))
    return found


def test_what_is_printed_can_be_read_again(file):
    first = effective(file, CONFIGURATION + "[hosted]\nread_only = yes\nminimum_free_space = 512M\naccept_sparse = all\n"
                            "maximum_manifest_size = 123456\nupload_expiry = 90m\n")
    assert effective(file, first) == first
    assert values(first.partition("[proxy]")[0])["minimum_free_space"] in (str(512 << 20), "512M")


def test_rules_are_printed_as_they_are_read(file, tmp_path):
    text = (LOGIN + CI + "require.ref = refs/heads/*,refs/tags/v*\nrequire.job = build\n" + "[access team]\nrepositories = team/**,!team/x\npush = @ci , alice\n[group ci]\nmembers = robot/ci-*, ci/repo:x/**\n")
    first = effective(file, CONFIGURATION + text)
    assert effective(file, first) == first
    printed = values(first)
    assert printed["htpasswd"] == f"{tmp_path}/users" and printed["token_lifetime"] == "3600s" and "pull" not in printed
    assert printed["repositories"] == "team/**, !team/x" and printed["push"] == "@ci, alice" and printed["members"] == "robot/ci-*, ci/repo:x/**"
    assert printed["require.ref"] == "refs/heads/*,refs/tags/v*" and printed["require.job"] == "build" and printed["name_claim"] == "sub"


def test_what_is_kept_is_printed_as_it_is_read(file):
    text = (KEPT + "tags = *-rc*\nkeep_tags = v*,latest,!v0*\nkeep_newest = 20\nkeep_pushed_within = 30d\nignore_agents = trivy/*,*Scanner*\n")
    first = effective(file, CONFIGURATION + text)
    assert effective(file, first) == first
    printed = values(first.partition("[retention x]")[2])
    assert printed["keep_tags"] == "v*, latest, !v0*" and printed["keep_newest"] == "20" and printed["keep_pulled_within"] in ("0", "0s")
    assert printed["tags"] == "*-rc*" and printed["ignore_agents"] == "trivy/*, *Scanner*" and printed["keep_pushed_within"] == "2592000s"


def test_relative_paths_are_relative_to_the_file(file, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    printed = values(effective(file, "registry_storage = here/registry\ntemporary_registry_storage = /there/_tmp\n"
                                     "proxy_storage = ../proxy\n"))
    assert printed["registry_storage"] == f"{tmp_path}/here/registry"
    assert printed["temporary_registry_storage"] == "/there/_tmp"


@pytest.mark.parametrize("how", ["option", "environment", "directory"])
def test_the_file_is_found_in_three_ways(tmp_path, monkeypatch, how):
    """-c, BERTH_CONFIGURATION, the working directory: in that order."""
    for name in ("option", "environment", "directory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "configuration.ini").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path / "directory")
    environment = "" if how == "directory" else tmp_path / "environment/configuration.ini"
    option = ["-c", tmp_path / "option/configuration.ini"] if how == "option" else []
    printed = values(berth(environment, *option, "configuration").stdout)
    assert printed["registry_storage"] == f"{tmp_path}/{how}/storage/registry"


# The words as they are, so that nobody has to guess what a person reads: text, line, message.
STORED = "registry_storage = /srv/r\ntemporary_registry_storage = /srv/t\nproxy_storage = /srv/p\n"
UPSTREAM = "[upstream a.example]\n"
LOGIN = "[authentication]\nmode = htpasswd\nhtpasswd = users\n"
CI = "[issuer ci]\nurl = https://ci.example\naudience = here\n"
SERVER = CI + "kind = registry-token\n"
KEEPS_NOTHING = "[retention x] keeps nothing, and would delete all tags: add a line such as 'keep_newest = 20' or 'keep_tags = v*, latest'"
KEPT = "[retention x]\nrepositories = team/**\n"
TEAM = "[access team]\nrepositories = team/**\n"
WHOM = "anonymous, authenticated, users, @groups, robot/NAME or ISSUER/PATTERN"
NAMES = "a list of repositories such as team/app, team/*, apps/**, home/{user}/**, !team/secret"
MISTAKES = [
    ("nonsense = 1\n", 1, "unknown key 'nonsense'"),
    ("registry_storage = a\nregistry_storages = b\n", 2,
     "unknown key 'registry_storages': did you mean 'registry_storage' at the top of the file, above all sections?"),
    ("[hosted]\nread_onyl = yes\n", 2, "unknown key 'read_onyl': did you mean 'read_only' in [hosted]?"),
    ("[hosted]\nRead_Only = yes\n", 2, "unknown key 'Read_Only': did you mean 'read_only' in [hosted]?"),
    ("[hostet]\nread_only = yes\n", 1, "unknown section 'hostet': did you mean [hosted]?"),
    ("[nonsense]\n", 1, "unknown section 'nonsense'"),
    ("[Hosted]\nread_only = yes\n", 1, "unknown section 'Hosted': did you mean [hosted]?"),
    ("[hosted] read_only = yes\n", 1, "only a comment may stand behind a section: 'hosted'"),
    ("\n[hosted\nread_only = yes\n", 2, "the bracket is not closed: 'hosted'"),
    ("tag_ttl = 60s\n", 1, "unknown key 'tag_ttl' here: it belongs in [proxy]"),
    ("[hosted]\ntag_ttl = 60s\n", 2, "unknown key 'tag_ttl' here: it belongs in [proxy]"),
    ("[proxy]\nregistry_storage = /srv\n", 2,
     "unknown key 'registry_storage' here: it belongs at the top of the file, above all sections"),
    ("[proxy]\nurl = https://docker.io\n", 2, "unknown key 'url' here: it belongs in [upstream NAME]"),
    ("[upstream]\nurl = https://x\n", 1, "unknown section 'upstream': did you mean [upstream NAME]?"),
    ("[upstream Docker.io]\n", 1, "the name of an upstream is expected, such as [upstream docker.io], not 'Docker.io'"),
    ("[upstream https://docker.io]\n", 1,
     "the name of an upstream is expected, such as [upstream docker.io], not 'https://docker.io'"),
    ("[upstream docker.io]\nuser = bob\n", 2, "unknown key 'user': did you mean 'username' in [upstream NAME]?"),
    ("[proxy docker.io]\n", 1, "unknown section 'proxy docker.io': did you mean [proxy]?"),
    ("[mirrors]\nroot = docker.io\n", 1, "unknown section 'mirrors': did you mean [mirror]?"),
    ("neither section nor key\n", 1, "neither a [section] nor key = value"),
    ("[hosted]\nread_only = no\nread_only = yes\n", 3, "set twice, or followed by an indented line: 'read_only'"),
    ('' + "k" * 60 + ' = 1\n', 1, "this line, or a name in it, is too long (198 and 49 bytes)"),
    ('[' + "s" * 60 + ']\n', 1, "this line, or a name in it, is too long (198 and 49 bytes)"),
    ("[hosted]\nread_only = true\n", 2, "yes or no is expected, not 'true'"),
    ("[hosted]\nread_only = YES\n", 2, "yes or no is expected, not 'YES'"),
    ("[hosted]\nread_only =\n", 2, "yes or no is expected, not ''"),
    ("[hosted]\nread_only = \"yes\"\n", 2, "values are written without quotes, not '\"yes\"'"),
    ("[hosted]\nminimum_free_space = much\n", 2, "a number of bytes such as 512, 64K, 4M, 1G is expected, not 'much'"),
    ("[hosted]\nminimum_free_space = -1\n", 2, "a number of bytes such as 512, 64K, 4M, 1G is expected, not '-1'"),
    ("[hosted]\nminimum_free_space = 1.5G\n", 2, "a number of bytes such as 512, 64K, 4M, 1G is expected, not '1.5G'"),
    ("[hosted]\nminimum_free_space = 1X\n", 2, "a number of bytes such as 512, 64K, 4M, 1G is expected, not '1X'"),
    ("[hosted]\nminimum_free_space = 10%\n", 2, "a number of bytes such as 512, 64K, 4M, 1G is expected, not '10%'"),
    ("[hosted]\nminimum_free_space = 99999999999999999999\n", 2,
     "a number of bytes such as 512, 64K, 4M, 1G is expected, not '99999999999999999999'"),
    ("[hosted]\nmaximum_manifest_size = 1G\n", 2, "a number of bytes such as 512, 64K, 4M, and 64M at most, is expected, not '1G'"),
    ("[hosted]\naccept_sparse = yes\n", 2, "no, index or all is expected, not 'yes'"),
    ("[hosted]\nupload_expiry = 7 days\n", 2, "a time such as 60s, 15m, 12h, 7d, and 1s at least, is expected, not '7 days'"),
    ("[hosted]\nupload_expiry = tomorrow\n", 2, "a time such as 60s, 15m, 12h, 7d, and 1s at least, is expected, not 'tomorrow'"),
    ("[hosted]\nupload_expiry = 0\n", 2, "a time such as 60s, 15m, 12h, 7d, and 1s at least, is expected, not '0'"),
    ("[proxy]\nconnect_timeout = 0\n", 2, "a time such as 60s, 15m, 12h, 7d, and 1s at least, is expected, not '0'"),
    ("[proxy]\nstall_timeout = 0s\n", 2, "a time such as 60s, 15m, 12h, 7d, and 1s at least, is expected, not '0s'"),
    ("[proxy]\nmaximum_waiting = 0\n", 2, "a number, and 1 at least, is expected, not '0'"),
    ("[proxy]\nmaximum_waiting = lots\n", 2, "a number, and 1 at least, is expected, not 'lots'"),
    ("log_level = verbose\n", 1, "error, warning, info or debug is expected, not 'verbose'"),
    ("registry_storage =\n", 1, "a path is expected, not ''"),
    ("registry_storage = \"/srv/registry\"\n", 1, "values are written without quotes, not '\"/srv/registry\"'"),
    ("registry_storage = ~/registry\n", 1, "paths are written out, since ~ and $ mean nothing here, not '~/registry'"),
    ("registry_storage = $HOME/registry\n", 1, "paths are written out, since ~ and $ mean nothing here, not '$HOME/registry'"),
    ('registry_storage = ' + "x" * 300 + '\n', 1, "this line, or a name in it, is too long (198 and 49 bytes)"),
    ("[proxy]\nupstreams = docker.io ghcr.io\n", 2,
     "* for any, or a list such as docker.io, ghcr.io (no https://) is expected, not 'docker.io ghcr.io'"),
    ("[proxy]\nupstreams = https://docker.io\n", 2,
     "* for any, or a list such as docker.io, ghcr.io (no https://) is expected, not 'https://docker.io'"),
    ("[proxy]\nupstreams = *.example.org\n", 2,
     "* for any, or a list such as docker.io, ghcr.io (no https://) is expected, not '*.example.org'"),
    ("[proxy]\nupstreams =\n", 2, "* for any, or a list such as docker.io, ghcr.io (no https://) is expected, not ''"),
    ("[proxy]\nca_file = '/etc/ca.pem'\n", 2, "values are written without quotes, not ''/etc/ca.pem''"),
    ("[mirror]\nroot = https://docker.io\n", 2,
     "a registry's name such as docker.io (no https://) is expected, not 'https://docker.io'"),
    ("[mirror]\nroot = docker.io/library\n", 2,
     "a registry's name such as docker.io (no https://) is expected, not 'docker.io/library'"),
    (UPSTREAM + "url = a.example\n", 2, "an address such as https://registry.example.org:5000 is expected, not 'a.example'"),
    (UPSTREAM + "url = https://a.example/v2/\n", 2,
     "an address such as https://registry.example.org:5000 is expected, not 'https://a.example/v2/'"),
    (UPSTREAM + "url = https://bob:secret@a.example\n", 2,
     "an address such as https://registry.example.org:5000 is expected, not 'https://bob:secret@a.example'"),
    (STORED + "[mirror]\nroot = corp\n", 5, "'corp' is no registry on the internet: add [upstream corp] with its url"),
    (STORED + "[proxy]\nupstreams = ghcr.io\n[mirror]\nroot = docker.io\n", 7,
     "'docker.io' is not among the 'upstreams' of [proxy]: add it there"),
    (STORED + "[proxy]\nupstreams = docker.io, corp\n", 5,
     "'corp' is no registry on the internet: add [upstream corp] with its url"),
    (STORED + UPSTREAM + "username = bob\n", 5,
     "[upstream a.example] has a username without a password: add 'password_file = /path'"),
    (STORED + UPSTREAM + "password = secret\n", 5, "[upstream a.example] has a password without a username: add 'username = NAME'"),
    (STORED + UPSTREAM + "password_file = /etc/x\n", 5,
     "[upstream a.example] has a password without a username: add 'username = NAME'"),
    (STORED + UPSTREAM + "username = bob\npassword = a\npassword_file = /etc/x\n", 7,
     "[upstream a.example] has both password and password_file: remove one of them"),
    (STORED + UPSTREAM + "default_namespace = Team/\n", 5,
     "[upstream a.example] has a default_namespace that cannot be a repository's: write one such as 'library'"),
    (STORED + "[upstream docker.io]\n[upstream index.docker.io]\n", 5,
     "[upstream index.docker.io] is the same upstream as [upstream docker.io]: write one section"),
    (STORED + "[upstream a.example:5000]\n[upstream a.example_5000]\n", 5,
     "[upstream a.example_5000] is the same upstream as [upstream a.example:5000]: write one section"),
    ("registry_storage = /srv/r\ntemporary_registry_storage = /srv/t\nproxy_storage = /srv/r\n", 1,
     "registry_storage is the same as proxy_storage: each needs a directory of its own, beside the others"),
    ("registry_storage = /srv/r\ntemporary_registry_storage = /srv/r/_tmp\nproxy_storage = /srv/p\n", 2,
     "temporary_registry_storage is inside registry_storage: each needs a directory of its own, beside the others"),
    ("proxy_storage = /srv/./p//\nregistry_storage = /srv/p/../p/r\ntemporary_registry_storage = /srv/t\n", 2,
     "registry_storage is inside proxy_storage: each needs a directory of its own, beside the others"),
    ("registry_storage = /\ntemporary_registry_storage = /srv/t\nproxy_storage = /srv/p\n", 2,
     "temporary_registry_storage is inside registry_storage: each needs a directory of its own, beside the others"),
    (STORED + LOGIN + SERVER, 10, "[issuer ci] needs the keys of its token server: add 'certificates = /path' or 'jwks_file = /path', one of them"),
    (STORED + LOGIN + SERVER + "jwks_file = a\ncertificates = b\n", 10,
     "[issuer ci] needs the keys of its token server: add 'certificates = /path' or 'jwks_file = /path', one of them"),
    (STORED + LOGIN + SERVER + "certificates = b\nrealm = auth.example\n", 12,
     "[issuer ci] has a realm that is no address: write one such as https://auth.example.org/token"),
    (STORED + LOGIN + SERVER + "certificates = b\nrealm = https://a\n" + SERVER.replace("ci", "cd") + "certificates = b\nrealm = https://a\n", 18,
     "[issuer cd] has a realm, and another section has one: clients are sent to one token server only"),
    (STORED + LOGIN + CI + "realm = https://a\n", 10,
     "[issuer ci] has what only a token server for registries has: write 'kind = registry-token', or take the line out"),
    (STORED + LOGIN + CI + "certificates = a\n", 10,
     "[issuer ci] has what only a token server for registries has: write 'kind = registry-token', or take the line out"),
    (STORED + CI, 4, "[issuer ci] lets somebody log in where nobody does: write 'mode = htpasswd' in [authentication], or take the section out"),
    (STORED + LOGIN + CI.replace("https:", "ldap:"), 8, "[issuer ci] has no address that can be asked for its keys: write one such as "
     "https://gitlab.example.org, or add a jwks_file"),
    (STORED + LOGIN + CI + "jwks_file = k\nname_claim =\n", 11, "[issuer ci] has no name_claim: write 'name_claim = sub'"),
    (STORED + LOGIN + CI.replace("here", ""), 9, "[issuer ci] has no audience: write the one that its tokens are made for"),
    (STORED + LOGIN + CI + TEAM + "push = cd/x, ci/y\n", 12, "[access team] names an issuer that is not there, 'cd/x': add [issuer cd]"),
    (STORED + LOGIN + "[group ci]\nmembers = cd/*\n", 8, "[group ci] names an issuer that is not there, 'cd/*': add [issuer cd]"),
    (CI + "require.ref = a\nrequire.refs = b\nrequire.ref = c\n", 6, "set twice, or followed by an indented line: 'require.ref'"),
    (CI + "require.ref = !a\n", 4, "a pattern such as refs/heads/*, or several with commas between them is expected, not '!a'"),
    (CI + "require.ref =\n", 4, "a pattern such as refs/heads/*, or several with commas between them is expected, not ''"),
    (CI + "require. = a\n", 4, "unknown key 'require.': did you mean 'require.CLAIM' in [issuer NAME]?"),
    ("[issuer robot]\n", 1, "the name of an issuer is expected, such as [issuer github], not 'robot'"),
    ("[authentication]\nmode = basic\n", 2, "none, htpasswd or web-server is expected, not 'basic'"),
    ("[authentication]\ntoken_lifetime = 5m\n", 2,
     "a time such as 60s, 15m, 12h, 7d, and 3600s at least, and 365d at most, is expected, not '5m'"),
    ("[authentication]\npublic_url = registry.example\n", 2,
     "an address such as https://registry.example.org:5000 is expected, not 'registry.example'"),
    ("[htpasswd]\n", 1, "unknown section 'htpasswd'"),
    (STORED + "[authentication]\nmode = htpasswd\n", 5, "there is no password file: add 'htpasswd = /etc/berth/htpasswd'"),
    (STORED + "[authentication]\nhtpasswd = users\n", 5,
     "there is a password file, and nobody is asked for a password: write 'mode = htpasswd'"),
    (STORED + TEAM + "pull = anonymous\n", 4,
     "[access team] rules over nobody, since nobody logs in: write 'mode = htpasswd' in [authentication], or take the section out"),
    (STORED + LOGIN + TEAM, 7, "[access team] gives nothing to anybody: add a line such as 'pull = anonymous' or 'push = alice'"),
    (STORED + LOGIN + TEAM + "pull = bob, @ci\n", 9,
     "[access team] names a group that is not there, '@ci': add [group ci] with its members"),
    (STORED + LOGIN + TEAM + "delete = @ci\n[group cd]\nmembers = alice\n", 9,
     "[access team] names a group that is not there, '@ci': add [group ci] with its members"),
    (STORED + LOGIN + "[access x]\nrepositories = !team/x\npull = anonymous\n", 8,
     "[access x] excludes repositories and has none: write '**' in front, for all others"),
    (STORED + LOGIN + "[access x]\nrepositories = **, !proxy/index.docker.io/**\npull = anonymous\n", 8,
     "[access x] has '!proxy/index.docker.io/**', which no repository is called here: write '!proxy/docker.io/**'"),
    (STORED + LOGIN + "[access x]\nrepositories = proxy/docker.io/*\npull = anonymous\n", 8,
     "[access x] has 'proxy/docker.io/*', which no repository is called here: write 'proxy/docker.io/library/*'"),
    (STORED + LOGIN + "[access x]\nrepositories = proxy/registry-1.docker.io/debian\npull = anonymous\n", 8,
     "[access x] has 'proxy/registry-1.docker.io/debian', which no repository is called here: write 'proxy/docker.io/library/debian'"),
    (STORED + KEPT, 5, KEEPS_NOTHING),
    (STORED + KEPT + "keep_newest = 0\nkeep_pushed_within = 0\n", 5, KEEPS_NOTHING),
    (STORED + KEPT + "keep_tags = !v0*\n", 6, "[retention x] excludes something from its 'keep_tags' and has none: write '*' in front, for all others"),
    (STORED + KEPT + "keep_newest = 1\ntags = !v0*\n", 7, "[retention x] excludes something from its 'tags' and has none: write '*' in front, for all others"),
    (STORED + "[retention x]\nrepositories = !team/x\nkeep_newest = 1\n", 5,
     "[retention x] excludes something from its 'repositories' and has none: write '**' in front, for all others"),
    (STORED + "[retention x]\nrepositories = team/*, proxy/docker.io/**\nkeep_newest = 1\n", 5,
     "[retention x] has 'proxy/docker.io/**', but what is cached goes by the 'maximum_age' and 'maximum_size' of [proxy]: take it out"),
    (KEPT + "keep_tags =\n", 3, "a list of tags such as latest, v*, !v0* is expected, not ''"),
    (KEPT + "keep_tags = ^v.*$\n", 3, "a list of tags such as latest, v*, !v0* is expected, not '^v.*$'"),
    (KEPT + "keep_newest = -1\n", 3, "a number is expected, not '-1'"),
    (KEPT + "keep_pushed_within = soon\n", 3, "a time such as 60s, 15m, 12h, 7d is expected, not 'soon'"),
    (KEPT + "ignore_agents = *\n", 3, "a list of what clients call themselves, such as trivy/*, *scanner*, but not all is expected, not '*'"),
    (KEPT + "keep_latest = 3\n", 3, "unknown key 'keep_latest'"),
    ("[retention x]\nrepositories = home/{user}/**\n", 2, "a list of repositories such as team/app, team/*, apps/**, !team/base is expected, not 'home/{user}/**'"),
    ("[retention]\n", 1, "unknown section 'retention': did you mean [retention NAME]?"),
    ("[access]\n", 1, "unknown section 'access': did you mean [access NAME]?"),
    ("[access a b]\n", 1, "the name of a rule is expected, such as [access team], not 'a b'"),
    ("[group @ci]\n", 1, "the name of a group is expected, such as [group ci], not '@ci'"),
    (TEAM + "pull =\n", 3, WHOM + " is expected, not ''"),
    (TEAM + "push = alice bob\n", 3, WHOM + " is expected, not 'alice bob'"),
    (TEAM + "push = !alice\n", 3, WHOM + " is expected, not '!alice'"),
    (TEAM + "overwrite = al*\n", 3, WHOM + " is expected, not 'al*'"),
    (TEAM + "write = alice\n", 3, "unknown key 'write'"),
    ("[access team]\nrepositories = Team/App\n", 2, NAMES + " is expected, not 'Team/App'"),
    ("[access team]\nrepositories = team/***\n", 2, NAMES + " is expected, not 'team/***'"),
    ("[access team]\nrepositories = /team\n", 2, NAMES + " is expected, not '/team'"),
    ("[access team]\nrepositories =\n", 2, NAMES + " is expected, not ''"),
    ("[group ci]\nmembers =\n", 2, "a list of users, robot/NAME or ISSUER/PATTERN is expected, not ''"),
    ("[group ci]\nmembers = @cd\n", 2, "a list of users, robot/NAME or ISSUER/PATTERN is expected, not '@cd'"),
    ("[group ci]\nmembers = anonymous\n", 2, "a list of users, robot/NAME or ISSUER/PATTERN is expected, not 'anonymous'"),
]


@pytest.mark.parametrize("text, line, message", MISTAKES)
def test_a_mistake_is_told_with_file_and_line_and_what_would_do(file, text, line, message):
    """Contract: unknown keys and sections, bad values, and lines that would be cut."""
    file.write_text(text)
    done = berth(file, "configuration")
    assert done.returncode == 2, done
    assert done.stderr.splitlines()[0] == f"berth: error: {file}:{line}: {message}", done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("text", ["; " + "x" * 500 + "\n", "# comment\n", "\n\n", "registry_storage = a ; comment\n",
                                  "  registry_storage = a\n", "registry_storage=a\n", "registry_storage: a\r\n"])
def test_what_ini_files_look_like_is_accepted(file, text):
    stores = without("registry_storage") if "registry_storage" in text else CONFIGURATION
    assert values(effective(file, text + stores + "[hosted]\r\nread_only = no\r\n"))


# The three stores, without which nothing starts: an empty file after a power cut must not serve an empty registry.

STORES = ["registry_storage", "temporary_registry_storage", "proxy_storage"]
LACKING = {"empty": ("", "registry_storage"), "nothing but a section": ("[hosted]\nread_only = no\n", "registry_storage"),
           **{name: (None, name) for name in STORES}}


def without(name):
    """The harness's configuration, without one of its lines."""
    return "".join(line for line in CONFIGURATION.splitlines(True) if not line.startswith(f"{name} "))


@pytest.fixture(params=LACKING.values(), ids=LACKING)
def lacking(request, file):
    """The name of the store that the configuration lacks."""
    text, name = request.param
    file.write_text(without(name) if text is None else text)
    return name


@pytest.mark.parametrize("arguments", [["configuration"], ["check"], ["check", "--repair"], ["check", "--setup"],
                                       ["prefetch", "docker.io/library/debian:12"]], ids=" ".join)
def test_without_a_store_no_command_starts(file, lacking, arguments):
    done = berth(file, *arguments)
    assert done.returncode == 2 and done.stdout == "", done
    assert f"{file}: {lacking} is missing" in done.stderr and f"'{lacking} = /var/lib/berth/" in done.stderr, done
    assert list(file.parent.iterdir()) == [file]
    assert berth(file, "version").returncode == 0


def test_without_a_store_no_server_starts(tmp_path):
    server = Server(tmp_path)
    server.configuration.write_text(without("proxy_storage"))
    with pytest.raises(AssertionError, match="proxy_storage is missing"):
        server.start()
    assert not server.storage.exists() or not list(server.storage.iterdir())


def test_without_a_store_a_worker_answers_who_waits_and_ends(tmp_path, file, lacking):
    """Nobody hangs while one worker after the other fails to start; the client is not told why, the log is."""
    worker = Worker(tmp_path, expected_faults=True)
    worker.configuration.write_text(file.read_text())
    with worker.listening() as listener:
        waiting = [worker.open("GET", "/v2/", length=0) for _ in range(3)]
        for exchange in waiting:
            exchange.end()
        worker.start(listener)
        for exchange in waiting:
            answer = exchange.answer()
            assert answer.status == 500 and answer["Content-Type"] == "application/json", answer
            assert answer.codes() and str(tmp_path) not in answer.body.decode(), answer
    assert worker.process.wait(PATIENCE) == 2
    assert f"{file}: {lacking} is missing" in worker.log()
    worker.stop()


def test_without_a_store_a_cgi_request_gets_an_error_in_json(file, lacking):
    variables = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": "/v2/", "SERVER_PROTOCOL": "HTTP/1.1",
                 "BERTH_CONFIGURATION": str(file)}
    done = subprocess.run([BERTH], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("Status: 500 ") and "Content-Type: application/json\n" in head, done
    assert json.loads(body)["errors"][0]["code"] and str(file) not in body, done
    assert f"{file}: {lacking} is missing" in done.stderr, done


def test_without_a_store_the_web_servers_cgi_answers_in_json(start):
    """Also when the configuration is lost while the web server runs."""
    server = start("lighttpd", mode="cgi", expected_faults=True)
    good = server.configuration.read_text()
    server.configuration.write_text("")
    for method, target in (("GET", "/v2/"), ("PUT", "/v2/me/app/manifests/latest"), ("POST", "/v2/me/app/blobs/uploads/")):
        answer = server.client.request(method, target)
        assert answer.status == 500 and answer["Content-Type"] == "application/json" and answer.codes(), answer
    assert "registry_storage is missing" in server.log()
    server.configuration.write_text(good)
    assert server.client.get("/v2/").status == 200


def test_a_missing_file_is_named(tmp_path):
    done = berth(tmp_path / "absent.ini", "configuration")
    assert done.returncode == 2 and "absent.ini" in done.stderr, done


def test_an_unreadable_configuration_starts_no_server(tmp_path):
    server = Server(tmp_path, settings="[hosted]\nread_only = perhaps\n")
    with pytest.raises(AssertionError, match="configuration.ini:5"):
        server.start()


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["configuration", "extra"], ["-c"],
                                       ["--help-me"]])
def test_a_wrong_command_line_is_2_with_usage(file, arguments):
    file.write_text(CONFIGURATION)
    done = berth(file, *arguments)
    assert done.returncode == 2 and done.stdout == "", done
    assert "usage" in done.stderr or arguments[-1] in done.stderr, done


def test_the_version_is_printed(file):
    done = berth(file, "version")
    assert done.returncode == 0 and done.stdout.startswith("berth ") and done.stdout.strip()[6:][0].isdigit(), done


def test_without_a_listener_it_tells_how_it_is_used(file):
    done = berth(file)
    assert done.returncode == 2 and "usage" in done.stderr, done


def test_check_without_a_store_says_so_in_its_exit_status(tmp_path, file):
    """0 fine, 1 found something, 2 could not run."""
    file.write_text(without("registry_storage") + "registry_storage = /proc/nowhere\n")
    assert berth(file, "check").returncode == 2


def test_check_for_machines_is_json_line_by_line(start):
    server = start()
    server.client.repository("me/app").push_image("latest")
    lines = [json.loads(line) for line in server.check("--json").stdout.splitlines()]
    assert (lines[-1]["manifests"], lines[-1]["tags"], lines[-1]["blobs"], lines[-1]["problems"]) == (1, 1, 3, 0)


# What the keys do

@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_read_only_serves_pulls_and_refuses_everything_that_writes(start, web):
    """Contract: read_only; 405 for writes."""
    server = start(web)
    repository = server.client.repository("me/app")
    data, digest = repository.push_image("latest")
    location = repository.open_upload()
    layer = server.client.get(repository.manifest("latest")).json()["layers"][0]["digest"]
    server.stop()
    server.configuration.write_text(server.configuration.read_text() + "[hosted]\nread_only = yes\n")
    server.start()
    for answer in (server.client.post(repository.uploads), server.client.patch(location, b"x"), server.client.delete(location),
                   server.client.put(f"{location}?digest={layer}"), server.client.delete(repository.blob(layer)),
                   server.client.post(f"{repository.uploads}?mount={layer}&from=me/app"),
                   repository.put_manifest("new", content.index([])), server.client.delete(repository.manifest("latest")),
                   server.client.delete(repository.manifest(digest))):
        assert (answer.status, answer.codes()) == (405, ["UNSUPPORTED"]), answer
        assert "GET" in answer["Allow"] and "PUT" not in answer["Allow"]
    assert server.client.get(repository.manifest("latest")).body == data
    assert server.client.get(repository.blob(layer)).status == 200
    assert repository.tag_names() == ["latest"]
    assert server.client.get("/v2/_catalog").json() == {"repositories": ["me/app"]}


def test_an_abandoned_upload_expires_and_a_fresh_one_does_not(start):
    """Cancel a blob upload: the server SHOULD eventually timeout unfinished uploads."""
    server = start(settings="[hosted]\nupload_expiry = 2d\n")
    repository = server.client.repository("me/app")
    old = server.client.patch(repository.open_upload(), b"x" * 1000)["Location"]
    (server.temporary / "bodies/left-by-a-killed-server").write_bytes(b"x")
    age(server.temporary, 49 * 3600)
    fresh = server.client.patch(repository.open_upload(), b"x" * 1000)["Location"]
    assert server.client.get(old).status == 404
    assert server.client.get(fresh).status == 204
    assert not (server.temporary / "bodies/left-by-a-killed-server").exists()


def test_an_upload_in_use_is_no_abandoned_one(start):
    """Expiry counts from the last byte."""
    server = start(settings="[hosted]\nupload_expiry = 2d\n")
    repository = server.client.repository("me/app")
    location = server.client.patch(repository.open_upload(), b"x" * 1000)["Location"]
    age(server.temporary, 49 * 3600)
    location = server.client.patch(location, b"y")["Location"]
    repository.open_upload()
    assert server.client.get(location)["Range"] == "0-1000"


def age(directory, seconds):
    """Makes everything below look that much older."""
    for path in [directory, *pathlib.Path(directory).rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # nginx removes a request's body after the answer
            status = path.stat()
            os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))


def test_stores_on_two_filesystems_are_refused_in_words(start, mounted, new_directory):
    """temporary_registry_storage must be on the same filesystem: tried with a real link and rename."""
    directory = pathlib.Path(new_directory("two"))
    mounted(SmallMemory(directory / "storage/_tmp", 8))
    worker = Worker(directory).start()
    try:
        answer = worker.get("/v2/")
        assert answer.status >= 500, answer
        assert "filesystem" in worker.log() or "link" in worker.log(), worker.log()
    finally:
        Server.running.remove(worker)
        worker.stop()

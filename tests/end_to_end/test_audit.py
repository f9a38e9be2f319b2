"""[audit]: a line for each write, log-in and refusal, whoever asks and whatever he calls himself; and none of a secret."""
import base64
import json
import os
import subprocess

import pytest

from harness import content
from harness.browser import Browser
from harness.server import berth
from test_access import As

BOTH = pytest.mark.parametrize("web", ["nginx", "lighttpd"])
PASSWORD = "correct horse battery"
RULES = """\
[authentication]
mode = htpasswd
htpasswd = users
[access team]
repositories = team/**
pull = anonymous
push = alice
delete = alice
[audit]
file = audit.log
"""


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode()}


ALICE = basic("alice", PASSWORD)


@pytest.fixture
def audited(start, new_directory):
    """A server with rules and a user, and an audit log in its directory: audited("nginx")."""
    def make(web, settings=RULES):
        directory = new_directory(web)
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True).stdout
        with open(os.path.join(directory, "users"), "w") as users:
            users.write(f"alice:{hashed}")
        os.chmod(directory, 0o777)
        return start(web, directory=directory, settings=settings)
    return make


def lines(server):
    path = server.directory / "audit.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def last(server, count):
    """What was written since, of which there are so many."""
    found = lines(server)
    assert len(found) == count, found
    return found[-1]


@BOTH
def test_each_write_log_in_and_refusal_is_a_line(audited, web):
    server = audited(web)
    client, count = server.client, 0
    blob = content.noise()
    digest = content.digest(blob)
    manifest = content.encode(content.image(content.descriptor(blob, content.CONFIG), []))
    other = content.encode(content.image(content.descriptor(blob, content.CONFIG), [], annotations={"a": "b"}))
    types = {"Content-Type": content.IMAGE}
    assert client.post(f"/v2/team/app/blobs/uploads/?digest={digest}", blob, ALICE).status == 201
    count += 1
    line = last(server, count)
    assert (line["event"], line["subject"], line["kind"], line["credential"]) == ("push blob", "alice", "user", "password")
    assert (line["repository"], line["digest"], line["status"]) == ("team/app", digest, 201)
    assert line["rule"] == "[access team] push = alice" and line["line"] > 0
    assert line["address"] == "127.0.0.1" and line["host"] == client.authority
    for body, before in ((manifest, None), (other, content.digest(manifest))):
        answer = client.put("/v2/team/app/manifests/v1", body, {**ALICE, **types})
        assert answer.status == 201
        count += 1
        line = last(server, count)
        assert (line["event"], line["digest"], line["reference"]) == ("push", content.digest(body), "v1")
        assert line["tags"] == [{"tag": "v1", **({"before": before} if before else {})}]
        assert line["request"] == answer["X-Request-Id"]
    token = client.get("/v2/_berth/token?scope=repository:team/app:pull", ALICE)
    assert token.status == 200
    count += 1
    assert (last(server, count)["event"], last(server, count)["credential"]) == ("log-in", "password")
    assert client.get("/v2/_berth/token", basic("mallory", "guess")).status == 401
    count += 1
    line = last(server, count)
    assert (line["event"], line["kind"], line["claimed"]) == ("refused", "anonymous", "mallory") and "subject" not in line
    assert client.put("/v2/team/app/manifests/v1", manifest, types).status == 401
    count += 1
    assert (last(server, count)["event"], last(server, count)["status"]) == ("refused", 401)
    assert client.put("/v2/other/app/manifests/v1", manifest, {**ALICE, **types}).status == 403
    count += 1
    line = last(server, count)
    assert (line["event"], line["status"], line["repository"]) == ("refused", 403, "other/app") and "alice may not push" in line["reason"]
    assert client.delete("/v2/team/app/manifests/v1", ALICE).status == 202
    count += 1
    line = last(server, count)
    assert (line["event"], line["tags"]) == ("delete", [{"tag": "v1", "before": content.digest(other)}])
    assert client.delete(f"/v2/team/app/manifests/{content.digest(other)}", ALICE).status == 202
    count += 1
    assert last(server, count)["digest"] == content.digest(other)
    for target in ("/v2/", "/v2/team/app/tags/list", f"/v2/team/app/manifests/{content.digest(manifest)}", "/v2/other/app/manifests/v1"):
        client.get(target)
    assert len(lines(server)) == count, "who only reads, or is asked to log in, is no line"
    said = (server.directory / "audit.log").read_text()
    assert PASSWORD not in said and ALICE["Authorization"][6:] not in said and token.json()["token"] not in said


def test_nobody_forges_a_line(audited):
    server = audited("nginx")
    hostile = 'a"},\n{"event":"push"\x1b[31m\xff' + "x" * 3000
    for user in (hostile, "\udcff\udcfe", "{" * 600):
        server.client.get("/v2/_berth/token", {**basic(user, "guess"), "User-Agent": "\x9b31m\"}" + "y" * 2000})
    raw = (server.directory / "audit.log").read_bytes()
    assert raw.endswith(b"\n") and len(raw.splitlines()) == len(lines(server))
    for line in lines(server):
        assert line["event"] == "refused" and all(len(text) <= 512 for text in line.values() if isinstance(text, str))
    assert not any(byte < 0x20 and byte != 0x0a or byte == 0x7f for byte in raw) and b"\xc2\x9b" not in raw


def test_a_file_that_is_renamed_is_made_anew(audited):
    server = audited("nginx")
    assert server.client.post("/v2/team/app/blobs/uploads/?digest=" + content.digest(b"a"), b"a", ALICE).status == 201
    log = server.directory / "audit.log"
    log.rename(server.directory / "audit.log.1")
    assert server.client.post("/v2/team/app/blobs/uploads/?digest=" + content.digest(b"b"), b"b", ALICE).status == 201
    assert [line["digest"] for line in lines(server)] == [content.digest(b"b")]
    assert oct(log.stat().st_mode & 0o777) in ("0o640", "0o600")


def test_commands_that_change_something_are_lines(audited):
    server = audited("nginx")
    for arguments, event, what in ((("robot", "add", "ci"), "robot add", "ci"), (("robot", "remove", "ci"), "robot remove", "ci"),
                                   (("gc",), "gc", None), (("restore", "team/app"), "restore", "team/app"), (("keys", "rotate"), "keys rotate", None)):
        done = berth(server.configuration, *arguments)
        line = lines(server)[-1]
        assert (line["event"], line["kind"], line.get("what"), line["status"]) == (event, "operator", what, done.returncode)
        assert done.stdout.strip() == "" or done.stdout.strip() not in json.dumps(line)
    count = len(lines(server))
    for arguments in (("gc", "--dry-run"), ("check",), ("robot", "list"), ("status",), ("events", "list")):
        berth(server.configuration, *arguments)
    assert len(lines(server)) == count
    assert server.client.post("/v2/team/app/blobs/uploads/?digest=" + content.digest(b"a"), b"a", ALICE).status == 201
    assert len(lines(server)) == count + 1, "the workers go on in the file that a command may have made"


@BOTH
def test_the_page_is_audited_like_the_rest(audited, web):
    """Log-ins by its form, whoever one says that one is, and what its forms do, refuse, and are refused for."""
    server = audited(web)
    client, browser = server.client, Browser(server.client)
    repository = client.repository("team/app")
    repository.client = As(client, ALICE)
    _, digest = repository.push_image("v1")
    count = len(lines(server))
    assert browser.login('mallory"},{"event":"push', "guess").status != 303
    count += 1
    line = last(server, count)
    assert (line["event"], line["kind"]) in (("refused", "anonymous"), ("log-in refused", "anonymous")) and line["claimed"] == 'mallory"},{"event":"push'
    assert browser.login("alice", PASSWORD).status == 303
    count += 1
    line = last(server, count)
    assert (line["event"], line["claimed"], line["address"]) == ("log-in", "alice", "127.0.0.1")
    for show, event in (("delete", "delete"), ("restore", "push")):
        path = f"/team/app:v1?show={show}"
        [form] = [form for target, form in browser.forms(path if show == "delete" else "/team/app?show=trash").items() if target == path]
        assert browser.send(form).status == 303
        count += 1
        line = last(server, count)
        assert (line["event"], line["subject"], line["repository"], line["credential"]) == (event, "alice", "team/app", "session"), line
        assert line["tags"][0]["tag"] == "v1" and (line["tags"][0].get("before") == (digest if event == "delete" else None))
        assert line["rule"] == "[access team] delete = alice"
    browser.sender = {"Origin": "http://elsewhere.example"}
    assert browser.post("/team/app:v1?show=delete", {"token": "guess"}).status == 403
    assert last(server, count + 1)["event"] == "refused"
    said = (server.directory / "audit.log").read_text()
    assert PASSWORD not in said and not any(value in said for value in browser.cookies.values())

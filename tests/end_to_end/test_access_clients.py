"""Log-ins of real clients one by one, pushes that take long, and hosts that share what they know of users."""
import base64
import email.utils
import hashlib
import hmac
import struct
import threading

import pytest

from harness import content
from harness.engines import Containerd, Containers, push_layout
from harness.client import receive
from harness.process import wait_until
from harness.server import Server, berth
from test_access import (As, USERS, basic, bearer, house, token_of, write_users)  # noqa: F401, pylint: disable=unused-import

RULES = """
[authentication]
mode = htpasswd
htpasswd = users
token_lifetime = 1h
[access team]
repositories = team/**
pull = anonymous
push = alice
"""
HOST = {"Host": "registry.example.org"}


def access_lines(server, method, path):
    """How often nginx or lighttpd was asked for it; the lines come with a delay."""
    return server.whole_log().count(f'"{method} {path}')


def test_buildah_logs_in_pushes_and_is_told_who_may_not(house, layout, new_directory):
    buildah = Containers("buildah", new_directory("buildah"))
    file = f"{buildah.directory}/auth.json"
    options = ["--tls-verify=false", "--authfile", file]
    image = buildah("pull", "--quiet", f"oci:{layout.directory}:app").strip()
    assert buildah("login", *options, "-u", "alice", "-p", "wrong", house.authority, check=False).returncode != 0
    for user, allowed in (("bob", False), ("alice", True)):
        buildah("login", *options, "-u", user, "-p", USERS[user], house.authority)
        pushed = buildah("push", "--quiet", *options, image, f"docker://{house.authority}/team/buildah:1", check=False)
        assert (pushed.returncode == 0) == allowed, pushed
        assert allowed or "[access team] gives push to others" in pushed.stderr, pushed
    buildah("logout", "--authfile", file, house.authority)
    assert buildah("push", *options, image, f"docker://{house.authority}/team/buildah:2", check=False).returncode != 0
    buildah("pull", "--quiet", *options, f"docker://{house.authority}/team/buildah:1")


def test_containerd_logs_in_by_the_form(house, layout, new_directory):
    """As ctr, nerdctl, Kubernetes and dockerd from 29 on do."""
    ctr = Containerd(new_directory("containerd"))
    try:
        target = f"{house.authority}/team/ctr:1"
        push_layout(layout, "app", target, "--dest-creds", f"alice:{USERS['alice']}")
        ctr("images", "pull", "--plain-http", target)
        digest = ctr.digest(target)
        for name, user, password, allowed in [("two", "alice", "wrong", False), ("two", "bob", USERS["bob"], False), ("two", "alice", USERS["alice"], True)]:
            other = f"{house.authority}/team/ctr:{name}"
            ctr("images", "tag", "--force", target, other)
            pushed = ctr("images", "push", "--plain-http", "--user", f"{user}:{password}", other, check=False)
            assert (pushed.returncode == 0) == allowed, pushed
        wait_until(lambda: access_lines(house, "POST", "/v2/_berth/token") >= 3, "lines of the form")
        assert house.client.get("/v2/team/ctr/manifests/two")["Docker-Content-Digest"] == digest
    finally:
        ctr.stop()


def made_token(server, service, end):
    """A token of alice's that ends then."""
    line = (server.registry_storage / "_berth/access/keys").read_text().splitlines()[1]
    key, secret, _ = line.split()

    def text(value):
        return struct.pack(">H", len(value)) + value.encode()
    signed = struct.pack(">BB4sQQBB", 1, 1, bytes.fromhex(key), end - 3600, end, 1, 15) + text(service) + text("alice") + text("") + bytes(32)
    signed += hmac.new(bytes.fromhex(secret), signed, hashlib.sha256).digest()
    return bearer("berth_a_" + base64.urlsafe_b64encode(signed).decode().rstrip("="))


def date(server):
    """Now, as it says, in seconds since the epoch."""
    return int(email.utils.parsedate_to_datetime(server.client.get("/v2/")["Date"]).timestamp())


@pytest.fixture(scope="module")
def pools(new_directory):
    """Two hosts on one store; their first log-ins come at once."""
    directory = new_directory("pools")
    first = Server(directory, "nginx", settings=RULES)
    write_users(first.directory / "users", USERS)
    with first:
        second = Server(new_directory("other"), "lighttpd", settings=RULES.replace("htpasswd = users", f"htpasswd = {first.directory}/users"),
                        storage=str(first.storage))
        with second:
            yield first, second


def test_hosts_that_begin_at_once_have_one_key(pools):
    tokens, threads = [], []
    for server in pools * 4:
        threads.append(threading.Thread(target=lambda server=server: tokens.append(
            server.client.get("/v2/_berth/token", {**HOST, **basic("alice")}).json()["token"])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == len(threads) and len((pools[0].registry_storage / "_berth/access/keys").read_text().splitlines()) == 2
    for token in tokens:
        for server in pools:
            assert server.client.get("/v2/", {**HOST, **bearer(token)}).status == 200


def test_a_push_goes_on_at_another_host_and_with_new_keys(pools):
    first, second = pools
    shown = {**HOST, **bearer(first.client.get("/v2/_berth/token", {**HOST, **basic("alice")}).json()["token"])}
    refresh = first.client.get("/v2/_berth/token?offline_token=true", {**HOST, **basic("alice")}).json()["refresh_token"]
    data = content.noise(200_000)
    location = As(first.client, shown).repository("team/moved").open_upload()
    for number, server in enumerate((second, first, second, first)):
        part = data[number * 50_000:(number + 1) * 50_000]
        answer = server.client.request("PATCH", location, shown, part)
        assert answer.status == 202, answer
        location = answer["Location"]
        assert berth(server.configuration, "keys", "rotate").returncode == 0
    answer = second.client.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={content.digest(data)}", shown)
    assert answer.status == 201 and first.client.get(f"/v2/team/moved/blobs/{content.digest(data)}").body == data
    body = f"grant_type=refresh_token&refresh_token={refresh}".encode()
    answer = second.client.post("/v2/_berth/token", body, {**HOST, "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer
    assert berth(first.configuration, "keys", "rotate", "--revoke").returncode == 0
    for server in pools:
        assert server.client.get("/v2/", shown).status == 401
        assert server.client.get("/v2/", {**HOST, **basic("alice")}).status == 200


def test_a_token_that_ends_amid_a_body_was_good_when_it_began(pools):
    """Behind nginx, which tells how long ago that was; keys change meanwhile."""
    server = pools[0]
    token_of(server.client, "alice")
    end = date(server) + 2
    shown = made_token(server, server.client.authority, end)
    data = content.noise(100_000)
    target = f"/v2/team/slow/blobs/uploads/?digest={content.digest(data)}"
    with server.client.connect() as connection:
        connection.sendall(server.client.head("POST", target, {**shown, "Content-Length": str(len(data))}) + data[:1000])
        assert berth(server.configuration, "keys", "rotate").returncode == 0
        wait_until(lambda: date(server) > end, "the end of the token")
        connection.sendall(data[1000:])
        answer = receive(connection, "POST")
    assert answer.status == 201, answer
    assert server.client.post(target, data, shown).status == 401

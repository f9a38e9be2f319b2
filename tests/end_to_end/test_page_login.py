"""Logging in to the page: who may, for how long, and what is refused of what others make a browser send."""
import pathlib

import pytest

from harness import content
from harness.browser import Browser, found
from harness.fastcgi import Worker
from harness.pages import page_of, see
from harness.process import wait_until
from harness.server import Server, berth
from test_access import RULES, USERS, As, basic, bearer, write_users

LOGIN = "/-/login"


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def house(request, new_directory):
    server = Server(new_directory("page-login"), request.param, settings=RULES)
    write_users(server.directory / "users", USERS)
    with server:
        yield server


@pytest.fixture
def client(house):
    return house.client


@pytest.fixture
def browser(client):
    return Browser(client)


def logged_in(client, user="alice"):
    browser = Browser(client)
    answer = browser.login(user, USERS[user])
    assert answer.status == 303, answer
    return browser


def name_on(browser):
    page = page_of(browser.get("/")).words
    return "alice" if "alice" in page and "Log out" in page else "bob" if "bob" in page and "Log out" in page else None


def test_a_user_logs_in_and_out(client, browser):
    page_of(see(client, LOGIN))
    assert name_on(browser) is None and "Log in" in page_of(browser.get("/")).words
    answer = browser.login("alice", USERS["alice"], "/team/?q=a%2Fb")
    assert (answer.status, answer["Location"], answer["Cache-Control"]) == (303, "/team/?q=a%2Fb", "no-store"), answer
    name, *attributes = answer["Set-Cookie"].split("; ")
    assert name.startswith("berth=berth_s_") and sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax"]
    assert name_on(browser) == "alice"
    assert "private" in browser.get("/")["Cache-Control"]
    form = browser.forms("/-/logout")["/-/logout"]
    answer = browser.send(form)
    assert (answer.status, answer["Location"]) == (303, "/") and "Max-Age=0" in answer["Set-Cookie"]
    assert browser.cookies == {} and name_on(browser) is None


def test_who_is_logged_in_sees_what_the_rules_give_him(client):
    repository = As(client, basic("alice")).repository("home/alice/seen")
    repository.push_image("1")
    assert [entry["name"] for entry in logged_in(client).get("/home/?q=seen", {"Accept": "application/json"}).json()["entries"]]
    assert not logged_in(client, "bob").get("/?q=home/alice/seen", {"Accept": "application/json"}).json()["entries"]


def test_a_wrong_password_is_told_on_the_form_and_sets_nothing(browser):
    for user, password in [("alice", "wrong-guess"), ("nobody", "x"), ("robot/ci", "x"), ("", "")]:
        answer = browser.login(user, password)
        assert answer.status == 403 and answer["Set-Cookie"] is None, answer
        assert "wrong user name or password" in page_of(answer).words
        assert b'value="wrong-guess"' not in answer.body and b'value="alice"' not in answer.body
        # The form that comes back is good for another try.
        assert LOGIN in found(answer)
    assert browser.send(found(answer)[LOGIN], user="alice", password=USERS["alice"]).status == 303


def test_only_paths_of_the_page_are_returned_to(browser):
    for back in ["//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/a b", "", "evil", "/" + "a" * 2000, "/<script>"]:
        answer = browser.login("alice", USERS["alice"], back)
        assert (answer.status, answer["Location"]) == (303, "/"), (back, answer)
        # Nor when the field itself is changed.
        form = browser.forms(LOGIN)[LOGIN]
        answer = browser.send(form, user="alice", password=USERS["alice"], **{"return": back})
        assert (answer.status, answer["Location"]) == (303, "/"), (back, answer)
    answer = browser.send(browser.forms(LOGIN)[LOGIN], user="alice", password=USERS["alice"], **{"return": "/\r\nX: y"})
    assert answer.status == 400 and answer["X"] is None
    assert browser.get("/-/login?return=/%0d%0aX:%20y").status == 400


FOREIGN = [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"},
           {"Origin": "null"}, {"Origin": ""}]


def test_a_form_that_another_site_sends_is_refused(client, browser):
    form = browser.forms(LOGIN)[LOGIN]
    for headers in [*FOREIGN, {"Origin": f"http://{client.authority}.evil.example"}, {"Origin": client.authority},
                    {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{client.authority}"}]:
        answer = browser.send(form, headers, user="alice", password=USERS["alice"])
        assert answer.status == 403 and answer["Set-Cookie"] is None, (headers, answer)
        assert "from another site" in page_of(answer).words
    for headers in [{"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{client.authority}"}]:
        browser.cookies.clear()
        assert browser.send(form, headers, user="alice", password=USERS["alice"]).status == 303, headers


def test_a_form_without_its_own_token_is_refused(client, browser):
    good = browser.forms(LOGIN)[LOGIN].fields["token"]
    alice = logged_in(client)
    others = ["", "x", good[:-1], good + "0", good.replace("-", "_"), good[:-1] + ("0" if good[-1] != "0" else "1"),
              alice.forms("/-/logout")["/-/logout"].fields["token"]]
    for token in others:
        answer = browser.post(LOGIN, {"token": token, "user": "alice", "password": USERS["alice"]})
        assert answer.status == 403 and answer["Set-Cookie"] is None, (token, answer)
    answer = browser.post(LOGIN, {"user": "alice", "password": USERS["alice"]})
    assert answer.status == 403 and answer["Set-Cookie"] is None
    # Of another user, and of another session of the same one.
    bob = logged_in(client, "bob")
    again = logged_in(client)
    token = bob.forms("/-/logout")["/-/logout"].fields["token"]
    assert alice.post("/-/logout", {"token": token}).status == 403
    if again.cookies != alice.cookies:
        assert alice.post("/-/logout", again.forms("/-/logout")["/-/logout"].fields).status == 403
    assert alice.post("/-/logout", alice.forms("/-/logout")["/-/logout"].fields).status == 303


def test_what_is_no_form_is_refused(client, browser):
    sender = browser.sender
    token = browser.forms(LOGIN)[LOGIN].fields["token"].encode()
    for kind, body in [("text/plain", b"token=" + token), ("application/json", b"{}"), ("multipart/form-data; boundary=x", b"--x--"),
                       ("application/x-www-form-urlencoded", b"token=%00"), ("application/x-www-form-urlencoded", b"token=%zz")]:
        answer = client.request("POST", LOGIN, {"Content-Type": kind, **sender}, body)
        assert answer.status == 400 and answer["Set-Cookie"] is None, (kind, body, answer)
    answer = client.request("POST", LOGIN, {"Content-Type": "application/x-www-form-urlencoded", **sender}, b"a=" + b"x" * 70000)
    assert answer.status in (400, 413), answer
    assert client.request("POST", "/-/logout", sender, b"").status == 400
    for method in ["PUT", "DELETE", "PATCH"]:
        answer = client.request(method, LOGIN, body=b"")
        assert answer.status == 405 and answer["Allow"] == "GET, HEAD, POST", answer


def test_the_cookie_opens_nothing_below_v2(client):
    repository = As(client, basic("alice")).repository("home/alice/app")
    _, digest = repository.push_image("1")
    alice = logged_in(client)
    secret = alice.cookies["berth"]
    for path in ["/v2/", "/v2/home/alice/app/tags/list", f"/v2/home/alice/app/manifests/{digest}"]:
        answer = alice.get(path)
        assert answer.status == 401, answer
        answer = alice.get(path, bearer(secret))
        assert answer.status == 401 and 'error="invalid_token"' in answer["WWW-Authenticate"], answer
        assert alice.get(path, basic("alice", secret)).status == 401
    for method in ["DELETE", "PUT"]:
        answer = alice.request(method, f"/v2/home/alice/app/manifests/{digest}", {"Content-Type": content.IMAGE}, b"{}")
        assert answer.status == 401, answer
    # Nor does it become anything that would.
    answer = alice.get(f"/v2/_berth/token?service={client.authority}&scope=repository:home/alice/app:pull")
    assert alice.get("/v2/home/alice/app/tags/list", bearer(answer.json()["token"])).status == 401


def test_a_cookie_that_is_not_this_users_is_none(client):
    alice, bob = logged_in(client), logged_in(client, "bob")
    assert name_on(alice) == "alice" and name_on(bob) == "bob"
    good = alice.cookies["berth"]
    token = client.get(f"/v2/_berth/token?service={client.authority}&offline_token=true", basic("alice")).json()
    for value in [good[:-1], good[:-4] + "AAAA", "berth_s_", "", "x", good + "A", good[:-60] + bob.cookies["berth"][-60:],
                  token["token"], token["refresh_token"], "berth_s_" + token["token"][8:], "berth_s_" + token["refresh_token"][8:]]:
        alice.cookies = {"berth": value}
        assert name_on(alice) is None, value
    # By another host name it is another registry's.
    answer = client.get("/", {"Cookie": f"berth={good}", "Host": "other.example"})
    assert answer.status == 200 and b"Log out" not in answer.body
    # Two of them: nobody knows who has put which there.
    answer = client.get("/", {"Cookie": f"berth={good}; berth={good}"})
    assert b"Log out" not in answer.body
    assert b"Log out" in client.get("/", {"Cookie": f"a=b; berth={good}; c=d"}).body


def test_by_https_the_cookie_is_one_that_nobody_else_can_set(client, browser):
    https = {"X-Forwarded-Proto": "https"}
    form = found(browser.get(LOGIN, https))[LOGIN]
    answer = browser.send(form, {**browser.sender, **https}, user="alice", password=USERS["alice"])
    name, *attributes = answer["Set-Cookie"].split("; ")
    assert name.startswith("__Host-berth=") and sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    value = name.partition("=")[2]
    assert b"Log out" in client.get("/", {**https, "Cookie": f"__Host-berth={value}"}).body
    # One without that name may be of anybody in the same domain.
    assert b"Log out" not in client.get("/", {**https, "Cookie": f"berth={value}"}).body


def test_another_password_ends_the_session(house, client):
    write_users(house.directory / "users", {**USERS, "dora": "before", "emil": "e"})
    dora, emil, alice = Browser(client), Browser(client), logged_in(client)
    assert dora.login("dora", "before").status == emil.login("emil", "e").status == 303
    assert "dora" in page_of(dora.get("/")).words
    write_users(house.directory / "users", {**USERS, "dora": "after"})
    for browser in (dora, emil, alice):  # every line was written anew
        wait_until(lambda: "Log out" not in page_of(browser.get("/")).words, "the end of the session")
    assert dora.login("dora", "before").status == 403
    assert dora.login("dora", "after").status == 303


def test_new_keys_end_every_session(house, client):
    alice = logged_in(client)
    assert berth(house.configuration, "keys", "rotate").returncode == 0
    assert name_on(alice) == "alice"
    made = berth(house.configuration, "keys", "rotate", "--revoke")
    assert made.returncode == 0, made
    assert name_on(alice) is None


def test_who_guesses_has_to_wait(start):
    server = start("nginx", settings=RULES)
    write_users(server.directory / "users", USERS)
    browser = Browser(server.client)
    form = browser.forms(LOGIN)[LOGIN]
    answers = [browser.send(form, user="alice", password=f"guess {i}") for i in range(11)]
    assert [answer.status for answer in answers] == [403] * 10 + [429], answers[-1]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60 and answers[-1]["Set-Cookie"] is None
    assert "too many failed log-ins" in page_of(answers[-1]).words
    # It is the same count as of the registry's log-ins.
    assert server.client.get("/v2/", basic("carl", "wrong")).status == 429


def test_where_users_log_in_elsewhere_there_is_no_form(new_directory):
    for settings in ["", "[authentication]\nmode = web-server\n"]:
        with Worker(pathlib.Path(new_directory("no-form")), settings) as worker:
            for path in [LOGIN, "/-/logout"]:
                assert worker.request("GET", path, BERTH_PAGE="/").status == 404
            assert b"Log in" not in worker.request("GET", "/", BERTH_PAGE="/").body


def test_whom_the_web_server_knows_is_known_to_the_page(new_directory):
    with Worker(pathlib.Path(new_directory("known")), "[authentication]\nmode = web-server\n") as worker:
        answer = worker.request("GET", "/", BERTH_PAGE="/", REMOTE_USER="alice")
        assert answer.status == 200 and b"alice" in answer.body and b"Log out" not in answer.body

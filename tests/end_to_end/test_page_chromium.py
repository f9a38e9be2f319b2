"""The page in a real browser: nothing is in the way of anybody, nothing is amiss, with script and without."""
import json
import tarfile

import pytest

from harness import content
from harness.chromium import Chromium
from harness.process import wait_until
from harness.server import ROOT, Server
from test_access import As, basic, write_users
from test_page import CONFIG, HOSTILE, push

WIDTHS = {"wide": 1280, "phone": 390}
# The norms of WCAG 2.2, A and AA, and what the tool's makers think best.
AXE = """axe.run().then(found => JSON.stringify(found.violations.map(fault => [fault.id, fault.help, fault.nodes.map(node => node.html)])))"""


@pytest.fixture(scope="module")
def axe():
    archive = ROOT / "build/axe-core.tgz"
    assert archive.exists(), "make deps-test fetches it"
    with tarfile.open(archive) as found:
        return found.extractfile("package/axe.min.js").read().decode()


@pytest.fixture(scope="module")
def server(new_directory):
    with Server(new_directory("chromium"), "nginx") as running:
        yield running


@pytest.fixture(scope="module")
def pages(server):
    """One of each kind, with what is usual and with what is not."""
    app = server.client.repository("team/app")
    shared = content.noise(50_000)
    children = []
    for architecture in ("amd64", "arm64"):
        child = push(app, None, [shared, content.noise(9000)], {**CONFIG, "architecture": architecture})
        children.append({**child, "platform": {"os": "linux", "architecture": architecture}})
    _, digest = app.push_manifest(content.index(children, annotations={"org.opencontainers.image.url": "https://example.org/"}), "1.10")
    push(app, "1.9", [shared])
    push(app, "sha-0123abc", [content.noise()])
    push(app, None, [content.noise()], artifactType="application/spdx+json",
         subject={"mediaType": content.INDEX, "digest": digest, "size": len(app.client.get(app.manifest("1.10")).body)})
    texts = {f"{number} {text[:60]}": text for number, text in enumerate(HOSTILE) if "\0" not in text}
    push(server.client.repository("hostile/words"), "1", [shared], {**CONFIG, "config": {"Labels": texts, "Env": list(texts.values()), "Cmd": HOSTILE[:6]}},
         annotations=texts)
    push(app, "1.8", [content.noise()])
    push(app, "1.8", [content.noise()])
    assert app.client.delete(app.manifest("1.8")).status == 202
    long = "/".join(["component-of-a-name"] * 12)
    push(server.client.repository(long), "t" * 128, [shared])
    return {"front": "/", "namespace": "/team/", "search": "/?q=app", "nothing": "/?q=absent", "repository": "/team/app",
            "everything": "/team/app?commits=1&untagged=1&sort=version", "image": "/team/app:1.10", "digest": f"/team/app@{digest}",
            "difference": "/team/app:1.10?show=difference&with=1.9", "hostile": "/hostile/words:1", "long": f"/{long}",
            "long image": f"/{long}:{'t' * 128}", "absent": "/no/such", "cache": "/-/cache", "trash": "/-/trash",
            "restore": "/team/app?show=trash", "history": "/team/app:1.8?show=history", "delete tag": "/team/app:1.10?show=delete",
            "delete manifest": f"/team/app@{digest}?show=delete", "delete repository": "/team/app?show=delete", "done": "/team/app?done=deleted",
            "delete long": f"/{long}:{'t' * 128}?show=delete"}


@pytest.fixture(scope="module")
def chromium(new_directory):
    with Chromium(new_directory("profile")) as running:
        yield running


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_amiss(chromium, server, pages, axe, new_directory, width, dark):
    shots = new_directory("screenshots")
    for name, path in pages.items():
        if name in ("namespace", "nothing", "digest"):
            continue  # of the same parts as others
        chromium.look(width=WIDTHS[width], dark=dark)
        status = chromium.visit(f"http://{server.authority}{path}")
        assert status == (404 if name == "absent" else 200), path
        assert name == "absent" or not chromium.complaints(), (path, chromium.complaints())
        assert chromium.run("document.documentElement.scrollWidth") <= WIDTHS[width], f"{path} is wider than the window"
        ground = chromium.run("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 3 * 128) == dark, ground
        picture = chromium.screenshot(whole=True)
        assert picture.startswith(b"\x89PNG") and len(picture) > 5000
        with open(f"{shots}/{name}.png", "wb") as file:
            file.write(picture)
        chromium.run(axe + "; true")
        assert json.loads(chromium.run(AXE)) == [], path


def test_all_that_is_told_is_told_without_script(chromium, server, pages):
    for path in pages.values():
        told = []
        for javascript in (False, True):
            chromium.look(javascript=javascript)
            chromium.visit(f"http://{server.authority}{path}")
            chromium.look(javascript=True)
            told.append(chromium.run("[...document.querySelectorAll('main :is(a, th, code, dt, h1, h2)')].map(each => each.textContent)"
                                     ".filter(text => !/ago$|just now|\\d\\d:\\d\\d/.test(text)).join('|')"))
        assert told[0] == told[1] and told[0], path


def test_script_adds_buttons_that_copy_and_dates_as_they_are_said(chromium, server, pages):
    chromium.look()
    chromium.visit(f"http://{server.authority}{pages['image']}")
    assert chromium.run("document.querySelectorAll('.copy button').length") == chromium.run("document.querySelectorAll('.copy code').length") > 5
    chromium.visit(f"http://{server.authority}{pages['repository']}")
    assert chromium.run("[...document.querySelectorAll('time')].every(time => /ago$|just now|in /.test(time.textContent))")


def test_a_list_follows_what_is_typed(chromium, server, pages):
    """As the form would, without a page that is loaded: the letters go on where they were. Elsewhere nothing may be fetched."""
    base = f"http://{server.authority}"
    chromium.look()

    def type_in(text):
        for letter in text:
            chromium("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            chromium("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def names():
        return chromium.run("[...document.querySelectorAll('main th[scope=row]')].map(each => each.textContent).sort()")
    chromium.visit(base + pages["front"])
    before = chromium.run("performance.timeOrigin")
    everything = names()
    chromium.run("document.querySelector('#q').focus(); true")
    type_in("hostile/w")
    wait_until(lambda: names() == ["hostile/words"], "the list")
    type_in("ords")
    wait_until(lambda: chromium.run("location.href") == base + "/?q=hostile%2Fwords", "the address")
    assert names() == ["hostile/words"] != everything and chromium.run("document.activeElement.value") == "hostile/words"
    assert chromium.run("performance.timeOrigin") == before and "1 hosted" in chromium.run("document.querySelector('[role=status]').textContent")
    assert chromium.run("[...document.querySelectorAll('main time')].every(time => /ago$|just now|in /.test(time.textContent))")
    type_in("-absent")
    wait_until(lambda: not names(), "an empty list")
    assert "No repository has" in chromium.run("document.querySelector('main').textContent")
    chromium.run("const box = document.querySelector('#q'); box.value = ''; box.dispatchEvent(new Event('input')); true")
    wait_until(lambda: names() == everything, "all of it again")
    assert chromium.run("location.href") == base + "/" and not chromium.complaints()
    chromium.visit(base + pages["image"])
    assert chromium.run("fetch('/').then(() => 'fetched', () => 'refused')") == "refused"
    chromium.visit(base + pages["front"])
    assert chromium.run("fetch('http://localhost:1/').then(() => 'fetched', error => 'refused')") == "refused"


def test_a_list_that_follows_says_whose_it_is(chromium, start):
    """A log-in may end between two letters: what is shown then is not who had it, and a log-in leads back to what was typed."""
    server = start("nginx", settings="[authentication]\nmode = htpasswd\nhtpasswd = users\n[access all]\nrepositories = **\npull = alice\npush = alice\n")
    write_users(server.directory / "users", {"alice": "a"})
    As(server.client, basic("alice", "a")).repository("team/app").push_image("v1")
    base = f"http://{server.authority}"

    def type_in(text):
        chromium.run(f"{{ const box = document.querySelector('#q'); box.value = '{text}'; box.dispatchEvent(new Event('input')); }} true")
        wait_until(lambda: chromium.run("location.search") == f"?q={text}", "the address")

    def told():
        return chromium.run("[document.querySelector('header nav').textContent, document.querySelectorAll('main th[scope=row]').length]")
    chromium.look()
    chromium.visit(base + "/-/login")
    chromium.run("document.querySelector('#user').value = 'alice'; document.querySelector('#password').value = 'a';"
                 "document.querySelector('main form').submit(); true")
    wait_until(lambda: chromium.run("document.readyState === 'complete' && location.pathname") == "/", "the front")
    type_in("app")
    assert "alice" in told()[0] and told()[1] == 1
    chromium("Network.clearBrowserCookies")
    type_in("ap")
    assert "alice" not in told()[0] and told()[1] == 0
    assert chromium.run("document.querySelector('header nav a[rel=nofollow]').getAttribute('href')") == "/-/login?return=/%3Fq%3Dap"


def test_nobody_else_can_put_a_page_into_his_or_script_into_ours(chromium, server, pages):
    """What the policy says holds in a browser: even if markup came through, nothing would run."""
    chromium.look()
    chromium.visit(f"http://{server.authority}{pages['image']}")
    chromium.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\"><b style=\"color: red\" id=styled>x</b>');"
                 "const made = document.createElement('script'); made.textContent = 'window.ran = 1'; document.body.append(made); true")
    assert chromium.run("window.ran") is None
    assert chromium.run("getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"


def test_with_the_keyboard_one_comes_everywhere_and_sees_where_one_is(chromium, server, pages):
    chromium.look()
    chromium.visit(f"http://{server.authority}{pages['repository']}")
    seen = []
    for _ in range(12):
        for kind in ("keyDown", "keyUp"):
            chromium("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(chromium.run("[document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]"))
    assert seen[0][0] == "Skip to content" and len({name for name, _ in seen}) > 6, seen
    assert all(outline != "none" for _, outline in seen), seen


def test_one_logs_in_deletes_and_restores_without_script(chromium, start, axe):
    server = start("nginx", settings="[authentication]\nmode = htpasswd\nhtpasswd = users\n")
    write_users(server.directory / "users", {"alice": "a"})
    repository = As(server.client, basic("alice", "a")).repository("team/app")
    repository.push_image("v1")
    base = f"http://{server.authority}"

    def press(words):
        """A button of the page's main part, and the page that it leads to."""
        before = chromium.run("performance.timeOrigin")
        chromium.run(f"[...document.querySelectorAll('main button')].find(each => each.textContent === '{words}').click(); true")
        wait_until(lambda: chromium.run("document.readyState === 'complete' && performance.timeOrigin") not in (False, before), "the next page")

    def text():
        return chromium.run("document.body.textContent")
    chromium.look()
    assert chromium.visit(base + "/-/login?return=/team/app") == 200
    for width in WIDTHS.values():
        chromium.look(width=width)
        assert chromium.run("document.documentElement.scrollWidth") <= width
        chromium.run(axe + "; true")
        assert json.loads(chromium.run(AXE)) == []
    chromium.run("document.querySelector('#user').value = 'alice'; document.querySelector('#password').value = 'wrong'; true")
    press("Log in")
    assert "wrong user name or password" in text()
    chromium.run(axe + "; true")
    assert json.loads(chromium.run(AXE)) == []
    chromium.run("document.querySelector('#user').value = 'alice'; document.querySelector('#password').value = 'a'; true")
    press("Log in")
    assert chromium.run("location.href") == base + "/team/app" and "alice" in text() and chromium.run("document.cookie") == ""
    chromium.visit(base + "/team/app:v1?show=delete")
    press("Delete")
    assert chromium.run("location.pathname + location.search") == "/team/app?done=deleted" and "Deleted." in text()
    assert repository.client.get(repository.manifest("v1")).status == 404
    chromium.visit(base + "/team/app?show=trash")
    press("Restore")
    assert "Restored." in text() and repository.client.get(repository.manifest("v1")).status == 200
    chromium.visit(base + "/-/logout")
    press("Log out")
    assert chromium.run("location.pathname") == "/" and "alice" not in text()

"""The page that people look at: what it shows, and with which headers."""
import json
import os
import re
import shlex
import xml.etree.ElementTree as ElementTree

import pytest

from harness import content
from harness.client import quote
from harness.engines import Containers, push_layout, run
from harness.pages import ask, read, see
from harness.server import berth

CONFIG = {
    "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
    "config": {"Entrypoint": ["/bin/app", "--flag"], "Cmd": ["serve"], "Env": ["PATH=/bin", "MODE=one"], "User": "1000", "WorkingDir": "/srv",
               "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/data": {}}, "StopSignal": "SIGTERM",
               "Labels": {"org.opencontainers.image.source": "https://git.example.org/app", "maintainer": "Ada"}},
    "history": [{"created_by": "/bin/sh -c #(nop) ADD file:1 in /"}, {"created_by": "ENV MODE=one", "empty_layer": True},
                {"created_by": "RUN /bin/sh -c make install"}],
}


def push(repository, reference, layers, config=None, **more):
    """An image with a real configuration; its descriptor."""
    data = content.encode(config or CONFIG)
    for blob in [data, *layers]:
        repository.push_blob(blob)
    document, digest = repository.push_manifest(
        content.image(content.descriptor(data, content.CONFIG), [content.descriptor(layer) for layer in layers], **more), reference)
    return {"mediaType": content.IMAGE, "digest": digest, "size": len(document)}


@pytest.mark.quick
@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_the_front_shows_what_is_there(client, repository):
    repository.push_image("1.0")
    page = read(client, "/?n=1000")
    assert "Repositories" in page.words and f"/{repository.name}" in page.links
    page = read(client, "/test/?n=1000")
    assert f"/{repository.name}" in page.links
    entry, = [each for each in ask(client, "/test/?n=1000")["entries"] if each["name"] == repository.name]
    assert (entry["kind"], entry["origin"], entry["tags"]) == ("repository", "hosted", 1)
    for link in page.links:
        if link.startswith("/-/file/"):
            answer = see(client, link)
            assert "immutable" in answer["Cache-Control"]


def test_repositories_are_found_by_a_part_of_their_name_and_shown_page_by_page(start):
    server = start()
    client = server.client
    names = [f"{space}/app-{number}" for space in ("x", "y") for number in range(6)]
    for name in names:
        client.repository(name).push_image("latest")
    assert [entry["name"] for entry in ask(client, "/")["entries"]] == names
    assert [entry["name"] for entry in ask(client, "/?n=11")["entries"]] == ["x", "y"]
    assert "/x/" in read(client, "/?n=11").links and "/x/app-3" in read(client, "/").links
    assert ask(client, "/?q=app-3")["total"] == 2
    seen = []
    for number in range(1, 5):
        seen += [entry["name"] for entry in ask(client, f"/x/?n=2&page={number}")["entries"]]
    assert seen == names[:6]
    pages = read(client, "/x/?n=2&page=2")
    assert "Page 2 of 3" in pages.words and "?page=1&n=2" in pages.links and "?page=3&n=2" in pages.links
    # What was changed last comes first, by the times that the files have.
    for number in range(6):
        at = 1_000_000_000 + [5, 1, 4, 2, 6, 3][number]
        os.utime(server.store / f"repositories/x/app-{number}/_manifests/revisions/sha256", (at, at))
    assert [entry["name"][-1] for entry in ask(client, "/x/?sort=newest")["entries"]] == ["4", "0", "2", "5", "3", "1"]
    for path in ["/?page=0", "/?page=x", "/?n=0", "/?n=99999999999999999999", "/?page=99999999999999999999"]:
        see(client, path)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_the_front_shows_what_was_served_and_what_became_of_gc_and_check(start, web):
    server = start(web)
    layer = content.noise(1_000_000)
    one, two = (server.client.repository(name) for name in ("x/one", "x/two"))
    for repository in (one, two):
        repository.push_image("1", layers=[layer])
    for _ in range(3):
        assert server.client.get(one.manifest("1")).status == 200 and server.client.get(one.blob(content.digest(layer))).body == layer
    for chore in ("gc", "check"):
        assert berth(server.configuration, chore).returncode == 0
    front = ask(server.client, "/")
    today, month, days = (front["traffic"][key] for key in ("today", "month", "days"))
    assert (today["pulls"], today["pushes"], today["saved"]) == (3, 2, 0) and today["served"] >= 3 * len(layer), today
    assert today == month == {key: value for key, value in days[0].items() if key != "date"}, front["traffic"]
    assert len({day["date"] for day in days}) == 30 and [day["date"] for day in days] == sorted((day["date"] for day in days), reverse=True)
    storage = front["storage"]
    assert storage["bytesWithoutSharing"] - storage["bytes"] >= len(layer), storage
    for chore in ("gc", "check"):
        assert (storage[chore]["outcome"], storage[chore]["problems"]) == ("done", 0) and storage[chore]["date"], storage
    page = read(server.client, "/")
    assert re.search(r"Last gc done \d{4}-.* Last check done \d{4}-", page.words) and re.search(r"Saved by sharing layers \S+ KiB 4\d % of ", page.words), page.words
    assert re.search(r"Today, since 0:00 UTC (\S+ \S+) 0 B 3 2 The last 30 \1 0 B 3 2\b", page.words), page.words
    picture, = [each for each in page.tagged("svg") if each.get("role") == "img"]
    assert picture["aria-labelledby"] in page.ids and "Bytes served on each of the last 30 days: " in page.words
    bars = [each for each in page.tagged("rect") if each["class"] == "fill" and each["width"] == "14"]
    assert len(bars) == 30 and [bar["height"] for bar in bars if bar["height"] != "0"] == ["100"] and bars[-1]["height"] == "100", bars


@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_what_is_not_there_is_a_page_that_says_so(client):
    for path in ["/no/such", "/no/", "/no/such:1", "/UPPER", "/-/nothing", "/-/file/style-000000000000.css", "/robots.txt", "/?show=nothing",
                 "/a:b:c", "/%3Cscript%3E", "/a%00", "/-/name/"]:
        if "%00" in path:
            assert client.get(path).status in (400, 404)
            continue
        status = 200 if path == "/-/name/" else 404
        page = read(client, path, status)
        assert status == 200 or "Not Found" in page.words, path
    assert ask(client, "/no/such", 404)["errors"]


def test_a_page_that_has_not_changed_is_not_sent_again(client, repository):
    repository.push_image("1.0")
    path = f"/{repository.name}"
    first = see(client, path)
    again = client.get(path, {"If-None-Match": first["ETag"]})
    assert (again.status, again.body) == (304, b"")
    repository.push_image("2.0")
    changed = client.get(path, {"If-None-Match": first["ETag"]})
    assert changed.status == 200 and changed["ETag"] != first["ETag"]
    head = client.exists(path)
    assert (head.status, head.body) == (200, b"") and int(head["Content-Length"]) == len(changed.body)


@pytest.mark.httpd
def test_methods_that_a_page_does_not_know_are_refused(client, repository):
    repository.push_image("1.0")
    for path in ["/", f"/{repository.name}:1.0?show=manifest"]:
        for method in ["PUT", "DELETE", "PATCH", "POST"]:
            answer = client.request(method, path, body=b"")
            assert answer.status == 405 and answer["Allow"] == "GET, HEAD", answer


def test_a_repository_has_a_row_for_each_digest_with_all_its_tags(client, repository):
    layer = content.noise(3000)
    child = push(repository, None, [layer])
    _, digest = repository.push_manifest(content.index([{**child, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]), "1.10")
    for tag in ("latest", "1"):
        repository.push_manifest(content.index([{**child, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]), tag)
    push(repository, "1.9", [content.noise(10)])
    for number in range(5):
        push(repository, f"sha-{number:07x}", [content.noise(10)])
    found = ask(client, f"/{repository.name}?sort=version")
    assert [image["tags"] for image in found["images"]] == [["latest", "1.10", "1"], ["1.9"]] and found["tags"] == 9
    first, second = found["images"]
    assert (first["digest"], first["kind"], first["platforms"]) == (digest, "index", ["linux/arm64/v8"])
    assert first["size"] > 3000 and second["platforms"] == ["linux/amd64"] and second["pushed"]
    page = read(client, f"/{repository.name}")
    assert "Show 5 images of commits" in page.words and "Show untagged" in page.words
    assert f"/{repository.name}:1.10" in page.links and f"/{repository.name}@{digest}" in page.links
    assert ask(client, f"/{repository.name}?commits=1")["total"] == 7
    assert ask(client, f"/{repository.name}?untagged=1")["total"] == 3
    assert [image["tags"] for image in ask(client, f"/{repository.name}?filter=1.9")["images"]] == [["1.9"]]


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_repository_says_which_of_its_tags_stay(start, web):
    server = start(web, settings="[hosted]\nimmutable_tags = v*, !v0*\n"
                                 "[retention builds]\nrepositories = team/**\nkeep_tags = v*, latest\nkeep_newest = 20\nkeep_pulled_within = 90d\n"
                                 "[retention drafts]\nrepositories = **\ntags = *-rc*\nkeep_pushed_within = 12h\n"
                                 "[retention secret]\nrepositories = plan/**\nkeep_newest = 1\n")
    for name in ("team/app", "other/app"):
        server.client.repository(name).push_image("1.0")
    keeps = "v*, latest; the 20 pushed last; pulled within 90 d"
    told = ask(server.client, "/team/app")
    assert told["retention"] == [{"name": "builds", "tags": [], "keeps": keeps}, {"name": "drafts", "tags": ["*-rc*"], "keeps": "pushed within 12 h"}]
    assert told["immutableTags"] == ["v*", "!v0*"]
    words = read(server.client, "/team/app").words
    says = f"Tags that stay [retention builds] {keeps} [retention drafts] of the tags *-rc*: pushed within 12 h immutable_tags v*, !v0*"
    assert says.replace(" ", "") in words.replace(" ", ""), words
    assert "secret" not in words and "plan/" not in words and "[retention builds]" not in read(server.client, "/other/app").words
    plain = start(web)
    plain.client.repository("team/app").push_image("1.0")
    assert "Tags that stay" not in read(plain.client, "/team/app").words
    assert (ask(plain.client, "/team/app")["retention"], ask(plain.client, "/team/app")["immutableTags"]) == ([], [])


def test_signatures_and_the_like_are_marks_and_no_rows(client, repository):
    image = push(repository, "1.0", [content.noise()])
    for kind in ["application/vnd.dev.sigstore.bundle.v0.3+json", "application/spdx+json"]:
        push(repository, None, [content.noise()], artifactType=kind, subject=image)
    push(repository, image["digest"].replace(":", "-") + ".att", [content.noise()])
    found, = ask(client, f"/{repository.name}")["images"]
    assert found["tags"] == ["1.0"] and found["referrers"] == ["signature", "SBOM", "attestation"]
    page = read(client, f"/{repository.name}:1.0")
    assert "Refers to it" in page.words and "application/spdx+json" in page.words


def test_an_image_says_how_to_get_it_and_what_it_is_made_of(client, repository):
    layers = [content.noise(2000), content.noise(50)]
    image = push(repository, "1.0", layers, annotations={"org.opencontainers.image.url": "https://example.org/"})
    push(repository, "2.0", [layers[0], content.noise(70)])
    page = read(client, f"/{repository.name}:1.0")
    place = f"{client.authority}/{repository.name}"
    for words in [f"docker pull {place}:1.0", f"podman pull --tls-verify=false {place}:1.0", f"skopeo copy --src-tls-verify=false docker://{place}:1.0 oci-archive:",
                  f"crane pull --insecure {place}:1.0 ", f"image: {place}:1.0", f"docker pull {place}@{image['digest']}",
                  "ADD file:1 in /", "make install", "/bin/app", "MODE=one", "8080/tcp", "SIGTERM", "linux/amd64"]:
        assert words in page.words, words
    assert "https://git.example.org/app" in page.links and "https://example.org/" in page.links
    told = ask(client, f"/{repository.name}:1.0")
    assert told["digest"] == image["digest"] and told["configuration"]["environment"] == ["PATH=/bin", "MODE=one"]
    assert [layer["size"] for layer in told["layers"]] == [2000, 50]
    assert see(client, f"/{repository.name}:1.0?show=manifest").body == client.get(repository.manifest("1.0")).body


def test_the_commands_work_as_they_are_copied(server, client, repository, layout, new_directory):
    push_layout(layout, "app", f"{server.authority}/{repository.name}:1")
    page, directory = read(client, f"/{repository.name}:1", Host=server.authority), new_directory("pulled")
    commands = [text for text in page.text if text.startswith(("skopeo copy", "podman pull"))]
    assert len(commands) == 4, commands
    podman = Containers("podman", new_directory("podman"))
    for command in map(shlex.split, commands):
        if command[0] == "podman":
            podman(*command[1:])
        else:
            run("env", f"--chdir={directory}", *command)
            os.remove(f"{directory}/{repository.name.rsplit('/', 1)[1]}.tar")


def test_an_index_shows_the_platform_that_is_asked_for(client, repository):
    children = []
    for architecture in ("arm64", "amd64", "s390x"):
        child = push(repository, None, [content.noise()], {**CONFIG, "architecture": architecture})
        children.append({**child, "platform": {"os": "linux", "architecture": architecture}})
    repository.push_manifest(content.index(children), "1.0")
    assert ask(client, f"/{repository.name}:1.0")["configuration"]["platform"] == "linux/amd64"
    assert ask(client, f"/{repository.name}:1.0?platform=linux/s390x")["configuration"]["platform"] == "linux/s390x"
    page = read(client, f"/{repository.name}@{children[0]['digest']}")
    assert "Part of" in page.words and f"/{repository.name}:1.0" in page.links


def test_two_tags_are_compared(client, repository):
    shared, old, new = content.noise(500), content.noise(60), content.noise(70)
    push(repository, "1.0", [shared, old])
    changed = {**CONFIG, "config": {**CONFIG["config"], "Env": ["PATH=/bin", "MODE=two"]}}
    push(repository, "2.0", [shared, new], changed)
    path = f"/{repository.name}:2.0?show=difference&with="
    told = ask(client, path + "1.0")
    assert (told["bytesToPull"], told["layersAdded"], told["layersGone"]) == (70, [content.digest(new)], [content.digest(old)])
    assert (told["configurationAdded"], told["configurationGone"]) == (["environment MODE=two"], ["environment MODE=one"])
    page = read(client, path + "1.0")
    assert "From 1.0 to 2.0" in page.words and "1 added, 1 gone, 1 shared" in page.words
    for with_ in ["", "absent", "%3Cb%3E", content.ABSENT, "sha256:1"]:
        read(client, path + with_, 404)


def test_a_feed_has_what_was_pushed(client, repository):
    push(repository, "1.0", [content.noise()])
    answer = see(client, f"/{repository.name}?show=feed")
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.body)
    atom = "{http://www.w3.org/2005/Atom}"
    entry, = feed.findall(f"{atom}entry")
    assert entry.find(f"{atom}title").text == f"{repository.name}:1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.find(f"{atom}updated").text)
    assert entry.find(f"{atom}link").get("href").startswith(f"http://{client.authority}/{repository.name}@sha256:")


@pytest.mark.httpd
def test_the_search_that_clients_have(client, repository):
    push(repository, "1.0", [content.noise()])
    found = json.loads(see(client, f"/v1/search?q={repository.name}&n=5").body)
    assert [each["name"] for each in found["results"]] == [repository.name] and found["num_results"] == 1
    assert see(client, "/v1/_ping").body == b"true"


HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='x", "javascript:alert(1)", "</title><script>",
           "\u202eevil\u202c", "\U0001f6a2\U0001f468\u200d\U0001f469\u200d\U0001f467", "https://a/\"><script>", "data:text/html,<script>", "&lt;b&gt;",
           "a\u0000b", "\u001b[31m", "x" * 5000, "-->", "{{7*7}}"]


@pytest.mark.quick
@pytest.mark.httpd
def test_what_others_say_harms_no_page(client, repository):
    texts = {f"{number} {text[:60]}": text for number, text in enumerate(HOSTILE) if "\0" not in text}
    config = {**CONFIG, "created": HOSTILE[0], "os": HOSTILE[1], "config": {
        **CONFIG["config"], "Env": list(texts.values()), "Cmd": HOSTILE[:5], "User": HOSTILE[2], "Labels": texts, "ExposedPorts": dict.fromkeys(texts, {})},
        "history": [{"created_by": HOSTILE[0], "created": HOSTILE[1]}]}
    image = push(repository, "1.0", [content.noise()], config, annotations=texts, artifactType="application/x")
    push(repository, "2.0", [content.noise()], config)
    child = {**image, "platform": {"os": HOSTILE[0], "architecture": HOSTILE[1], "variant": HOSTILE[5]}}
    repository.push_manifest(content.index([child], annotations=texts), "multi")
    for path in ["", "?untagged=1", ":1.0", ":2.0", ":multi", ":2.0?show=difference&with=1.0", f"@{image['digest']}",
                 *(f"?filter={quote(text)}" for text in HOSTILE if text.isprintable()), *(f":1.0?platform={quote(text)}" for text in HOSTILE[:5])]:
        page = read(client, f"/{repository.name}{path}")
        for tag, attributes in page.tags:
            assert tag not in ("script", "img") or attributes["src"].startswith("/-/file/"), (path, tag, attributes)
        for link in page.links:
            assert re.match(r"[/?#]|https://(git\.)?example\.org/", link), (path, link)
    for text in HOSTILE[:5]:
        assert text in read(client, f"/{repository.name}:2.0").words, "it is shown, but as text"
    for text in HOSTILE:
        if text.isprintable() and len(text) < 200:
            read(client, "/?q=" + quote(text))


def test_configurations_and_manifests_of_any_size_harm_nobody(client, repository):
    """Ten megabytes, deep nesting, half a million labels, what is no JSON at all."""
    huge = json.dumps({**CONFIG, "config": {"Labels": {f"label-{number}": "x" * 80 for number in range(90000)}}}).encode()
    for number, data in enumerate([huge, b"[" * 100000, b"{}", b"\xff\xfe", b"", b'{"config":7,"history":{"a":1},"os":[]}',
                                   json.dumps({"config": {"Env": [7, None, {"a": []}] * 5000}, "history": [7] * 5000}).encode()]):
        repository.push_blob(data)
        repository.push_manifest(content.image(content.descriptor(data, content.CONFIG), []), f"v{number}")
        page = read(client, f"/{repository.name}:v{number}")
        assert "docker pull" in page.words
    assert "longer than what is shown" in read(client, f"/{repository.name}:v0").words
    children = [content.descriptor(str(number).encode(), content.IMAGE) for number in range(3000)]
    repository.push_manifest(content.index(children), "many")
    answer = see(client, f"/{repository.name}:many")
    assert len(answer.body) < 400_000
    read(client, f"/{repository.name}")


@pytest.mark.parametrize("data", [b"no JSON", b" " * 2 * content.MIB, b"[]"], ids=["no JSON", "too long", "no object"])
def test_what_says_nothing_of_itself_is_compared_by_its_layers(client, repository, data):
    push(repository, "good", [content.noise()])
    repository.push_blob(data)
    repository.push_manifest(content.image(content.descriptor(data, content.CONFIG), []), "odd")
    for one, other in [("good", "odd"), ("odd", "good"), ("odd", "odd")]:
        path = f"/{repository.name}:{one}?show=difference&with={other}"
        assert "Layers: " in read(client, path).words
        assert len(ask(client, path)["layersAdded"]) == (one != other and one == "good")


def test_a_page_reads_no_more_than_sixteen_megabytes_of_manifests(client, repository):
    """Few large manifests in many indexes are gigabytes to who adds all of them up."""
    config, layer = content.encode(CONFIG), content.noise(1000)
    for blob in (config, layer):
        repository.push_blob(blob)
    plain = content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)])
    children = [repository.push_manifest({**plain, "annotations": {"n": str(number), "x": "x" * 1_000_000}})[0] for number in range(20)]
    indexes = {tag: repository.push_manifest(content.index([content.platform("amd64", child) for child in children], annotations={"tag": tag}), tag)[0]
               for tag in ("1", "2", "3")}
    known = sum(map(len, children))
    added_up = [round((each["size"] - len(indexes[each["tags"][0]]) - known) / (len(config) + len(layer)))
                for each in ask(client, f"/{repository.name}?sort=version")["images"]]
    assert added_up == [16, 0, 0]
    for path in (":1", f"@{content.digest(children[0])}", ":1?show=difference&with=2"):
        read(client, f"/{repository.name}{path}")
    assert ask(client, f"/{repository.name}:1")["size"] == len(indexes["1"]) + known + 16 * (len(config) + len(layer))

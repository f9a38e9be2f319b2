"""What is another registry's, on the page: what the cache has of it, and nobody is asked for more."""
import stat

from harness import content
from harness.pages import ask, read
from harness.process import wait_until
from harness.upstream_fixtures import *  # noqa: F401,F403 pylint: disable=all
from test_page import CONFIG


def offer(upstream, tag):
    """An index of an image whose configuration says something; all of its blobs."""
    config, layer = content.encode(CONFIG), content.noise(3000)
    for blob in (config, layer):
        upstream.add_blob(blob)
    document, _ = upstream.add_manifest("app", content.image(content.descriptor(config, content.CONFIG), [content.descriptor(layer)]))
    upstream.add_manifest("app", content.index([content.platform("amd64", document)]), tag)
    return content.digest(document), content.digest(config), content.digest(layer)


def test_what_is_cached_is_shown_and_no_upstream_is_asked(site, upstream):
    client, there = site.client, site.at(upstream)
    image, config, _ = offer(upstream, "1.0")
    name = f"proxy/{upstream.alias}/app"
    for path in (f"/{name}", f"/{name}:1.0", f"/{name}@{image}"):
        read(client, path, 404)
    assert client.get(there.manifest("1.0")).status == 200
    upstream.forget()

    assert name in [entry["name"] for entry in ask(client, f"/?q={upstream.alias}/")["entries"]]
    found, = ask(client, f"/{name}")["images"]
    assert (found["tags"], found["platforms"]) == (["1.0"], ["linux/amd64"])
    page = read(client, f"/{name}:1.0")
    assert f"docker pull {client.authority}/{name}:1.0" in page.words and "ADD file:1 in" not in page.words
    read(client, f"/{name}@{image}", 404)
    assert upstream.asked() == []

    for path in (there.manifest(image), there.blob(config)):
        assert client.get(path).status == 200
    upstream.forget()
    page = read(client, f"/{name}:1.0")
    assert "ADD file:1 in" in page.words and "MODE=one" in page.words
    assert ask(client, f"/{name}")["origin"] == "cache"
    assert upstream.asked() == []


def test_a_configuration_is_shown_where_it_could_be_pulled_from_the_cache_and_nowhere_else(site, upstream):
    """A manifest may name what it has no right to: that the bytes are here says nothing."""
    client, other = site.client, site.take()
    image, config, _ = offer(upstream, "1.0")
    assert client.get(site.at(upstream).manifest(image)).status == 200
    assert client.get(site.at(upstream).blob(config)).status == 200
    thief = {"mediaType": content.CONFIG, "digest": config, "size": len(content.encode(CONFIG))}
    for registry, is_shown in ((upstream, True), (other, False)):
        registry.add_manifest("thief", content.image(thief, []), "1.0")
        there = site.at(registry, "thief")
        assert client.get(there.manifest("1.0")).status == 200
        registry.forget()
        page = read(client, f"/proxy/{registry.alias}/thief:1.0")
        assert registry.asked() == []
        assert ("MODE=one" in page.words, "not here" in page.words) == (is_shown, not is_shown)
        assert client.exists(there.blob(config)).status == (200 if is_shown else 404)
        assert (registry.asked() == []) == is_shown


def test_a_configuration_that_a_power_cut_may_have_changed_is_not_shown_before_it_was_read(site, upstream):
    client, there = site.client, site.at(upstream)
    image, config, _ = offer(upstream, "1.0")
    for path in (there.manifest("1.0"), there.manifest(image), there.blob(config)):
        assert client.get(path).status == 200
    cached = site.cache / f"docker/registry/v2/blobs/sha256/{config[7:9]}/{config[7:]}/data"
    wait_until(lambda: cached.stat().st_mode & stat.S_ISVTX, "a blob that is synced")
    data = cached.read_bytes()
    cached.unlink()     # as another file, which bears no mark
    cached.write_bytes(data.replace(b"MODE=one", b"MODE=two"))
    assert "MODE=two" not in read(client, f"/proxy/{upstream.alias}/app:1.0").words
    assert client.get(there.blob(config)).body == data
    wait_until(lambda: "MODE=one" in read(client, f"/proxy/{upstream.alias}/app:1.0").words, "what is right")

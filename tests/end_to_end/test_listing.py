"""Content discovery: tags, repositories (spec: Listing Tags; Docker's API: Listing Repositories)."""
import pytest

from harness import content
from harness.client import quote

pytestmark = [pytest.mark.quick, pytest.mark.httpd]

# In the order of bytes: digits, upper case, underscore, lower case.
TAGS = ["0", "1.0", "10", "2", "A", "B", "Latest", "_x", "a", "a-b", "a.b", "aa", "latest", "v1", "v10", "v2"]


@pytest.fixture
def tagged(repository):
    """A repository with TAGS, pushed in an order that is none."""
    data = content.encode(content.index([]))
    for tag in reversed(TAGS[::2] + TAGS[1::2]):
        assert repository.put_manifest(tag, data, content.INDEX).status == 201
    return repository


def tags(client, repository, query):
    answer = client.get(repository.tags(query))
    assert answer.status == 200, answer
    document = answer.json()
    assert list(document) == ["name", "tags"] and document["name"] == repository.name, answer
    return document["tags"], answer.link()


def walk(client, target, key):
    """All pages from `target` on, by Link."""
    pages = []
    while target:
        answer = client.get(target)
        assert answer.status == 200, answer
        pages.append(answer.json()[key])
        target = answer.link()
        assert len(pages) < 1000
    return pages


def test_tags_are_listed_in_the_order_of_bytes(client, tagged):
    """end-8a: MUST be in lexical or ASCIIbetical order."""
    assert tags(client, tagged, "") == (TAGS, None)
    assert client.get(tagged.tags())["Content-Type"].startswith("application/json")


def test_a_page_of_n_has_n_and_a_link_to_the_next(client, tagged):
    """end-8b: MUST include <int> results; Link with rel="next"."""
    names, link = tags(client, tagged, "?n=5")
    assert names == TAGS[:5] and link
    answer = client.get(link)
    assert answer.json()["tags"] == TAGS[5:10]


@pytest.mark.parametrize("n", [1, 3, 7, len(TAGS) - 1])
def test_following_the_links_gives_every_tag_once(client, tagged, n):
    pages = walk(client, tagged.tags(f"?n={n}"), "tags")
    assert [tag for page in pages for tag in page] == TAGS
    assert all(len(page) == n for page in pages[:-1])


@pytest.mark.parametrize("n", [len(TAGS), len(TAGS) + 1, 1000, 2 ** 31, 2 ** 40])
def test_a_page_that_has_all_has_no_link(client, tagged, n):
    """A link to an empty page is a request for nothing."""
    names, link = tags(client, tagged, f"?n={n}")
    if n < 10000 or link is None:
        assert (names, link) == (TAGS, None)


@pytest.mark.parametrize("last, after", [("2", 4), ("a", 9), ("a-b", 10), ("v2", 16), ("zzz", 16), ("a-a", 9), ("!", 0),
                                         ("", 0)])
def test_last_begins_behind_it_whether_it_exists_or_not(client, tagged, last, after):
    """end-8b: beginning non-inclusively with <tagname>; n is OPTIONAL."""
    assert tags(client, tagged, f"?last={quote(last)}") == (TAGS[after:], None)
    assert tags(client, tagged, f"?n=2&last={quote(last)}")[0] == TAGS[after:after + 2]


def test_n_of_zero_is_an_empty_list_without_a_link(client, tagged):
    """end-8b: MUST return an empty list, and MUST NOT include a Link header."""
    assert tags(client, tagged, "?n=0") == ([], None)
    assert tags(client, tagged, "?n=0&last=a") == ([], None)


@pytest.mark.parametrize("n", ["-1", "abc", "1.5", "0x10", "1e3", "%20", "1%00", "999999999999999999999999"])
def test_an_n_that_is_no_number_is_refused(client, tagged, n):
    """RFC 9110 15.5.1; distribution says PAGINATION_NUMBER_INVALID, which is not a code of the specification."""
    answer = client.get(tagged.tags(f"?n={n}"))
    assert answer.status == 400 or (n.startswith("99") and answer.json()["tags"] == TAGS), answer


def test_a_repository_with_untagged_manifests_only_has_an_empty_list(client, repository):
    """The list of tags MAY be empty."""
    repository.push_image()
    assert tags(client, repository, "") == ([], None)


def test_the_tags_of_an_unknown_repository_are_404(client, repository):
    """end-8a; code-9."""
    answer = client.get(repository.tags())
    assert (answer.status, answer.codes()) == (404, ["NAME_UNKNOWN"]), answer


def test_a_repository_inside_another_is_no_tag_of_it(client, repository):
    """Names nest: a/b and a/b/c are two repositories."""
    repository.push_image("outer")
    inner = client.repository(f"{repository.name}/inner")
    inner.push_image("inside")
    assert repository.tag_names() == ["outer"]
    assert inner.tag_names() == ["inside"]


# Catalog: a server of its own per test, since it lists everything.

REPOSITORIES = ["a", "a-b", "a/b", "a/b/c", "a0", "b", "b/a", "c.d/e_f", "library/x", "z"]


@pytest.fixture(params=["nginx", "lighttpd"])
def catalog(start, request):
    """A client of a registry that has REPOSITORIES and nothing else."""
    client = start(request.param).client
    for name in reversed(REPOSITORIES):
        assert client.repository(name).put_manifest("v1", content.index([])).status == 201
    return client


def test_the_catalog_lists_all_repositories_in_the_order_of_bytes(catalog):
    """Docker's API: GET /v2/_catalog."""
    answer = catalog.get("/v2/_catalog")
    assert (answer.status, answer.json(), answer.link()) == (200, {"repositories": sorted(REPOSITORIES)}, None), answer


def test_the_catalog_is_paged(catalog):
    """Docker's API: n, last, Link."""
    names = sorted(REPOSITORIES)
    for n in (1, 3, 9, 10, 11):
        pages = walk(catalog, f"/v2/_catalog?n={n}", "repositories")
        assert [name for page in pages for name in page] == names, n
        assert all(len(page) == n for page in pages[:-1]), n
    for last in ("", "a", "a/b", "a/b/c/d", "b", "bb", "zz"):
        answer = catalog.get(f"/v2/_catalog?last={quote(last)}")
        assert answer.json()["repositories"] == [name for name in names if name > last], last
    assert catalog.get("/v2/_catalog?n=0").json() == {"repositories": []}
    assert catalog.get("/v2/_catalog?n=0").link() is None
    assert catalog.get("/v2/_catalog?n=-1").status == 400


def test_an_empty_repository_is_not_listed(catalog):
    """A repository without content is not listed: what was never finished, what has been deleted."""
    opened, deleted = catalog.repository("aa/opened"), catalog.repository("aa/deleted")
    opened.open_upload()
    _, digest = deleted.push_manifest(content.index([]), "v1")
    assert "aa/deleted" in catalog.get("/v2/_catalog").json()["repositories"]
    assert catalog.delete(deleted.manifest(digest)).status == 202
    listed = catalog.get("/v2/_catalog").json()["repositories"]
    assert "aa/opened" not in listed
    assert "aa/deleted" not in listed


def test_the_catalog_of_an_empty_store_is_empty(start):
    assert start().client.get("/v2/_catalog").json() == {"repositories": []}

"""Referrers (spec: Listing Referrers, Pushing Manifests with Subject, Enabling the Referrers API)."""
import json

import pytest

from harness import content
from harness.client import quote

pytestmark = pytest.mark.quick

SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"
CONFIG_TYPE = "application/vnd.example.config.v1+json"


@pytest.fixture
def subject(repository):
    """The descriptor of an image that is there."""
    return content.descriptor(repository.push_image("subject")[0], content.IMAGE)


def artifact(subject, **more):
    """An image manifest with that subject; its config is the empty object, which has to be there."""
    config = content.descriptor(b"{}", more.pop("config_type", content.EMPTY))
    noise = {"annotations": {"noise": content.noise(8).hex(), **more.pop("annotations", {})}}
    return content.image(config, [content.descriptor(b"{}", content.EMPTY)], subject=subject, **noise, **more)


def push(repository, document, reference=None, algorithm="sha256"):
    """Pushes an artifact; the descriptor that a referrers list must have for it."""
    repository.push_blob(b"{}")
    data = content.encode(document)
    digest = content.digest(data, algorithm)
    answer = repository.put_manifest(reference or digest, data, document["mediaType"])
    assert answer.status == 201, answer
    assert answer["OCI-Subject"] == document["subject"]["digest"], answer
    expected = {"mediaType": document["mediaType"], "digest": digest, "size": len(data)}
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    if kind:
        expected["artifactType"] = kind
    if document.get("annotations"):
        expected["annotations"] = document["annotations"]
    return expected


def listed(client, target):
    """The descriptors of all pages from `target` on, and the first answer."""
    found, first = [], None
    while target:
        answer = client.get(target)
        assert answer.status == 200, answer
        assert answer["Content-Type"] == content.INDEX
        document = answer.json()
        assert (document["schemaVersion"], document["mediaType"]) == (2, content.INDEX)
        found += document["manifests"]
        first = first or answer
        target = answer.link()
    return found, first


def by_digest(descriptors):
    return sorted(descriptors, key=lambda each: each["digest"])


def test_a_pushed_artifact_is_listed_at_its_subject(client, repository, subject):
    """end-12a: artifactType, annotations, size, mediaType; OCI-Subject on the push."""
    expected = push(repository, artifact(subject, artifactType=SBOM, annotations={"org.example.format": "json"}))
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_without_an_artifact_type_it_is_that_of_the_config(client, repository, subject):
    """Listing Referrers: MUST be set to the config descriptor mediaType value."""
    expected = push(repository, artifact(subject, config_type=CONFIG_TYPE))
    assert expected["artifactType"] == CONFIG_TYPE
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_an_empty_artifact_type_counts_as_missing(client, repository, subject):
    """Listing Referrers: If the artifactType is empty or missing."""
    document = artifact(subject, artifactType="", config_type=CONFIG_TYPE)
    expected = push(repository, document)
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]
    assert expected["artifactType"] == CONFIG_TYPE


def test_an_index_may_be_a_referrer(client, repository, subject):
    """If the artifactType is missing in an index, the artifactType MUST be omitted."""
    plain = push(repository, content.index([], subject=subject))
    typed = push(repository, content.index([], subject=subject, artifactType=SBOM))
    assert "artifactType" not in plain
    assert listed(client, repository.referrers(subject["digest"]))[0] in ([plain, typed], [typed, plain])


def test_a_referrer_pushed_by_tag_is_listed_too(client, repository, subject):
    expected = push(repository, artifact(subject, artifactType=SBOM), "signature")
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_a_referrer_pushed_twice_is_listed_once(client, repository, subject):
    document = artifact(subject, artifactType=SBOM)
    push(repository, document)
    expected = push(repository, document, "again")
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_the_referrers_of_an_unknown_subject_are_an_empty_index(client, repository):
    """end-12a: MUST NOT return a 404; an empty manifest list MUST be returned."""
    assert listed(client, repository.referrers(content.ABSENT))[0] == []
    repository.push_image("v1")
    assert listed(client, repository.referrers(content.ABSENT))[0] == []


@pytest.mark.parametrize("digest", ["latest", "sha256:abc", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256", "x" * 200,
                                    "sha256:" + "a" * 65])
def test_a_malformed_digest_is_400(client, repository, digest):
    """end-12a: 400 MUST be returned."""
    repository.push_image("v1")
    answer = client.get(repository.referrers(digest))
    assert (answer.status, answer.codes()) == (400, ["DIGEST_INVALID"]), answer


def test_an_artifact_may_come_before_its_subject(client, repository):
    """Push: either order."""
    repository.push_blob(b"{}")
    noise = {"n": content.noise().hex()}
    image = content.encode(content.image(content.descriptor(b"{}", content.EMPTY), [], annotations=noise))
    expected = push(repository, artifact(content.descriptor(image, content.IMAGE), artifactType=SBOM))
    assert listed(client, repository.referrers(content.digest(image)))[0] == [expected]
    assert repository.put_manifest("late", image).status == 201
    assert listed(client, repository.referrers(content.digest(image)))[0] == [expected]


def test_a_filter_lists_one_artifact_type_and_says_so(client, repository, subject):
    """end-12b: OCI-Filters-Applied: artifactType."""
    sboms = [push(repository, artifact(subject, artifactType=SBOM)) for _ in range(3)]
    push(repository, artifact(subject, artifactType=SIGNATURE))
    configured = push(repository, artifact(subject, config_type=CONFIG_TYPE))
    push(repository, content.index([], subject=subject))
    for kind, expected in ((SBOM, sboms), (CONFIG_TYPE, [configured]), ("application/vnd.example.none", [])):
        found, answer = listed(client, repository.referrers(subject["digest"], f"?artifactType={quote(kind)}"))
        assert by_digest(found) == by_digest(expected)
        assert answer["OCI-Filters-Applied"] == "artifactType"
    assert listed(client, repository.referrers(subject["digest"]))[1]["OCI-Filters-Applied"] is None
    assert listed(client, repository.referrers(subject["digest"], f"?artifactType={SBOM}"))[0]


def test_a_filter_on_an_unknown_subject_is_an_empty_index(client, repository):
    found, answer = listed(client, repository.referrers(content.ABSENT, f"?artifactType={quote(SBOM)}"))
    assert (found, answer["OCI-Filters-Applied"]) == ([], "artifactType")


def test_a_deleted_referrer_is_listed_no_longer(client, repository, subject):
    kept = push(repository, artifact(subject, artifactType=SBOM))
    gone = push(repository, artifact(subject, artifactType=SBOM), "tagged")
    assert client.delete(repository.manifest(gone["digest"])).status == 202
    assert listed(client, repository.referrers(subject["digest"]))[0] == [kept]


def test_an_untagged_referrer_is_still_listed(client, repository, subject):
    """Deleting a tag deletes only the tag."""
    expected = push(repository, artifact(subject, artifactType=SBOM), "tagged")
    assert client.delete(repository.manifest("tagged")).status == 202
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_referrers_stay_when_their_subject_goes(client, repository, subject):
    expected = push(repository, artifact(subject, artifactType=SBOM))
    assert client.delete(repository.manifest(subject["digest"])).status == 202
    assert listed(client, repository.referrers(subject["digest"]))[0] == [expected]


def test_referrers_are_those_of_one_repository(client, new_repository):
    """Each descriptor is of a manifest in the same <name> namespace."""
    first, second = new_repository(), new_repository()
    subject = content.descriptor(b"anything", content.IMAGE)
    expected = push(first, artifact(subject, artifactType=SBOM))
    second.push_image("v1")
    assert listed(client, second.referrers(subject["digest"]))[0] == []
    assert listed(client, first.referrers(subject["digest"]))[0] == [expected]


def test_subjects_and_referrers_may_be_sha512(client, repository):
    data, digest = repository.push_image(algorithm="sha512")
    expected = push(repository, artifact(content.descriptor(data, content.IMAGE, "sha512"), artifactType=SBOM),
                    algorithm="sha512")
    assert listed(client, repository.referrers(digest))[0] == [expected]


def test_a_long_list_is_paged_by_link(client, repository):
    """Listing Referrers: Link MUST be included when the list cannot be returned in a single manifest."""
    subject = content.descriptor(content.noise(), content.IMAGE)
    kinds = [SBOM, SIGNATURE]
    expected = [push(repository, artifact(subject, artifactType=kinds[number % 2], annotations={"text": "x" * 40000}))
                for number in range(130)]
    found, first = listed(client, repository.referrers(subject["digest"]))
    assert by_digest(found) == by_digest(expected)
    assert first.link(), "130 descriptors of 40 KB do not fit in an index of 4 MiB"
    assert len(first.body) <= 4 * content.MIB
    found, first = listed(client, repository.referrers(subject["digest"], f"?artifactType={quote(SBOM)}"))
    assert by_digest(found) == by_digest(each for each in expected if each["artifactType"] == SBOM)
    assert first["OCI-Filters-Applied"] == "artifactType"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_referrers_under_the_fallback_tag_are_listed_too(client, repository, algorithm):
    """Enabling the Referrers API: MUST include preexisting manifests listed under the referrers tag with a valid subject."""
    data, digest = repository.push_image("old", algorithm=algorithm)
    pushed = push(repository, artifact(content.descriptor(data, content.IMAGE, algorithm), artifactType=SBOM))
    # What an older registry has: the manifest and the tag, without our own record of it.
    other = content.encode(artifact(content.descriptor(data, content.IMAGE, algorithm), artifactType=SIGNATURE))
    assert repository.put_manifest(content.digest(other), other, content.IMAGE).status == 201
    entry = {"mediaType": content.IMAGE, "digest": content.digest(other), "size": len(other), "artifactType": SIGNATURE,
             "annotations": json.loads(other)["annotations"]}
    tag = digest.replace(":", "-")[:len(algorithm) + 1 + 64]
    assert repository.put_manifest(tag, content.index([entry, pushed])).status == 201
    assert by_digest(listed(client, repository.referrers(digest))[0]) == by_digest([entry, pushed])


def test_the_fallback_tag_alone_is_enough(server, client, repository):
    """As above, with a store in which nobody has ever kept a list: the registry reads the tag itself."""
    data, digest = repository.push_image("old")
    pushed = push(repository, artifact(content.descriptor(data, content.IMAGE), artifactType=SBOM))
    tag = digest.replace(":", "-")
    assert repository.put_manifest(tag, content.index([pushed])).status == 201
    own = server.store / "repositories" / repository.name / "_referrers"
    assert own.is_dir()
    own.rename(server.directory / f"hidden-{repository.name.replace('/', '-')}")
    assert listed(client, repository.referrers(digest))[0] == [pushed]
    filtered, _ = listed(client, repository.referrers(digest, f"?artifactType={quote(SIGNATURE)}"))
    assert filtered == []


def test_a_fallback_tag_that_names_what_is_not_there_lists_nothing(client, repository):
    """Only what has a valid subject: an entry whose manifest is absent or has another subject is not believed."""
    data, digest = repository.push_image("old")
    unrelated, _ = repository.push_image()
    entries = [content.descriptor(b"absent", content.IMAGE), content.descriptor(unrelated, content.IMAGE)]
    assert repository.put_manifest(digest.replace(":", "-"), content.index(entries)).status == 201
    assert listed(client, repository.referrers(digest))[0] == []


def test_a_fallback_tag_that_is_no_index_is_ignored(client, repository):
    data, digest = repository.push_image("old")
    assert repository.put_manifest(digest.replace(":", "-"), data).status == 201
    assert listed(client, repository.referrers(digest))[0] == []


def test_a_manifest_without_a_subject_has_no_oci_subject(repository):
    """Pushing Manifests with Subject: the header says that a subject was processed."""
    assert repository.put_manifest("v1", content.index([]))["OCI-Subject"] is None

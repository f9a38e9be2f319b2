"""What a client does, with one request of it meeting a fault (see faults.py), and what has to hold then: no 2xx without the
content, nothing that was acknowledged is gone, the session is in the state that the answer says, trying again works.
"""
import os

from harness import content
from harness.faults import assert_blob, offset, succeeded

HOSTED, PROXIED = [], []
DATA = 70000


def hosted(operation):
    HOSTED.append(operation)
    return operation


def proxied(operation):
    PROXIED.append(operation)
    return operation


def finish_somehow(trial, location, data):
    """As a client goes on: from where the session is, or from the start."""
    status = trial.client.get(location)
    if status.status == 404:
        trial.repository.push_blob(data)
    else:
        assert status.status == 204, (trial, status)
        there = offset(status)
        assert there <= len(data), (trial, status)
        answer = trial.repository.finish(location, content.digest(data), data[there:])
        assert answer.status == 201, (trial, answer)
    assert_blob(trial, data)


@hosted
def post(trial):
    answer = trial.run("POST", trial.repository.uploads)
    finish_somehow(trial, answer["Location"] if succeeded(answer) else trial.repository.open_upload(), content.noise())


@hosted
def patch(trial):
    data = content.noise(DATA)
    location = trial.client.patch(trial.repository.open_upload(), data[:1000])["Location"]
    answer = trial.run("PATCH", location, {"Content-Range": f"1000-{DATA - 1}"}, data[1000:])
    status = trial.client.get(location)
    if succeeded(answer):
        assert (status.status, offset(status)) == (204, DATA), (trial, status)
    elif answer.status != 507:
        assert status.status == 204 and offset(status) >= 1000, (trial, status)
    finish_somehow(trial, location, data)


@hosted
def put_closing(trial):
    data = content.noise(DATA)
    location = trial.client.patch(trial.repository.open_upload(), data)["Location"]
    answer = trial.run("PUT", f"{location}?digest={content.digest(data)}")
    if succeeded(answer):
        assert trial.client.get(location).status == 404, trial
        assert_blob(trial, data)
        return
    again = trial.repository.finish(location, content.digest(data))
    assert again.status == (404 if trial.lost_data() or answer.status == 507 and again.status == 404 else 201), (trial, answer, again)
    if again.status == 404:
        trial.repository.push_blob(data)
    assert_blob(trial, data)


@hosted
def put_whole(trial):
    data = content.noise(DATA)
    location = trial.repository.open_upload()
    answer = trial.run("PUT", f"{location}?digest={content.digest(data)}", body=data)
    if succeeded(answer):
        assert_blob(trial, data)
    else:
        assert not trial.lost_data() or trial.client.get(location).status == 404, trial
        finish_somehow(trial, location, data)


@hosted
def post_monolithic(trial):
    data = content.noise(DATA)
    target = f"{trial.repository.uploads}?digest={content.digest(data)}"
    if not succeeded(trial.run("POST", target, body=data)):
        assert trial.client.post(target, data).status == 201, trial
    assert_blob(trial, data)


@hosted
def mount(trial):
    data = content.noise(DATA)
    other = trial.client.repository(trial.name + "-from")
    digest = other.push_blob(data)
    target = f"{trial.repository.uploads}?mount={digest}&from={other.name}"
    answer = trial.run("POST", target)
    if not succeeded(answer):
        answer = trial.client.post(target)
        assert answer.status == 201, (trial, answer)
    if answer.status == 202:
        assert trial.repository.finish(answer["Location"], digest, data).status == 201, trial
    assert_blob(trial, data)


def document(note, **more):
    return content.encode(content.index([], annotations={"note": note}, **more))


@hosted
def manifest_put(trial):
    """One that refers to another. The tag stays where it was, or moves."""
    old, subject = trial.repository.push_manifest(document("old"), "tag", content.INDEX)
    new = document("new", subject=content.descriptor(old, content.INDEX))
    target = trial.repository.manifest("tag")
    answer = trial.run("PUT", target, {"Content-Type": content.INDEX}, new)
    if not succeeded(answer):
        assert trial.client.get(target).body == old, trial
        assert trial.repository.put_manifest("tag", new, content.INDEX).status == 201, trial
    assert trial.client.get(target).body == new, trial
    assert trial.client.get(trial.repository.manifest(content.digest(new))).body == new, trial
    listed = trial.client.get(trial.repository.referrers(subject)).json()["manifests"]
    assert [each["digest"] for each in listed] == [content.digest(new)], (trial, listed)


def delete(trial, target):
    if not succeeded(trial.run("DELETE", target)):
        assert trial.client.delete(target).status in (202, 204, 404), trial
    assert trial.client.get(target).status == 404, trial


@hosted
def tag_delete(trial):
    data, digest = trial.repository.push_manifest(document("x"), "tag", content.INDEX)
    delete(trial, trial.repository.manifest("tag"))
    assert trial.client.get(trial.repository.manifest(digest)).body == data, trial
    assert trial.repository.tag_names() == [], trial


@hosted
def manifest_delete(trial):
    old, subject = trial.repository.push_manifest(document("old"), "kept", content.INDEX)
    _, digest = trial.repository.push_manifest(document("new", subject=content.descriptor(old, content.INDEX)), "tag", content.INDEX)
    delete(trial, trial.repository.manifest(digest))
    assert trial.repository.tag_names() == ["kept"], trial
    assert trial.client.get(trial.repository.manifest("kept")).body == old, trial
    assert trial.client.get(trial.repository.referrers(subject)).json()["manifests"] == [], trial


@hosted
def blob_delete(trial):
    data = content.noise(DATA)
    other = trial.client.repository(trial.name + "-too")
    other.push_blob(data)
    delete(trial, trial.repository.blob(trial.repository.push_blob(data)))
    assert trial.client.get(other.blob(content.digest(data))).body == data, trial


@hosted
def session_delete(trial):
    delete(trial, trial.client.patch(trial.repository.open_upload(), b"abc")["Location"])


@hosted
def pull_blob(trial):
    data = content.noise(DATA)
    answer = trial.run("GET", trial.repository.blob(trial.repository.push_blob(data)))
    assert not succeeded(answer) or answer.body == data, (trial, answer)
    assert_blob(trial, data)


@hosted
def pull_manifest(trial):
    data, _ = trial.repository.push_manifest(document("x"), "tag", content.INDEX)
    answer = trial.run("GET", trial.repository.manifest("tag"))
    assert not succeeded(answer) or answer.body == data, (trial, answer)


def through(trial):
    return trial.client.repository(f"proxy/up/{trial.name}")


@proxied
def cold_blob(trial):
    """A failed sync is no reason to believe what the page cache still has: the network is asked again. What only cannot be kept
    is served."""
    upstream = trial.injector.upstream
    data = content.noise(DATA)
    target = through(trial).blob(upstream.add_blob(data))
    answer = trial.run("GET", target)
    assert not succeeded(answer) or answer.body == data, (trial, answer)
    assert answer is not None or trial.lost_data() or trial.lasts, trial
    sent = upstream.sent(content.digest(data))
    again = trial.client.get(target)
    assert (again.status, again.body) == (200, data), (trial, answer, again)
    assert not trial.lost_data() or upstream.sent(content.digest(data)) >= sent + DATA, trial


@proxied
def cold_manifest(trial):
    data, digest = trial.injector.upstream.add_manifest(trial.name, document("x"), "tag", content.INDEX)
    for target in (through(trial).manifest("tag"), through(trial).manifest(digest)):
        if target.endswith("tag"):
            answer = trial.run("GET", target)
            assert not succeeded(answer) or answer.body == data, (trial, answer)
        again = trial.client.get(target)
        assert (again.status, again.body) == (200, data), (trial, again)


@proxied
def tag_check(trial):
    """A tag that moves: the new manifest; or the old one, with a word about it."""
    upstream, target = trial.injector.upstream, through(trial).manifest("tag")
    old, _ = upstream.add_manifest(trial.name, document("old"), "tag", content.INDEX)
    assert trial.client.get(target).body == old
    new, _ = upstream.add_manifest(trial.name, document("new"), "tag", content.INDEX)
    answer = trial.run("GET", target)
    if succeeded(answer):
        assert answer.body == new or answer.body == old and answer["Warning"], (trial, answer)
    again = trial.client.get(target)
    assert (again.status, again.body) == (200, new), (trial, again)


def assert_leftovers_are_swept(injector):
    """Whatever failed on the way has left nothing that the next sweep does not take."""
    temporary, own = injector.storage / "_tmp", injector.storage / "registry/_berth"
    assert {path.name for path in temporary.iterdir()} <= {"uploads", "pieces", "bodies", "swept"}
    for path in [*temporary.rglob("*"), *own.glob("trial-*")]:
        os.utime(path, (0, 0))
    (temporary / "swept").unlink(missing_ok=True)
    injector.worker.repository("last").open_upload()
    assert len(list((temporary / "uploads").iterdir())) == 1
    assert list((temporary / "pieces").iterdir()) == []
    assert {path.name for path in own.iterdir()} <= {"counters", "last", "locks", "pulled-since", "trash", "verified"}

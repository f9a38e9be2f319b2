"""What a request costs: system calls of a warm worker, from accept() to the answer. They may become fewer."""
import pytest

from harness import content
from harness.strace import TracedWorker, names

WARM = 3


@pytest.fixture(scope="module")
def traced(new_directory):
    """Its requests look like nginx's."""
    with TracedWorker(new_directory("traced"), BERTH_SENDFILE="x-accel-redirect:/_berth/", REQUEST_ID="0" * 32) as worker:
        yield worker


def warm_calls(worker, prepare):
    """Of the last of some requests; `prepare` makes each, and what it takes besides."""
    for _ in range(WARM):
        prepare()()
    return worker.calls_of(prepare())


def assert_at_most(limit, calls):
    assert len(calls) <= limit, f"{len(calls)} calls:\n" + "\n".join(calls)


def test_a_manifest_by_tag_takes_fifteen_calls(traced):
    repository = traced.repository("me/app")
    data, _ = repository.push_image("latest")

    def get():
        assert traced.get(repository.manifest("latest")).body == data
    calls = warm_calls(traced, lambda: get)
    assert_at_most(15, calls)
    assert names(calls)[:2] == ["accept4", "read"] and names(calls)[-1] == "close", calls


def test_a_blob_that_the_web_server_sends_takes_nine_calls(traced):
    repository = traced.repository("me/app")
    digest = repository.push_blob(content.noise(100_000))

    def get():
        answer = traced.get(repository.blob(digest))
        assert answer.status == 200 and answer["X-Accel-Redirect"], answer
    assert_at_most(9, warm_calls(traced, lambda: get))


class WorkerWithoutChildren(TracedWorker):
    options = ("-e", "inject=fork,vfork,clone,clone3:error=EAGAIN")


def test_a_client_comes_again_later_when_no_process_can_be_started_for_it(new_directory):
    """EAGAIN of fork(): 429 with Retry-After, and the place in the queue of those who wait is free again."""
    with WorkerWithoutChildren(new_directory("childless"), "[proxy]\nmaximum_waiting = 2\n", expected_faults=True) as worker:
        for _ in range(5):
            answer = worker.get("/v2/proxy/docker.io/library/x/manifests/latest")
            assert (answer.status, answer.codes()) == (429, ["TOOMANYREQUESTS"]), answer
            assert int(answer["Retry-After"]) > 0 and "no process" in answer.json()["errors"][0]["message"], answer
        assert worker.get("/v2/").status == 200
        assert "error: fork: " in worker.log()

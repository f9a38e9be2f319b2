"""log_level: what is said to whom, and that nobody is told a secret."""
import re

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.process import wait_until
from harness.upstream import TokenService
from harness.upstream_site import Site
from test_proxy_login import BOB, BOBS, SECRET
from test_proxy_faults import redirects

pytestmark = pytest.mark.quick


def set_level(server, level):
    """Keys without a section stand at the top."""
    server.configuration.write_text(f"log_level = {level}\n" + server.configuration.read_text())


def test_debug_follows_a_request_through_its_processes_and_tells_no_secret(new_directory):
    site = Site(new_directory("log"), "nginx", 2, more=BOBS)
    set_level(site.server, "debug")
    with site:
        upstream, store = site.take(), site.take()
        service = TokenService(password=BOB)
        upstream.login = service.login
        try:
            layer = content.noise(3000)
            digest, _ = upstream.add_blob(layer), store.add_blob(layer)
            away = redirects(f"{store.url}/v2/app/blobs/{digest}?signature=s1gned")
            upstream.when(lambda reply, request: away(reply, request) if reply.status == 200 else None, "/blobs/")
            assert site.client.get(site.at(upstream).blob(digest)).body == layer
            wait_until(lambda: not site.children(), "the end of filler and child")
            wait_until(lambda: "goes on in process" in site.server.whole_log(), "the worker's word, which it may have after the child's last")
            log = site.server.whole_log()
            [(worker, request)] = re.findall(r"debug: \[(\d+)\] accepts request (\S+)\n(?:.*\n)*?.*debug: \[\1\] request \2 goes on", log)
            [child] = re.findall(rf"debug: \[{worker}\] request {request} goes on in process (\d+)\n", log)
            assert int(worker) in site.server.pids and f"debug: [{child}] ends with request {request}\n" in log
            [filler] = re.findall(rf"debug: \[(\d+)\] fills {digest} of app from {upstream.alias}\n", log)
            assert f"debug: [{filler}] has filled {digest}\n" in log and filler not in (worker, child)
            for asked, status in ((f"{upstream.url}/v2/app/blobs/{digest}", 401), (f"{service.url}/token", 200),
                                  (f"{upstream.url}/v2/app/blobs/{digest}", 307), (f"{store.url}/v2/app/blobs/{digest}", 200)):
                assert re.search(rf"debug: \[\d+\] GET {asked}: {status}\n", log), f"{asked} {status}\n{log}"
            for secret in (SECRET, "s1gned", "Bearer", *service.issued):
                assert secret not in log
        finally:
            service.close()


@pytest.mark.parametrize("level, words", [("error", {"error"}), ("warning", {"error", "warning"}), ("info", {"error", "warning", ""})])
def test_a_level_shows_itself_and_what_is_worse(new_directory, level, words):
    """A line per request is info; an upstream that may not be asked is a warning; what the operator has to mend is an error."""
    worker = Worker(new_directory(level), settings=f"log_level = {level}\n[proxy]\nupstreams = docker.io\n", expected_faults=True)
    with worker:
        assert worker.get("/v2/").status == 200
        assert worker.get("/v2/proxy/ghcr.io/owner/app/manifests/latest").status == 403
        assert worker.request("GET", "/v2/", DOCUMENT_ROOT=str(worker.directory)).status == 500
    said = {word for word, line in (("error", "berth: error: "), ("warning", "berth: warning: "), ("", "berth: GET /v2/")) if line in worker.log()}
    assert said == words and "berth: debug: " not in worker.log(), worker.log()

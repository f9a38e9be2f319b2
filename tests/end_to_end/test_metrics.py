"""What is counted, who may read it, and that nothing that happens to the numbers harms a request."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

from harness import content
from harness.fastcgi import Worker
from harness.mounts import SmallMemory
from harness.process import TIED_TO_US, send_signal, wait_until
from harness.readme import blocks
from harness.server import ROOT, berth, free_port
from harness.upstream import TokenService
from harness.upstream_site import Site, download
from test_access import basic, write_users

METRICS, HEALTH = "/v2/_berth/metrics", "/v2/_berth/health"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
ENABLED = "[metrics]\nenabled = yes\n"


@pytest.fixture(scope="module", params=["nginx", "lighttpd"])
def site(request, new_directory):
    with Site(new_directory(f"metrics-{request.param}"), request.param, 12, settings=ENABLED) as running:
        yield running


@pytest.fixture
def upstream(site):
    return site.take()


def numbers(text):
    """Each sample by its name and labels, as it is written: `berth_logins_total{result="ok"}`."""
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


def scrape(client, headers=None):
    answer = client.get(METRICS, headers)
    assert answer.status == 200, answer
    return numbers(answer.body.decode())


def scrape_when_all_is_counted(client):
    """A client has its answer before that is counted: nobody but who is asked for numbers is at work."""
    def settled():
        found = scrape(client)
        at_work = found['berth_workers{state="busy"}'] + found["berth_proxy_waiting_requests"]
        return found if at_work <= 1 else None
    return wait_until(settled, "the end of all requests")


@contextlib.contextmanager
def counting(client):
    """What is more afterwards than before: a table that is filled then."""
    more, before = {}, scrape_when_all_is_counted(client)
    yield more
    for name, value in scrape_when_all_is_counted(client).items():
        if value != before.get(name, 0):
            more[name] = value - before.get(name, 0)


def test_requests_are_counted_by_what_they_are(site):
    repository = site.client.repository("me/app")
    layer = content.noise(200_000)
    with counting(site.client) as more:
        repository.push_image("latest", [layer])
        assert site.client.get(repository.manifest("latest")).status == 200
        assert site.client.get(repository.manifest("none")).status == 404
        assert site.client.get(repository.blob(content.digest(layer))).body == layer
        assert site.client.request("OPTIONS", repository.manifest("latest")).status == 405
        assert site.client.get("/v2/me/" + "x" * 300).status == 404
    assert more['berth_http_requests_total{route="manifest",method="PUT",status="2xx"}'] == 1, more
    assert more['berth_http_requests_total{route="manifest",method="GET",status="2xx"}'] == 1, more
    assert more['berth_http_requests_total{route="manifest",method="GET",status="4xx"}'] == 1, more
    assert more['berth_http_requests_total{route="manifest",method="other",status="4xx"}'] == 1, more
    assert more['berth_http_requests_total{route="blob",method="GET",status="2xx"}'] == 1, more
    assert more['berth_http_requests_total{route="other",method="GET",status="4xx"}'] == 1, more
    assert more['berth_http_request_duration_seconds_count{route="blob"}'] == 1, more
    assert more['berth_http_sent_bytes_total{by="web_server"}'] == len(layer), more
    assert more["berth_http_received_bytes_total"] > len(layer), more


def test_what_a_cache_does_is_counted_by_upstream(site, upstream):
    layer = content.noise(300_000)
    data, _ = upstream.add_image("app", "latest", [layer])
    repository, name = site.at(upstream), upstream.alias

    def look(kind, result):
        return more.get(f'berth_proxy_lookups_total{{upstream="{name}",kind="{kind}",result="{result}"}}', 0)
    with counting(site.client) as more:
        assert site.client.get(repository.manifest("latest")).body == data
        assert download(site.client, repository.blob(content.digest(layer))).is_success
        wait_until(lambda: not site.children(), "the end of the fill")
    assert (look("manifest", "miss"), look("manifest", "hit"), look("blob", "hit")) == (1, 0, 0), more
    assert look("blob", "miss") == 1, more
    assert more[f'berth_proxy_fills_begun_total{{upstream="{name}"}}'] == 1, more
    assert more[f'berth_proxy_fills_ended_total{{upstream="{name}",result="done"}}'] == 1, more
    assert more[f'berth_upstream_received_bytes_total{{upstream="{name}"}}'] == len(layer) + len(data), more
    assert more[f'berth_upstream_requests_total{{upstream="{name}",status="2xx"}}'] >= 2, more
    assert more[f'berth_upstream_first_byte_seconds_count{{upstream="{name}"}}'] >= 2, more
    with counting(site.client) as more:
        assert site.client.get(repository.manifest("latest")).body == data
        for _ in range(3):
            assert download(site.client, repository.blob(content.digest(layer))).is_success
    assert (look("manifest", "miss"), look("manifest", "hit"), look("blob", "miss"), look("blob", "hit")) == (0, 1, 0, 3), more
    assert more[f'berth_proxy_served_bytes_total{{upstream="{name}"}}'] == 3 * len(layer) + len(data), more
    assert f'berth_upstream_received_bytes_total{{upstream="{name}"}}' not in more, more


def test_status_tells_what_was_served_and_what_the_cache_has_saved(site, upstream):
    layer = content.noise(300_000)
    upstream.add_image("app", "latest", [layer])
    repository = site.at(upstream)
    for _ in range(4):
        assert download(site.client, repository.blob(content.digest(layer))).is_success
    wait_until(lambda: not site.children(), "the end of the fill")
    lines = [json.loads(line) for line in berth(site.server.configuration, "status", "--json").stdout.splitlines()]
    of, = [line for line in lines if line.get("traffic_of") == upstream.alias]
    assert (of["fetched_bytes"], of["served_bytes"], of["saved_bytes"]) == (len(layer), 4 * len(layer), 3 * len(layer)), of
    assert of["lookups_miss"] + of["lookups_hit"] == 4, of
    day, = [line for line in lines if "served_bytes_today" in line]
    assert day["served_bytes_30_days"] >= day["served_bytes_today"] >= 4 * len(layer), day
    said = berth(site.server.configuration, "status").stdout
    assert re.search(f"^traffic +{upstream.alias} .*, 878.9 KiB of 1.1 MiB came from the cache$", said, re.MULTILINE), said


def test_what_prefetch_has_fetched_is_counted(site, upstream):
    layer = content.noise(50_000)
    upstream.add_image("app", "latest", [layer])
    with counting(site.client) as more:
        assert berth(site.server.configuration, "prefetch", f"{upstream.alias}/app:latest").returncode == 0
    assert more[f'berth_upstream_received_bytes_total{{upstream="{upstream.alias}"}}'] > len(layer), more
    assert more[f'berth_proxy_fills_ended_total{{upstream="{upstream.alias}",result="done"}}'] >= 1, more


def waits(answer):
    """What it says that it has waited for."""
    timing = answer["Server-Timing"]
    assert timing is None or re.fullmatch(r"[a-z]+;dur=\d+(, [a-z]+;dur=\d+)*", timing), answer
    return set(re.findall(r"([a-z]+);", timing or ""))


def test_what_has_waited_for_an_upstream_says_so(site, upstream):
    layer = content.noise(100_000)
    upstream.add_image("app", "latest", [layer])
    repository = site.at(upstream)
    assert waits(site.client.get(repository.manifest("latest"))) == {"upstream"}
    assert waits(site.client.get(repository.manifest("latest"))) == set(), "it is in the cache"
    assert waits(site.client.get(repository.manifest("none"))) == {"upstream"}
    assert waits(site.client.get(repository.blob(content.digest(layer)))) == {"fill"}
    wait_until(lambda: not site.children(), "the end of the fill")
    assert waits(site.client.get(repository.blob(content.digest(layer)))) == set()
    assert waits(site.client.get("/v2/me/none/manifests/1")) == set()


def test_a_log_in_elsewhere_is_told_apart(site, upstream):
    upstream.add_image("app", "latest", [b"x"])
    with contextlib.closing(TokenService()) as service:
        upstream.login = service.login
        assert waits(site.client.get(site.at(upstream).manifest("latest"))) == {"upstream", "login"}


def test_an_upstream_in_trouble_is_seen(site, upstream):
    data, _ = upstream.add_image("app", "latest", [b"x"])
    repository, name = site.at(upstream), upstream.alias
    assert site.client.get(repository.manifest("latest")).body == data
    assert scrape(site.client)[f'berth_upstream_up{{upstream="{name}"}}'] == 1
    link = site.cache / f"docker/registry/v2/repositories/proxy/{name}/app/_manifests/tags/latest/current/link"
    if not link.exists():
        link = next(path for path in site.cache.glob("**/tags/latest/current/link") if f"/{name}/" in str(path))
    os.utime(link, (1, 1))
    upstream.when(lambda reply, _: setattr(reply, "status", 503), "/manifests/")
    with counting(site.client) as more:
        assert site.client.get(repository.manifest("latest")).body == data
    assert more[f'berth_proxy_lookups_total{{upstream="{name}",kind="manifest",result="stale"}}'] == 1, more
    assert more[f'berth_upstream_requests_total{{upstream="{name}",status="5xx"}}'] >= 1, more
    assert more[f'berth_upstream_up{{upstream="{name}"}}'] == -1, more


def test_no_name_that_a_client_makes_up_becomes_a_label(site):
    with counting(site.client) as more:
        site.client.get("/v2/proxy/made-up.invalid/app/manifests/1")
    assert not [name for name in more if "made-up" in name], more


def promtool(*arguments, **options):
    """What it says, of what it finds nothing wrong with."""
    checked = subprocess.run(["promtool", *arguments], capture_output=True, text=True, **options)
    assert (checked.returncode, checked.stderr) == (0, ""), checked
    return checked.stdout


def test_promtool_finds_nothing_to_say(site):
    """In the text format. It does not read the other one."""
    site.client.repository("me/promtool").push_image("latest")
    answer = site.client.get(METRICS)
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", answer
    assert promtool("check", "metrics", input=answer.body.decode()) == ""


def test_openmetrics_is_for_whoever_asks_for_it(site):
    answer = site.client.get(METRICS, OPENMETRICS)
    assert answer["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8", answer
    lines = answer.body.decode().split("\n")
    assert lines[-2:] == ["# EOF", ""] and "# TYPE berth_http_requests counter" in lines, lines[-5:]
    assert set(numbers(answer.body.decode())) >= {name for name in scrape(site.client) if "http_requests" not in name}
    assert answer["Cache-Control"] == "no-store", answer
    assert site.client.exists(METRICS).status == 200


def test_workers_and_fillers_are_seen(site, upstream):
    layer = content.noise(3_000_000)
    upstream.add_image("app", "latest", [layer])
    repository = site.at(upstream)
    assert site.client.get(repository.manifest("latest")).status == 200
    upstream.when(lambda reply, _: setattr(reply, "stall", 1_000_000), content.digest(layer))
    loading = threading.Thread(target=lambda: download(site.client, repository.blob(content.digest(layer))))
    loading.start()
    wait_until(lambda: scrape(site.client)["berth_proxy_fills_running"] == 1, "a filler among the numbers")
    wait_until(lambda: scrape(site.client)["berth_proxy_waiting_requests"] >= 1, "a client who waits")  # once no worker hurries for him
    assert scrape(site.client)['berth_workers{state="busy"}'] >= 1
    upstream.free.set()
    loading.join()
    wait_until(lambda: scrape(site.client)["berth_proxy_fills_running"] == 0, "its end")
    wait_until(lambda: scrape(site.client)["berth_proxy_waiting_requests"] == 0, "nobody who waits")
    # nginx asks twice for what a worker sends itself.
    assert scrape(site.client)[f'berth_proxy_lookups_total{{upstream="{upstream.alias}",kind="blob",result="miss"}}'] == 1


def counted_manifests(client):
    return scrape(client).get('berth_http_requests_total{route="manifest",method="GET",status="2xx"}', 0)


def test_kills_and_restarts_lose_nothing(start):
    server = start(settings=ENABLED)
    repository = server.client.repository("me/app")
    repository.push_image("latest")
    for _ in range(20):
        assert server.client.get(repository.manifest("latest")).status == 200
    before = counted_manifests(server.client)
    for pid in server.workers():
        send_signal(pid, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == server.worker_count, "other workers")
    server.note_workers()
    with server.expecting_faults():
        wait_until(lambda: server.client.get("/v2/").status == 200, "an answer")
    assert counted_manifests(server.client) == before
    server.stop()
    server.start()
    assert counted_manifests(server.client) == before
    # They know of each other from their start on, where there are numbers already.
    wait_until(lambda: scrape(server.client)['berth_workers{state="busy"}'] + scrape(server.client)['berth_workers{state="idle"}'] ==
               server.worker_count, "all workers among the numbers")


def counters_of(directory):
    return [path for path in pathlib.Path(directory).glob("storage/registry/_berth/counters/*/counters-*") if path.is_file()]


def test_a_file_that_is_cut_short_or_taken_away_harms_no_request(start):
    server = start(settings=ENABLED)
    repository = server.client.repository("me/app")
    repository.push_image("latest")

    def pull():
        for _ in range(20):
            assert server.client.get(repository.manifest("latest")).status == 200
    pull()
    file, = counters_of(server.directory)
    os.truncate(file, 0)
    pull()
    wait_until(lambda: pull() or counted_manifests(server.client) >= 20, "a file anew, in which all workers count")
    file, = counters_of(server.directory)
    file.unlink()
    pull()
    assert scrape(server.client)["berth_http_received_bytes_total"] >= 0
    file.unlink(missing_ok=True)
    file.symlink_to("/etc/passwd")
    pull()
    assert scrape(server.client)["berth_http_received_bytes_total"] >= 0
    assert file.is_symlink()


def test_a_plain_cgi_program_counts_too(start):
    server = start("lighttpd", mode="cgi", settings=ENABLED)
    repository = server.client.repository("me/app")
    repository.push_image("latest")
    before = counted_manifests(server.client)
    assert server.client.get(repository.manifest("latest")).status == 200
    wait_until(lambda: counted_manifests(server.client) == before + 1, "the request of a process that may still be ending")


def whole(answer):
    return answer.status, [(name, value) for name, value in answer.headers if name != "X-Request-Id"], answer.body


FROM = {
    "here": ({"REMOTE_ADDR": "127.0.0.1"}, {}, True),
    "here by version 6": ({"REMOTE_ADDR": "::1"}, {}, True),
    "here, as one of version 6": ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, {}, True),
    "the network": ({"REMOTE_ADDR": "10.20.30.40"}, {}, True),
    "elsewhere": ({"REMOTE_ADDR": "203.0.113.9"}, {}, False),
    "nowhere": ({}, {}, False),
    "elsewhere, says here": ({"REMOTE_ADDR": "203.0.113.9"}, {"X-Forwarded-For": "127.0.0.1"}, False),
    "elsewhere, says so otherwise": ({"REMOTE_ADDR": "203.0.113.9"}, {"X-Real-Ip": "127.0.0.1", "Forwarded": "for=127.0.0.1"}, False),
    "a proxy that is here": ({"REMOTE_ADDR": "127.0.0.1"}, {"X-Forwarded-For": "203.0.113.9"}, False),
    "a socket, as nginx says it": ({"REMOTE_ADDR": "unix:"}, {}, False),
    "a proxy that says no address": ({"REMOTE_ADDR": "127.0.0.1"}, {"Via": "1.1 varnish"}, False),
    "a proxy that says the host": ({"REMOTE_ADDR": "127.0.0.1"}, {"X-Forwarded-Host": "registry.example.org"}, False),
    "a proxy that says the scheme": ({"REMOTE_ADDR": "127.0.0.1"}, {"X-Forwarded-Proto": "https"}, False),
    "another proxy that is here": ({"REMOTE_ADDR": "127.0.0.1"}, {"Forwarded": "for=203.0.113.9"}, False),
}
ALLOWED = ENABLED + "access = 127.0.0.1, ::1, 10.0.0.0/8\n"


@pytest.mark.quick
@pytest.mark.parametrize("settings", [ALLOWED, "", "[metrics]\nenabled = no\naccess = *\n"], ids=["enabled", "unsaid", "disabled"])
def test_to_others_there_are_no_numbers(new_directory, settings):
    """As if the path did not exist, whatever the client says of where it comes from, and whoever it is."""
    directory = pathlib.Path(new_directory("metrics"))
    write_users(directory / "users", {"alice": "alice's password"})
    with Worker(directory, "[authentication]\nmode = htpasswd\nhtpasswd = users\n" + settings) as worker:
        unknown = whole(worker.get("/v2/_berth/unknown"))
        for who, (parameters, headers, allowed) in FROM.items():
            for shown in ({}, basic("alice")):
                for method in ("GET", "DELETE"):
                    answer = worker.request(method, METRICS, {**headers, **shown}, **parameters)
                    if settings == ALLOWED and allowed:
                        assert answer.status == (200 if method == "GET" else 405), (who, answer)
                    else:
                        assert whole(answer) == unknown, (who, answer)


@pytest.mark.quick
def test_a_star_leaves_it_to_the_web_server(new_directory):
    with Worker(new_directory("metrics"), ENABLED + "access = *\n") as worker:
        for parameters, headers, _ in FROM.values():
            assert worker.request("GET", METRICS, headers, **parameters).status == 200


@pytest.mark.quick
def test_log_ins_are_counted(new_directory):
    directory = pathlib.Path(new_directory("metrics"))
    write_users(directory / "users", {"alice": "alice's password"})
    with Worker(directory, "[authentication]\nmode = htpasswd\nhtpasswd = users\n" + ENABLED, REMOTE_ADDR="127.0.0.1") as worker:
        with counting(worker) as more:
            assert worker.get("/v2/", basic("alice")).status == 200
            for number in range(12):
                assert worker.get("/v2/", basic("alice", f"wrong {number}")).status in (401, 429)
    assert more['berth_logins_total{result="ok"}'] == 1, more
    assert more['berth_logins_total{result="refused"}'] == 10, more
    assert more['berth_logins_total{result="throttled"}'] == 2, more


def try_dashboard(port):
    """Every query of the dashboard, as Grafana would send it: with an answer, of the labels that its legend and sums name."""
    def get(path, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
            return json.load(answer)["data"]
    known = set(get("label/__name__/values"))
    targets = [target for panel in json.loads((ROOT / "deploy/grafana/berth.json").read_text())["panels"] for target in panel.get("targets", [])]
    answered = 0
    for target in targets:
        text = target["expr"].replace("$__rate_interval", "1m").replace("$__range", "5m").replace("$instance", ".*")
        assert "$" not in text, text
        found = get("query", query=text)["result"]  # urlopen() raises for a query that is none
        if set(re.findall(r"\bberth_\w+", text)) <= known and not re.search(" [<>]", text):
            assert found, f"nothing comes of {text}"
            answered += 1
        labels = set(re.findall(r"{{ *(\w+) *}}", target.get("legendFormat", "")))
        for result in found:
            assert labels <= set(result["metric"]), (text, result["metric"])
    assert answered > len(targets) / 2, (answered, len(targets))


def test_a_prometheus_scrapes_it(site, new_directory):
    directory, port = pathlib.Path(new_directory("prometheus")), free_port()
    (directory / "prometheus.yml").write_text(json.dumps({"scrape_configs": [{
        "job_name": "berth", "scrape_interval": "1s", "metrics_path": METRICS, "static_configs": [{"targets": [site.server.authority]}]}]}))
    site.client.repository("me/prometheus").push_image("latest")
    assert berth(site.server.configuration, "gc").returncode == 0  # when it did is asked for

    def ask(query):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}") as answer:
            return [result["value"][1] for result in json.load(answer)["data"]["result"]]
    with open(directory / "log", "w") as log:
        running = subprocess.Popen([*TIED_TO_US, "prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                                    f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, cwd=directory)
    try:
        wait_until(lambda: ask("up") == ["1"], "a scrape that has worked")
        assert ask("count(berth_build_info)") == ["1"]
        assert float(ask("sum(berth_http_requests_total)")[0]) > 0
        assert ask("sum(berth_http_request_duration_seconds_count)") == ask('sum(berth_http_request_duration_seconds_bucket{le="%2BInf"})')
        wait_until(lambda: ask("min(count_over_time(up[5m]))") not in (None, [], ["1"], ["2"]), "several scrapes")
        try_dashboard(port)
    finally:
        running.terminate()
        running.wait()


def test_what_the_readme_says_for_addresses_is_a_configuration(new_directory):
    with Worker(new_directory("metrics"), blocks()["Metrics", 0]) as worker:
        assert worker.request("GET", METRICS, REMOTE_ADDR="10.1.1.1").status == 200
        assert worker.request("GET", METRICS, REMOTE_ADDR="192.0.2.1").status == 404


@pytest.mark.parametrize("network, status", [("127.0.0.0/8", 200), ("10.0.0.0/8", 403)])
def test_what_the_readme_says_for_nginx_lets_nginx_decide(start, network, status):
    server = start(settings=ENABLED + "access = *\n")
    assert server.client.get(METRICS, {"X-Forwarded-For": "192.0.2.1"}).status == 200
    own = server.runtime / "nginx.conf"
    text, include = own.read_text(), re.search(r"^ *include .*nginx-snippet.conf.*;$", own.read_text(), re.MULTILINE).group(0)
    socket = re.search(r'fastcgi_pass "?(unix:[^";]+)', (server.runtime / "nginx-snippet.conf").read_text()).group(1)
    location = blocks()["Metrics", 1].replace("10.0.0.0/8", network).replace("unix:/run/berth/berth.sock", socket)
    own.write_text(text.replace(include, include + "\n" + location.replace("fastcgi_params", "/etc/nginx/fastcgi_params")))
    server.reload_nginx()
    assert server.client.get(METRICS).status == status
    assert server.client.get(HEALTH).status == 200


def test_without_room_for_the_numbers_each_process_counts_and_all_else_goes_on(new_directory):
    """And when there is room again they are shared again."""
    directory = pathlib.Path(new_directory("full"))
    counters = directory / "storage/registry/_berth/counters"
    counters.mkdir(parents=True)
    with SmallMemory(counters, 1, "mode=755,size=16k") as disk:
        with Worker(directory, ENABLED, REMOTE_ADDR="127.0.0.1") as worker:
            repository = worker.repository("me/app")
            repository.push_image("latest")
            assert worker.get(repository.manifest("latest")).status == 200
            assert "each process counts for itself" in worker.log()
            for _ in range(3):
                assert counted_manifests(worker) == 1
            disk.unmount()
            wait_until(lambda: worker.get("/v2/").status == 200 and counters_of(directory), "shared numbers")
            assert worker.get(repository.manifest("latest")).status == 200


def exposed():
    """The names of all samples that there may be, as the source has them."""
    source = "".join((ROOT / f"fcgi/handle/{name}.c").read_text() for name in ("metrics", "gauges"))
    counters = re.findall(r'EXPOSED_COUNTER,\s*"(\w+)"', source)
    histograms = re.findall(r'EXPOSED_HISTOGRAM,\s*"(\w+)"', source)
    others = set(re.findall(r'"(berth_\w+)"', source)) - set(counters) - set(histograms)
    return others | {f"{name}_total" for name in counters} | {f"{name}_{end}" for name in histograms for end in ("bucket", "sum", "count")}


RULES = ROOT / "deploy/prometheus/berth-rules.yml"


def test_alerts_and_dashboard_ask_for_what_there_is():
    names = exposed()
    assert {"berth_http_requests_total", "berth_build_info", "berth_upstream_first_byte_seconds_bucket"} <= names
    board = (ROOT / "deploy/grafana/berth.json").read_text()
    for text in (RULES.read_text(), board):
        asked = set(re.findall(r"\bberth_[a-z_]+", text))
        assert asked and asked <= names, asked - names
    panels = [panel for panel in json.loads(board)["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    assert all(panel["targets"] for panel in panels)


def test_promtool_takes_the_rules_and_the_scrape_configuration():
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", RULES.parent / "berth-scrape.yml")


SERIES = """
rule_files: [%s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="berth", instance="a"}', values: '0x30'}
      - {series: 'berth_store_free_bytes{store="registry", instance="a"}', values: '5x30'}
      - {series: 'berth_store_reserve_bytes{store="registry", instance="a"}', values: '10x30'}
      - {series: 'berth_http_requests_total{status="5xx", route="blob", instance="a"}', values: '0+10x30'}
      - {series: 'berth_http_requests_total{status="2xx", route="blob", instance="a"}', values: '0+10x30'}
      - {series: 'berth_http_requests_total{status="2xx", route="blob", instance="b"}', values: '0+10x30'}
      - {series: 'berth_upstream_ratelimit_remaining{upstream="docker.io", instance="a"}', values: '5x30'}
      - {series: 'berth_upstream_ratelimit_limit{upstream="docker.io", instance="a"}', values: '100x30'}
    promql_expr_test:
      - expr: count by (alertname, instance) (ALERTS{alertstate="firing"})
        eval_time: 20m
        exp_samples:
          - {labels: '{alertname="BerthIsDown", instance="a"}', value: 1}
          - {labels: '{alertname="BerthFailsRequests", instance="a"}', value: 1}
          - {labels: '{alertname="BerthPushesAreRefusedForSpace", instance="a"}', value: 1}
          - {labels: '{alertname="BerthUpstreamBudgetIsNearlyUsedUp", instance="a"}', value: 1}
"""


def test_alerts_fire_for_what_they_are_about(new_directory):
    tests = pathlib.Path(new_directory("alerts")) / "tests.yml"
    tests.write_text(SERIES % RULES)
    promtool("test", "rules", tests)


def test_events_that_wait_are_seen(new_directory):
    hook = "[webhook ci]\nurl = http://127.0.0.1:9\nevents = push\nallow_private_address = yes\n"
    with Worker(new_directory("metrics"), ENABLED + hook, expected_faults=True, REMOTE_ADDR="127.0.0.1") as worker:
        assert scrape(worker)['berth_events_waiting{receiver="ci"}'] == 0
        worker.repository("me/app").push_image("latest")
        seen = scrape(worker)
        assert seen['berth_events_waiting{receiver="ci"}'] >= 1 and seen['berth_events_failed{receiver="ci"}'] == 0, seen
        assert 'berth_events_oldest_age_seconds{receiver="ci"}' in seen


def health(client):
    answer = client.get(HEALTH)
    assert answer["Cache-Control"] == "no-store" and answer["Content-Type"] == "application/json", answer
    return answer.status, answer.json()


WELL = {"status": "ok", "store": "ok", "space": "ok", "secrets": "ok", "cache": "ok"}


def test_a_host_that_can_serve_says_so(site):
    assert health(site.client) == (200, WELL)
    assert site.client.exists(HEALTH).status == 200


@pytest.mark.quick
def test_health_tells_what_fails_and_nothing_else(new_directory):
    directory = pathlib.Path(new_directory("health"))
    write_users(directory / "users", {"alice": "alice's password"})
    (directory / "secret").write_text("password")
    settings = ("[authentication]\nmode = htpasswd\nhtpasswd = users\n[upstream docker.io]\nusername = bob\npassword_file = secret\n"
                "[hosted]\nminimum_free_space = 0\n")
    with Worker(directory, settings, expected_faults=True) as worker:
        assert health(worker) == (200, WELL)
        (directory / "users").rename(directory / "away")
        assert health(worker) == (503, {**WELL, "status": "failing", "secrets": "failing"})
        (directory / "away").rename(directory / "users")
        (directory / "secret").unlink()
        assert health(worker) == (503, {**WELL, "status": "failing", "secrets": "failing"})
        assert worker.log().count("health: secrets: ") == 1, worker.log()
        assert str(directory) not in worker.get(HEALTH).body.decode()


@pytest.mark.quick
def test_a_store_below_its_reserve_or_that_cannot_be_opened_fails(new_directory):
    with Worker(new_directory("health"), "[hosted]\nminimum_free_space = 100000T\n") as worker:
        assert health(worker) == (503, {**WELL, "status": "failing", "space": "failing"})
    with Worker(new_directory("health"), "[hosted]\nread_only = yes\nminimum_free_space = 100000T\n") as worker:
        assert health(worker) == (200, WELL)
    directory = pathlib.Path(new_directory("health"))
    with Worker(directory, expected_faults=True) as worker:
        (directory / "storage/registry").rmdir()
        (directory / "storage/registry").write_text("no directory")
        assert health(worker) == (503, {"status": "failing"})
        (directory / "storage/registry").unlink()
        assert health(worker) == (200, WELL)

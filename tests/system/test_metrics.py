# SPDX-License-Identifier: BSD-2-Clause
"""/metrics, read by Debian's own Prometheus: it scrapes a running machine, and what its query API
then says is true. promtool, and the reference parser of OpenMetrics, find nothing wrong with the
text; the Grafana dashboard asks for metrics that there are."""

import json
import re
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api_client import Client
from machine import ROOT, Machine, free_port
from stores import make_store

pytestmark = pytest.mark.own_machine

PROMETHEUS = ROOT / "build/prometheus/prometheus"
PROMTOOL = ROOT / "build/prometheus/promtool"
DASHBOARD = ROOT / "docs/grafana.json"
VMS = 20
TOP = 3
CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: toklat
    metrics_path: /metrics
    params: {{top: ["{top}"]}}
    authorization: {{credentials_file: {folder}/token}}
    static_configs: [{{targets: ["{host}:{port}"]}}]
"""


@pytest.fixture(scope="module", name="client")
def client_fixture(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("metrics"))
    with Machine("dts/web.dts", vms=VMS, mem="256M", defines={"RESERVE": 100, "SPARE": 100},
                 store=store, api=True) as machine:
        client = Client(machine)
        client.wait_until_up()
        client.wait_until_ready("web")
        yield client


def text(client, accept="application/openmetrics-text", query=""):
    status, headers, body = client.ask("GET", f"/metrics{query}", headers={"Accept": accept})
    assert status == 200
    return headers["Content-Type"], body.decode()


def samples(client, query=""):
    """(name, labels) -> value"""
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text(client, query=query)[1])
        for s in family.samples
    }


# The text.

def test_text_is_openmetrics(client):
    kind, body = text(client)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = list(text_string_to_metric_families(body))
    assert all(f.name.startswith("toklat_") and f.documentation for f in families)
    assert {f.type for f in families} == {"gauge", "counter"}
    assert all(f.name.endswith(f"_{f.unit}") for f in families if f.unit)


@pytest.mark.parametrize("query", ["", f"?top={TOP}"])
def test_promtool_finds_nothing(client, query):
    kind, body = text(client, "text/plain", query)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=body, capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_numbers_are_those_of_the_api(client):
    found = samples(client)
    machine = client.get("/v1/machine")
    for kind in ("el2", "shared", "stubs"):
        assert found["toklat_memory_bytes", (("kind", kind),)] == machine["memory"][f"{kind}_bytes"]
    memory = sum(v for (name, _), v in found.items() if name == "toklat_memory_bytes")
    assert memory == found["toklat_ram_bytes", ()] == machine["memory"]["ram_bytes"]
    vms = {labels: v for (name, labels), v in found.items() if name == "toklat_vms"}
    assert sum(vms.values()) == machine["vms"]["total"]
    for state in ("live", "stored", "paused", "dead", "defined"):
        web = client.get("/v1/images/web")["vms"][state]
        assert vms[("image", "web"), ("state", state)] == web
    assert found["toklat_store_capacity_bytes", ()] == machine["store"]["capacity_bytes"]


def test_single_vms_only_when_asked_for(client):
    assert not [name for name, _ in samples(client) if name.startswith("toklat_vm_")]
    client.create(count=TOP)
    found = samples(client, f"?top={TOP}")
    uss = {labels: v for (name, labels), v in found.items() if name == "toklat_vm_uss_bytes"}
    largest = client.get(f"/v1/vms?sort=uss&limit={TOP}")["vms"]
    assert sorted(uss.values(), reverse=True) == [vm["uss_bytes"] for vm in largest]
    assert {dict(labels)["vm"] for labels in uss} == {vm["name"] for vm in largest}
    for top in ("101", "-1", "x", ""):
        assert client.ask("GET", f"/metrics?top={top}")[0] == 400


# Prometheus.

class Prometheus:
    """A Prometheus that scrapes one machine, from `with` to its end."""

    def __init__(self, client, folder):
        self.client = client
        self.port = free_port()
        (folder / "token").write_text(client.token)
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(
            top=TOP, folder=folder, host=client.host, port=client.port))
        self._log = open(folder / "log", "w+", encoding="utf-8")
        self._command = [
            PROMETHEUS, f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)
        self.wait_for(lambda: self.query("up") and self.query("up")[0][1] == 1, "a scrape")
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)
        self._log.close()

    def wait_for(self, condition, what):
        def look():
            assert self._process.poll() is None, self._said()
            try:
                return condition()
            except urllib.error.URLError:  # it starts
                return None
        try:
            return self.client.machine.wait_until(look, 30, what)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self._said()}") from late

    def _said(self):
        self._log.seek(0)
        return self._log.read()[-3000:]

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}",
                                    timeout=60) as answer:
            result = json.load(answer)
        assert result["status"] == "success" and result["data"]["resultType"] == "vector"
        return [(r["metric"], float(r["value"][1])) for r in result["data"]["result"]]


@pytest.fixture(scope="module", name="prometheus")
def prometheus_fixture(client, tmp_path_factory):
    with Prometheus(client, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


def test_prometheus_says_what_is_true(client, prometheus):
    [(_, ram)] = prometheus.query("toklat_ram_bytes")
    assert ram == client.get("/v1/machine")["memory"]["ram_bytes"]
    [(_, whole)] = prometheus.query("sum(toklat_memory_bytes)")
    assert whole == ram
    expected = client.get("/v1/images/web")["vms"]
    prometheus.wait_for(
        lambda: {labels["state"]: v for labels, v in prometheus.query('toklat_vms{image="web"}')}
        == expected, "the VMs of web")


def test_prometheus_sees_changes(client, prometheus):
    [(_, before)] = prometheus.query('toklat_vms_started_total{image="web"}')
    client.create(count=5)
    prometheus.wait_for(
        lambda: prometheus.query('toklat_vms_started_total{image="web"}')[0][1] == before + 5,
        "five VMs more")
    prometheus.wait_for(lambda: prometheus.query("rate(toklat_api_requests_total[10s]) > 0.5"),
                        "a rate of requests")


def test_prometheus_knows_types_and_units(prometheus):
    url = f"http://127.0.0.1:{prometheus.port}/api/v1/metadata"
    with urllib.request.urlopen(url, timeout=60) as answer:
        metadata = json.load(answer)["data"]
    assert metadata["toklat_memory_bytes"][0]["type"] == "gauge"
    assert metadata["toklat_memory_bytes"][0]["unit"] == "bytes"
    assert metadata["toklat_cpu_idle_seconds"][0]["type"] == "counter"


# The dashboard.

def expressions():
    """(panel's title, query) of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [(panel["title"], target["expr"])
            for panel in dashboard["panels"] for target in panel.get("targets", [])]


def test_dashboard_asks_for_metrics_that_there_are(client):
    there = {name for name, _ in samples(client, f"?top={TOP}")}
    asked = {name for _, query in expressions() for name in re.findall(r"toklat_\w+", query)}
    assert asked - there == set()
    assert there - asked == set(), "not on the dashboard"


def test_dashboard_gets_answers(prometheus):
    for title, query in expressions():
        query = query.replace("$__rate_interval", "30s").replace("$instance", ".*")
        prometheus.wait_for(lambda q=query: prometheus.query(q), f"{title}: {query}")


def test_dashboard_is_one():
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [(x, y) for panel in dashboard["panels"] for p in [panel["gridPos"]]
             for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24

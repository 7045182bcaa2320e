"""The files that deploy and show Tachograph: compose, Prometheus, Grafana. Nothing is started, they are only read.

The dashboard rules are those of Grafana's dashboard-linter, and two of our own: every metric a dashboard asks for is
declared in MetricCatalog.swift, and every expression is accepted by promtool.
"""

import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
GRAFANA = ROOT / "Grafana"
CATALOG = ROOT / "Sources" / "Telemetry" / "Metrics" / "MetricCatalog.swift"

SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
DECLARATION = re.compile(r'"([a-z][a-z0-9_]*)",\s*\.(counter|gauge|histogram)\b')
QUERIED_PANELS = {"stat", "timeseries", "heatmap", "gauge", "table", "bargauge", "piechart"}


def load_yaml(path: Path):
    yaml = pytest.importorskip("ruamel.yaml")
    return yaml.YAML(typ="safe", pure=True).load(path.read_text())


def run_promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


# Compose


def test_compose_file_follows_the_specification():
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_compose_services_are_pinned_bounded_watched_and_private():
    services = load_yaml(COMPOSE)["services"]
    assert set(services) == {"redis", "nats", "faults", "sidecar", "checkout", "payments", "shipping", "jaeger",
                             "prometheus", "grafana"}
    for name, service in services.items():
        if service["image"] != "tachograph:local":
            assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), f"{name}: no exact version in {service['image']}"
        assert "healthcheck" in service, f"{name} has no health check"
        assert "mem_limit" in service, f"{name} has no memory limit"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port} beyond loopback"


def test_compose_has_a_profile_for_each_broker_and_less_than_two_gigabytes():
    services = load_yaml(COMPOSE)["services"]
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == {
        "redis": ["redis"], "nats": ["nats"]}
    for broker in ["redis", "nats"]:
        used = [service for name, service in services.items() if service.get("profiles", [broker]) == [broker]]
        assert sum(int(service["mem_limit"].removesuffix("m")) for service in used) <= 2200


def test_compose_mounts_exist():
    for service in load_yaml(COMPOSE)["services"].values():
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).exists(), volume


# Prometheus and Grafana provisioning


def test_prometheus_configuration_is_valid():
    run_promtool("check", "config", str(GRAFANA / "prometheus.yml"))


def test_prometheus_scrapes_the_sidecar_where_compose_puts_it():
    sidecar = load_yaml(COMPOSE)["services"]["sidecar"]
    listen = sidecar["command"][sidecar["command"].index("--http") + 1]
    targets = [
        target
        for job in load_yaml(GRAFANA / "prometheus.yml")["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    assert f"sidecar:{listen.rsplit(':', 1)[1]}" in targets


def test_data_sources_have_fixed_uids_and_link_exemplars_to_jaeger():
    path = GRAFANA / "provisioning" / "datasources" / "tachograph.yml"
    sources = {source["uid"]: source for source in load_yaml(path)["datasources"]}
    assert set(sources) == {"prometheus", "jaeger"}
    destinations = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert {"name": "trace_id", "datasourceUid": "jaeger"}.items() <= destinations[0].items()
    # Grafana expands single dollar signs in this file from the environment.
    values = "".join(line.split(" #")[0] for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"(?<!\$)\$(?!\$)", values)


def test_scrape_interval_is_the_one_the_data_source_assumes():
    path = GRAFANA / "provisioning" / "datasources" / "tachograph.yml"
    assumed = load_yaml(path)["datasources"][0]["jsonData"]["timeInterval"]
    assert load_yaml(GRAFANA / "prometheus.yml")["global"]["scrape_interval"] == assumed


def test_dashboards_are_mounted_where_grafana_looks_for_them():
    provider = load_yaml(GRAFANA / "provisioning" / "dashboards" / "tachograph.yml")["providers"][0]
    grafana = load_yaml(COMPOSE)["services"]["grafana"]
    path = provider["options"]["path"]
    assert f"./Grafana/dashboards:{path}:ro" in grafana["volumes"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == path
    assert (GRAFANA / "dashboards" / home.name).exists()


# Dashboards

dashboards = sorted((GRAFANA / "dashboards").glob("*.json"))


@pytest.fixture(params=dashboards, ids=lambda path: path.stem)
def dashboard(request):
    return json.loads(request.param.read_text())


def queried_panels(dashboard: dict) -> list[dict]:
    panels = [panel for outer in dashboard["panels"] for panel in (outer, *outer.get("panels", []))]
    unknown = {panel["type"] for panel in panels} - QUERIED_PANELS - {"row", "text"}
    assert not unknown, f"panel types without a rule in this file: {unknown}"
    return [panel for panel in panels if panel["type"] in QUERIED_PANELS]


def expressions(dashboard: dict) -> list[str]:
    return [target["expr"] for panel in queried_panels(dashboard) for target in panel["targets"]]


def test_dashboards_are_those_that_their_source_declares():
    result = subprocess.run(
        [sys.executable, str(GRAFANA / "generate.py"), "--check"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_every_dashboard_has_its_own_uid():
    assert dashboards
    uids = [json.loads(path.read_text())["uid"] for path in dashboards]
    assert len(set(uids)) == len(uids)


def test_dashboard_settings(dashboard):
    assert dashboard["uid"].startswith("tachograph-")
    assert 39 <= dashboard["schemaVersion"] <= 42
    assert dashboard["editable"] is False
    assert dashboard["graphTooltip"] == 1
    assert dashboard["time"]["from"] in {"now-15m", "now-30m"}
    assert dashboard["refresh"] in {"10s", "30s"}
    assert "tachograph" in dashboard["tags"]
    assert dashboard["links"]


def test_dashboard_variables(dashboard):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    sources = [variable for variable in variables.values() if variable["type"] == "datasource"]
    assert [(source["name"], source["label"], source["query"]) for source in sources] == [
        ("datasource", "Data source", "prometheus")
    ]
    for name in ("job", "instance"):
        assert variables[name]["multi"] and variables[name]["allValue"] == ".+"
    for variable in variables.values():
        if variable["type"] == "query":
            assert variable["datasource"]["uid"] == "${datasource}", variable["name"]
            assert variable["refresh"] == 2, variable["name"]


def test_panels_are_complete(dashboard):
    panels = queried_panels(dashboard)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        title = panel["title"]
        assert title and panel["description"], title
        assert panel["datasource"]["uid"] == "${datasource}", title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["targets"], title
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"]), title


def test_panels_do_not_overlap(dashboard):
    taken = {}
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24, panel["title"]
        columns, rows = range(grid["x"], grid["x"] + grid["w"]), range(grid["y"], grid["y"] + grid["h"])
        for cell in itertools.product(columns, rows):
            assert cell not in taken, f"{panel['title']} lies over {taken[cell]}"
            taken[cell] = panel["title"]


def test_latency_panels_show_exemplars(dashboard):
    latency = re.compile(r"(tacho_queue|messaging_\w+)_seconds_bucket")
    for panel in queried_panels(dashboard):
        for target in panel["targets"]:
            if panel["type"] in {"timeseries", "heatmap"} and latency.search(target["expr"]):
                assert target.get("exemplar") is True, panel["title"]


def test_expressions_select_job_and_instance(dashboard):
    for expression in expressions(dashboard):
        selectors = SELECTOR.findall(expression)
        assert selectors, expression
        for _, matchers in selectors:
            assert 'job=~"$job"' in matchers and 'instance=~"$instance"' in matchers, expression


def test_ranges_are_rate_intervals_and_counters_are_rated(dashboard):
    for expression in expressions(dashboard):
        assert set(re.findall(r"\[([^\]]+)\]", expression)) <= {"$__rate_interval"}, expression
        for metric, _ in SELECTOR.findall(expression):
            if metric.endswith(("_total", "_bucket", "_count", "_sum")):
                for use in re.finditer(rf"\b{metric}\{{", expression):
                    before = expression[: use.start()]
                    assert re.search(r"\b(rate|irate|increase)\($", before), expression


def test_metrics_are_declared_in_the_catalog(dashboard):
    declared = dict(DECLARATION.findall(CATALOG.read_text()))
    assert declared, f"{CATALOG.name} declares no metric that this test recognises"
    queries = expressions(dashboard)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            queries.append(re.sub(r"label_values\((\w+),", r"label_values(\1{},", variable["definition"]))
    for metric, _ in (found for query in queries for found in SELECTOR.findall(query)):
        family = re.sub(r"_(bucket|count|sum)$", "", metric)
        if metric in declared:
            assert declared[metric] != "histogram", f"{metric} is a histogram and has no samples of its own"
        else:
            assert declared.get(family) == "histogram", f"no such metric: {metric}"


def test_expressions_are_valid_promql(dashboard, tmp_path):
    rules = [
        {"record": f"panel:expression:{index}", "expr": expression.replace("$__rate_interval", "1m")}
        for index, expression in enumerate(expressions(dashboard))
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    run_promtool("check", "rules", "--lint=none", str(path))


# Documents


def test_every_failure_in_the_operations_guide_names_a_test_that_exists():
    rows = (ROOT / "docs" / "operations.md").read_text().split("## When something dies")[1].splitlines()
    rows = [row for row in rows if row.startswith("| ") and not row.startswith(("| what dies", "| ---"))]
    assert len(rows) > 20
    for row in rows:
        found = re.search(r"`(test_\w+\.py)::(test_\w+)` \|$", row)
        assert found, f"no test is named: {row}"
        text = (ROOT / "Tests" / "EndToEnd" / found[1]).read_text()
        assert re.search(rf"^(async )?def {found[2]}\(", text, re.MULTILINE), f"no such test: {found[0]}"

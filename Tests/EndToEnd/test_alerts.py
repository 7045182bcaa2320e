"""The alert rules: promtool's lint, a firing and a silent case for each, and a section of the runbook."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "Grafana" / "alerts" / "tachograph.rules.yml"
CASES = ROOT / "Grafana" / "alerts" / "tachograph.test.yml"
CATALOG = ROOT / "Sources" / "Telemetry" / "Metrics" / "MetricCatalog.swift"
METRIC = re.compile(r"\b((?:tacho|messaging|db|process)_[a-z_]+?)(?:_bucket|_count|_sum)?\{")


def promtool(*arguments):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)


def rules():
    yaml = pytest.importorskip("ruamel.yaml")
    [group] = yaml.YAML(typ="safe", pure=True).load(RULES.read_text())["groups"]
    return group["rules"]


def test_rules_pass_the_lint():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_fire_when_they_must_and_stay_silent_when_they_must():
    done = promtool("test", "rules", str(CASES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_and_tells_what_to_do():
    cases, runbook = CASES.read_text(), (ROOT / "docs" / "runbook.md").read_text()
    dashboards = "".join(path.read_text() for path in (ROOT / "Grafana" / "dashboards").glob("*.json"))
    for rule in rules():
        name, notes = rule["alert"], rule["annotations"]
        assert f'alertname="{name}"' in cases, f"{name} has no case in {CASES.name}"
        assert f"\n## {name}\n" in runbook, f"{name} has no section in the runbook"
        assert notes["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert notes["summary"] and notes["description"]
        assert f'"uid": "{notes["dashboard"]}"' in dashboards, f"{name}: no dashboard {notes['dashboard']}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_alerts_ask_for_metrics_that_exist():
    declared = set(re.findall(r'"([a-z][a-z0-9_]*)",\s*\.(?:counter|gauge|histogram)\b', CATALOG.read_text()))
    asked = {metric for rule in rules() for metric in METRIC.findall(rule["expr"])}
    assert asked and asked <= declared, asked - declared

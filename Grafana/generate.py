#!/usr/bin/env python3
"""Writes the dashboards in Grafana/dashboards from what boards.py declares.

    Grafana/generate.py           writes the files
    Grafana/generate.py --check   writes nothing; exit 1 when a file is not what would be written now

A dashboard as Grafana wants it is mostly repetition: positions, data sources, options of each panel type. Here that is
said once, so that boards.py holds only what a panel asks and what it means.
"""

import json
import sys
from pathlib import Path

from boards import BOARDS, SELECTORS

TARGET = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHTS = 24, {"row": 1, "stat": 4}
GREEN, ORANGE, RED = "green", "orange", "red"


def expand(expression: str) -> str:
    """`metric{}` becomes `metric{job=...,instance=...}`; `$d` inside braces also selects the destination."""
    for mark, selector in SELECTORS.items():
        expression = expression.replace("{" + mark + "}", "{" + selector + "}")
        expression = expression.replace("{" + mark + ",", "{" + selector + ",")
    return expression


def variable(name: str, label: str, definition: str, every: str) -> dict:
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE,
        "query": {"query": definition, "refId": name}, "definition": definition, "refresh": 2, "sort": 1,
        "multi": True, "includeAll": True, "allValue": every,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def variables(board: dict) -> list:
    made = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
         "current": {}, "hide": 0},
        variable("job", "Job", "label_values(tacho_build_info, job)", ".+"),
        variable("instance", "Instance", 'label_values(tacho_build_info{job=~"$job"}, instance)', ".+"),
    ]
    for name, label, definition in board.get("variables", []):
        made.append(variable(name, label, expand(definition), ".*"))
    return made


def target(number: int, query: tuple, panel: dict) -> dict:
    expression, legend = query
    made = {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expand(expression), "legendFormat": legend,
            "range": panel["type"] != "table"}
    if "_seconds_bucket" in expression and panel["type"] in ("timeseries", "heatmap"):
        made["exemplar"] = True
    if panel["type"] == "heatmap":
        made["format"] = "heatmap"
    if panel["type"] == "table":
        made |= {"instant": True, "format": "table"}
    return made


def thresholds(panel: dict) -> dict:
    steps = [{"color": GREEN, "value": None}]
    for colour, value in zip((ORANGE, RED) if len(panel.get("limits", ())) == 2 else (RED,), panel.get("limits", ())):
        steps.append({"color": colour, "value": value})
    return {"mode": "absolute", "steps": steps}


def fields(panel: dict) -> dict:
    defaults = {"unit": panel["unit"]}
    if panel["type"] == "stat":
        defaults |= {"min": 0, "noValue": "none", "thresholds": thresholds(panel), "color": {"mode": "thresholds"}}
    if panel["type"] in ("timeseries", "statetimeline"):
        defaults |= {"custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never",
                                "spanNulls": False}}
        if panel.get("zero", True):
            defaults["min"] = 0
    if panel.get("steps"):
        defaults["custom"] |= {"lineInterpolation": "stepAfter", "fillOpacity": 0}
    if panel.get("words"):
        defaults["mappings"] = [{"type": "value", "options": {
            str(value): {"text": text, "color": colour, "index": value} for value, text, colour in panel["words"]}}]
    return {"defaults": defaults, "overrides": []}


def options(panel: dict) -> dict:
    match panel["type"]:
        case "stat":
            return {"colorMode": "value", "graphMode": "none" if panel.get("words") else "area", "textMode": "value",
                    "justifyMode": "center",
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        case "timeseries":
            return {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max", "lastNotNull"],
                               "showLegend": True},
                    "tooltip": {"mode": "multi", "sort": "desc"}}
        case "heatmap":
            return {"calculate": False, "cellGap": 1,
                    "color": {"mode": "scheme", "scheme": "Turbo", "scale": "exponential", "exponent": 0.5,
                              "steps": 64},
                    "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
                    "legend": {"show": True}, "tooltip": {"mode": "single", "yHistogram": True},
                    "yAxis": {"axisPlacement": "left", "unit": panel["unit"]}}
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}


def drawn(panel: dict, number: int, place: dict) -> dict:
    made = {"id": number, "type": panel["type"], "title": panel["title"], "gridPos": place}
    if panel["type"] == "row":
        return made | {"collapsed": False, "panels": []}
    made |= {"description": panel["text"], "datasource": SOURCE, "fieldConfig": fields(panel),
             "options": options(panel),
             "targets": [target(position, query, panel) for position, query in enumerate(panel["queries"])]}
    if panel["type"] == "table":
        made["transformations"] = [
            {"id": "organize", "options": {"excludeByName": {"Time": True, "job": True, "instance": True}}}]
    return made


def panels(board: dict) -> list:
    """From left to right, a row of the dashboard below the other."""
    made, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(board["panels"], 1):
        width = WIDTH if panel["type"] == "row" else panel.get("width", 4 if panel["type"] == "stat" else 8)
        if x + width > WIDTH or panel["type"] == "row":
            x, y, height = 0, y + height, 0
        own = HEIGHTS.get(panel["type"], 8)
        made.append(drawn(panel, number, {"h": own, "w": width, "x": x, "y": y}))
        x, height = x + width, max(height, own)
    return made


def annotations(board: dict) -> dict:
    return {"list": [
        {"name": name, "datasource": SOURCE, "enable": True, "iconColor": colour, "expr": expand(expression),
         "titleFormat": title, "textFormat": text, "step": "15s"}
        for name, colour, expression, title, text in board.get("annotations", [])]}


def document(board: dict) -> str:
    dashboard = {
        "uid": board["uid"], "title": board["title"], "description": board["text"], "tags": ["tachograph"],
        "schemaVersion": 41, "version": 1, "editable": False, "graphTooltip": 1, "refresh": "10s",
        "time": {"from": "now-15m", "to": "now"}, "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Tachograph", "tags": ["tachograph"], "asDropdown": True,
             "includeVars": True, "keepTime": True, "targetBlank": False},
            {"type": "link", "title": "Jaeger", "url": "http://localhost:16686", "icon": "external link",
             "targetBlank": True, "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False},
        ],
        "templating": {"list": variables(board)}, "annotations": annotations(board), "panels": panels(board),
    }
    return json.dumps(dashboard, indent=2) + "\n"


def main() -> int:
    wanted = {f"{board['file']}.json": document(board) for board in BOARDS}
    present = {path.name: path.read_text() for path in TARGET.glob("*.json")}
    if sys.argv[1:] == ["--check"]:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        if stale:
            print(f"generate.py: not up to date: {', '.join(stale)}; run Grafana/generate.py", file=sys.stderr)
        return 1 if stale else 0
    if sys.argv[1:]:
        print("usage: Grafana/generate.py [--check]", file=sys.stderr)
        return 2
    for name in present.keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A trace as a picture: `tacho trace ID -o svg`, and the same view as a page in a real browser."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import xml.etree.ElementTree

import pytest

from harness import wait_for
from harness.tacho import binary

GROUP, STREAM, NEXT = "billing", "orders", "payments"


def ask(tacho, *arguments):
    return subprocess.run(
        [binary(), *arguments, "--http", str(tacho.http)], capture_output=True, text=True, timeout=60,
        env={key: text for key, text in os.environ.items() if not key.startswith("TACHO_")})


@pytest.fixture
def tacho(world, redis_server):
    return world.tacho(redis_server)


@pytest.fixture
def trace_id(tacho):
    """One message, delivered, the cause of a second that the broker refuses, acknowledged."""
    client = tacho.client()
    client.xgroup_create(STREAM, GROUP, mkstream=True)
    client.xadd(NEXT, {"sum": "1"}, id="9-9")
    client.xadd(STREAM, {"item": "<script>alert(1)</script>"})
    [[_, [[message_id, _]]]] = client.xreadgroup(GROUP, "worker-1", {STREAM: ">"})
    with pytest.raises(Exception):
        client.xadd(NEXT, {"sum": "2"}, id="1-1")
    client.xack(STREAM, GROUP, message_id)

    def longest():
        traces = json.loads(ask(tacho, "trace", "-o", "json").stdout)["traces"]
        return next((trace["trace_id"] for trace in traces if trace["spans"] >= 5), None)

    return wait_for(longest, what="the trace")


def page(tacho, path):
    with urllib.request.urlopen(f"http://{tacho.http}{path}", timeout=60) as answer:
        return answer.headers, answer.read().decode()


def test_the_picture_is_xml_and_shows_every_span(tacho, trace_id):
    result = ask(tacho, "trace", trace_id, "-o", "svg")
    assert result.returncode == 0, result.stderr
    root = xml.etree.ElementTree.fromstring(result.stdout)
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("class", "").startswith("name")]
    assert names[0] == f"xadd {STREAM}"
    assert set(names) == {f"xadd {STREAM}", f"xreadgroup {STREAM}", f"process {STREAM}", f"xadd {NEXT}", f"xack {STREAM}"}
    assert any(rectangle.get("class") == "fault" for rectangle in root.iter("{http://www.w3.org/2000/svg}rect"))
    assert "http://" not in result.stdout.replace("http://www.w3.org/2000/svg", ""), "nothing comes from outside"


def test_the_page_asks_for_nothing_else(tacho, trace_id):
    headers, text = page(tacho, f"/traces/{trace_id}")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    for forbidden in ("<script", "<link", "<img", "@import", "url(http"):
        assert forbidden not in text
    assert text == ask(tacho, "trace", trace_id, "-o", "html").stdout
    assert f'<a href="/traces/{trace_id}">' in page(tacho, "/traces")[1]


def test_the_page_in_a_browser(tacho, trace_id, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,900"]
    address = f"http://{tacho.http}/traces/{trace_id}"
    shot = tmp_path / "trace.png"
    subprocess.run([*command, f"--screenshot={shot}", address], check=True, capture_output=True, timeout=120)
    assert shot.read_bytes().startswith(b"\x89PNG") and shot.stat().st_size > 20_000
    seen = subprocess.run([*command, "--dump-dom", address], check=True, capture_output=True, text=True, timeout=120)
    assert f"process {STREAM}" in seen.stdout and "parent inferred" in seen.stdout


def test_what_cannot_be_drawn(tacho):
    result = ask(tacho, "trace", "-o", "svg")
    assert result.returncode == 2 and "give its id" in result.stderr
    with pytest.raises(urllib.error.HTTPError) as unknown:
        page(tacho, f"/traces/{'ab' * 16}")
    assert unknown.value.code == 404
    unknown.value.close()
    with pytest.raises(urllib.error.HTTPError) as wrong:
        page(tacho, "/traces/xyz")
    assert wrong.value.code == 400
    wrong.value.close()

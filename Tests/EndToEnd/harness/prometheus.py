"""A real Prometheus on loopback that scrapes what a test started."""

import json
import signal
import subprocess
import urllib.parse
import urllib.request

from .net import PATIENCE, Address, free_port, wait_for
from .process import end


class Prometheus:
    """`targets` are addresses; all are scraped as the job `tachograph`, once a second."""

    def __init__(self, scratch, targets, rules=()):
        self.scratch = scratch
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.address = Address(port=free_port())
        self.config = self.scratch / "prometheus.yml"
        self.config.write_text(json.dumps({  # JSON is YAML
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "tachograph",
                                "static_configs": [{"targets": [str(target) for target in targets]}]}]}))
        self.process = None

    def start(self):
        with open(self.scratch / "prometheus.log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.config}", f"--web.listen-address={self.address}",
                 f"--storage.tsdb.path={self.scratch / 'tsdb'}", "--enable-feature=exemplar-storage"],
                stdout=log, stderr=log)
        wait_for(lambda: self.ask("query", query="up") is not None, what="prometheus to answer")
        return self

    def stop(self):
        end(self.process, signal.SIGTERM, timeout=15)

    close = stop

    def ask(self, path, **query):
        """The data of an answer; None while there is none."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                return json.load(response)["data"]
        except OSError:
            return None

    def query(self, expression):
        """The samples of an instant query; empty when there is nothing."""
        data = self.ask("query", query=expression)
        return data["result"] if data else []

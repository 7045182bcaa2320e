"""One scrape, parsed by the official client library and open to questions."""

import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from .net import PATIENCE

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The samples of one scrape. Names are those of the text: counters end in `_total`."""

    def __init__(self, text, content_type):
        self.text = text
        self.content_type = content_type
        parser = parse_openmetrics if "openmetrics" in content_type else parse_text
        self.families = list(parser(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    @classmethod
    def scrape(cls, url, accept=""):
        request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return cls(response.read().decode(), response.headers["Content-Type"])

    def named(self, name, **labels):
        return [sample for sample in self.samples
                if sample.name == name and all(sample.labels.get(key) == text for key, text in labels.items())]

    def sum(self, name, **labels):
        """The sum over all series with these labels; 0 when there is none."""
        return sum(sample.value for sample in self.named(name, **labels))

    def has(self, name):
        return any(sample.name == name for sample in self.samples)

    def exemplars(self):
        return [sample.exemplar for sample in self.samples if sample.exemplar]

    def ledger(self):
        """The account of spans: (sampled, exported, dropped, queued, in flight)."""
        return (self.sum("tacho_spans_sampled_total"), self.sum("tacho_spans_exported_total"),
                self.sum("tacho_spans_dropped_total"), self.sum("tacho_spans_queued"),
                self.sum("tacho_spans_in_flight"))

    def assert_ledger_closes(self):
        sampled, exported, dropped, queued, in_flight = self.ledger()
        assert sampled == exported + dropped + queued + in_flight, (
            f"sampled {sampled} is not exported {exported} + dropped {dropped} + queued {queued} "
            f"+ in flight {in_flight}")
        started = self.sum("tacho_spans_started_total")
        assert started >= sampled, f"started {started} is less than sampled {sampled}"

# SPDX-License-Identifier: Apache-2.0
"""Metrics as a monitoring system reads them, with the parsers of its own library."""
import urllib.error
import urllib.request

from net import until
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as open_parser

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def get(port, path, **fields):
    """(status, content type, text)"""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=fields)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers["Content-Type"], answer.read().decode()


def names_of(families):
    return {sample.name for family in families for sample in family.samples}


def both(port):
    """The families of the text format, once the other one says the same names: a process that has just
    told its figures for the first time may do so between the two questions."""
    status, kind, text = get(port, "/metrics")
    assert status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_parser.text_string_to_metric_families(text))
    status, kind, text = get(port, "/metrics", Accept=OPENMETRICS)
    assert status == 200 and kind.startswith("application/openmetrics-text; version=1.0.0")
    strict = list(open_parser.text_string_to_metric_families(text))
    return families if names_of(families) == names_of(strict) else None


def scrape(port):
    """{(name, frozenset of labels): value}, from both formats, which must say the same names."""
    families = until(lambda: both(port))
    found = {}
    for family in families:
        assert family.documentation and family.type != "unknown", family.name
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(samples, metric, **labels):
    wanted = set(labels.items())
    found = [v for (name, have), v in samples.items() if name == metric and wanted <= have]
    assert len(found) <= 1, (metric, labels, found)
    return found[0] if found else None


def total(samples, metric, **labels):
    wanted = set(labels.items())
    return sum(v for (name, have), v in samples.items() if name == metric and wanted <= have)


def counters(samples):
    return {key: v for key, v in samples.items()
            if key[0].endswith(("_total", "_count", "_sum"))}

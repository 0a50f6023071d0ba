"""Reads the two forms of one /metrics page with the reference client's parsers and tells what it found, as JSON.

usage: oracle.py OPENMETRICS-FILE TEXT-FILE

Fails if either page breaks its format, or if the two differ in a name, a type, a help text, a label or a value.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

# What the client's own `generate_latest` calls each type of OpenMetrics in the text format, and what it appends to the
# family's name.
CLASSIC = {
    "counter": ("counter", "_total"),
    "info": ("gauge", "_info"),
    "stateset": ("gauge", ""),
    "gaugehistogram": ("histogram", ""),
    "unknown": ("unknown", ""),
}


def read(path):
    with open(path, encoding="utf-8") as page:
        return page.read()


def labels(sample):
    # OpenMetrics has `le="1.0"` where the text format has `le="1"`.
    return sorted((name, repr(float(value)) if name == "le" else value) for name, value in sample.labels.items())


def samples(families):
    return sorted((sample.name, labels(sample), sample.value) for family in families for sample in family.samples)


open_metrics = list(parse_open_metrics(read(sys.argv[1])))
text = list(parse_text(read(sys.argv[2])))

for family in open_metrics:
    if not family.documentation:
        sys.exit(f"{family.name}: no help")

# The text parser takes `_total` off a counter's name, so names are compared with it put back.
described = {
    family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation) for family in text
}
expected = {}
for family in open_metrics:
    kind, suffix = CLASSIC.get(family.type, (family.type, ""))
    expected[family.name + suffix] = (kind, family.documentation)
if described != expected:
    sys.exit(f"the pages describe different families: {sorted(set(described.items()) ^ set(expected.items()))}")

if samples(open_metrics) != samples(text):
    sys.exit("the pages hold different samples")

json.dump(
    [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "samples": [
                {"name": sample.name, "labels": sample.labels, "value": repr(sample.value)} for sample in family.samples
            ],
        }
        for family in open_metrics
    ],
    sys.stdout,
)

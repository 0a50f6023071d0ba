"""Decodes an ExportMetricsServiceRequest with the messages that OpenTelemetry publishes for Python, and prints it as JSON.

usage: oracle.py FILE
"""

import json
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def point(value):
    found = {
        "attributes": attributes(value.attributes),
        "start": str(value.start_time_unix_nano),
        "time": str(value.time_unix_nano),
    }
    if hasattr(value, "bucket_counts"):
        found["count"] = value.count
        found["sum"] = value.sum
        found["bounds"] = list(value.explicit_bounds)
        found["counts"] = list(value.bucket_counts)
        found["min"] = value.min if value.HasField("min") else None
        found["max"] = value.max if value.HasField("max") else None
    else:
        found["value"] = getattr(value, value.WhichOneof("value"))
    return found


with open(sys.argv[1], "rb") as file:
    request = ExportMetricsServiceRequest.FromString(file.read())

[resource] = request.resource_metrics
[scope] = resource.scope_metrics
found = []
for metric in scope.metrics:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    temporality = getattr(data, "aggregation_temporality", None)
    found.append(
        {
            "name": metric.name,
            "description": metric.description,
            "unit": metric.unit,
            "kind": kind,
            "temporality": temporality and AggregationTemporality.Name(temporality),
            "monotonic": getattr(data, "is_monotonic", None),
            "points": [point(value) for value in data.data_points],
        }
    )
json.dump({"resource": attributes(resource.resource.attributes), "scope": scope.scope.name, "metrics": found}, sys.stdout)

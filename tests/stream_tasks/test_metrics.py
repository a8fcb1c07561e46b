"""The metrics of checks reach a collector of OpenTelemetry as docs/use/monitoring.md sets it up."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

PROJECT = Path(__file__).parents[2]
GUIDE = PROJECT / "docs" / "use" / "monitoring.md"
# A task that counts one check, and sends its metrics at its end.
TASK = """
from datetime import UTC, datetime
from opentelemetry.metrics import get_meter_provider
from stream_tasks import metrics
from streamflow.records import Result
now = datetime.now(UTC)
metrics.checked(Result(stream_id=1, account_id=7, checked_at=now, verdict="dead", reason="no_data", elapsed_s=2))
get_meter_provider().force_flush()
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportMetricsServiceRequest]]]:
    """A collector for OTLP over HTTP: its address, and what it received."""
    received: list[ExportMetricsServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200 if self.path == "/v1/metrics" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


def test_a_check_is_counted_at_the_collector(
    collector: tuple[str, list[ExportMetricsServiceRequest]], tmp_path: Path
) -> None:
    address, received = collector
    section = GUIDE.read_text().partition("## OpenTelemetry")[2]
    variables = dict(re.findall(r"^([A-Z_]+)=(.*)$", section, re.MULTILINE))
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    env = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "include"), str(PROJECT / "plugins")]),
        **variables,
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
    }
    done = subprocess.run([sys.executable, "-c", TASK], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metrics = [
        metric
        for request in received
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    # The values are cumulative, and the process sends them once more at its end.
    *_, count = (metric for metric in metrics if metric.name == "airflow.streamflow.checks.dead")
    (point,) = count.sum.data_points
    assert point.as_int == 1 or point.as_double == 1
    tags = {tag.key: tag.value.string_value for tag in point.attributes}
    assert tags == {"account_id": "7", "reason": "no_data"}
    assert "airflow.streamflow.probe" in {metric.name for metric in metrics}

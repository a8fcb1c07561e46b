"""The probe: one connection to a stream, and everything that it shows. Knows no Redis, no Airflow and no UDI."""

from streamflow.probing.judgement.report import report
from streamflow.probing.probe import probe
from streamflow.probing.target import ProbeOutcome, ProbeTarget, Progress

__all__ = ["ProbeOutcome", "ProbeTarget", "Progress", "probe", "report"]

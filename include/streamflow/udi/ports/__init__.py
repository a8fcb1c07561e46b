"""The interfaces of the UDI: a store holds a library, results, runs and live progress.

Every method raises :class:`~streamflow.errors.UdiUnavailable` when the store cannot be reached. Look-ups use an index
and never scan all records.
"""

from streamflow.udi.ports.library import Library
from streamflow.udi.ports.progress import Progress
from streamflow.udi.ports.results import Results
from streamflow.udi.ports.runs import Runs
from streamflow.udi.ports.store import RefreshReport, Store

__all__ = ["Library", "Progress", "RefreshReport", "Results", "Runs", "Store"]

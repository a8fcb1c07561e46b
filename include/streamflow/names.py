"""Names that several packages share: DAGs, tasks, pools and assets as Airflow knows them."""

from typing import Final

CHECK_DAG: Final = "check_streams"
REFRESH_DAG: Final = "refresh_udi"
MAINTENANCE_DAG: Final = "maintenance"
REMOVAL_DAG: Final = "approve_removals"
EVENTS_DAG: Final = "check_before_events"
MATCH_DAG: Final = "match_streams"
DAGS: Final = (CHECK_DAG, REFRESH_DAG, MAINTENANCE_DAG, EVENTS_DAG, REMOVAL_DAG, MATCH_DAG)

# The id of a run that a schedule started begins with this, and with it the ids of the whole chain.
SCHEDULED_RUN: Final = "schedule__"
EVENT_RUN: Final = "event__"

PLAN_TASK: Final = "plan"
CHECK_TASK: Final = "check_stream"
SEQUENTIAL_CHECK_TASK: Final = "check_stream_sequential"
SUMMARY_TASK: Final = "summary"

CHECK_POOL: Final = "stream_checks"
SEQUENTIAL_POOL: Final = "stream_checks_sequential"
POOL_DESCRIPTIONS: Final = {
    CHECK_POOL: "Concurrent stream checks, over all accounts",
    SEQUENTIAL_POOL: "Stream checks one after another",
}

# The file in the home that holds the fault of the source, until the source was read once.
SOURCE_FAULT_FILE: Final = "source_fault"

UDI_ASSET: Final = "streamflow://udi"
RESULTS_ASSET: Final = "streamflow://results"


def chain_part(first: str, number: int) -> str:
    """Return the id of a run of a chain.

    :param first: the id of the chain's first run, whose number is 1.
    """
    return first if number == 1 else f"{first}__part{number}"


def schedule_dag(name: str) -> str:
    """Return the DAG of a schedule of checks."""
    return f"check_{name}"

"""The order of runs: checks that a person or an event asked for go before nightly ones.

The limiter follows it with a head start in its queues, and Airflow with the weights of tasks that wait for a slot of a
pool or for a worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.task.priority_strategy import PriorityWeightStrategy

from streamflow import names

if TYPE_CHECKING:
    from airflow.models import TaskInstance

# A nightly run queues all its checks at its start, so the head start of other runs has to be longer than a night.
HEAD_START_HOURS: Final = 24


def head_start(run_id: str) -> int:
    """Return the hours by which a run's checks go before others: a run that a person or an event started goes first.

    The id of a later run in a chain begins with the id of the first one.
    """
    return 0 if run_id.startswith(names.SCHEDULED_RUN) else HEAD_START_HOURS


class RunPriority(PriorityWeightStrategy):
    """Weighs a task by its run's head start.

    Source: Airflow's documentation, "Priority Weights", "Custom Weight Rule".
    """

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight of a task, which its DAG raises by ``priority_weight``."""
        return (ti.task.priority_weight if ti.task else 1) + head_start(ti.run_id)

"""Prepares what the services of ``docker-compose.yaml`` share: the user, the database, the pools, the first refresh.

All commands of Airflow run in this process, because each one would take seconds to load. It is safe to run this again.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from streamflow import config, names, shared_settings
from streamflow.errors import StreamFlowError
from streamflow.files import replacing
from streamflow.sources.first_look import look
from streamflow_stack import redis_address
from streamflow_stack.airflow import USER
from streamflow_stack.pools import pools
from streamflow_stack.ports import exposure

# A playlist may take minutes to read; the services do not wait for it.
LOOK_SECONDS = 20.0
PASSWORD_FILE = "AIRFLOW_ADMIN_PASSWORD_FILE"  # noqa: S105 - the name of a variable
POOLS = Path("/tmp/pools.json")  # noqa: S108 - of this container alone


def write_passwords(file: Path, password: str) -> None:
    """Write the file with the password of the user ``admin``, as Airflow's simple auth manager reads it."""
    with replacing(file) as new:
        new.write(json.dumps({USER: password}).encode())


def report_source() -> None:
    """Print whether the source can be read."""
    try:
        print(f"the source: {look(config.home())}", flush=True)
    except StreamFlowError as error:
        print(f"the source cannot be read: {error}", file=sys.stderr, flush=True)


def airflow(*arguments: str) -> None:
    """Run a command of Airflow in this process."""
    from airflow.cli import cli_parser

    parsed = cli_parser.get_parser().parse_args(arguments)
    parsed.func(parsed)


def main() -> None:
    """Prepare everything."""
    if warning := exposure(os.environ):
        print(f"warning: {warning}", file=sys.stderr)
    looking = threading.Thread(target=report_source, daemon=True)
    looking.start()
    write_passwords(
        Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]),
        Path(os.environ[PASSWORD_FILE]).read_text().strip(),
    )
    airflow("db", "migrate")
    address = redis_address.locate()
    # All machines begin with the settings of this one.
    settings = shared_settings.load(address.client()) if address else config.load()
    POOLS.write_text(json.dumps(pools(settings)))
    airflow("pools", "import", str(POOLS))
    # The DAG processor has not seen the DAGs yet. The run waits for the scheduler.
    airflow("dags", "reserialize")
    airflow("dags", "trigger", names.REFRESH_DAG)
    looking.join(LOOK_SECONDS)


if __name__ == "__main__":
    main()

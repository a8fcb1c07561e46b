"""``/accounts``: the report cards of provider accounts."""

from __future__ import annotations

from threading import Condition
from typing import Annotated

from cachetools import TTLCache, cached
from fastapi import APIRouter, Path, Query, Response

from account_limiter import Limiter, LimiterUnavailable
from stream_checker.http.access import Reader
from stream_checker.http.parameters import MAX_ID
from stream_checker.http.problems import Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.queries.report_file import (
    PROVIDER_SECTIONS,
    TYPES,
    FileFormat,
    file_response,
    report_csv,
    report_html,
)
from stream_checker.resources import OpenLimiter, OpenStore
from streamflow.errors import UnknownRecord
from streamflow.reports.provider import ProviderReport
from streamflow.reports.provider import report as provider_report
from streamflow.udi.ports import Store

# A report over 5,000 streams reads 150,000 results.
KEPT, KEPT_SECONDS = 32, 60.0

router = APIRouter(prefix="/accounts", tags=["results"], dependencies=[Reader])


@router.get(
    "/{account_id}/report",
    response_model=ProviderReport,
    responses={
        200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in TYPES.values()}},
        **responses(401, 403, 404, 422, 429, 503),
    },
    dependencies=[at_most(1)],
)
def get_report(
    account_id: Annotated[int, Path(ge=0, le=MAX_ID, description="Id of the account in Dispatcharr", examples=[1])],
    store: OpenStore,
    limiter: OpenLimiter,
    format: Annotated[FileFormat, Query(description="`csv` and `html` are files")] = "json",
) -> ProviderReport | Response:
    """Return what an account delivered: its share of working streams by time, refusals, start times, and rivals.

    It covers the stored history: up to 30 results of each stream. Hours and weekdays are in UTC.
    """
    believed, evidence = _belief(limiter, account_id)
    try:
        report = _report(store, account_id, believed, evidence)
    except UnknownRecord as error:
        raise Problem(404, f"There is no account {account_id}.") from error
    match format:
        case "json":
            return report
        case "csv":
            return file_response(report_csv(report, PROVIDER_SECTIONS), "provider-report", format)
        case "html":
            note = (
                f"{report.total.checks} checks from {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}"
                if report.since and report.until
                else "No check yet"
            )
            page = report_html(report, PROVIDER_SECTIONS, f"Report card of {report.name}", note)
            return file_response(page, "provider-report", format)


@cached(TTLCache(KEPT, KEPT_SECONDS), lambda _, *known: known, condition=Condition())
def _report(store: Store, account_id: int, believed: int | None, evidence: tuple[str, ...]) -> ProviderReport:
    return provider_report(store, account_id, believed=believed, evidence=evidence)


def _belief(limiter: Limiter, account_id: int) -> tuple[int | None, tuple[str, ...]]:
    """Return the limit that the limiter believes in, and the reasons for it; None while Redis is away."""
    try:
        accounts = limiter.snapshot().accounts
    except LimiterUnavailable:
        return None, ()
    known = next((account for account in accounts if account.account_id == account_id), None)
    return (known.believed_limit, known.evidence) if known else (None, ())

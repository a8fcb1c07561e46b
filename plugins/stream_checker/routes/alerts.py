"""``/alerts/test``: a test of the recipients of alerts."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream_checker.http.access import Editor
from stream_checker.http.problems import responses
from stream_checker.http.throttle import at_most
from stream_tasks.alerts import send_test

router = APIRouter(prefix="/alerts", tags=["alerts"])


class AlertDelivery(BaseModel):
    """The delivery of the test to one recipient."""

    recipient: str = Field(description="Service of the recipient; its address is a secret", examples=["tgram://***"])
    accepted: bool = Field(description="Whether the recipient accepted the alert; the log has the reason if not")


class AlertTest(BaseModel):
    """The outcome of a test of all recipients."""

    deliveries: list[AlertDelivery] = Field(description="One for each recipient; empty when none is set")


@router.post("/test", dependencies=[Editor, at_most(1)], responses=responses(401, 403, 429))
def test_alerts() -> AlertTest:
    """Send a test alert to all recipients."""
    return AlertTest(
        deliveries=[AlertDelivery(recipient=one.recipient, accepted=one.is_accepted) for one in send_test()]
    )

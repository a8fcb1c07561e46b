"""``/explanations``: what verdicts, reasons and figures mean, and what to do about them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from streamflow import explanations

router = APIRouter(tags=["results"], dependencies=[Reader])


class Explained(BaseModel):
    """A word and its explanation."""

    word: str = Field(description="Verdict, reason or figure", examples=["provider_busy"])
    meaning: str = Field(description="What the word says")
    advice: str = Field(description="What the owner can do; empty where nothing has to be done")


class ExplainedVerdict(Explained):
    """A verdict and its reasons."""

    reasons: list[Explained] = Field(description="Reasons of the verdict")


class Explanations(BaseModel):
    """All explanations."""

    verdicts: list[ExplainedVerdict] = Field(description="Verdicts, the best one first")
    terms: list[Explained] = Field(description="Figures of the page")


@router.get("/explanations", responses=responses(401, 403))
def list_explanations() -> Explanations:
    """Return what each verdict, each reason and each figure of the page means, and what to do about it."""
    verdicts = [
        ExplainedVerdict(
            word=verdict,
            meaning=text.meaning,
            advice=text.advice,
            reasons=[
                Explained(word=reason, meaning=one.meaning, advice=one.advice)
                for reason, one in explanations.REASONS.get(verdict, {}).items()
            ],
        )
        for verdict, text in explanations.VERDICTS.items()
    ]
    terms = [Explained(word=term, meaning=one.meaning, advice=one.advice) for term, one in explanations.TERMS.items()]
    return Explanations(verdicts=verdicts, terms=terms)

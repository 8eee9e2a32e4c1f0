"""Bodies of requests, checked strictly. Every refusal is the end of a sentence that begins with the field."""

from __future__ import annotations

import difflib
import re
from datetime import date
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.law.documents import Kind
from app.law.text import nfc
from app.retrieval.types import Filters, Mode, SearchRequest

QUERY_CHARS = 2000
MAX_K = 100
MAX_DEPTH = 1000
MAX_BATCH = 64
MAX_DOCUMENTS = 1000
MAX_FILTER_VALUES = 100
REFUSED = "refused"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def refuse(predicate: str) -> PydanticCustomError:
    return PydanticCustomError(REFUSED, "{predicate}", {"predicate": predicate})


def shown(value: Any, limit: int = 60) -> str:
    """A value as a message shows it: short, printable, on one line."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _query(text: str) -> str:
    text = nfc(text).strip()
    if not text:
        raise refuse(f"is empty: write what to look for, in 1 to {QUERY_CHARS} characters")
    if len(text) > QUERY_CHARS:
        raise refuse(f"has {len(text)} characters: shorten it to {QUERY_CHARS} at most")
    return text


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise refuse(f"is {shown(value)}: give a date as YYYY-MM-DD, such as 2024-03-01")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise refuse(f"is {value!r}, a day that the calendar does not have: correct the month or the day") from None


Query = Annotated[str, AfterValidator(_query), Field(json_schema_extra={"minLength": 1, "maxLength": QUERY_CHARS})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(nfc)]
Names = Annotated[tuple[Name, ...], Field(max_length=MAX_FILTER_VALUES)]


class Body(BaseModel):
    """A body without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        fields = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [name for name in value if name not in fields] if isinstance(value, dict) else []
        if unknown:
            near = difflib.get_close_matches(str(unknown[0]), fields, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields) or 'none'}"
            raise refuse(f"has an unknown field {shown(unknown[0])}: {remedy}")
        return value


class FiltersBody(Body):
    """Empty lists filter nothing; the values of one field are alternatives; all fields given are met."""

    kind: Annotated[tuple[Kind, ...], Field(max_length=2)] = ()
    law: Names = Field(default=(), description="Names of laws (spaces do not matter) or law ids", examples=[["민법"]])
    law_kind: Names = Field(default=(), examples=[["법률"]])
    court: Names = Field(default=(), examples=[["대법원"]])
    court_level: Names = Field(default=(), examples=[["대법원"]])
    case_type: Names = Field(default=(), examples=[["민사"]])
    date_from: Day | None = None
    date_to: Day | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise refuse(f"has date_from {self.date_from} after date_to {self.date_to}: swap them")
        return self

    def values(self) -> Filters:
        return Filters(**{name: getattr(self, name) for name in FiltersBody.model_fields})


class SearchBody(Body):
    query: Query = Field(examples=["전세 계약이 끝났는데 집주인이 보증금을 안 돌려줘요"])
    k: StrictInt = Field(default=10, ge=1, le=MAX_K, description="Documents to return")
    depth: StrictInt = Field(default=100, ge=1, le=MAX_DEPTH, description="Recalled passages, k or more")
    mode: Mode = "hybrid"
    rerank: StrictBool = True
    filters: FiltersBody = FiltersBody()
    as_of: Day | None = Field(default=None, description="Statutes as they stood on this day, decisions up to it")
    min_relevance: StrictFloat | None = Field(default=None, ge=0, le=1)
    explain: StrictBool = Field(default=False, description="Tell rank and score in every stage")

    @model_validator(mode="after")
    def _deep_enough(self) -> Self:
        if self.k > self.depth:
            raise refuse(f"has k {self.k} and depth {self.depth}: raise depth to {self.k} or more, or lower k")
        return self

    def request(self) -> SearchRequest:
        values = {name: getattr(self, name) for name in SearchBody.model_fields}
        return SearchRequest(**{**values, "filters": self.filters.values()})


class BatchBody(Body):
    queries: Annotated[tuple[SearchBody, ...], Field(min_length=1, max_length=MAX_BATCH)]


class TextBody(Body):
    """A text to score; a bare string is the same as {"text": …}."""

    id: Annotated[str, Field(max_length=200)] | None = None
    text: str

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


class RerankBody(Body):
    query: Query
    documents: Annotated[tuple[TextBody, ...], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: StrictInt | None = Field(default=None, ge=1)
    return_documents: StrictBool = False


class AsOf(Body):
    as_of: Day | None = Field(default=None, description="The text of this day, by default of today")


class Between(Body):
    """Two days to compare, or none."""

    start: Day | None = Field(default=None, alias="from", description="Compare the text of this day …")
    end: Day | None = Field(default=None, alias="to", description="… with the text of this one")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.start is None) != (self.end is None):
            given, missing = ("from", "to") if self.start else ("to", "from")
            raise refuse(f"has {given} without {missing}: give both days to compare, or neither")
        if self.start and self.end and self.start > self.end:
            raise refuse(f"has from {self.start} after to {self.end}: swap them")
        return self


class NoParameters(Body):
    """A query string that must be empty: a misspelt or unsupported parameter is not passed over."""

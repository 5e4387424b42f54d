"""An agreed field: whether a person may keep it back, and which answer travels in its place."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic import Field as Member

from gateway.model import Agreed, Transform, TransformKind
from gateway.policy.catalogue_members import Strict, Texts
from kernel.canonical import Json

MAX_CHOICES = 100
_LIMITS = ("at_most", "at_least", "below", "above")
_PARAMETERS = {
    TransformKind.YES_NO: (*_LIMITS, "one_of"),
    TransformKind.AT_LEAST_AGE: ("years",),
    TransformKind.BAND: ("edges",),
    TransformKind.YEAR: (),
    TransformKind.MASK: ("keep",),
    TransformKind.EXISTS: (),
}


def _choices(values: object) -> object:
    """Check the list as a whole: the faults of a list of one type or another read badly."""
    listed = values if isinstance(values, list) else []
    alike = {type(value) for value in listed} in ({int}, {str})
    if not alike or len(listed) > MAX_CHOICES or len(set(listed)) != len(listed):
        raise ValueError(f"must list up to {MAX_CHOICES} texts or whole numbers, each once")
    return listed


def _ascending(edges: list[int]) -> list[int]:
    if any(before >= after for before, after in pairwise(edges)):
        raise ValueError("must ascend: each number larger than the one before")
    return edges


_Choices = Annotated[list[int] | list[str], BeforeValidator(_choices)]
_Edges = Annotated[list[int], Member(min_length=1, max_length=50), AfterValidator(_ascending)]


class AgreedEntry(Strict):
    """One field of an agreement: the need alone, or the transform that makes an answer of it."""

    need: Literal["required", "optional"]
    kind: Annotated[
        Literal["yes_no", "at_least_age", "band", "year", "mask", "exists"] | None,
        Member(alias="as"),
    ] = None
    at_most: int | None = None
    at_least: int | None = None
    below: int | None = None
    above: int | None = None
    one_of: _Choices | None = None
    years: Annotated[int, Member(ge=1, le=150)] | None = None
    edges: _Edges | None = None
    keep: Annotated[int, Member(ge=1, le=4)] | None = None
    question: Texts | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = self._parameters()
        if self.kind is None:
            if given or self.question is not None:
                raise ValueError("needs `as`: parameters and a question belong to a transform")
            return self
        kind = TransformKind(self.kind)
        known = _PARAMETERS[kind]
        if beyond := sorted(given.keys() - set(known)):
            raise ValueError(f"has `{beyond[0]}`, which is no parameter of `{kind}`")
        if known and len(given) != 1:
            named = ", ".join(f"`{name}`" for name in known)
            raise ValueError(f"needs exactly one of {named} for `{kind}`")
        if self.question is None:
            raise ValueError("needs a `question`: what the answer says, in plain words")
        return self

    def noun(self) -> Agreed:
        """Return how the agreement takes the field."""
        transform = Transform(TransformKind(self.kind), self._parameters()) if self.kind else None
        return Agreed(self.need == "optional", transform, self.question)

    def _parameters(self) -> dict[str, Json]:
        names = [name for names in _PARAMETERS.values() for name in names]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _members(value: object) -> object:
    return {"need": value} if isinstance(value, str) else value


AgreedMember = Annotated[AgreedEntry, BeforeValidator(_members)]
"""A field's need by itself (`required`), or with the members of a transform."""

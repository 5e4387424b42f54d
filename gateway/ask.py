"""Ask: the body of an exchange, parsed once at the edge and then trusted."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.model import Ask
from kernel.canonical import BadJson, parse
from kernel.errors import Reason, Refusal
from kernel.names import AgreementId, Pointer, ServiceId, Subject

MAX_BODY = 16 * 1024
MAX_FIELDS = 64

_MAX_NAME = 128
Name = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_NAME)]
Free = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Strict(BaseModel):
    """A body, or a part of one: every member known, of its type and no other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Named(Strict):
    """The person whom a request is about."""

    scheme: Name
    value: Name


class _Body(Strict):
    agreement: Name
    service: Name
    subject: Named
    fields: list[Path] = Field(min_length=1, max_length=MAX_FIELDS)
    case: Free | None = None
    user: Free | None = None


Shape = TypeVar("Shape", bound=Strict)


@dataclass(frozen=True, slots=True, repr=False)
class Posted:
    """What was sent to be exchanged: the body, and what was said about it."""

    body: bytes
    content_type: str
    content_encoding: str
    query: bool
    idempotency_key: bool


def parse_ask(posted: Posted) -> Ask:
    """Return the request in a body, or raise `Refusal` with `request.malformed`."""
    given = read(posted, _Body)
    if len(set(given.fields)) != len(given.fields):
        raise malformed("`fields` names a field twice.")
    return Ask(
        agreement=AgreementId(given.agreement),
        service=ServiceId(given.service),
        subject=Subject(given.subject.scheme, given.subject.value),
        fields=tuple(Pointer(field) for field in given.fields),
        case=given.case,
        user=given.user,
    )


def named_agreement(posted: Posted) -> str | None:
    """Return the agreement that a body names, whatever else is wrong with it, or None."""
    try:
        body = parse(posted.body, max_bytes=MAX_BODY)
    except BadJson:
        return None
    match body:
        case {"agreement": str(name)} if 0 < len(name) <= _MAX_NAME:
            return name
    return None


def read(posted: Posted, shape: type[Shape]) -> Shape:
    """Return a body in its shape, or raise `Refusal` with `request.malformed` that names the
    member at fault and never repeats what it holds."""
    _check_headers(posted)
    try:
        return shape.model_validate(parse(posted.body, max_bytes=MAX_BODY))
    except BadJson as error:
        raise malformed(f"The body cannot be read: {error}.") from None
    except ValidationError as error:
        known = frozenset({*shape.model_fields, *Named.model_fields})
        raise malformed(_words(error, known)) from None


def _check_headers(posted: Posted) -> None:
    media_type, _, parameters = posted.content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if media_type.strip() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, "Send `Content-Type: application/json`.")
    if posted.content_encoding.lower() not in {"", "identity"}:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, "Send the body without a content coding.")
    if posted.query:
        raise malformed("This address takes no query.")
    if posted.idempotency_key:
        raise malformed("The header `Idempotency-Key` is not served yet.")


_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a member of this request",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "too_short": "must not be empty",
    "too_long": f"has more than {MAX_FIELDS} items",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "has characters that do not belong there",
    "model_type": "must be an object",
}


def _words(error: ValidationError, known: frozenset[str]) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = list(takewhile(lambda part: isinstance(part, int) or part in known, first["loc"]))
    if len(place) < len(first["loc"]):
        where = f"A member of `{'/'.join(map(str, place))}`" if place else "A member of the body"
    else:
        where = f"`{'/'.join(map(str, place))}`" if place else "The body"
    return f"{where} {_WORDS.get(first['type'], 'is not what it should be')}."


def malformed(detail: str) -> Refusal:
    """Return the refusal of a body that this address does not take."""
    return Refusal(Reason.REQUEST_MALFORMED, detail)

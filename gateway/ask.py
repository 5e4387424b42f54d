"""Ask: the body of an exchange, parsed once at the edge and then trusted."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.model import Ask
from kernel.canonical import BadJson, parse
from kernel.errors import Reason, Refusal
from kernel.names import AgreementId, Pointer, ServiceId, Subject

MAX_BODY = 16 * 1024
MAX_FIELDS = 64

_Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Free = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")
]
_Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Subject(_Strict):
    scheme: _Name
    value: _Name


class _Body(_Strict):
    agreement: _Name
    service: _Name
    subject: _Subject
    fields: list[_Path] = Field(min_length=1, max_length=MAX_FIELDS)
    case: _Free | None = None
    user: _Free | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Posted:
    """What was sent to be exchanged: the body, and what was said about it."""

    body: bytes
    content_type: str
    content_encoding: str
    query: bool
    idempotency_key: bool


def parse_ask(posted: Posted) -> Ask:
    """Return the request in a body, or raise `Refusal` with `request.malformed` that names the
    member at fault and never repeats what it holds."""
    _check_headers(posted)
    try:
        given = _Body.model_validate(parse(posted.body, max_bytes=MAX_BODY))
    except BadJson as error:
        raise _malformed(f"The body cannot be read: {error}.") from None
    except ValidationError as error:
        raise _malformed(_words(error)) from None
    if len(set(given.fields)) != len(given.fields):
        raise _malformed("`fields` names a field twice.")
    return Ask(
        agreement=AgreementId(given.agreement),
        service=ServiceId(given.service),
        subject=Subject(given.subject.scheme, given.subject.value),
        fields=tuple(Pointer(field) for field in given.fields),
        case=given.case,
        user=given.user,
    )


def _check_headers(posted: Posted) -> None:
    media_type, _, parameters = posted.content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if media_type.strip() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, "Send `Content-Type: application/json`.")
    if posted.content_encoding.lower() not in {"", "identity"}:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, "Send the body without a content coding.")
    if posted.query:
        raise _malformed("This address takes no query.")
    if posted.idempotency_key:
        raise _malformed("The header `Idempotency-Key` is not served yet.")


_KNOWN = frozenset({*_Body.model_fields, *_Subject.model_fields})
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a member of this request",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "too_long": f"has more than {MAX_FIELDS} items",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "has characters that do not belong there",
    "model_type": "must be an object",
}


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = [part for part in first["loc"] if isinstance(part, int) or part in _KNOWN]
    if len(place) < len(first["loc"]):
        where = f"A member of `{'/'.join(map(str, place))}`" if place else "A member of the body"
    else:
        where = f"`{'/'.join(map(str, place))}`" if place else "The body"
    return f"{where} {_WORDS.get(first['type'], 'is not what it should be')}."


def _malformed(detail: str) -> Refusal:
    return Refusal(Reason.REQUEST_MALFORMED, detail)

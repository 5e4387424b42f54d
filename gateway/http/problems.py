"""Problems: how a refusal looks from outside (RFC 9457), and a page's words for each reason."""

from dataclasses import dataclass

from kernel.canonical import Json
from kernel.errors import Reason, Refusal
from kernel.names import ExchangeId


@dataclass(frozen=True, slots=True)
class Explanation:
    """The status and title of a reason, what it means, and what the asker can do."""

    status: int
    title: str
    meaning: str
    remedy: str


_BY_THE_PERSON = (
    "Nothing about this person can be released to you under this agreement now. Whether the "
    "person is unknown, never asked, refused, withdrew, or is protected is not told."
)
EXPLANATIONS = {
    Reason.REQUEST_MALFORMED: Explanation(
        400,
        "The request is not well formed",
        "The body, a header or a parameter is not what this address takes.",
        "Correct the member that `detail` names and send the request again.",
    ),
    Reason.REQUEST_TOO_LARGE: Explanation(
        413,
        "The request is too large",
        "A body may have 16 KiB.",
        "Ask for fewer fields, or leave out what the request does not need.",
    ),
    Reason.REQUEST_NOT_FOUND: Explanation(
        404,
        "There is nothing at this address",
        "The path is not one of the gateway's, letter by letter.",
        "Compare the path with the API description at /openapi.json.",
    ),
    Reason.REQUEST_METHOD: Explanation(
        405,
        "This method is not used here",
        "The address exists and takes another method.",
        "Use a method that the `Allow` header names.",
    ),
    Reason.REQUEST_MEDIA_TYPE: Explanation(
        415,
        "The body has another type than this address takes",
        "A body is `application/json`, without a content coding.",
        "Send `Content-Type: application/json`.",
    ),
    Reason.TOKEN_MISSING: Explanation(
        401,
        "An access token is needed",
        "There is no `Authorization` header.",
        "Get a token at the token endpoint and send it with the scheme DPoP.",
    ),
    Reason.TOKEN_INVALID: Explanation(
        401,
        "The access token is not valid here",
        "The token was not issued for this gateway, or its client may not use it any more.",
        "Get a new token; a bearer token is never accepted.",
    ),
    Reason.TOKEN_EXPIRED: Explanation(
        401, "The access token has expired", "A token lives for 300 seconds.", "Get a new token."
    ),
    Reason.DPOP_MISSING: Explanation(
        401,
        "A proof of possession is needed",
        "There is no `DPoP` header (RFC 9449).",
        "Send one proof, made for this request with the token's key.",
    ),
    Reason.DPOP_INVALID: Explanation(
        401,
        "The proof of possession is not valid",
        "Its key, type, method, address, time or token hash does not fit this request.",
        "Make a new proof for exactly this method and address with the token's key.",
    ),
    Reason.DPOP_REPLAYED: Explanation(
        401,
        "The proof of possession was used before",
        "Each proof counts once.",
        "Make a new proof, with a new `jti`, for each request.",
    ),
    Reason.SCOPE_INSUFFICIENT: Explanation(
        403,
        "The token does not cover this",
        "The token lacks the scope that this address needs.",
        "Ask for the scope at the token endpoint; the operator registers scopes.",
    ),
    Reason.CASE_REQUIRED: Explanation(
        400,
        "A case number is needed",
        "The agreement allows questions only in a case.",
        "Send `case`.",
    ),
    Reason.USER_REQUIRED: Explanation(
        400,
        "The acting user is needed",
        "The agreement wants to know which clerk asks.",
        "Send `user`.",
    ),
    Reason.EXCHANGE_UNKNOWN: Explanation(
        404,
        "There is no such exchange of yours",
        "Only the client that opened an exchange can look at it.",
        "Check the identifier.",
    ),
    Reason.AGREEMENT_UNKNOWN: Explanation(
        403,
        "You have no such agreement",
        "The agreement does not exist, or is another agency's.",
        "See /v1/agreements for yours.",
    ),
    Reason.AGREEMENT_NOT_IN_FORCE: Explanation(
        403,
        "The agreement is not in force",
        "It has not begun, has ended, was stopped, or its impact assessment has expired.",
        "Ask the privacy officer who keeps the agreement.",
    ),
    Reason.SERVICE_NOT_AGREED: Explanation(
        403,
        "The agreement does not cover this service",
        "Each agreement names the services that it covers.",
        "See /v1/agreements for what yours covers.",
    ),
    Reason.FIELD_UNKNOWN: Explanation(
        400,
        "The service has no such field",
        "A field is exactly one of the pointers that the service lists.",
        "See the service's description under /v1/services.",
    ),
    Reason.FIELD_NOT_AGREED: Explanation(
        403,
        "The agreement does not cover this field",
        "The service has the field, the agreement does not.",
        "Leave the field out, or have the agreement extended.",
    ),
    Reason.FIELD_NOT_CONSENTED: Explanation(
        403,
        "A field is withheld",
        "An optional field is not released for a reason about the person.",
        "Go on without it.",
    ),
    Reason.SUBJECT_MALFORMED: Explanation(
        400,
        "The person's identifier is not well formed",
        "The scheme is not this deployment's, or the check digit is wrong.",
        "Check the identifier for a slip.",
    ),
    Reason.SUBJECT_NOT_RELEASED: Explanation(
        403,
        "Nothing about this person is released",
        _BY_THE_PERSON,
        "Ask the person; another agreement or basis must not be tried instead.",
    ),
    Reason.POLICY_DENIED: Explanation(
        403,
        "The policies do not allow this",
        "A rule that protects people or purposes says no.",
        "Ask the privacy officer which rule applies, with the exchange's identifier.",
    ),
    Reason.POLICY_UNAVAILABLE: Explanation(
        503,
        "The policies cannot be asked now",
        "The policy engine gave no usable answer in time.",
        "Try again later; nothing was released.",
    ),
    Reason.LEDGER_UNAVAILABLE: Explanation(
        503,
        "The ledger cannot be written now",
        "Nothing is released without a trace.",
        "Try again later; nothing was released.",
    ),
    Reason.STATE_UNAVAILABLE: Explanation(
        503,
        "The gateway's short-lived state cannot be reached now",
        "Without it a proof cannot be known to be new.",
        "Try again later; nothing was released.",
    ),
    Reason.SOURCE_UNAVAILABLE: Explanation(
        503,
        "The source is not available",
        "The agency's system did not answer, or the gateway stopped it in an emergency.",
        "Try later; /v1/agreements says what is stopped.",
    ),
    Reason.SOURCE_BAD_ANSWER: Explanation(
        502,
        "The source's answer cannot be used",
        "It is not what the service describes, or speaks of somebody else.",
        "Tell the providing agency; trying again seldom helps.",
    ),
    Reason.SOURCE_TIMEOUT: Explanation(
        504, "The source took too long", "The agency's system did not answer in time.", "Try later."
    ),
    Reason.QUOTA_EXCEEDED: Explanation(
        429,
        "Too much was asked",
        "A client, and an agency under one agreement, may ask so often in so many seconds; an "
        "agreement also has a ceiling on requests for consent: so many a day, and nobody again "
        "within some days of the last request.",
        "Wait at least the seconds of `Retry-After`; `RateLimit` says which of the quotas is used "
        "up, and what a person decided shows in the next exchange.",
    ),
    Reason.SIGNIN_FAILED: Explanation(
        400,
        "Signing in did not work",
        "What came back from the sign-in provider does not belong to this browser, came too late, "
        "or is not as it should be.",
        "Sign in again from the page where you were.",
    ),
    Reason.SIGNIN_UNAVAILABLE: Explanation(
        503,
        "Nobody can sign in now",
        "The sign-in provider does not answer, or none is set up.",
        "Try again later; the gateway's other work goes on.",
    ),
    Reason.INTERNAL: Explanation(
        500,
        "Something is wrong in the gateway",
        "Nothing was released.",
        "Tell the operator, with the `trace` of this answer.",
    ),
}


def status_of(reason: Reason) -> int:
    """Return the HTTP status of a reason."""
    return EXPLANATIONS[reason].status


def problem(
    refusal: Refusal, base: str, trace: str, exchange: ExchangeId | None = None
) -> dict[str, Json]:
    """Return the members of the problem document; the exact reason is never one of them."""
    explanation = EXPLANATIONS[refusal.reason]
    members: dict[str, Json] = {
        "type": f"{base}/errors/{refusal.reason}",
        "title": explanation.title,
        "status": explanation.status,
        "detail": refusal.detail,
        "reason": refusal.reason.value,
        "trace": trace,
    }
    if exchange is not None:
        members["exchange"] = exchange
    return members

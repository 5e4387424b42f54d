"""Attacks on sessions (D3, D7, D9) and on every address that says where to go next (P7)."""

from urllib.parse import quote, urljoin, urlsplit

import pytest

from tests.attacks.ledger_watch import nothing_written
from tests.country import RunningCountry
from tests.person import REDIRECTS, Page, Someone
from tests.settled import signed_in

RESIDENT = "__Host-resident"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5Cevil.example",
    "/%2F/evil.example",
    "/\t/evil.example",
    "/ /evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/home/../../evil",
    "/home@evil.example",
    "home",
    ".evil.example",
    "@evil.example",
    "/home\r\nSet-Cookie: a=b",
    "/home\nLocation: https://evil.example",
    "/nothing-is-here",
    "/v1/agreements",
    "/login?to=/home",
    "/home#//evil.example",
    "",
]


@pytest.fixture(scope="module")
def number(country: RunningCountry) -> str:
    return country.resident().number


@pytest.fixture(scope="module")
def attacker(country: RunningCountry) -> str:
    return country.resident().number


def at_the_callback(country: RunningCountry, number: str) -> str:
    """Return the address by which an attacker's own sign-in would end; it is not opened."""
    attacker = Someone(country.gateway)
    page = attacker.visit("/login?to=/home&level=substantial")
    answer = attacker.answer(page, number, "substantial")
    assert "/login/callback?" in answer.header("location")
    return answer.header("location")


def test_a_sign_in_that_somebody_else_began_signs_nobody_in(country: RunningCountry, attacker: str):
    callback = at_the_callback(country, attacker)
    victim = Someone(country.gateway)
    answer = victim.get(callback)
    assert answer.status in {400, 401, 403}
    assert RESIDENT not in victim.cookies


def test_a_sign_in_of_somebody_else_does_not_replace_ones_own(
    country: RunningCountry, number: str, attacker: str
):
    victim = signed_in(country, number)
    before = dict(victim.cookies)
    victim.get(at_the_callback(country, attacker))
    assert victim.cookies == before
    assert victim.get("/home").status == 200


def test_a_planted_cookie_is_nobodys_session(country: RunningCountry, number: str):
    planted = "A" * 43
    victim = Someone(country.gateway, cookies={RESIDENT: planted})
    assert victim.get("/home").status == 303
    victim.sign_in(number)
    assert victim.cookies[RESIDENT] != planted
    assert Someone(country.gateway, cookies={RESIDENT: planted}).get("/home").status == 303


def test_a_session_planted_before_the_sign_in_is_not_the_one_after_it(
    country: RunningCountry, number: str, attacker: str
):
    planted = signed_in(country, attacker).cookies[RESIDENT]
    victim = Someone(country.gateway, cookies={RESIDENT: planted})
    asking = victim.get("/login?to=/home&level=high")
    victim.follow(victim.answer(victim.follow(asking), number, "high"))
    assert victim.cookies[RESIDENT] != planted
    assert Someone(country.gateway, cookies={RESIDENT: planted}).get("/home").status == 303


def test_signing_in_more_strongly_ends_the_weaker_session(country: RunningCountry, number: str):
    browser = Someone(country.gateway)
    browser.sign_in(number, level="low")
    weak = browser.twin()
    browser.sign_in(number, level="substantial")
    assert browser.cookies[RESIDENT] != weak.cookies[RESIDENT]
    assert weak.get("/home").status == 303
    assert browser.get("/home").status == 200


def test_a_session_ends_where_it_is_ended_and_never_revives(country: RunningCountry, number: str):
    browser = signed_in(country, number)
    kept = browser.twin()
    page = browser.get("/home")
    browser.submit(page, next(one for one in page.forms if one.action == "/logout"))
    assert RESIDENT not in browser.cookies
    for path in ("/home", "/consents", "/activity", "/settings"):
        answer = kept.get(path)
        assert (answer.status, answer.body) == (303, b"")


def test_nobody_is_signed_out_by_another_site(country: RunningCountry, number: str):
    browser = signed_in(country, number)
    token = browser.get("/home").forms[0].value("token")
    for members, headers in (
        ([], {}),
        ([("token", token)], {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
        ([("token", token)], {"Origin": "null"}),
        ([("token", "x" * 43)], {}),
    ):
        browser.twin().post("/logout", members, **headers)
        assert browser.get("/home").status == 200
    assert browser.get("/logout").status in {404, 405}


def test_a_cookie_is_a_random_name_for_this_host_alone(country: RunningCountry, number: str):
    browser = Someone(country.gateway)
    lines: list[str] = []
    keep = browser._keep
    browser._keep = lambda line: (lines.append(line), keep(line))
    browser.sign_in(number)
    browser.get("/settings/language?lang=ar&to=/home")
    ours = [line for line in lines if line.startswith("__Host-")]
    assert {line.partition("=")[0] for line in ours} >= {RESIDENT, "__Host-language"}
    for line in ours:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert attributes >= {"secure", "httponly", "samesite=lax", "path=/"}, line
        assert not any(one.startswith("domain") for one in attributes)
        assert number not in line
    assert len(browser.cookies[RESIDENT]) >= 43


def locations(browser: Someone, page: Page) -> list[str]:
    """Follow, and return every address that was gone to."""
    found = []
    while page.status in REDIRECTS:
        found.append(urljoin(page.url, page.header("location")))
        page = browser.get(found[-1])
    return found


def ours(country: RunningCountry, address: str) -> bool:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" == country.gateway


@pytest.mark.parametrize("to", ELSEWHERE)
def test_signing_in_leads_to_our_own_pages_only(country: RunningCountry, number: str, to: str):
    browser = Someone(country.gateway)
    page = browser.get(f"/login?to={quote(to, safe='')}&level=low")
    if page.status in REDIRECTS:
        gone = locations(browser, browser.answer(browser.follow(page), number, "low"))
        assert all(ours(country, one) for one in gone), gone
        assert all(not one.partition("/login/callback")[1] or "code=" in one for one in gone)
    else:
        assert page.status == 400


@pytest.mark.parametrize("to", ELSEWHERE)
def test_choosing_a_language_leads_to_our_own_pages_only(country: RunningCountry, to: str):
    answer = Someone(country.gateway).get(f"/settings/language?lang=ar&to={quote(to, safe='')}")
    assert answer.status in {303, 400}
    if answer.status == 303:
        assert ours(country, urljoin(country.gateway, answer.header("location")))
        assert "\\" not in answer.header("location")
    assert "evil" not in answer.header("set-cookie")
    assert "a=b" not in answer.header("set-cookie")


@pytest.mark.parametrize("to", [one for one in ELSEWHERE if one])
def test_a_request_leads_back_to_a_registered_address_only(
    country: RunningCountry, number: str, to: str
):
    fields = {"population/residents": ["/name/family", "/name/given"]}
    with nothing_written(country):
        answer = country.agency().ask_consent(number, fields, return_url=to)
    assert answer.status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/<script>alert(1)</script>",
        "/requests/<script>alert(1)</script>",
        "/login/callback?error=<script>alert(1)</script>&error_description=<script>alert(1)</script>",
        "/login/callback?code=<script>alert(1)</script>&state=<script>alert(1)</script>",
        "/login?to=<script>alert(1)</script>",
        "/login?level=<script>alert(1)</script>",
        "/settings/language?lang=<script>alert(1)</script>&to=/",
        "/settings/language?lang=ar&to=/verify?r=<script>alert(1)</script>",
        "/verify?r=<script>alert(1)</script>",
        "/verify?receipt=<script>alert(1)</script>",
        "/verify?<script>alert(1)</script>=1",
        "/errors/<script>alert(1)</script>",
        '/help?x="><script>alert(1)</script>',
    ],
)
def test_what_an_address_says_is_never_a_part_of_the_page(country: RunningCountry, path: str):
    for shown in (path, quote(path, safe="/?&=")):
        try:
            answer = Someone(country.gateway, "<script>alert(1)</script>").visit(shown)
        except ValueError:  # an address that no browser and no library sends
            continue
        assert b"<script" not in answer.body
        assert "script" not in answer.header("content-security-policy")
        assert "<script" not in answer.header("content-language")

"""A person sees every exchange about them, through the real gateway, and can prove each offline."""

import re
from pathlib import Path

from tests import commands
from tests.browserless import Answer, Browser, hidden, sign_in
from tests.country import INCOME, RESIDENTS, RunningCountry

NUMBERS = re.compile(r'href="/activity/([0-9]+)"')


def signed_in(country: RunningCountry, who: str, to: str) -> tuple[Browser, Answer]:
    browser = Browser()
    return browser, sign_in(browser, country.gateway, who, to)


def posted(country: RunningCountry, browser: Browser, path: str, **members: str) -> Answer:
    """Send the form of a page as a browser does."""
    url = country.gateway + path
    form = {"token": hidden(browser.get(url).body)["token"], **members}
    return browser.post(url, form, {"Origin": country.gateway, "Sec-Fetch-Site": "same-origin"})


def test_every_exchange_is_in_the_list_and_its_evidence_verifies_with_nothing_else(
    country: RunningCountry, tmp_path: Path
) -> None:
    resident, agency = country.consenting(), country.agency()
    agency.exchange(resident.number, RESIDENTS, ["/name/family"], case="FA-7", user="clerk-7")
    agency.exchange(resident.number, RESIDENTS, ["/nationality"])
    assert country.consents("withdraw", resident).returncode == 0
    agency.exchange(resident.number, INCOME, ["/income/year"])
    listed = country.activity(resident)

    browser, page = signed_in(country, resident.number, "/activity")
    assert {int(number) for number in NUMBERS.findall(page.body)} == {
        entry["number"] for entry in listed
    }
    told = browser.get(f"{country.gateway}/activity/{listed[-1]['number']}").body
    assert "Your consent had been stopped before." in told

    vkey = tmp_path / "vkey"
    vkey.write_text(Browser().get(f"{country.gateway}/audit/log/vkey").body)
    for entry in listed:
        file = tmp_path / f"evidence-{entry['number']}.json"
        url = f"{country.gateway}/activity/{entry['number']}/evidence"
        file.write_text(browser.get(url).body)
        asked = ("gateway", "audit", "verify-evidence", str(file), "--vkey", str(vkey))
        checked = commands.run(asked, {})
        assert checked.stdout == f"ok entry={entry['index']} number={entry['number']}\n"


def test_a_report_goes_to_an_officer_and_the_answer_and_the_look_come_back(
    country: RunningCountry,
) -> None:
    resident = country.resident()
    country.agency().exchange(resident.number, RESIDENTS, ["/name/family"])
    browser, _ = signed_in(country, resident.number, "/activity")
    case = posted(country, browser, "/activity/1/report", text="It was not me.").location
    path = case.removeprefix(country.gateway)

    officer, queue = signed_in(country, "officer-1", "/officer")
    assert path in queue.body
    assert "It was not me." not in queue.body
    assert "It was not me." in officer.get(f"{country.gateway}/officer{path}").body
    answer = posted(country, officer, f"/officer{path}", outcome="upheld", text="You are right.")
    assert answer.status == 303

    assert "You are right." in browser.get(case).body
    kinds = [entry["type"] for entry in country.activity(resident)]
    assert kinds[:2] == ["exchange.refusal", "case.opened"]
    assert kinds[-1] == "case.answered"
    assert set(kinds[2:-1]) == {"access.view"}

"""Amina: what she does on her pages, click by click; you can do the same in a browser."""

from dataclasses import dataclass, field

from gateway.demo.browser import Browser, NotShown, Page
from gateway.demo.country import Country

LEFT_OUT = "Postcode"
"""What she does not tell, as her page names it."""
OK = 200


@dataclass(slots=True)
class Amina:
    """Amina before her browser."""

    country: Country
    browser: Browser = field(default_factory=Browser)

    def open(self, url: str) -> Page:
        """Return a page of hers, once she has signed in where she is asked to."""
        return self._shown(self.browser.open(url))

    def agree(self, url: str) -> Page:
        """Answer a request: choose, leave one fact out, check the answers, say yes."""
        asked = self.open(url)
        choosing = self._press(asked, "choose", ("answer", "choose"))
        form = choosing.form(action="/choose")
        facts = [one for one in form.choices if one.name == "fact"]
        told = [one for one in facts if not one.label.startswith(LEFT_OUT)]
        if len(told) != len(facts) - 1:
            raise NotShown(f"the page {choosing.path} does not offer {LEFT_OUT!r} once")
        span = next(one for one in form.choices if one.name == "span")
        chosen = [(one.name, one.value) for one in (*told, span)]
        checked = self._shown(self.browser.press(choosing, form, *chosen))
        said = self._press(checked)
        if said.path == checked.path:  # she was to sign in more strongly first
            said = self._press(said)
        return said

    def stop(self, consent: str) -> Page:
        """Stop a consent: from its page to the word that it is stopped."""
        page = self.open(f"{self.country.place.gateway}/consents/{consent}")
        return self._press(self.open(page.link("/stop")))

    def entry(self, number: object) -> Page:
        """Return the page of one entry of her list."""
        return self.open(f"{self.country.place.gateway}/activity/{number}")

    def stopped(self, consent: str) -> Page:
        """Return what her page says of a consent that was stopped."""
        return self.open(f"{self.country.place.gateway}/consents/{consent}/stopped")

    def _press(self, page: Page, button: str = "", *members: tuple[str, str]) -> Page:
        """Press the button of the form that this page is about: the one that leads to itself."""
        form = page.form(button, action=page.path)
        return self._shown(self.browser.press(page, form, *members))

    def _shown(self, page: Page) -> Page:
        if page.url.startswith(self.country.place.signin):
            who = ("person", self.country.amina.number)
            form = page.form("answer")
            page = self.browser.press(page, form, who, ("answer", "yes"))
        if page.status != OK:
            raise NotShown(f"the page {page.path} answered with the status {page.status}")
        return page

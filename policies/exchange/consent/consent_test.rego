package exchange.consent_test

import data.exchange.consent

found(state) := {"agreement": {"basis": "consent"}, "consent": {"state": state}}

test_a_given_consent_stands if {
	consent.stands with input as found("given")
	count(consent.reasons) == 0 with input as found("given")
}

test_a_renewed_consent_stands if {
	consent.stands with input as found("renewed")
	count(consent.reasons) == 0 with input as found("renewed")
}

test_every_other_state_refuses_by_its_name if {
	every state in ["absent", "refused", "withdrawn", "expired", "exhausted", "suspended"] {
		not consent.stands with input as found(state)
		consent.reasons == {concat(".", ["consent", state])} with input as found(state)
	}
}

test_a_state_that_nobody_knows_refuses if {
	not consent.stands with input as found("certainly")
	consent.reasons == {"policy.denied"} with input as found("certainly")
}

test_no_finding_refuses if {
	consent.reasons == {"policy.denied"} with input as {"agreement": {"basis": "consent"}}
}

test_consent_says_nothing_about_an_agreement_that_rests_on_law if {
	by_law := {"agreement": {"basis": "statutory"}, "consent": {"state": "withdrawn"}}
	not consent.stands with input as by_law
	count(consent.reasons) == 0 with input as by_law
}

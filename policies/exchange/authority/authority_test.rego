package exchange.authority_test

import data.exchange.authority

sound := {
	"at": 200,
	"requester": {"agency": "maintenance"},
	"agreement": {"basis": "statutory", "purpose": "dpv:LegalCompliance"},
	"authority": {
		"valid_from": 100,
		"valid_until": 300,
		"bodies": {"maintenance": true},
		"purposes": {"dpv:LegalCompliance": true},
	},
}

reasons_with(patch) := result if {
	changed := json.patch(sound, [patch])
	result := authority.reasons with input as changed
}

test_a_sound_law_stands if {
	authority.stands with input as sound
	count(authority.reasons) == 0 with input as sound
}

test_no_law_refuses if {
	reasons_with({"op": "replace", "path": "/authority", "value": null}) == {"agreement.not_in_force", "policy.denied"}
}

test_a_law_that_is_not_yet_in_force_refuses if {
	reasons_with({"op": "replace", "path": "/at", "value": 99}) == {"agreement.not_in_force"}
}

test_a_law_that_has_ended_refuses if {
	reasons_with({"op": "replace", "path": "/at", "value": 300}) == {"agreement.not_in_force"}
}

test_a_body_that_the_law_does_not_name_is_refused if {
	reasons_with({"op": "replace", "path": "/requester/agency", "value": "tax"}) == {"policy.denied"}
}

test_a_purpose_that_the_law_does_not_name_is_refused if {
	reasons_with({"op": "replace", "path": "/agreement/purpose", "value": "dpv:Marketing"}) == {"policy.denied"}
}

test_law_says_nothing_about_an_agreement_that_rests_on_consent if {
	by_consent := json.patch(sound, [{"op": "replace", "path": "/agreement/basis", "value": "consent"}])
	not authority.stands with input as by_consent
	count(authority.reasons) == 0 with input as by_consent
}

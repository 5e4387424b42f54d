package exchange.agreement_test

import data.exchange.agreement

sound := {
	"at": 200,
	"requester": {"agency": "benefits"},
	"agreement": {
		"agency": "benefits",
		"valid_from": 100,
		"valid_until": 300,
		"impact_assessment_until": 300,
		"case_required": true,
		"user_required": true,
		"required": {},
		"optional": {"/name": true},
	},
	"request": {"case": true, "user": true},
}

reasons_with(patch) := result if {
	changed := json.patch(sound, [patch])
	result := agreement.reasons with input as changed
}

test_a_sound_agreement_has_no_reason_against_it if {
	count(agreement.reasons) == 0 with input as sound
}

test_nothing_known_is_refused_for_every_reason if {
	agreement.reasons == {
		"agreement.not_in_force",
		"case.required",
		"policy.denied",
		"service.not_agreed",
		"user.required",
	} with input as {}
}

test_another_agency_may_not_use_it if {
	reasons_with({"op": "replace", "path": "/requester/agency", "value": "tax"}) == {"policy.denied"}
}

test_it_does_not_hold_before_its_first_moment if {
	reasons_with({"op": "replace", "path": "/at", "value": 99}) == {"agreement.not_in_force"}
}

test_it_holds_in_its_first_moment if {
	reasons_with({"op": "replace", "path": "/at", "value": 100}) == set()
}

test_it_does_not_hold_in_its_end_moment if {
	reasons_with({"op": "replace", "path": "/at", "value": 300}) == {"agreement.not_in_force"}
}

test_it_does_not_hold_once_its_impact_assessment_has_run_out if {
	reasons_with({"op": "replace", "path": "/agreement/impact_assessment_until", "value": 200}) == {"agreement.not_in_force"}
}

test_a_service_without_agreed_fields_is_not_agreed if {
	reasons_with({"op": "replace", "path": "/agreement/optional", "value": {}}) == {"service.not_agreed"}
}

test_a_case_is_required_where_the_agreement_says_so if {
	reasons_with({"op": "replace", "path": "/request/case", "value": false}) == {"case.required"}
}

test_a_user_is_required_where_the_agreement_says_so if {
	reasons_with({"op": "replace", "path": "/request/user", "value": false}) == {"user.required"}
}

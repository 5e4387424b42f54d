package exchange.fields_test

import data.exchange.fields

by_consent(asked, granted) := {
	"agreement": {"basis": "consent", "required": {"/name": true}, "optional": {"/postcode": true}},
	"request": {"fields": asked},
	"consent": {"state": "given", "fields": granted},
}

by_law(asked, granted) := {
	"at": 200,
	"requester": {"agency": "maintenance"},
	"agreement": {
		"basis": "statutory",
		"purpose": "dpv:LegalCompliance",
		"required": {"/name": true},
		"optional": {"/postcode": true},
	},
	"request": {"fields": asked},
	"authority": {
		"valid_from": 100,
		"valid_until": 300,
		"bodies": {"maintenance": true},
		"purposes": {"dpv:LegalCompliance": true},
		"fields": granted,
	},
}

test_asked_agreed_and_granted_facts_travel if {
	facts := by_consent({"/name": true, "/postcode": true}, {"/name": true, "/postcode": true})
	fields.released == {"/name", "/postcode"} with input as facts
	count(fields.reasons) == 0 with input as facts
}

test_a_granted_fact_that_was_not_asked_stays_home if {
	facts := by_consent({"/name": true}, {"/name": true, "/postcode": true})
	fields.released == {"/name"} with input as facts
}

test_an_optional_fact_that_is_not_granted_stays_home if {
	facts := by_consent({"/name": true, "/postcode": true}, {"/name": true})
	fields.released == {"/name"} with input as facts
	count(fields.reasons) == 0 with input as facts
}

test_a_required_fact_that_is_not_granted_refuses_the_whole if {
	facts := by_consent({"/name": true, "/postcode": true}, {"/postcode": true})
	fields.reasons == {"consent.field"} with input as facts
}

test_a_request_of_which_nothing_is_left_is_refused if {
	facts := by_consent({"/postcode": true}, {"/name": true})
	fields.reasons == {"consent.field"} with input as facts
}

test_a_fact_that_was_never_agreed_refuses_the_whole if {
	facts := by_consent({"/name": true, "/income": true}, {"/name": true, "/income": true})
	fields.reasons == {"field.not_agreed"} with input as facts
	fields.released == {"/name"} with input as facts
}

test_the_law_grants_what_its_categories_name if {
	facts := by_law({"/name": true}, {"/name": true})
	fields.released == {"/name"} with input as facts
	count(fields.reasons) == 0 with input as facts
}

test_a_fact_that_the_law_does_not_name_refuses_the_whole if {
	facts := by_law({"/name": true, "/postcode": true}, {"/name": true})
	fields.reasons == {"policy.denied"} with input as facts
}

test_consent_never_widens_what_the_law_grants if {
	facts := object.union(by_law({"/postcode": true}, {}), {"consent": {"state": "given", "fields": {"/postcode": true}}})
	count(fields.released) == 0 with input as facts
	fields.reasons == {"policy.denied"} with input as facts
}

test_asking_for_nothing_is_refused if {
	fields.reasons == {"consent.field", "policy.denied"} with input as by_consent({}, {"/name": true})
}

test_nothing_known_releases_nothing if {
	not fields.released with input as {}
	fields.reasons == {"field.not_agreed", "policy.denied"} with input as {}
}

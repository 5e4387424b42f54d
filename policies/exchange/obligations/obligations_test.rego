package exchange.obligations_test

import data.exchange.obligations

released(asked, transforms) := {
	"agreement": {
		"basis": "consent",
		"required": {"/name": true},
		"optional": {"/income": true},
		"transforms": transforms,
	},
	"request": {"fields": asked},
	"consent": {"state": "given", "fields": {"/name": true, "/income": true}},
}

test_every_answer_is_recorded_and_sealed if {
	obligations.required == {{"type": "record"}, {"type": "seal"}} with input as released({"/name": true}, {})
}

test_a_fact_with_a_question_is_turned_into_its_answer if {
	facts := released({"/name": true, "/income": true}, {"/income": "yes_no"})
	obligations.required == {{"type": "record"}, {"type": "seal"}, {"type": "transform"}} with input as facts
}

test_a_question_about_a_fact_that_stays_home_obliges_to_nothing if {
	facts := released({"/name": true}, {"/income": "yes_no"})
	obligations.required == {{"type": "record"}, {"type": "seal"}} with input as facts
}

test_nothing_known_obliges_to_record_and_seal if {
	obligations.required == {{"type": "record"}, {"type": "seal"}} with input as {}
}

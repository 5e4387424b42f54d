package exchange_test

import data.exchange

by_consent := {
	"at": 200,
	"requester": {"agency": "benefits"},
	"agreement": {
		"id": "allowance",
		"agency": "benefits",
		"basis": "consent",
		"purpose": "dpv:ServiceProvision",
		"valid_from": 100,
		"valid_until": 300,
		"impact_assessment_until": 300,
		"case_required": false,
		"user_required": false,
		"required": {"/name": true},
		"optional": {"/postcode": true},
	},
	"service": {"id": "population/residents", "provider": "population"},
	"request": {"fields": {"/name": true, "/postcode": true}, "case": true, "user": true},
	"consent": {"state": "given", "fields": {"/name": true}},
	"blocks": {},
	"authority": null,
}

test_what_was_agreed_and_granted_is_allowed if {
	exchange.decision == {
		"allow": true,
		"fields": ["/name"],
		"obligations": [{"type": "record"}, {"type": "seal"}],
		"reasons": [],
	} with input as by_consent
}

test_every_reason_is_told_in_order if {
	blocked := json.patch(by_consent, [
		{"op": "replace", "path": "/blocks", "value": {"court": true}},
		{"op": "replace", "path": "/consent", "value": {"state": "withdrawn", "fields": {}}},
		{"op": "replace", "path": "/at", "value": 300},
	])
	exchange.decision == {
		"allow": false,
		"fields": [],
		"obligations": [],
		"reasons": ["agreement.not_in_force", "consent.withdrawn", "subject.blocked"],
	} with input as blocked
}

test_a_refused_consent_is_not_rescued_by_a_law if {
	refused := json.patch(by_consent, [
		{"op": "replace", "path": "/consent", "value": {"state": "refused", "fields": {}}},
		{"op": "replace", "path": "/authority", "value": {
			"id": "law",
			"valid_from": 0,
			"valid_until": 1000,
			"bodies": {"benefits": true},
			"purposes": {"dpv:ServiceProvision": true},
			"fields": {"/name": true, "/postcode": true},
		}},
	])
	exchange.decision.allow == false with input as refused
	exchange.decision.reasons == ["consent.refused"] with input as refused
}

test_a_basis_that_nobody_knows_is_refused if {
	curious := json.patch(by_consent, [{"op": "replace", "path": "/agreement/basis", "value": "curiosity"}])
	exchange.decision.reasons == ["policy.denied"] with input as curious
}

test_an_empty_question_is_refused if {
	exchange.decision.allow == false with input as {}
	exchange.decision.fields == [] with input as {}
}

test_no_question_is_refused if {
	exchange.decision.allow == false
}

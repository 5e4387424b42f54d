package exchange.purpose_test

import data.exchange.purpose

test_a_listed_purpose_stands_on_its_basis if {
	count(purpose.reasons) == 0 with input as {"agreement": {"purpose": "dpv:ServiceProvision", "basis": "consent"}}
}

test_a_listed_purpose_does_not_stand_on_another_basis if {
	purpose.reasons == {"policy.denied"} with input as {"agreement": {"purpose": "dpv:ServiceProvision", "basis": "statutory"}}
}

test_a_purpose_that_is_not_listed_is_refused if {
	purpose.reasons == {"policy.denied"} with input as {"agreement": {"purpose": "dpv:Marketing", "basis": "consent"}}
}

test_no_purpose_is_refused if {
	purpose.reasons == {"policy.denied"} with input as {}
}

# METADATA
# title: The agreement
# description: |
#   May this agency use this agreement, now, for this service, in the form in which it asks?
package exchange.agreement

# METADATA
# title: Why the agreement does not carry the request
# description: Empty when it does.
reasons contains "policy.denied" if not held_by_requester

reasons contains "agreement.not_in_force" if not in_force

reasons contains "service.not_agreed" if not covers_service

reasons contains "case.required" if not case_in_order

reasons contains "user.required" if not user_in_order

held_by_requester if input.requester.agency == input.agreement.agency

in_force if {
	input.agreement.valid_from <= input.at
	input.at < input.agreement.valid_until
	input.at < input.agreement.impact_assessment_until
}

covers_service if count(input.agreement.required) > 0

covers_service if count(input.agreement.optional) > 0

case_in_order if input.agreement.case_required == false

case_in_order if input.request.case == true

user_in_order if input.agreement.user_required == false

user_in_order if input.request.user == true

# METADATA
# title: Fields
# description: |
#   Which of the asked facts may travel? Those that are asked, agreed, and granted: by the person
#   where the agreement rests on consent, by the law where it rests on law.
package exchange.fields

import data.exchange.authority
import data.exchange.consent

asked := object.keys(input.request.fields)

required := object.keys(input.agreement.required)

agreed := required | object.keys(input.agreement.optional)

default granted := set()

granted := object.keys(input.consent.fields) if consent.stands

granted := object.keys(input.authority.fields) if authority.stands

# METADATA
# title: The facts that may travel
# description: Asked, agreed and granted.
released := (asked & agreed) & granted

# METADATA
# title: Why the fields do not carry the request
# description: |
#   A fact that was never agreed refuses the whole; so does a required fact that is not granted,
#   and a request of which nothing is left. An optional fact that is not granted stays home.
reasons contains "field.not_agreed" if not all_agreed

reasons contains "consent.field" if {
	consent.stands
	not required_granted
}

reasons contains "consent.field" if {
	consent.stands
	not something_left
}

reasons contains "policy.denied" if {
	authority.stands
	not all_granted
}

reasons contains "policy.denied" if not something_asked

all_agreed if count(asked - agreed) == 0

required_granted if count((asked & required) - granted) == 0

all_granted if count(asked - granted) == 0

something_asked if count(asked) > 0

something_left if count(released) > 0

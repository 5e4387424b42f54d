# METADATA
# title: Legal authority
# description: |
#   For agreements that rest on law: is that law in force, is this body competent under it, and
#   does it name this purpose? Consent is never asked when the law says no.
package exchange.authority

# METADATA
# title: Why the law does not carry the request
# description: Empty when it does, and for agreements that rest on consent.
reasons contains "agreement.not_in_force" if {
	is_the_basis
	not in_force
}

reasons contains "policy.denied" if {
	is_the_basis
	not competent
}

reasons contains "policy.denied" if {
	is_the_basis
	not for_its_purpose
}

is_the_basis if input.agreement.basis == "statutory"

# METADATA
# title: Whether law is the basis and carries the request
# description: True only then; otherwise undefined.
stands if {
	is_the_basis
	in_force
	competent
	for_its_purpose
}

in_force if {
	input.authority.valid_from <= input.at
	input.at < input.authority.valid_until
}

competent if input.authority.bodies[input.requester.agency] == true

for_its_purpose if input.authority.purposes[input.agreement.purpose] == true

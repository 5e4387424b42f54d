# METADATA
# title: Consent
# description: |
#   For agreements that rest on consent: does the person's consent stand, now? The gateway looks
#   the consent up and hands over what it found; it never asks a law when consent says no.
package exchange.consent

permitting := {"given", "renewed"}

refusals := {
	"absent": "consent.absent",
	"exhausted": "consent.exhausted",
	"expired": "consent.expired",
	"refused": "consent.refused",
	"suspended": "consent.suspended",
	"withdrawn": "consent.withdrawn",
}

# METADATA
# title: Why consent does not carry the request
# description: Empty when it does, and for agreements that rest on law.
reasons contains refusal if {
	is_the_basis
	not stands
}

# METADATA
# title: Whether consent is the basis and stands
# description: True only then; otherwise undefined.
stands if {
	is_the_basis
	input.consent.state in permitting
}

is_the_basis if input.agreement.basis == "consent"

default refusal := "policy.denied"

refusal := refusals[input.consent.state]

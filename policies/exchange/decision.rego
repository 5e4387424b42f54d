# METADATA
# title: The decision
# description: |
#   Puts the answers of the topics together. Nothing is allowed unless every topic is content:
#   one reason anywhere is enough to refuse, and a question that no rule answers is refused too.
package exchange

import data.exchange.agreement
import data.exchange.authority
import data.exchange.blocks
import data.exchange.consent
import data.exchange.fields
import data.exchange.obligations
import data.exchange.purpose

reasons := ((((agreement.reasons | purpose.reasons) | blocks.reasons) | consent.reasons) | authority.reasons) | fields.reasons

# METADATA
# title: The decision
# description: |
#   The only rule that the gateway asks for. It says whether the request is allowed, why not,
#   which of the asked facts may travel, and what the gateway must do with them.
# entrypoint: true
default decision := {"allow": false, "fields": [], "obligations": [], "reasons": ["policy.denied"]}

decision := {
	"allow": true,
	"fields": sort(fields.released),
	"obligations": sort(obligations.required),
	"reasons": [],
} if {
	count(reasons) == 0
	count(fields.released) > 0
}

decision := {"allow": false, "fields": [], "obligations": [], "reasons": sort(reasons)} if {
	count(reasons) > 0
}

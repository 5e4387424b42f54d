# METADATA
# title: Purposes
# description: |
#   For what may facts travel at all, and on which basis? An agreement names its purpose; this
#   list says on which bases that purpose may stand. A purpose that is not listed is refused.
package exchange.purpose

bases := {
	"dpv:LegalCompliance": {"statutory"},
	"dpv:PublicBenefit": {"consent", "statutory"},
	"dpv:ServiceProvision": {"consent"},
}

# METADATA
# title: Why the purpose does not carry the request
# description: Empty when it does.
reasons contains "policy.denied" if not registered

registered if input.agreement.basis in bases[input.agreement.purpose]

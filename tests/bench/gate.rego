package gate

import data.exchange

# What a user would write instead of a gateway: the token, and the very same rules on fixed facts.
allow if {
	bearer := trim_prefix(input.token, "Bearer ")
	[valid, _, claims] := io.jwt.decode_verify(bearer, {"cert": data.keys, "alg": "ES256"})
	valid
	claims.scope == "exchange.request"
	exchange.decision.allow with input as input.facts
}

package exchange.obligations_test

import data.exchange.obligations

test_every_answer_is_recorded_and_sealed if {
	obligations.required == {{"type": "record"}, {"type": "seal"}}
}

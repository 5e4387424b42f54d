package exchange.blocks_test

import data.exchange.blocks

test_no_block_stands_in_the_way if {
	count(blocks.reasons) == 0 with input as {"blocks": {}}
}

test_any_block_refuses if {
	blocks.reasons == {"subject.blocked"} with input as {"blocks": {"locked": true}}
}

test_not_knowing_about_blocks_refuses if {
	blocks.reasons == {"subject.blocked"} with input as {}
}

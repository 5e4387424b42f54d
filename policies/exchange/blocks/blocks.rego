# METADATA
# title: Blocks
# description: |
#   A person's data may be locked: by the person, for their protection, by a court. Any block
#   refuses, whatever the basis.
package exchange.blocks

# METADATA
# title: Why a block stands in the way
# description: Empty when no block does.
reasons contains "subject.blocked" if not unblocked

unblocked if count(input.blocks) == 0

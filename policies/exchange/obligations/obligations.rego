# METADATA
# title: Obligations
# description: |
#   What the gateway must do with an answer that is allowed. It knows two: `record` (the person
#   finds the release in their list) and `seal` (only the asker can open the answer). An
#   obligation that the gateway does not know makes it refuse.
package exchange.obligations

# METADATA
# title: What must be done
# description: The same for every answer.
required contains {"type": "record"}

required contains {"type": "seal"}

# METADATA
# title: Obligations
# description: |
#   What the gateway must do with an answer that is allowed. It knows three: `record` (the person
#   finds the release in their list), `seal` (only the asker can open the answer) and `transform`
#   (the answer to the agreed question travels, the fact itself stays home). An obligation that the
#   gateway does not know makes it refuse.
package exchange.obligations

import data.exchange.fields

# METADATA
# title: What must be done
# description: |
#   Every answer is recorded and sealed; where an agreed question stands in the place of a released
#   fact, the fact is turned into its answer.
required contains {"type": "record"}

required contains {"type": "seal"}

required contains {"type": "transform"} if count(answered) > 0

answered := fields.released & object.keys(input.agreement.transforms)

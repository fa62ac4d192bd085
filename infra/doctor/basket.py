"""I5: a basket is what its dots say."""

from __future__ import annotations

from collections.abc import Iterator

from commerce import baskets
from infra.doctor.findings import Patient, Violation


def check(patient: Patient) -> Iterator[Violation]:
    """Sums, forwarders and owners of every basket. Against the history of edits, the state machine test checks it."""
    owned: dict[str, str] = {}
    for basket_id, basket in patient.baskets.items():
        subject = f"basket {basket_id}"
        if basket["state"] == "merged" and basket.get("merged_to") not in patient.baskets:
            yield Violation("I5", subject, "was merged into a basket that does not exist")
        if "units" in basket and basket["units"] != baskets.sum_of(basket["dots"]):
            yield Violation("I5", subject, f"counts {basket['units']} pieces, has {baskets.sum_of(basket['dots'])}")
        if any(dot.quantity < 1 for dot in baskets.dots(basket).values()):
            yield Violation("I5", subject, "has a dot without pieces")
        owner = basket.get("owner")
        if owner and basket["state"] == "open":
            if owner in owned:
                yield Violation("I5", f"customer {owner}", f"has two baskets: {owned[owner]} and {basket_id}")
            owned[owner] = basket_id

"""CI keeps the costs: requests and units per operation against their targets and against docs/costs.md. Never times."""

from __future__ import annotations

import pytest

from infra.bench import counted, flat, pages
from infra.bench.operation import Operation

LARGE = ("2,000th line", "592 lines")


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(each, marks=[pytest.mark.slow] if any(size in each.name for size in LARGE) else [])
        for each in counted.OPERATIONS
    ],
    ids=lambda operation: f"{operation.group}: {operation.name}",
)
def test_an_operation_keeps_its_target_or_says_why_not(operation: Operation) -> None:
    # WHEN it is counted
    used = counted.count(operation)
    missed = operation.target.missed_by(used)
    # THEN
    assert not missed or operation.why_over, missed
    assert missed or not operation.why_over, "this is within its target now: take the excuse away"
    assert used.other_requests == 0, "a warm function reads no secrets"


@pytest.fixture(scope="module")
def generated() -> counted.Pages:
    return counted.build(flat.SIZES[1], lambda what: None, simulated=False)


@pytest.mark.slow
def test_the_pages_say_what_is_counted(generated: counted.Pages) -> None:
    assert generated.outdated() == []


def test_every_generated_part_has_its_place() -> None:
    for name, page in counted.PAGE_OF.items():
        assert pages.part(page, name), name


def test_the_parts_of_an_order_are_the_whole_order() -> None:
    from infra.bench import buying

    bought = buying.purchase("stripe")
    parts = list(bought.parts.values())
    for what in ("requests", "write_units", "read_units", "published"):
        assert sum(getattr(part, what) for part in parts) == getattr(bought.whole, what)
    assert bought.whole.invocations == sum((part.invocations for part in parts), start=type(parts[0].invocations)())
    # counted from the changes themselves, not from the requests: the same bill by another way
    assert sum(bought.whole.written.values()) == bought.whole.write_units


def test_both_providers_cost_the_same_in_the_database() -> None:
    from infra.bench import buying

    stripe, mollie = (buying.purchase(provider).whole for provider in buying.PROVIDERS)
    assert (stripe.requests, stripe.write_units, stripe.read_units) == (
        mollie.requests,
        mollie.write_units,
        mollie.read_units,
    )

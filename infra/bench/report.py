"""What was counted and measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.bench import flat, prices, scale, takes
from infra.bench.counting import Count
from infra.bench.operation import Operation, Target
from infra.bench.pages import table
from infra.bench.prices import Bill, bill

Counted = Sequence[tuple[Operation, Count]]


# ------------------------------------------------------------------------------------------------------ the targets


def verdict(operation: Operation, count: Count) -> str:
    """`ok`, `over` with a reference to the reasons, or a dash where nothing was promised."""
    if operation.target == Target():
        return "–"
    return "**over**" if operation.target.missed_by(count) else "ok"


def unexplained(counted: Counted) -> list[str]:
    """Targets that are missed without a reason being given, in words."""
    return [
        f"{operation.group}, {operation.name}: {'; '.join(missed)}"
        for operation, count in counted
        if (missed := operation.target.missed_by(count)) and not operation.why_over
    ]


def missed(counted: Counted) -> list[str]:
    """Every missed target with its reason, one Markdown list entry each."""
    return [
        f"- **{operation.group.lower()}: {operation.name}** {'; '.join(over)}. {_sentence(operation.why_over)}"
        for operation, count in counted
        if (over := operation.target.missed_by(count))
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else "No reason is known: this is a defect."


# --------------------------------------------------------------------------------------------------- docs/costs.md


def operations(counted: Counted, memory_mb: Mapping[str, int]) -> str:
    """The table of operations, and the targets that are missed."""
    head = ["operation", "requests", "write units", "read units", "DynamoDB $/M", "rest $/M", "target", ""]
    rows, group = [], ""
    for operation, count in counted:
        if operation.group != group:
            group = operation.group
            rows.append([f"**{group}**", *[""] * 7])
        cost = bill(count, memory_mb)
        used = [str(count.requests), number(count.write_units), number(count.read_units)]
        rows.append(
            [
                operation.name,
                *used,
                dollars(cost.dynamodb),
                dollars(cost.rest),
                promise(operation.target),
                verdict(operation, count),
            ]
        )
    over = missed(counted)
    listed = "\n".join(["Over target:", "", *over]) if over else "Every target is met."
    return f"{table(head, rows)}\n\n{listed}"


def promise(target: Target) -> str:
    """A target as `requests / write units / read units`."""
    parts = (target.requests, target.write_units, target.read_units)
    return "" if target == Target() else " / ".join("·" if part is None else number(part) for part in parts)


def dollars(value: float) -> str:
    """Cents, half a cent up as on a bill."""
    return f"{value + 1e-9:,.2f}"


def number(value: float) -> str:
    """`1,553` or `0.5`."""
    return f"{value:,.1f}".removesuffix(".0")


def whole_order(parts: Mapping[str, Count], memory_mb: Mapping[str, int]) -> str:
    """One order from the first add to the last event: by part, and in dollars by service."""
    head = ["part of a three-line order", "API", "invocations", "requests", "write units", "read units", "events"]
    rows = [[name, *_used(count)] for name, count in parts.items()]
    whole = sum(parts.values(), Count())
    rows.append(["**all of it**", *(f"**{each}**" for each in _used(whole))])
    cost = bill(whole, memory_mb)
    items = [[item, dollars(each), f"{each / cost.total:.0%}"] for item, each in _largest_first(cost)]
    items.append(["**a million orders**", f"**{dollars(cost.total)}**", ""])
    return f"{table(head, rows)}\n\n{table(['dollars per million orders', '$', 'share'], items)}"


def _used(count: Count) -> list[str]:
    numbers = (count.requests, count.write_units, count.read_units, count.published)
    return [str(count.served.total()), str(count.invocations.total()), *map(number, numbers)]


def _largest_first(cost: Bill) -> list[tuple[str, float]]:
    return sorted(cost.items.items(), key=lambda item: -item[1])


def price_list() -> str:
    """The prices and assumptions behind the dollars."""
    paid = ", ".join(f"{item} ${price:g}" for item, price in prices.PER_MILLION.items())
    waits = ", ".join(f"{operation} {ms}" for operation, ms in prices.WAITS_MS.items())
    return (
        f"Prices in {prices.REGION}, on demand, from {prices.AS_OF}. Per million: {paid}. Lambda on arm64 "
        f"${prices.GB_SECOND:.10f} per GB-second, CloudWatch logs ${prices.LOG_GB:.2f} per GB.\n\n"
        f"Assumed, not measured: an invocation works {prices.OWN_MS} ms by itself and waits for each request "
        f"(ms: {waits}, any other {prices.OTHER_WAIT_MS}, a payment provider {prices.PROVIDER_WAIT_MS}); a log line of "
        f"ours has {prices.LINE_BYTES} bytes, Lambda's own {prices.PLATFORM_BYTES} an invocation; a message costs "
        f"{prices.SQS_REQUESTS} SQS requests."
    )


def flat_table(rows: Sequence[flat.Row]) -> str:
    """Requests / write units / read units of each operation by size of the shop."""
    cells = [[f"{row.products:,}", *(" / ".join(map(number, used)) for used in row.used)] for row in rows]
    return table(["products", *flat.OPERATIONS], cells, left=0)


# --------------------------------------------------------------------------------------------------- docs/scale.md


def takes_tables() -> str:
    """Takes a second against shards, and how it feels when too many come."""
    columns = {
        "busy 2 ms": {"busy_s": 0.002},
        "busy 5 ms": {"busy_s": 0.005},
        "busy 10 ms": {"busy_s": 0.010},
        "5 ms, each also sold": {"busy_s": 0.005, "sold": True},
        "5 ms, one partition": {"busy_s": 0.005, "together": True},
    }
    rows = []
    for shards in takes.SHARDS:
        most = [takes.capacity(takes.Hot(shards, **kind)) for kind in columns.values()]  # type: ignore[arg-type]
        limit = shards * takes.PARTITION_UNITS // takes.TAKE_UNITS
        rows.append([str(shards), f"{limit:,}", *(f"{each:,}" for each in most)])
    first = table(["shards", "partition limit", *columns], rows, left=0)
    return f"{first}\n\n{_rush()}"


RUSH = 1_000
"""Takes a second of one SKU, for the second table."""


def _rush() -> str:
    rows = []
    for shards in takes.SHARDS:
        seen = takes.simulate(takes.Hot(shards, 0.005), RUSH, 6.0)
        waited = [f"{seconds * 1000:.0f} ms" for seconds in (seen.median_s, seen.p99_s)]
        rows.append([str(shards), f"{seen.gave_up:.1%}", f"{seen.attempts:.2f}", *waited])
    return table(["shards", f"of {RUSH:,} a second, gave up", "attempts", "median", "99 of 100 within"], rows, left=0)


def limits_table(limits: Sequence[scale.Limit]) -> str:
    """The share of every limit that an order rate uses, worst first, and the rate at which each would be reached."""
    rates = [f"{rate:,} a minute" for rate in scale.RATES]
    rows = []
    for limit in sorted(limits, key=scale.most):
        shares = [_share(limit.share(rate)) for rate in scale.RATES]
        reached = f"{_rounded(scale.most(limit)):,} a minute"
        rows.append([limit.name, f"{limit.per_second:,.0f}", f"{limit.used:,.2g}", *shares, reached])
    return table(["limit", "allowed a second", "used by an order", *rates, "reached at"], rows)


def _share(of_limit: float) -> str:
    return f"**{of_limit:.0%}**" if of_limit > 1 else f"{of_limit:.1%}" if of_limit < 0.1 else f"{of_limit:.0%}"


def _rounded(value: float) -> int:
    """Two significant digits: nobody should believe more."""
    return int(float(f"{value:.1e}"))

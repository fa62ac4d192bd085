"""The benchmark itself: it must see what it is there for."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.bench import add_arguments, cold, counted, flat, pages, prices, report, scale, warm
from infra.bench.counting import RELAY, Count, Outgoing
from infra.bench.operation import Operation, Target
from infra.bench.stage import Stage, sku
from infra.bench.takes import PARTITION_UNITS, TAKE_UNITS, Hot, capacity, simulate


def used(operation: str = "UpdateItem", function: str = "BasketApi", *, write: float = 0, read: float = 0) -> Outgoing:
    return Outgoing(function, "aws", "dynamodb", operation, "BasketTable", write, read)


# --------------------------------------------------------------------------------------------------------- counting


def test_a_meter_counts_what_happens_inside_only() -> None:
    # GIVEN a shop
    stage = Stage(3)
    guest = stage.guest()
    # WHEN something is counted, and something else is not
    with stage.meter.counted() as count:
        stage.add(guest, sku(1))
    stage.add(guest, sku(2))
    # THEN
    assert (count.requests, count.write_units) == (1 + 1, 1)  # the price was not cached
    assert count.invocations == {"AuthorizerOnRequest": 1, "BasketApi": 1}
    assert count.served == {"BasketApi": 1}
    assert count.published == 0
    assert count.written == {"BasketTable": 1}


def test_a_meter_sees_the_events_and_their_messages() -> None:
    stage = Stage(3)
    shopper = stage.customer("0190a1b2-0000-7000-8000-000000000001", 2)
    stage.world.settle()
    stage.place(shopper)
    with stage.meter.counted() as count:
        stage.world.settle()
    kinds = Counter(event["type"] for event in stage.world.events()[-count.published :])
    assert kinds["order.placed"] == 1
    assert kinds["stock.level_changed"] == 2
    assert count.queued == 1  # profiles keep the history
    assert count.of(RELAY).published == count.published
    assert count.of("ProfilesOnEvent").published == 0


def test_copies_of_products_are_real_products() -> None:
    stage = Stage(50)
    shown = stage.call("GET", f"/products/{sku(49)}").json
    assert shown["sku"] == sku(49)
    assert (
        stage.call("GET", f"/stock/{sku(49)}").json["total"] == stage.call("GET", f"/stock/{sku(0)}").json["total"] > 0
    )


def test_a_filled_basket_is_as_if_filled_line_by_line() -> None:
    # GIVEN one basket filled by the stage, and one by the shopper
    stage = Stage(5)
    filled, added = stage.guest(5), stage.guest()
    for number in range(5):
        stage.add(added, sku(number))
    # THEN both are the same to whoever looks
    baskets = [stage.call("GET", f"/baskets/{each.basket_id}", each.token).json for each in (filled, added)]
    lines, others = ({line["sku"]: line["quantity"] for line in basket["lines"]} for basket in baskets)
    assert lines == others
    assert baskets[0]["totals"] == baskets[1]["totals"]


# ---------------------------------------------------------------------------------------------------------- targets


def test_a_missed_target_is_told() -> None:
    target = Target(requests=1, write_units=1, read_units=0)
    assert target.missed_by(Count([used(write=1)])) == []
    assert target.missed_by(Count([used(write=2), used(read=0.5)])) == [
        "2 requests > 1",
        "2 write units > 1",
        "0.5 read units > 0",
    ]


@pytest.mark.parametrize(("why", "told"), [("", 1), ("because", 0)])
def test_a_missed_target_needs_a_reason(why: str, told: int) -> None:
    operation = Operation("Basket", "add", Count, Target(requests=0), why)
    over = [(operation, Count([used()]))]
    assert len(report.unexplained(over)) == told
    assert report.verdict(*over[0]) == "**over**"
    assert len(report.missed(over)) == 1


def test_cost_that_grows_with_the_shop_is_found() -> None:
    small, same = flat.Row(10, ((1, 0, 0.5),) * 5), flat.Row(1000, ((1, 0, 0.5),) * 5)
    assert flat.grew([small, same]) == []
    large = flat.Row(1000, ((1, 0, 0.5),) * 4 + ((3, 0, 12.5),))
    assert len(flat.grew([small, large])) == 1


def test_cost_is_flat_from_ten_products_to_a_thousand() -> None:
    assert flat.grew([flat.measure(size) for size in flat.SIZES[:2]]) == []


# ---------------------------------------------------------------------------------------------------------- dollars


def test_a_million_writes_cost_what_the_price_page_says() -> None:
    bill = prices.bill(Count([used(write=1), used("GetItem", read=2)]), {"BasketApi": 1024})
    assert bill.dynamodb == pytest.approx(0.625 + 0.25)
    # 6 ms and 5 ms of waiting at 1 GB, a million times
    assert bill.items["Lambda duration"] == pytest.approx(11_000 * prices.GB_SECOND)


def test_everything_beside_the_database_is_billed_too() -> None:
    count = Count(
        invocations=Counter(BasketApi=1),
        served=Counter(BasketApi=1),
        logged=Counter(BasketApi=1),
        published=2,
        queued=1,
    )
    bill = prices.bill(count, {"BasketApi": 512}).items
    assert bill["API Gateway requests (REST)"] == 3.5
    assert bill["EventBridge events"] == 2
    assert bill["SQS requests"] == pytest.approx(1.2)
    assert bill["Lambda duration"] == pytest.approx(0.008 * 0.5 * 1e6 * prices.GB_SECOND)
    assert bill["CloudWatch logs"] == pytest.approx((260 + 700) * 1e6 / 1e9 * 0.5)


# ------------------------------------------------------------------------------------------------- takes of a hot SKU


def test_no_shard_gives_more_than_its_partition_takes() -> None:
    rush = simulate(Hot(1, busy_s=0.0), per_second=3000, seconds=5)
    done = rush.arrived * (1 - rush.gave_up)
    assert rush.gave_up > 0.5
    # the last retries end a good second after the last arrival
    assert done / 6.5 <= PARTITION_UNITS / TAKE_UNITS


def test_takes_of_one_item_get_in_each_others_way() -> None:
    alone, crowded = (simulate(Hot(1, 0.005), per_second=rate, seconds=20) for rate in (1, 150))
    assert (alone.gave_up, alone.attempts) == (0, pytest.approx(1, abs=0.1))
    assert crowded.attempts > 2
    assert crowded.p99_s > alone.p99_s


def test_more_shards_give_more_takes() -> None:
    one, four = capacity(Hot(1)), capacity(Hot(4))
    assert 3 * one < four < 5 * one


def test_shards_in_one_partition_share_its_limit() -> None:
    assert capacity(Hot(8, together=True)) < PARTITION_UNITS / TAKE_UNITS < capacity(Hot(8, busy_s=0.002))


def test_the_same_seed_gives_the_same_story() -> None:
    assert simulate(Hot(2), 200, 3, seed=7) == simulate(Hot(2), 200, 3, seed=7) != simulate(Hot(2), 200, 3, seed=8)


def test_the_simulation_retries_as_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel's retries change, the page must be made again."""
    from botocore.exceptions import ClientError

    from commerce import clock, ids, problems, writes
    from infra.bench import takes

    pauses: list[float] = []
    tries: list[int] = []
    monkeypatch.setattr(clock, "pause", pauses.append)
    monkeypatch.setattr(ids, "random_bytes", lambda count: b"\xff" * count)

    def conflict(*sent: Any) -> None:
        tries.append(1)
        reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
        raise ClientError(
            {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-unknown-key]
            "TransactWriteItems",
        )

    monkeypatch.setattr(writes, "_send_all", conflict)
    monkeypatch.setenv("STOCK_TABLE", "stock")
    with pytest.raises(problems.Problem):
        writes.commit(writes.delete("STOCK", ("SKU#1", "-")), writes.delete("STOCK", ("SKU#2", "-")))
    assert len(tries) == takes.ATTEMPTS
    assert pauses == pytest.approx([takes.FIRST_PAUSE_S * 2**attempt for attempt in range(1, takes.ATTEMPTS)])


# ------------------------------------------------------------------------------------------------------ cold and warm


def test_a_warm_call_answers_without_an_engine() -> None:
    ticks: list[None] = []
    calls = {each.name: each for each in warm.measure(rounds=1, times=2, tick=lambda: ticks.append(None))}
    assert len(ticks) == len(calls)
    assert calls[warm.TRIVIAL].ratio == 1
    assert all(each.ms > 0 for each in calls.values())
    assert calls["checkout.api: place 3 lines"].requests == 3
    assert calls["basket.api: add a line"].requests == 1
    assert calls["payments.webhook: Stripe's"].requests == 1


def test_a_function_that_cannot_be_imported_is_no_cold_start(tmp_path: Path) -> None:
    assert cold._cpu_ms([sys.executable, "-S", "-E", "-c", "pass"]) > 0
    with pytest.raises(RuntimeError, match="no_such_module"):
        cold._cpu_ms([sys.executable, "-S", "-E", "-c", cold._import("no_such_module", [tmp_path])])


# ----------------------------------------------------------------------------------------------------------- limits


def test_a_limit_breaks_where_its_share_passes_one() -> None:
    limit = scale.Limit("ten a second", per_second=10, used=2)
    assert limit.share(300) == 1
    assert scale.most(limit) == 300
    assert scale.broken([limit], 300) == []
    assert scale.broken([limit], 301) == [limit]


def test_the_sweep_ceiling_is_the_kernels_own() -> None:
    from commerce import due, sweeper

    assert due.SHARDS * sweeper._BATCH == scale.SWEPT_A_MINUTE


# ------------------------------------------------------------------------------------------------------------ pages


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- sums: generated by make bench -->\nold\n<!-- end of sums -->\n\nprose\n")
    return page


def test_only_the_generated_part_changes(page: Path) -> None:
    assert pages.write(page, "sums", "new \\1 body\n")
    assert pages.part(page, "sums") == "new \\1 body"
    assert page.read_text().startswith("# Title")
    assert page.read_text().endswith("prose\n")
    assert not pages.write(page, "sums", "new \\1 body")


def test_a_page_without_the_markers_is_a_mistake(page: Path) -> None:
    with pytest.raises(KeyError, match="no part 'other'"):
        pages.write(page, "other", "body")


def test_an_outdated_page_is_told(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(counted.PAGE_OF, "sums", page)
    assert counted.Pages({"sums": "old"}).outdated() == []
    assert len(counted.Pages({"sums": "other"}).outdated()) == 1


def test_the_command_line_knows_its_words() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--quick", "--check"])
    assert (args.quick, args.check, args.million) == (True, True, False)

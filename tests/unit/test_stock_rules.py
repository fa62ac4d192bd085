"""Opening hours, counts, slots of orders, and what shoppers see: rules without a table."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from commerce import events, holds
from stock import availability, counting, hours, movements, orders
from stock.views import CountsBody, LocationBody, OpeningHours

WEEK = {"mon": [["11:00", "18:00"]], "thu": [["10:00", "12:30"], ["13:30", "21:00"]], "timezone": "Europe/Amsterdam"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ---------------------------------------------------------------------------------------------------- opening hours


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-23T09:59", False),  # Monday 10:59 in Amsterdam
        ("2026-11-23T10:00", True),
        ("2026-11-23T16:59", True),
        ("2026-11-23T17:00", False),  # the end is not open any more
        ("2026-07-06T09:00", True),  # summer time: 11:00
        ("2026-11-24T12:00", False),  # Tuesday is not named
        ("2026-11-26T12:00", False),  # lunch
    ],
)
def test_a_shop_is_open_by_its_own_clock(moment: str, open_: bool) -> None:
    assert hours.is_open(WEEK, at(moment)) is open_


def test_an_exception_replaces_its_day() -> None:
    closed, late = {"date": "2026-11-23", "hours": []}, {"date": "2026-11-24", "hours": [["09:00", "24:00"]]}
    week = WEEK | {"exceptions": [closed, late]}
    assert not hours.is_open(week, at("2026-11-23T12:00"))
    assert hours.is_open(week, at("2026-11-24T22:59"))
    assert hours.today(week, at("2026-11-24T12:00")) == [["09:00", "24:00"]]


@pytest.mark.parametrize(
    "bad",
    [
        {"mon": [["18:00", "09:00"]]},
        {"mon": [["09:00", "12:00"], ["11:00", "18:00"]]},
        {"mon": [["9:00", "12:00"]]},
        {"mon": [["09:00"]]},
        {"monday": []},
        {"timezone": "Europe/Atlantis"},
        {"timezone": "../../etc/passwd"},
        {"exceptions": [{"date": "2026-12-25"}, {"date": "2026-12-25"}]},
    ],
)
def test_opening_hours_that_make_no_sense_are_refused(bad: dict) -> None:
    with pytest.raises(ValidationError):
        OpeningHours.model_validate(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"latitude": 91.0, "longitude": 4.0},
        {"latitude": 52.0},
        {"latitude": True, "longitude": 4.0},
        {"latitude": float("nan"), "longitude": 4.0},
        {"kind": "shed"},
        {"safety_stock": -1},
        {"safety_stock": True},
        {"markets": ["atlantis"]},
        {"channels": []},
        {"fulfilments": ["pickup", "pickup"]},
        {"name": "a\u202eb"},
        {"surprise": 1},
    ],
)
def test_a_location_that_makes_no_sense_is_refused(bad: dict) -> None:
    with pytest.raises(ValidationError):
        LocationBody.model_validate({"name": "Amsterdam", "kind": "store"} | bad)


# ------------------------------------------------------------------------------------------------------------ counts


def lines(*given: dict) -> list:
    return CountsBody.model_validate({"location_id": "ams", "lines": list(given)}).lines


def test_a_tag_counts_once_and_numbers_add_up() -> None:
    counted = lines(
        {"sku": "TEE", "tags": ["a", "b", "a"]},
        {"sku": "TEE", "tags": ["b", "c"]},
        {"sku": "MUG", "quantity": 2},
        {"sku": "MUG", "quantity": 3},
        {"sku": "CAP", "quantity": 0},
    )
    assert counting.tally(counted) == {"TEE": 3, "MUG": 5, "CAP": 0}
    assert counting.size(counted) == 8


def test_nothing_found_of_a_sku_is_a_count_too() -> None:
    assert counting.tally(lines({"sku": "TEE", "tags": []})) == {"TEE": 0}


def test_one_tag_on_two_articles_is_refused() -> None:
    with pytest.raises(counting.TagTwice) as refusal:
        counting.tally(lines({"sku": "TEE", "tags": ["a"]}, {"sku": "MUG", "tags": ["b", "a"]}))
    assert refusal.value.line == 1


def test_a_line_says_either_a_number_or_tags() -> None:
    for wrong in ({"sku": "TEE"}, {"sku": "TEE", "quantity": 1, "tags": ["a"]}):
        with pytest.raises(ValidationError):
            lines(wrong)


def test_counts_are_worked_off_in_portions() -> None:
    parts = list(counting.parts({f"S{number:04d}": number for number in range(450)}))
    assert [len(part) for part in parts] == [200, 200, 50]


# ------------------------------------------------------------------------------------------------- slots of orders


def order(kind: type[events.OrderPaid] | type[events.OrderCancelled], count: int = 2, **more: object):
    ordered = [{"sku": f"S{n:03d}", "quantity": 1, "location_id": "ams"} for n in range(count)]
    return kind.model_validate({
        "order_id": "7K2M9QXD4TZ0", "order_number": "7K2M-9QXD-4TZ0", "market": "nl", "channel": "web",
        "currency": "EUR", "total": 1, "lines": ordered, "paid_at": "2026-11-21T10:00:00.000Z",
    } | more)  # fmt: skip


def test_sale_and_cancellation_of_an_order_meet_in_the_same_slots() -> None:
    paid, cancelled = orders.slots(order(events.OrderPaid)), orders.slots(order(events.OrderCancelled, was_paid=True))
    assert [slot.movement_id for slot in paid] == [slot.movement_id for slot in cancelled]
    assert len({slot.movement_id for slot in paid}) == 2
    assert paid[0].back(at("2026-11-21T11:00"))["movement_id"] > paid[0].movement_id  # sorted by time


def test_two_lines_on_one_level_are_one_slot() -> None:
    twice = [{"sku": "TEE", "quantity": 1, "location_id": "ams"}, {"sku": "TEE", "quantity": 2, "location_id": "ams"}]
    (slot,) = orders.slots(order(events.OrderPaid, lines=twice))
    assert slot.sale()["quantity"] == -3


def test_a_big_order_comes_in_portions_of_one_transaction() -> None:
    chunks = list(orders.chunks(orders.slots(order(events.OrderPaid, count=100))))
    assert [len(chunk) for chunk in chunks] == [45, 45, 10]
    assert 2 * max(map(len, chunks)) + 1 <= 100


def test_an_order_that_was_never_paid_has_no_slots() -> None:
    with pytest.raises(ValueError, match="sold nothing"):
        orders.slots(order(events.OrderCancelled, paid_at=None))


def test_the_same_cause_gives_the_same_movement() -> None:
    moment = at("2026-11-21T10:00")
    assert movements.derived_id(moment, "a", "bc") == movements.derived_id(moment, "a", "bc")
    assert movements.derived_id(moment, "a", "bc") != movements.derived_id(moment, "ab", "c")


# ------------------------------------------------------------------------------------------------- what shoppers see

KNOWN = {
    "ams": {"location_id": "ams", "name": "Amsterdam", "kind": "store", "latitude": "52.3702", "longitude": "4.8924"},
    "gro": {"location_id": "gro", "name": "Groningen", "kind": "store", "latitude": "53.2165", "longitude": "6.5668"},
    "hub": {"location_id": "hub", "name": "Hub", "kind": "warehouse", "channels": ["web"], "markets": ["nl"]},
}


def test_nearest_first_unknown_distance_last_and_nothing_below_zero() -> None:
    # GIVEN stock in three places, one oversold, and at one nobody knows
    levels = [
        holds.new_level("TEE", "hub", 7),
        holds.new_level("TEE", "gro", 2),
        holds.new_level("TEE", "ams", -1),
        holds.new_level("TEE", "lost", 9),
    ]
    # WHEN somebody in Amsterdam asks
    view = availability.view("TEE", levels, KNOWN, availability.Asked(near=(52.37, 4.90)), at("2026-11-21T10:00"))
    # THEN
    assert [(place.location_id, place.available) for place in view.locations] == [("ams", 0), ("gro", 2), ("hub", 7)]
    assert view.total == 9
    assert view.locations[0].distance_km == 0.5
    assert view.locations[1].distance_km == pytest.approx(146, abs=1)
    assert view.locations[2].distance_km is None


def test_parts_of_a_split_level_are_one_place() -> None:
    split = [holds.new_level("TEE", "ams", -1) | {"shards": 2}, holds.new_level("TEE", "ams", 3, shard="0"),
             holds.new_level("TEE", "ams", 2, reserved=1, shard="1")]  # fmt: skip
    view = availability.view("TEE", split, KNOWN, availability.Asked(), at("2026-11-21T10:00"))
    assert [place.available for place in view.locations] == [3]


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({"channel": "till"}, ["ams"]),
        ({"channel": "web"}, ["ams", "hub"]),
        ({"market": "uk"}, ["ams"]),
        ({"fulfilment": "delivery"}, ["hub"]),
        ({"fulfilment": "pickup", "location_id": "ams"}, ["ams"]),
    ],
)
def test_only_places_that_serve_what_was_asked(asked: dict, seen: list[str]) -> None:
    levels = [holds.new_level("TEE", "ams", 1), holds.new_level("TEE", "hub", 1)]
    view = availability.view("TEE", levels, KNOWN, availability.Asked(**asked), at("2026-11-21T10:00"))
    assert [place.location_id for place in view.locations] == seen


# ------------------------------------------------------------------------------------------------- levels and holds


def test_a_hold_is_spread_over_what_has_enough_at_random() -> None:
    split = [holds.new_level("TEE", "ams", 0), *(holds.new_level("TEE", "ams", 9, shard=str(n)) for n in range(4))]
    chosen = {holds.spread(split, 2)[0].shard for _ in range(200)}
    assert chosen == {"0", "1", "2", "3"}


def test_a_hold_too_big_for_one_part_uses_as_few_as_possible() -> None:
    split = [holds.new_level("TEE", "ams", free, shard=str(n)) for n, free in enumerate([1, 4, 3])]
    assert [(hold.shard, hold.quantity) for hold in holds.spread(split, 6)] == [("1", 4), ("2", 2)]


def test_a_debt_of_the_base_level_counts_against_its_parts() -> None:
    split = [holds.new_level("TEE", "ams", -2), holds.new_level("TEE", "ams", 3, shard="0")]
    assert holds.spread(split, 2) == []
    assert len(holds.spread(split, 1)) == 1


def test_a_level_with_all_its_notes_stays_under_one_kilobyte() -> None:
    from commerce.items import size

    level = holds.new_level("S" * 40, "l" * 20, 99_999, reserved=99_999)
    level["event"] |= {"correlation": "c" * 36, "cause": "order/7K2M9QXD4TZ0@12"}
    level |= {f"h:7K2M9QXD4T{n:02d}": [1_763_700_000, 999] for n in range(holds.NAMED_HOLDERS)}
    assert size(level) < 1024


def test_taking_notes_the_holder_and_lets_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TABLE", "stock")
    # GIVEN a level that names as many orders as it may
    level = holds.new_level("TEE", "ams", 99) | {f"h:ORDER{n:02d}": [n, 1] for n in range(holds.NAMED_HOLDERS)}
    hold = holds.Hold("TEE", "ams", 2)
    # WHEN another takes
    (write,) = holds.take([hold], "NEWEST", {hold.key: level})
    # THEN it is noted and the oldest is not any more
    names = write.request["ExpressionAttributeNames"]
    assert names["#holder"] == "h:NEWEST"
    assert [name for alias, name in names.items() if alias.startswith("#old")] == ["h:ORDER00"]


def test_parts_are_subjects_of_their_own() -> None:
    for shard, subject in ((None, "stock/TEE/ams"), ("3", "stock/TEE/ams/3")):
        told = events.envelope(holds.new_level("TEE", "ams", 1, shard=shard))
        assert told is not None
        assert told.id == f"{subject}@1"


def test_an_oversold_event_names_the_orders() -> None:
    level = holds.new_level("TEE", "ams", -1) | {"event": events.of("stock.oversold", missing=1, orders=["A"])}
    told = events.envelope(level)
    assert told is not None
    assert (told.data["missing"], told.data["orders"]) == (1, ["A"])

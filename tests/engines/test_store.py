"""The kernel's store functions, alike on every engine: here no difference is known, and none is allowed."""

from __future__ import annotations

import random

import pytest

from commerce import baskets, clock, due, events, holds, ids, reads, writes
from commerce.holds import Hold, Shortage

from .engine import Engine, fresh

SHOP = "nl-amsterdam"
EXISTS = "attribute_exists(pk)"


class Told(Exception):
    """A refusal that remembers the item it was told."""


def _stock(engine: Engine, sku: str, units: int, *, safety: int = 0, location: str = SHOP) -> Hold:
    writes.commit(writes.put("STOCK", holds.new_level(sku, location, units, safety=safety)))
    return Hold(sku, location, 1)


def _level(hold: Hold) -> dict[str, int]:
    level = reads.get("STOCK", hold.key)
    assert level is not None
    return {name: level[name] for name in ("on_hand", "reserved", "safety", "available", "version")}


def _basket(**dots: baskets.Packed) -> dict:
    basket_id = ids.new()
    pk, sk = baskets.key(basket_id)
    basket = {
        "pk": pk, "sk": sk, "basket_id": basket_id, "state": "open", "dots": dots, "recent": {}, "seen": {},
        "units": baskets.sum_of(dots), "version": 1, "event": events.of("basket.changed", change="made"),
    }  # fmt: skip
    writes.commit(writes.put("BASKET", basket))
    return basket


def _again(basket: dict) -> dict:
    found = baskets.home(basket["basket_id"])
    assert found is not None
    return found


CHANGED = {"type": "basket.changed", "time": "2026-11-21T10:00:00.000Z", "data": {"change": "lines"}}


# ------------------------------------------------------------------------------------------------------------ writes


def test_a_key_is_put_once(engine: Engine) -> None:
    # GIVEN an item
    pk = fresh()
    writes.commit(writes.put("STOCK", {"pk": pk, "sk": "-", "n": 1}))
    # WHEN it is put again
    with pytest.raises(writes.Refused) as refused:
        writes.commit(writes.put("STOCK", {"pk": pk, "sk": "-", "n": 2}, refused=Told))
    # THEN the second put is refused, is told the item as it is, and changed nothing
    (told,) = refused.value.all(Told)
    assert told.args == ({"pk": pk, "sk": "-", "n": 1},)
    assert reads.get("STOCK", (pk, "-")) == {"pk": pk, "sk": "-", "n": 1}


def test_an_update_of_nothing_is_told_nothing(engine: Engine) -> None:
    # WHEN an item that is not there is changed
    with pytest.raises(writes.Refused) as refused:
        writes.commit(writes.update("STOCK", (fresh(), "-"), set="n = :n", values={":n": 1}, refused=Told))
    # THEN there is no old item
    assert refused.value.first(Told).args == (None,)  # type: ignore[union-attr]


def test_an_update_reads_back_the_whole_item(engine: Engine) -> None:
    # GIVEN an item with more than what changes
    pk = fresh()
    writes.commit(writes.put("STOCK", {"pk": pk, "sk": "-", "n": 1, "dropped": True, "kept": [1, "a", None]}))
    # WHEN one request changes it and reads it back
    change = writes.update("STOCK", (pk, "-"), set="n = n + :n", remove="dropped", add="m :n", values={":n": 2})
    after = writes.commit(change, read_back=True)
    # THEN the answer is the item as it is now
    assert after == {"pk": pk, "sk": "-", "n": 3, "m": 2, "kept": [1, "a", None]} == reads.get("STOCK", (pk, "-"))


def test_a_delete_needs_its_condition(engine: Engine) -> None:
    # GIVEN an item
    pk = fresh()
    writes.commit(writes.put("STOCK", {"pk": pk, "sk": "-", "version": 2}))
    # WHEN two want to delete it, one of them knowing an older version
    with pytest.raises(writes.Refused):
        writes.commit(writes.delete("STOCK", (pk, "-"), when="version = :v", values={":v": 1}))
    assert reads.get("STOCK", (pk, "-"))
    writes.commit(writes.delete("STOCK", (pk, "-"), when="version = :v", values={":v": 2}))
    # THEN only the one who knew goes through
    assert reads.get("STOCK", (pk, "-")) is None


def test_a_transaction_says_everything_that_was_refused_in_order(engine: Engine, sku: str) -> None:
    # GIVEN three levels of which two have too little, and an order that exists already
    short, enough, empty = (_stock(engine, f"{sku}-{n}", units) for n, units in enumerate((1, 5, 0)))
    order = {"pk": fresh("O"), "sk": "-"}
    writes.commit(writes.put("BASKET", order))
    wanted = [Hold(each.sku, SHOP, 2) for each in (short, enough, empty)]
    # WHEN all is placed in one transaction
    with pytest.raises(writes.Refused) as refused:
        writes.commit(writes.put("BASKET", order), holds.take(wanted))
    # THEN every refusal is there, in the order of the writes, and nothing was written
    kept, first, second = refused.value.causes
    assert isinstance(kept, writes.Superseded)
    assert [(cause.hold.sku, cause.available) for cause in (first, second)] == [(short.sku, 1), (empty.sku, 0)]
    assert _level(enough) == {"on_hand": 5, "reserved": 0, "safety": 0, "available": 5, "version": 1}


def test_a_check_guards_a_transaction_and_writes_nothing(engine: Engine) -> None:
    # GIVEN an open order
    order, line = fresh("O"), fresh("L")
    writes.commit(writes.put("BASKET", {"pk": order, "sk": "-", "state": "open"}))
    guard = writes.check(
        "BASKET", (order, "-"), when="#s = :open", values={":open": "open"}, names={"#s": "state"}, refused=Told
    )
    # WHEN something is written while it is open, and again when it is closed (asked for twice, it is one check)
    writes.commit(guard, writes.put("STOCK", {"pk": line, "sk": "1"}), guard)
    close = {"set": "#s = :closed", "values": {":closed": "closed"}, "names": {"#s": "state"}}
    writes.commit(writes.update("BASKET", (order, "-"), **close))
    with pytest.raises(writes.Refused) as refused:
        writes.commit(writes.put("STOCK", {"pk": line, "sk": "2"}), guard)
    # THEN only the first was written, and the check tells why
    assert refused.value.first(Told).args == ({"pk": order, "sk": "-", "state": "closed"},)  # type: ignore[union-attr]
    assert [item["sk"] for item in reads.every("STOCK", line)] == ["1"]


def test_a_hundred_writes_are_one_transaction_and_more_are_none(engine: Engine) -> None:
    # GIVEN a partition
    pk = fresh()
    puts = [writes.put("STOCK", {"pk": pk, "sk": f"{place:03}"}) for place in range(101)]
    # WHEN 101 and then 100 items are to be written at once
    with pytest.raises(ValueError, match="101 writes"):
        writes.commit(puts)
    assert list(reads.every("STOCK", pk)) == []
    writes.commit(puts[:100])
    # THEN a hundred arrived
    assert len(list(reads.every("STOCK", pk))) == 100


def test_a_mistake_is_not_taken_for_a_refusal(engine: Engine) -> None:
    # GIVEN an item without the number that is counted
    pk = fresh()
    writes.commit(writes.put("STOCK", {"pk": pk, "sk": "-"}))
    add = writes.update("STOCK", (pk, "-"), set="units = units + :n", values={":n": 1})
    # WHEN it is counted, alone and in a transaction
    for batch in ([add], [writes.put("STOCK", {"pk": pk, "sk": "+"}), add]):
        with pytest.raises(Exception, match=r"ValidationE") as raised:
            writes.commit(batch)
        # THEN it is an error of ours, not an answer and not contention
        assert not isinstance(raised.value, writes.Refused)
    assert [item["sk"] for item in reads.every("STOCK", pk)] == ["-"]


# ------------------------------------------------------------------------------------------------------------- reads


def test_many_are_read_from_two_tables_at_once(engine: Engine) -> None:
    # GIVEN items in two tables
    pk = fresh()
    writes.commit([writes.put("STOCK", {"pk": pk, "sk": f"{place:03}", "n": place}) for place in range(90)])
    writes.commit(writes.put("BASKET", {"pk": pk, "sk": "-", "n": -1}))
    # WHEN more keys are asked for than fit one request, some twice and some of nothing
    asked = [(pk, f"{place:03}") for place in range(120)]
    found = reads.get_many({"STOCK": [*asked, *asked[:5]], "BASKET": [(pk, "-"), (pk, "nothing")]})
    # THEN what is there is found, and only that
    assert {key: item["n"] for key, item in found["STOCK"].items()} == {key: int(key[1]) for key in asked[:90]}
    assert found["BASKET"] == {(pk, "-"): {"pk": pk, "sk": "-", "n": -1}}


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_partition_is_read_in_pages(engine: Engine, newest_first: bool) -> None:
    # GIVEN four movements among other items of one partition
    pk = fresh()
    rows = ["LEVEL", "MOVE#1", "MOVE#2", "MOVE#3", "MOVE#4", "NOTE#1"]
    writes.commit([writes.put("STOCK", {"pk": pk, "sk": sk}) for sk in rows])
    # WHEN they are read two at a time
    seen, start = [], None
    for _ in range(3):
        items, start = reads.page("STOCK", pk, prefix="MOVE#", newest_first=newest_first, limit=2, start=start)
        seen += [item["sk"] for item in items]
        if start is None:
            break
    # THEN all come once and in order, whether or not the last full page knew that it was the last
    assert seen == sorted(rows[1:5], reverse=newest_first)
    assert start is None


def test_a_filter_does_not_lose_items_of_later_pages(engine: Engine) -> None:
    # GIVEN a partition of which only the last item is wanted
    pk = fresh()
    writes.commit([writes.put("STOCK", {"pk": pk, "sk": f"{place}", "n": place}) for place in range(5)])
    # WHEN it is read with a filter, two at a time
    found, start, pages = [], None, 0
    while pages == 0 or start:
        items, start = reads.page("STOCK", pk, limit=2, start=start, only="n = :n", values={":n": 4})
        found, pages = found + items, pages + 1
    # THEN it is found on the last page
    assert ([item["n"] for item in found], pages) == ([4], 3)


def test_a_partition_larger_than_a_page_is_read_to_its_end(engine: Engine) -> None:
    # GIVEN 1.5 MB in one partition
    pk = fresh()
    for sk in "abcd":
        writes.commit(writes.put("STOCK", {"pk": pk, "sk": sk, "x": "x" * 380_000}))
    # WHEN all of it is read THEN all of it comes
    assert [item["sk"] for item in reads.every("STOCK", pk)] == list("abcd")


def test_levels_of_a_place_are_listed_by_sku(engine: Engine, sku: str) -> None:
    # GIVEN three SKUs at one place, one of them split
    place = fresh("P")
    for name in ("c", "a", "b"):
        _stock(engine, f"{sku}-{name}", 1, location=place)
    writes.commit(writes.put("STOCK", holds.new_level(f"{sku}-a", place, 1, shard="0")))
    # WHEN the place's index is read
    items, _ = reads.page("STOCK", place, index="location", hash_name="stocked_at", range_name="sku", prefix=sku)
    # THEN base levels are there, in order, and parts are not
    assert [(item["sku"], item["sk"]) for item in items] == [(f"{sku}-{n}", f"LOC#{place}") for n in "abc"]


def test_what_is_due_is_found_until_it_is_done(engine: Engine) -> None:
    # GIVEN items that are due, not yet due and done
    late, soon, done = fresh("late"), fresh("soon"), fresh("done")
    for pk, at in ((late, clock.after(-60)), (soon, clock.after(60)), (done, clock.after(-60))):
        writes.commit(writes.put("BASKET", {"pk": pk, "sk": "-", **due.fields(pk, at)}))
    writes.commit(writes.update("BASKET", (done, "-"), remove=due.REMOVE))

    def found() -> set[str]:
        return {item["pk"] for item in due.find("BASKET")} & {late, soon, done}

    # WHEN the index is asked THEN only what is due is there
    assert found() == {late}
    # WHEN it is put off and the other brought forward THEN the index follows
    for pk, at in ((late, clock.after(60)), (soon, clock.after(-1))):
        writes.commit(writes.update("BASKET", (pk, "-"), set=due.SET, values=due.values(pk, at)))
    assert found() == {soon}


# ------------------------------------------------------------------------------------------------------------- holds


def test_the_equation_holds_whatever_is_done(engine: Engine, sku: str, dice: random.Random) -> None:
    # GIVEN a level with safety stock
    hold = _stock(engine, sku, 8, safety=3)
    # WHEN units are taken, released, sold and brought back, as chance has it
    moves = [holds.take, holds.take, holds.take, holds.release, holds.sell, holds.take_back]
    expected = {"on_hand": 8, "reserved": 0, "safety": 3, "available": 5, "version": 1}
    refused = set()
    for _ in range(40):
        move, units = dice.choice(moves), dice.randint(1, 6)
        on_hand, reserved = {holds.take: (0, 1), holds.release: (0, -1), holds.sell: (-1, -1), holds.take_back: (1, 0)}[
            move
        ]
        allowed = {holds.take: expected["available"], holds.take_back: units}.get(move, expected["reserved"]) >= units
        try:
            writes.commit(move([Hold(sku, SHOP, units)]))
        except writes.Refused:
            refused.add(move)
            assert not allowed
        else:
            assert allowed
            expected["on_hand"] += on_hand * units
            expected["reserved"] += reserved * units
            expected["available"] = expected["on_hand"] - expected["reserved"] - 3
            expected["version"] += 1
        # THEN the level is what the books say, after every step
        assert _level(hold) == expected
    assert refused == {holds.take, holds.release, holds.sell}, "the walk did not meet every border"


def test_who_holds_stock_is_noted_and_forgotten(engine: Engine, sku: str) -> None:
    # GIVEN more holders than a level names
    hold = _stock(engine, sku, 50)
    orders = [f"ORDER{place:02}" for place in range(holds.NAMED_HOLDERS + 2)]
    for order in orders:
        level = reads.get("STOCK", hold.key)
        assert level is not None
        writes.commit(holds.take([hold], order, {hold.key: level}))
    # THEN the level names so many of them, and no more
    level = reads.get("STOCK", hold.key)
    assert level is not None
    named = {name for name, _, _ in holds.holders([level])}
    assert len(named) == holds.NAMED_HOLDERS
    assert orders[-1] in named
    # WHEN one sells, and one that is not named any more releases THEN their notes are gone and the books are right
    gone = next(order for order in orders if order not in named)
    writes.commit(holds.sell([hold], orders[-1]))
    writes.commit(holds.release([hold], gone))
    level = reads.get("STOCK", hold.key)
    assert level is not None
    assert {name for name, _, _ in holds.holders([level])} == named - {orders[-1]}
    assert (level["on_hand"], level["reserved"], level["available"]) == (49, 16, 33)


def test_a_split_level_gives_what_its_parts_have(engine: Engine, sku: str) -> None:
    # GIVEN a level of which two parts have two units each
    base = {**holds.new_level(sku, SHOP, 0), "shards": 2}
    parts = [holds.new_level(sku, SHOP, 2, shard=shard) for shard in "01"]
    writes.commit([writes.put("STOCK", item) for item in (base, *parts)])
    # WHEN three are taken
    levels = list(reads.get_many({"STOCK": [(base["pk"], base["sk"]), *holds.parts_of([base])]})["STOCK"].values())
    wanted = holds.spread(levels, 3)
    writes.commit(holds.take(wanted))
    # THEN both parts gave, and whoever saw the same cannot take them again
    assert sum(hold.quantity for hold in wanted) == 3
    with pytest.raises(writes.Refused) as refused:
        writes.commit(holds.take(wanted))
    assert refused.value.first(Shortage)


# ----------------------------------------------------------------------------------------------------------- baskets


def test_dots_come_and_go_by_name(engine: Engine) -> None:
    # GIVEN a basket, and a line that is added after it was read
    basket = _basket(keyname1=["A", 2, 1], **{"till-1|1": ["B", 1, 2]})
    writes.commit(baskets.change(basket, CHANGED, put={"=later": ["C", 5, 3]}))
    # WHEN an order takes the dots that it read
    writes.commit(baskets.remove_ordered(basket, basket["dots"], "ORDER"))
    # THEN exactly these are gone, the one that had a key is remembered, the later one stays
    after = _again(basket)
    assert after["dots"] == {"=later": ["C", 5, 3]}
    assert list(after["recent"]) == ["keyname1"]
    assert (after["units"], after["version"], after["last_order"]) == (5, 3, "ORDER")
    # WHEN the order takes them again THEN it is told what the basket is now
    with pytest.raises(writes.Refused) as refused:
        writes.commit(baskets.remove_ordered(basket, basket["dots"], "ORDER"))
    changed = refused.value.first(baskets.BasketChanged)
    assert changed is not None
    assert changed.basket == after


def test_what_is_given_back_is_looked_after(engine: Engine) -> None:
    # GIVEN an empty basket that nobody looks after, and one that has its moment
    quiet, watched = _basket(), _basket()
    pk, sk = baskets.key(watched["basket_id"])
    at = clock.after(900)
    writes.commit(writes.update("BASKET", (pk, sk), set=due.SET, values=due.values(pk, at)))
    # WHEN an order gives its lines back to both
    for basket in (quiet, watched):
        writes.commit(baskets.give_back(_again(basket), {"=dot": ["A", 2, 1, "web", {"b": "till-3"}]}, "ORDER"))
    # THEN both have the lines as they were; the first gets a moment, the other keeps its own
    for basket in (quiet, watched):
        assert _again(basket)["dots"] == {"=dot": ["A", 2, 1, "web", {"b": "till-3"}]}
    assert _again(quiet)["due"] <= clock.after(1)
    assert _again(watched)["due"] == at


def test_the_longest_expression_is_accepted(engine: Engine) -> None:
    # GIVEN a basket with as many keyed dots as are still named one by one
    many = {f"dot-{place:04}": ["A", 1, place] for place in range(baskets.PER_DOT_LIMIT)}
    basket = _basket(**many)
    # WHEN all of them go in one request
    writes.commit(baskets.change(basket, CHANGED, drop=many))
    # THEN all are gone and remembered
    after = _again(basket)
    assert (after["dots"], after["units"], set(after["recent"])) == ({}, 0, set(many))


@pytest.mark.parametrize("many_dots", [baskets.PER_DOT_LIMIT + 1, 592])
def test_much_at_once_needs_the_version_that_was_read(engine: Engine, many_dots: int) -> None:
    # GIVEN an empty basket, read by two
    basket = _basket()
    many = {f"=dot-{place:04}": ["A", 1, place] for place in range(many_dots)}
    # WHEN both put more than is named one by one
    writes.commit(baskets.change(basket, CHANGED, put=many))
    with pytest.raises(writes.Refused) as refused:
        writes.commit(baskets.change(basket, CHANGED, put=many))
    # THEN the second is told that the basket changed
    changed = refused.value.first(baskets.BasketChanged)
    assert changed is not None
    assert changed.basket is not None
    assert (len(changed.basket["dots"]), changed.basket["units"]) == (many_dots, many_dots)
    assert changed.basket["version"] == 2


def test_a_log_grows_by_a_write_that_reads_nothing_up_to_its_bound(engine: Engine) -> None:
    """What a device's batch does: append to a list inside a map, if that is short and the market is one of these."""
    # GIVEN a basket with the log of a device
    pk, sk = baskets.key(ids.new())
    item = {"pk": pk, "sk": sk, "market": "nl", "seen": {"till-1": 1}, "proofs": {"till-1": ["aaaaa"]}}
    writes.commit(writes.put("BASKET", item))

    def appended(was: int, *proofs: str, market: str = "nl") -> dict | None:
        more = writes.update(
            "BASKET", (pk, sk), set="seen.#w = :seq, proofs.#w = list_append(proofs.#w, :proofs)",
            when="seen.#w = :was AND size(proofs.#w) <= :room AND market IN (:m0, :m1)",
            values={":seq": was + len(proofs), ":was": was, ":proofs": list(proofs), ":room": 3 - len(proofs),
                    ":m0": market, ":m1": "be"},
            names={"#w": "till-1"},
        )  # fmt: skip
        try:
            return writes.commit(more, read_back=True)
        except writes.Refused:
            return None

    # WHEN batches come, THEN they are appended in order, until there is no room
    assert appended(1, "bbbbb", market="uk") is None
    after = appended(1, "bbbbb")
    assert after is not None
    assert (after["seen"], after["proofs"]) == ({"till-1": 2}, {"till-1": ["aaaaa", "bbbbb"]})
    assert appended(1, "ccccc") is None
    assert appended(2, "ccccc", "ddddd") is None
    last = appended(2, "ccccc")
    assert last is not None
    assert last["proofs"] == {"till-1": ["aaaaa", "bbbbb", "ccccc"]}

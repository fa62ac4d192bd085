"""Fragments: one action an item, whatever an engine would let pass."""

import pytest

from commerce import reads, writes
from tests.world import World


def _check(version: int) -> writes.Write:
    return writes.check("STOCK", ("LOCATIONS", "LOC#a"), when="version = :v", values={":v": version})


@pytest.fixture
def _table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TABLE", world.template.tables["StockTable"].name)


@pytest.mark.usefixtures("_table")
def test_the_same_check_asked_for_twice_is_one() -> None:
    # GIVEN a location two fragments depend on
    writes.commit(writes.put("STOCK", {"pk": "LOCATIONS", "sk": "LOC#a", "version": 1}))
    # WHEN both come in one transaction
    writes.commit(_check(1), writes.put("STOCK", {"pk": "x", "sk": "1"}), _check(1))
    # THEN it is written
    assert reads.get("STOCK", ("x", "1"))


@pytest.mark.usefixtures("_table")
def test_two_different_actions_on_one_item_are_refused_before_they_are_sent() -> None:
    with pytest.raises(ValueError, match="two writes of one item"):
        writes.commit(_check(1), _check(2))
    with pytest.raises(ValueError, match="two writes of one item"):
        writes.commit(writes.put("STOCK", {"pk": "x", "sk": "1"}), writes.delete("STOCK", ("x", "1")))


@pytest.mark.usefixtures("_table")
def test_a_refusal_tells_every_condition_that_failed_and_changes_nothing() -> None:
    # GIVEN two items
    for name in ("a", "b"):
        writes.commit(writes.put("STOCK", {"pk": name, "sk": "-"}))
    # WHEN a transaction wants both keys and a third
    puts = [writes.put("STOCK", {"pk": n, "sk": "-"}, refused=lambda old: KeyError(old)) for n in "abc"]
    with pytest.raises(writes.Refused) as refused:
        writes.commit(puts)
    # THEN both refusals come with what is there, and the third was not written
    assert [cause.args[0]["pk"] for cause in refused.value.all(KeyError)] == ["a", "b"]
    assert reads.get("STOCK", ("c", "-")) is None


def test_more_than_a_hundred_writes_are_refused_before_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TABLE", "any")
    with pytest.raises(ValueError, match="101 writes"):
        writes.commit(writes.put("STOCK", {"pk": str(number), "sk": "-"}) for number in range(101))

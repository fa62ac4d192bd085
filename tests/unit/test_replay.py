"""A transaction file as real exports write it: no row takes another along, none is lost unnamed, no penny untold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.replay import _read, account, dialect, rows, transactions
from infra.replay.run import Replay, Sold
from infra.replay.transactions import Day, card_of, read
from infra.say import Sorry

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def row(
    invoice: str = "536365",
    code: str = "85123A",
    name: str = "HEART",
    quantity: str = "1",
    price: str = "2.55",
    customer: str = "17850.0",
) -> str:
    return f"{invoice},{code},{name},{quantity},2010-12-01 08:26:00,{price},{customer},United Kingdom"


def day_of(*lines: str, header: str = HEADER, end: str = "\n") -> Day:
    day = read(end.join([header, *lines, ""]).encode())
    assert_all_told(day)
    return day


def assert_all_told(day: Day) -> None:
    assert [claim.sentence for claim in account.of_file(day, day.sales, sold(day)) if not claim.good] == []


def sold(day: Day) -> list[Sold]:
    """What the platform would say if everything went well."""
    return [Sold(sale.invoice, f"o{sale.invoice}", sale.invoice, sale.total) for sale in day.sales]


def left(day: Day) -> list[tuple[int, str]]:
    return [(out.number, out.reason) for out in day.left_out]


# ------------------------------------------------------------------------------------------------- quotes and lines


def test_an_inch_mark_in_a_cell_is_text() -> None:
    cells = {
        'HEART 5" TALL': 'HEART 5" TALL',
        'RULER 12"': 'RULER 12"',
        'A "GOOD" MUG': 'A "GOOD" MUG',
        '"MUG, BLUE"': "MUG, BLUE",
        '"A ""GOOD"" MUG"': 'A "GOOD" MUG',
        "MUG": "MUG",
    }
    day = day_of(*(row(str(n), f"1000{n}", cell) for n, cell in enumerate(cells)))
    assert left(day) == []
    assert [day.names[f"1000{n}"] for n in range(len(cells))] == list(cells.values())


@pytest.mark.parametrize("cell", ['"HEART', '"HEART 5" TALL"', '"', '""HEART', '"HEART 5" TALL'])
@pytest.mark.parametrize("after", ["MUG", '"MUG, BLUE"', 'MUG 5"', '"MUG', '5",6'])
def test_a_quote_that_does_not_fit_costs_its_own_row_only(cell: str, after: str) -> None:
    day = day_of(row("1"), row("2", name=cell), row("3", name=after), row("4"), row("5"))
    names = {sale.invoice for sale in day.sales} | {out.text[:1] for out in day.left_out}
    assert names == {"1", "2", "3", "4", "5"}
    assert {"1", "4", "5"} <= {sale.invoice for sale in day.sales}
    assert 2 in {out.number - 1 for out in day.left_out}


def test_a_quoted_cell_may_go_over_lines_but_not_over_rows() -> None:
    day = day_of(row("1"), row("2", name='"HEART\nof glass\n\nand wood"'), row("3"))
    assert left(day) == []
    assert [sale.rows for sale in day.sales] == [1, 1, 1]
    # a cell that is never closed is one row, and each line after it is one of its own
    broken = day_of(row("1"), row("2", name='"HEART\nof glass'), "and more", row("3"))
    assert [number for number, _ in left(broken)] == [3, 4, 5]
    assert [sale.invoice for sale in broken.sales] == ["1", "3"]


@pytest.mark.parametrize("mark", ["\x85", "\x0b", "\x0c", "\u2028", "\u2029", "\x1c", "\x1d", "\x1e"])
def test_only_line_ends_end_lines(mark: str) -> None:
    day = day_of(row("1", name=f"HEART{mark}TALL"), row("2"))
    assert left(day) == []
    assert [sale.rows for sale in day.sales] == [1, 1]
    assert day.names["85123A"] == "HEART TALL"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_systems_end_them(end: str) -> None:
    day = day_of(row("1"), "", row("2"), "  ", end=end)
    assert (len(day.sales), left(day), day.filed.rows) == (2, [], 2)


def test_rows_with_too_few_or_too_many_columns_are_named() -> None:
    assert left(day_of(row("1"), "2,85123A", row("3", name="A,B"))) == [
        (3, "2 columns instead of 8"),
        (4, "9 columns instead of 8"),
    ]


# ------------------------------------------------------------------------------------------------------- characters


def test_one_byte_of_another_code_spoils_no_other_name() -> None:
    text = "\n".join([HEADER, row("1", "10001", "CAFÉ"), row("2", "10002", "POUND X"), row("3", "10003", "ŁÓDŹ")])
    day = read(text.encode().replace(b"POUND X", b"POUND \xa3 \x93good\x94"))
    assert [day.names[code] for code in ("10001", "10002", "10003")] == ["CAFÉ", "POUND £ “good”", "ŁÓDŹ"]
    assert day.filed.written.startswith("UTF-8, but Windows-1252 in 1 line,")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252"), ("utf-16", "UTF-16")],
)
def test_a_file_is_read_in_its_own_characters_and_says_which(encoding: str, said: str) -> None:
    day = read("\r\n".join([HEADER, row("1", name="CAFÉ £5")]).encode(encoding))
    assert (day.names["85123A"], day.filed.written) == ("CAFÉ £5", f"{said}, commas between columns")
    assert_all_told(day)


def test_utf_16_of_either_order_is_read() -> None:
    for mark, order in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert len(read(mark + "\n".join([HEADER, row("1")]).encode(order)).sales) == 1


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("\n".join([HEADER, row()]).encode("utf-16-le"), "as in UTF-16 without a byte order mark"),
        (b"\xff\xfe" + b"\x00\xd8\x00", "says it is UTF-16 and is not"),
        (b"PK\x03\x04....", "a workbook"),
        (b"\x1f\x8b....", "compressed"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"sep=;\n", "empty"),
        (b"a,b\n1,2\n", "found the columns 'a', 'b', separated by commas; InvoiceNo, StockCode"),
        (b"Invoice;Price\n1;2\n", "found the columns 'Invoice', 'Price', separated by semicolons; StockCode, Quantity"),
        (f"{HEADER},Invoice\n".encode(), "a column is there twice"),
        (b'"Invoice\nNo",StockCode\n', "found the columns '\"Invoice'"),
        (b"<html><body>", "found the columns '<html><body>'"),
    ],
)
def test_what_is_no_such_file_says_what_was_found(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(raw)
    with pytest.raises(Sorry) as refusal:
        _read(path)
    assert said in str(refusal.value)


# ---------------------------------------------------------------------------------------------------------- dialects

SECOND = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"


@pytest.mark.parametrize("header", [SECOND, SECOND.upper(), "﻿" + SECOND, HEADER, HEADER + ",note"])
def test_both_editions_of_the_data_are_read(header: str) -> None:
    extra = ",x" if header.endswith("note") else ""
    day = day_of(row("1") + extra, row("2") + extra, header=header)
    assert (len(day.sales), day.sales[0].customer, day.sales[0].total) == (2, "17850", 255)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("told", ["", "sep={}\n", '"sep={}"\n'])
def test_columns_may_stand_apart_by_other_signs(separator: str, told: str) -> None:
    lines = [HEADER, row("1", name="A MUG"), row("2", name='5" MUG')]
    text = told.format(separator) + "\n".join(lines).replace(",", separator)
    day = read(text.encode())
    assert_all_told(day)
    assert [sale.total for sale in day.sales] == [255, 255]
    assert left(day) == []


def test_a_sign_that_is_told_counts() -> None:
    text = "sep=~\n" + "\n".join([HEADER, row("1")]).replace(",", "~")
    assert read(text.encode()).sales[0].total == 255


def test_a_decimal_comma_is_found_out_for_the_whole_file() -> None:
    def euro(*prices: str) -> Day:
        lines = [row(str(n), price="@").replace(",", ";").replace("@", price) for n, price in enumerate(prices, 1)]
        return read("\n".join([HEADER.replace(",", ";"), *lines]).encode())

    day = euro("2,55", "3", "1234,50", "2.55", "1.234,50")
    assert [sale.total for sale in day.sales] == [255, 300, 123450]
    assert {out.reason for out in day.left_out} == {"quantity or price is not a number"}
    assert day.filed.written.endswith("a decimal comma")
    assert [sale.total for sale in euro("2.55", "3").sales] == [255, 300]
    quoted = day_of(row("1", price='"2,55"'), row("2", price='"0,05"'))
    assert [sale.total for sale in quoted.sales] == [255, 5]


@pytest.mark.parametrize("quantity", ["1_0", "٣", "１", "1e1", " ", "", "--1", "+1", "0x1", "1,000", "1.5", "9" * 10])
def test_a_quantity_is_digits(quantity: str) -> None:
    cell = f'"{quantity}"'
    assert left(day_of(row("1", quantity=cell), row("2"))) == [(2, "quantity or price is not a number")]


@pytest.mark.parametrize("price", ["1_0", "٣.٥", "1e2", "NaN", "Infinity", "", "£2.55", "2.5.5", "2,55", ".", "1 000"])
def test_a_price_is_digits(price: str) -> None:
    cell = f'"{price}"'
    assert left(day_of(row("1", price=cell), row("2"), row("3"))) == [(2, "quantity or price is not a number")]


@given(st.text(alphabet="0123456789_.,-+eE ٣", max_size=8))
def test_numbers_are_strict(text: str) -> None:
    whole = rows.integer(text)
    assert whole is None or str(whole) == str(int(text.removesuffix(".0")))
    for mark in ".,":
        value = rows.decimal(text, mark)
        assert value is None or (text.isascii() and not set(text) & set("_+eE "))


# ------------------------------------------------------------------------------------------------- money and people


def test_an_exchange_inside_a_sale_shows() -> None:
    # GIVEN a sale in which something came back
    day = day_of(row("1", quantity="3"), row("1", "85123B", quantity="-1", price="9.95"), row("2", quantity="-4"))
    # THEN it is left out by name, and the file's total is not the sales' total
    assert left(day) == [
        (3, "exchange inside a sale: a negative quantity beside goods that were sold"),
        (4, "negative quantity without a cancellation: a stock write-off, not a sale"),
    ]
    assert [out.amount for out in day.left_out] == [-995, -1020]
    assert (day.sales[0].total, day.filed.pence) == (765, 765 - 995 - 1020)
    told = account.of_file(day, day.sales, sold(day))[1].sentence
    assert told == "orders £7.65 + left out -£20.15 = -£12.50 in the file"
    assert account.reasons(day)[0][1:] == (1, -995)
    assert account.in_part(day) == [("1", 765, -230)]


def test_every_reason_is_counted_with_what_it_is_worth() -> None:
    day = day_of(
        row("1"),
        row("C2", quantity="-1"),
        row("A3", "B", price="100"),
        row("4", "POST", price="18"),
        row("5", price="0"),
        row("6", price="-1"),
        row("7", price="0.001", quantity="9"),
        row("8", "GIFT_1"),
        row("9", "??"),
        row("x"),
        row("10", quantity="two"),
        row("11", quantity="0"),
        "12",
    )
    assert sum(count for _, count, _ in account.reasons(day)) == 12 == day.filed.rows - 1
    assert len(account.reasons(day)) == 12


def test_large_quantities_are_taken_or_named() -> None:
    # two invoices of 60,000 are two sales; two rows of one invoice are more than a line can hold
    two = day_of(row("1", quantity="60000"), row("2", quantity="60000"))
    assert (left(two), two.sold) == ([], {"85123A": 120_000})
    one = day_of(row("1", quantity="60000"), row("1", quantity="60000"), row("2", quantity="100000"))
    assert left(one) == [(3, "quantity over 99999"), (4, "quantity over 99999")]
    assert one.sold == {"85123A": 60_000}


def test_what_no_payment_could_settle_is_named() -> None:
    day = day_of(row("1", price="999999999.99", quantity="99999"), row("1", price="1"), row("2", price="999999999.99"))
    assert left(day) == [(2, "invoice comes to more than one payment can")]
    assert [sale.total for sale in day.sales] == [100, 99_999_999_999]


def test_a_zero_byte_in_a_name_is_no_other_code() -> None:
    assert day_of(*(row(str(n), name="A\0B") for n in range(1, 9))).names == {"85123A": "AB"}


def test_stock_comes_in_as_many_deliveries_as_it_takes() -> None:
    posted: list[tuple[int, str]] = []

    class Staff:
        def post(self, path: str, body: dict[str, Any], key: str) -> None:
            posted.append((body["quantity"], key))

    replay = Replay.__new__(Replay)
    replay.run, replay.staff = "r", Staff()  # type: ignore[assignment]
    for quantity in (10, 99_999, 240_010):
        posted.clear()
        replay._receive("TEE", quantity)
        assert sum(units for units, _ in posted) == quantity
        assert max(units for units, _ in posted) <= 99_999
        assert len({key for _, key in posted}) == len(posted)
        assert posted[0][1] == "r:receipt:TEE"


@pytest.mark.parametrize("customer", ["1", "12", "123", "0017", "1111", "Ann-1", "Ж1", "null-2", "17850", "x" * 40])
def test_every_customer_number_makes_a_card(customer: str) -> None:
    from profiles.identities import normal
    from profiles.junk import reason

    kept = day_of(row("1", customer=customer)).sales[0].customer
    assert kept is not None
    card = card_of(kept)
    assert normal("loyalty_card", card) == card
    assert reason("loyalty_card", card) is None
    assert len({card_of(each) for each in ("1", "12", "123", "0012", "1111", kept + "1")}) == 6


@pytest.mark.parametrize(
    ("cell", "customer"),
    [
        ("17850.0", "17850"),
        ("17850", "17850"),
        ("", None),
        ("nan", None),
        ("NULL", None),
        ("0", None),
        ("100.0", "100"),
    ],
)
def test_who_is_unknown_is_nobody(cell: str, customer: str | None) -> None:
    assert day_of(row("1", customer=cell)).sales[0].customer == customer


# ------------------------------------------------------------------------------------------------- checks that fail


def test_the_account_notices_rows_and_pennies_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [row("1"), row("2", name='"A\nB"'), row("3", name='"HEART'), row("4"), row("5", quantity="x")]
    good = day_of(*lines)
    spoiled = [
        replace(good, left_out=good.left_out[1:]),
        replace(good, sales=good.sales[1:]),
        replace(good, filed=replace(good.filed, rows=good.filed.rows + 1)),
    ]
    for day in spoiled:
        assert not account.of_file(day, day.sales, sold(day))[0].good
    assert not account.of_file(good, good.sales, sold(good)[1:])[0].good
    cheaper = [replace(one, total=one.total - 1) for one in sold(good)]
    assert [claim.good for claim in account.of_file(good, good.sales, cheaper)] == [True, False]
    # WHEN reading itself takes a row along in another's cell, as it once did
    whole = rows._record

    def greedy(table: dialect.Table, place: int) -> rows.Record | None:
        found = whole(table, place)
        return replace(found, lines=2) if found and found.number == 2 else found

    monkeypatch.setattr(rows, "_record", greedy)
    day = read("\n".join([HEADER, *(row(str(n)) for n in range(1, 6))]).encode())
    assert [claim.good for claim in account.of_file(day, day.sales, sold(day))] == [False, True]


def test_a_replay_of_the_first_invoices_tells_the_rest() -> None:
    whole = day_of(row("1"), row("2"), row("2", "85123B"), row("3", quantity="x"))
    first = transactions.only(whole, 1)
    told = account.of_file(whole, first.sales, sold(first))
    assert [claim.good for claim in told] == [True, True]
    assert told[0].sentence == "1 rows sold + 1 rows left out + 2 of later invoices = 4 rows in the file"


def test_what_the_platform_says_is_held_against_the_file() -> None:
    day = day_of(row("1"), row("2"))
    done = sold(day)
    right = account.Outcome(done, [], {one.order_id: one.total for one in done}, {"85123A": 3}, {"85123A": 3})
    assert all(claim.good for claim in account.of_platform(day.sales, right))
    for wrong, which in (
        (replace(right, failed=[("3", "no")]), 0),
        (replace(right, sold=done[1:]), 0),
        (replace(right, sold=[replace(done[0], total=1), done[1]]), 1),
        (replace(right, captured=dict.fromkeys(right.captured, 1)), 2),
        (replace(right, stock={"85123A": 2}), 3),
        (replace(right, sold=[done[0], replace(done[1], order_number=done[0].order_number)]), 4),
    ):
        assert not account.of_platform(day.sales, wrong)[which].good


_CELLS = st.text(alphabet="AB5\"', \t;\u2028\x85é", max_size=6).map(lambda text: text.replace(",", "."))


@given(st.lists(_CELLS, min_size=1, max_size=6))
def test_whatever_a_name_holds_no_row_is_lost(names: list[str]) -> None:
    day = read("\n".join([HEADER, *(row(str(100 + n), name=name) for n, name in enumerate(names)), ""]).encode())
    assert_all_told(day)
    assert day.filed.rows == len(names)
    told = {sale.invoice for sale in day.sales} | {out.text[:3] for out in day.left_out}
    assert told == {str(100 + n) for n in range(len(names))}

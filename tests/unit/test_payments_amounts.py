"""What an amount looks like at each provider: there and back without losing a cent, and refused where it would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.money import EXPONENTS
from payments import amounts

AMOUNTS = st.integers(min_value=1, max_value=10**12)


@given(amount=AMOUNTS, currency=st.sampled_from(sorted(amounts.STRIPE)))
def test_stripe_gets_exactly_what_it_gives_back(amount: int, currency: str) -> None:
    try:
        units = amounts.to_stripe(amount, currency)
    except amounts.NotPayable:
        assert currency in {"BHD", "JOD", "KWD", "OMR", "TND", "MGA"}
        return
    assert amounts.from_stripe(units, currency.lower()) == (amount, currency)


@given(amount=AMOUNTS, currency=st.sampled_from(sorted(amounts.MOLLIE)))
def test_mollie_gets_exactly_what_it_gives_back(amount: int, currency: str) -> None:
    written = amounts.to_mollie(amount, currency)
    assert amounts.from_mollie(written) == (amount, currency)
    decimals = written["value"].partition(".")[2]
    assert len(decimals) == amounts.MOLLIE[currency]


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        (1299, "EUR", 1299),
        (500, "JPY", 500),
        (500, "ISK", 50000),  # no decimals in ISO, two at Stripe: else a hundredth would be charged
        (5000, "UGX", 500000),
        (1000, "HUF", 1000),
        (5120, "KWD", 5120),
        (300, "MGA", 3),  # two decimals in ISO, none at Stripe
    ],
)
def test_the_special_cases_of_stripe(amount: int, currency: str, units: int) -> None:
    assert amounts.to_stripe(amount, currency) == units


@pytest.mark.parametrize(("amount", "currency"), [(5124, "KWD"), (301, "MGA"), (100, "XYZ"), (100, "IQD")])
def test_what_stripe_cannot_charge_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(amounts.NotPayable):
        amounts.to_stripe(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "text"), [(1000, "EUR", "10.00"), (500, "JPY", "500"), (5, "EUR", "0.05")]
)
def test_mollie_writes_the_decimals_of_the_currency(amount: int, currency: str, text: str) -> None:
    assert amounts.to_mollie(amount, currency) == {"currency": currency, "value": text}


def test_mollie_refuses_what_it_does_not_take() -> None:
    with pytest.raises(amounts.NotPayable):
        amounts.to_mollie(1000, "KWD")
    with pytest.raises(ValueError):
        amounts.from_mollie({"currency": "EUR", "value": "1.005"})


def test_a_report_in_an_unknown_currency_is_still_recorded() -> None:
    assert amounts.from_stripe(1234, "xyz") == (1234, "XYZ")


def test_every_currency_we_sell_in_is_in_the_tables() -> None:
    assert set(EXPONENTS) <= set(amounts.STRIPE)


@pytest.mark.parametrize("currency", [*amounts.STRIPE, "IQD", "XYZ"])
@pytest.mark.parametrize("units", [1000, 12000, 999000])
def test_what_stripe_reported_goes_back_as_it_came(currency: str, units: int) -> None:
    assert amounts.back_to_stripe(*amounts.from_stripe(units, currency.lower())) == units


@pytest.mark.parametrize("currency", [*amounts.MOLLIE, "XYZ"])
def test_what_mollie_reported_goes_back_as_it_came(currency: str) -> None:
    given = {"currency": currency, "value": "1234" if amounts.MOLLIE.get(currency, 2) == 0 else "12.34"}
    assert amounts.back_to_mollie(*amounts.from_mollie(given)) == given


@pytest.mark.parametrize(("currency", "amount", "goes"), [("KWD", 5124, False), ("KWD", 5120, True), ("EUR", 1, True)])
def test_what_a_provider_cannot_give_back_is_known_before_it_is_asked(currency: str, amount: int, goes: bool) -> None:
    assert (amounts.why_not_back("stripe", amount, currency) is None) == goes
    assert amounts.why_not_back("cash", amount, currency) is None

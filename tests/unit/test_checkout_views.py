"""What checkout is asked, as different systems spell it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from checkout.views import AddressBody

DAM = {"line1": "Dam 1", "postal_code": "1012 JS", "city": "Amsterdam"}


@pytest.mark.parametrize(
    "given",
    [
        DAM,
        {"street": "Dam", "house_number": 1, "postcode": "1012 JS", "city": "Amsterdam"},
        {"street": "Dam", "house_number": "1", "zip": "1012 JS", "city": "Amsterdam"},
        {"line1": "Dam 1", "street": "ignored", "postal_code": "1012 JS", "city": "Amsterdam"},
    ],
)
def test_an_address_may_be_spelled_as_other_systems_do(given):
    assert AddressBody.model_validate(given).as_item("NL") == DAM | {"country": "NL"}


@pytest.mark.parametrize(
    "given",
    [
        "Dam 1",
        {"house_number": 1, "postal_code": "1012 JS", "city": "Amsterdam"},
        DAM | {"house_number": ["1"]},
        DAM | {"latitude": 52.4},
        DAM | {"floor": 3},
    ],
)
def test_what_is_no_address_is_refused(given):
    with pytest.raises(ValidationError):
        AddressBody.model_validate(given)


def test_coordinates_are_kept_as_text():
    kept = AddressBody.model_validate(DAM | {"latitude": 52.3731234567, "longitude": 4.8926, "country": "BE"}).as_item(
        "NL"
    )
    assert (kept["latitude"], kept["longitude"], kept["country"]) == ("52.37312", "4.89260", "BE")

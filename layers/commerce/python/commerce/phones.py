"""Telephone numbers in one spelling (E.164: `+31612345678`), by the numbering plans that `phonenumbers` keeps.

Needs the people layer. The library is imported when the first number comes: most requests bring none.
"""

import re
import unicodedata
from typing import Any

_WRITTEN = re.compile("\\+?[0-9 ()./\u2010-\u2015-]{3,40}")
_BRACKETED = re.compile(r"^\( ?\+([0-9 ]+)\)")
_REFUSAL = "not a phone number"


def spelled(text: str, *countries: str) -> str:
    """The one spelling of a number. Raises ValueError for an impossible one.

    `countries`: where a number written without its country belongs: the first in which somebody may have it, else the
    first in which it is possible. A number that a country has not assigned yet is possible if it is as long as numbers
    of people there are: new ranges are given out before the library knows them.
    """
    # Full-width digits, blanks that do not break: as on any keyboard. Letters never are numbers here.
    written = _BRACKETED.sub(r"+\1 ", " ".join(unicodedata.normalize("NFKC", text).split()))
    if not _WRITTEN.fullmatch(written):
        raise ValueError(_REFUSAL)
    readings = [_read(written, country) for country in countries or ("",)]
    if written.startswith("00"):
        # Every country has its own way out (00, 011, 0011); 00 is understood everywhere.
        readings.append(_read(f"+{written[2:].lstrip()}", ""))
    known = [number for number, assigned in filter(None, readings) if assigned]
    possible = [number for number, _ in filter(None, readings)]
    if not possible:
        raise ValueError(_REFUSAL)
    return (known or possible)[0]


def names_its_country(text: str) -> bool:
    """Whether a number says itself where it belongs, wherever it is dialled (`00` is no way out in some countries)."""
    return text.lstrip(" (").startswith(("+", "\uff0b"))


def national(number: str) -> str:
    """The digits of a number (in its one spelling) behind its country's."""
    import phonenumbers

    return phonenumbers.national_significant_number(phonenumbers.parse(number))


def assigned(number: str) -> bool:
    """Whether a number in its one spelling is in a range that is in use."""
    import phonenumbers

    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def _read(written: str, country: str) -> tuple[str, bool] | None:
    """A number as it is dialled from that country, and whether it is assigned; None if it is impossible."""
    import phonenumbers

    try:
        number = phonenumbers.parse(written, country or None)
    except phonenumbers.NumberParseException:
        return None
    known = phonenumbers.is_valid_number(number)
    if not known and not _possible(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), known


def _possible(number: Any) -> bool:
    """Whether people of that country could have such a number: it begins and is as long as theirs do."""
    import phonenumbers
    from phonenumbers import PhoneMetadata, PhoneNumberType, ValidationResult

    region = phonenumbers.region_code_for_country_code(number.country_code)
    plan = PhoneMetadata.metadata_for_region_or_calling_code(number.country_code, region)
    if plan is None or plan.general_desc is None or not plan.general_desc.national_number_pattern:
        return False
    national = phonenumbers.national_significant_number(number)
    return re.fullmatch(plan.general_desc.national_number_pattern, national) is not None and any(
        phonenumbers.is_possible_number_for_type_with_reason(number, kind) == ValidationResult.IS_POSSIBLE
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
    )

"""Countries by ISO 3166-1 alpha-2, and their postal codes in one spelling. Pure."""

import re
from functools import cache

_ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
CODES = frozenset(_ISO_3166.split())
KOSOVO = "XK"
"""No ISO code, but the one that posts, banks and the EU use."""

# Small letters stand for what varies: n a digit, d one that is not zero, a a letter, x either. The rest is as it is.
_SHAPES = {
    "AD": "ADnnn",
    "AS GU MP PR US VI": "nnnnn|nnnnn-nnnn",
    "AT BE BG CH HU LI LU SI": "dnnn",
    "AU CY DK GL MK NO NZ SJ TN ZA": "nnnn",
    "AX BA BL DE EE ES FI FR GF GP HR IT KR LT MC ME MF MQ MX MY NC PF PM RE SM TH TR UA VA WF YT": "nnnnn",
    "BR": "nnnnn-nnn",
    "BY CN IN RO RU SG": "nnnnnn",
    "CA": "ana nan",
    "CZ GR SE SK": "nnn nn",
    "FO IS": "nnn",
    "GB GG IM JE": "an naa|ann naa|aan naa|aann naa|ana naa|aana naa",
    "GI": "GX11 1AA",
    "IE": "axx xxxx",
    "JP": "nnn-nnnn",
    "LV": "LV-nnnn",
    "MD": "MD-nnnn",
    "MT": "aaa nnnn",
    "NL": "dnnn aa",
    "PL": "nn-nnn",
    "PT": "nnnn-nnn",
    "RS": "nnnnn|nnnnnn",
}
_POSTAL = {country: shapes.split("|") for countries, shapes in _SHAPES.items() for country in countries.split()}
_OPTIONAL = frozenset({"IE"})
"""Where post arrives without the code that everybody could write."""
_PREFIXES = {"AT": "A", "BE": "B", "DE": "D", "FR": "F", "IT": "I", "LU": "L", "ES": "E", "FI": "FIN", "SE": "S"}
"""What people write before the code beside the country itself: `B-1000`."""
_SEPARATORS = re.compile(r"[\s\u2010-\u2015.-]")
_ANYWHERE = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,11}")


def country(text: str) -> str:
    """The code of a country. Raises ValueError for one that does not exist."""
    code = text.strip().upper()
    if not text.isascii() or (code not in CODES and code != KOSOVO):  # in capitals, ß would be South Sudan
        raise ValueError("unknown country; write it as in ISO 3166-1, like NL or GB")
    return code


def needs_postal_code(country: str) -> bool:
    """Whether an address there is not complete without one."""
    return country in _POSTAL and country not in _OPTIONAL


def postal_code(text: str, country: str) -> str:
    """A postal code as the post of that country writes it: `1012ab` in NL is `1012 AB`. Raises ValueError.

    Where we do not know how they look, or there are none, any short text of letters and digits is taken.
    """
    code = " ".join(text.upper().split())
    if country not in _POSTAL:
        if _ANYWHERE.fullmatch(code):
            return code
        raise ValueError("not a postal code: up to 12 letters, digits, blanks and hyphens")
    bare = _SEPARATORS.sub("", code)
    spellings = [bare, bare.removeprefix(country), bare.removeprefix(_PREFIXES.get(country, country))]
    for pattern, shape in _forms(country):
        prefixed = [country + bare] if shape.startswith(country) else []
        for spelling in spellings + prefixed:
            if pattern.fullmatch(spelling):
                signs = iter(spelling)
                return "".join(mark if mark in " -" else next(signs) for mark in shape)
    raise ValueError(f"not a postal code of {country}")


@cache
def _forms(country: str) -> list[tuple[re.Pattern[str], str]]:
    """The shapes of a country's codes, each with the pattern of its letters and digits alone."""
    kinds = {"n": "[0-9]", "d": "[1-9]", "a": "[A-Z]", "x": "[A-Z0-9]", " ": "", "-": ""}
    return [(re.compile("".join(kinds.get(mark, mark) for mark in shape)), shape) for shape in _POSTAL[country]]

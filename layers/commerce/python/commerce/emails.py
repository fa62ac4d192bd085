"""E-mail addresses in one spelling: lower case, and the domain as DNS knows it (IDNA 2008).

`anna@straße.de` and `anna@strasse.de` are two domains and two people; `café.nl` and `xn--caf-dma.nl` are one. Nothing
is folded that only one provider treats as equal: dots and plus signs count. Needs the people layer; `idna` is imported
when the first domain comes that is not plain ASCII.
"""

import re
import unicodedata

from commerce.text import tidy

_REFUSAL = "not an e-mail address"
_LOCAL = re.compile('[^\\s@"(),:;<>\\[\\\\\\]\u034f\u200c\u200d\ufe00-\ufe0f]{1,64}')
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+$){_LABEL}")
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")


def spelled(text: str) -> str:
    """The one spelling of an address. Raises ValueError for what cannot be one."""
    local, at, domain = tidy(text).lower().rpartition("@")
    local = unicodedata.normalize("NFC", local)  # lower case may come apart: İ is i and a dot
    if not at or not _LOCAL.fullmatch(local):
        raise ValueError(_REFUSAL)
    domain = _in_ascii(domain)
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain) or len(domain.rpartition(".")[2]) < 2:
        raise ValueError(_REFUSAL)
    return f"{local}@{domain}"


def _in_ascii(domain: str) -> str:
    """The domain as DNS knows it. Labels of letters, digits and hyphens are that already."""
    if domain.isascii() and not re.search(r"(^|\.)xn--", domain):
        return domain
    import idna

    try:
        mapped = idna.uts46_remap(domain.translate(_DOTS), std3_rules=True, transitional=False)
        labels = [
            label if label.isascii() and not label.startswith("xn--") else idna.alabel(label).decode()
            for label in mapped.split(".")
        ]
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_REFUSAL) from None
    return ".".join(labels)

"""Text as people type and paste it, in one form: what can be seen is what is stored.

Copy and paste brings invisible companions along (soft hyphens, zero-width blanks, direction marks): they are dropped.
U+200C and U+200D stay, they are part of how words are written (علی‌رضا, Sinhala, 👩‍💻). What could hide something or
turn a line around is refused.
"""

import re
import unicodedata

_DROPPED = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]"
    # A flag of a region is a black flag with letters nobody sees; elsewhere such letters are only hidden text.
    "|(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|[\U000e0000-\U000e007f]"
)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\\s\u034f\u115f\u1160\u200c\u200d\u2800\u3164\uffa0\ufe00-\ufe0f]*")
_REFUSED = {
    "Cc": "control characters are not allowed",
    "Zl": "line breaks are not allowed",
    "Zp": "line breaks are not allowed",
    "Cs": "half a character is not text",
    "Co": "characters of private use are not allowed",
}


def tidy(text: str) -> str:
    """NFC, without the invisible companions, trimmed; maybe empty. Raises ValueError for what has no place in a line.

    Characters this Python does not know yet (next year's emoji) are let through; those that never will be any are not.
    """
    kept = _DROPPED.sub(lambda found: found[1] or "", text)
    if _BIDI.search(kept):
        raise ValueError("characters that turn the direction of writing are not allowed")
    for character in kept:
        if refusal := _REFUSED.get(unicodedata.category(character)):
            raise ValueError(refusal)
        if ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef":
            raise ValueError("not a character")
    return unicodedata.normalize("NFC", kept).strip()


def plain(text: str) -> str:
    """`tidy`, and something of it can be seen. Raises ValueError."""
    tidied = tidy(text)
    if _INVISIBLE.fullmatch(tidied):
        raise ValueError("must not be blank")
    return tidied

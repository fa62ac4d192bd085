"""The hosted pay pages: what a shopper sees at the bank or the provider, small and usable with a keyboard."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; }
main { width: min(26rem, 90vw); }
.amount { font-size: 2rem; font-weight: 600; margin: 0; }
form { display: grid; gap: .5rem; margin-top: 1.5rem; }
button { font: inherit; padding: .75rem; border: 1px solid currentColor; border-radius: .5rem; background: none;
         color: inherit; cursor: pointer; }
button.main { background: #14532d; border-color: #14532d; color: #fff; }
button:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
.note { opacity: .8; font-size: .875rem; }
"""

CHOICES = (("pay", "Pay"), ("fail", "Fail"), ("cancel", "Cancel"), ("expire", "Expire"))


def pay_page(provider: str, amount: str, description: str, method: str) -> str:
    """A page with the amount, what it is for, and a button for each way this can end. It posts ``do=<choice>``."""
    buttons = "".join(
        f'<button name="do" value="{value}"{" class=main" if value == "pay" else ""}>{label}</button>'
        for value, label in CHOICES
    )
    return _page(
        f"Pay {amount}",
        f"<h1>{escape(provider)}</h1>"
        f'<p class="amount">{escape(amount)}</p>'
        f"<p>{escape(description)}</p>"
        f'<p class="note">Paying with {escape(method)}. This is a stand-in: no money moves.</p>'
        f'<form method="post">{buttons}</form>',
    )


def result_page(provider: str, title: str, text: str) -> str:
    """What is shown when there is nothing (more) to choose and nowhere to go back to."""
    return _page(title, f"<h1>{escape(provider)}</h1><h2>{escape(title)}</h2><p role=status>{escape(text)}</p>")


def money(amount: int, currency: str, decimals: int = 2) -> str:
    """Minor units as people read them: ``money(1250, "eur")`` is ``"EUR 12.50"``."""
    whole = f"{amount / 10**decimals:,.{decimals}f}"
    return f"{currency.upper()} {whole}"


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{content}</main></body></html>\n"
    )

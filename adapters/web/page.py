"""The HTML files as they are served: the bot's name put in, and a policy that lets only their own scripts run.

The files are whole pages without any outside asset. Their inline scripts and styles are allowed by hash, computed
once at start, so that a script that got in by any other way would not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page ready to be sent.

    Attributes:
        html: the whole page.
        policy: its Content-Security-Policy.
    """

    html: str
    policy: str


def load(file_name: str, *, name: str) -> Page:
    """Read a page of this package; call it once, at start, for it reads a file.

    Args:
        file_name: `page.html` or `login.html`.
        name: the bot's name; put in as text.
    """
    html = files("adapters.web").joinpath(file_name).read_text("utf-8").replace("{{name}}", escape(name))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashes(_SCRIPT, html)}",
            f"style-src {_hashes(_STYLE, html)}",
            "connect-src 'self'",
            "img-src data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Page(html=html, policy=policy)


def _hashes(blocks: re.Pattern[str], html: str) -> str:
    digests = (hashlib.sha256(block.encode()).digest() for block in blocks.findall(html))
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"

"""How the rules of this package are written: as alternatives, one idea each."""

from __future__ import annotations

import re

__all__ = ["either"]


def either(*patterns: str) -> re.Pattern[str]:
    """One expression that finds what any of the patterns finds."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))

"""docs/security.md names the tests that check its claims."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tests_it_names_are_there() -> None:
    """A claim whose test was renamed or taken away is no longer checked."""
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    names = re.findall(r"`(test_\w+)`", page)

    assert len(names) > 10
    assert [name for name in names if f"def {name}(" not in tests] == []
    assert [path for path in re.findall(r"`(tests/[\w./]+)`", page) if not (ROOT / path).exists()] == []

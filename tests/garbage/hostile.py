"""Generated malformed input: valid samples of a platform with something broken in them, any JSON, and any bytes.

What comes out is text or bytes as they would stand on the wire, so that it can hold what Python's own JSON cannot: a
name twice, numbers without end, a thousand levels, half of a surrogate pair.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Json = Any
Path = tuple[str | int, ...]

EXAMPLES = int(os.environ.get("FRONTDESK_GARBAGE", "60"))
"""Inputs per entrance. The full form has 10,000."""
CANARY = "heron-canary"
"""Stands in every text of a sample, and must stand in no line of the log."""
LONG = 1_000_000


class Raw(str):
    """JSON text that is written as it is."""

    __slots__ = ()


SCALARS: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1 << 31,
    1 << 63,
    -(1 << 70),
    1.5,
    Raw("NaN"),
    Raw("-Infinity"),
    Raw("1e999"),
    Raw("9" * 5000),
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udc00x",
    "\u202e" + CANARY,
    "Z\u0300\u0301\u0302" * 60,
    "😀" * 200,
    "/",
    "/reset",
    "<@U0BOT>",
    "-1",
    "1e5",
    "null",
    [],
    {},
    [[]],
    {"": None},
    Raw("[" * 1000 + "]" * 1000),
    Raw('{"a":' * 1000 + "1" + "}" * 1000),
    Raw("[" * 90 + "]" * 90),
)
HUGE: tuple[Json, ...] = (
    "a" * LONG,
    "\0" * 10_000,
    "长" * 200_000,
    Raw("[" * 50_000 + "]" * 50_000),
)

_TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=20)
ANY_JSON: SearchStrategy[Json] = st.recursive(
    st.sampled_from(SCALARS) | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)
_VALUE = st.sampled_from(SCALARS) | ANY_JSON
_RARELY_HUGE = st.integers(0, 250).flatmap(lambda dice: st.sampled_from(HUGE) if dice == 0 else _VALUE)


def written(value: Json) -> str:
    """The value as JSON text, ASCII; an object given as a list of pairs in a `Twice` has its names twice."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def paths(value: Json, place: Path = ()) -> Iterator[Path]:
    """The place of everything in a value, itself last."""
    items: Sequence[tuple[str | int, Json]] = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for name, item in items:
        yield from paths(item, (*place, name))
    yield place


@st.composite
def broken(draw: DrawFn, samples: Sequence[Json], kept: frozenset[str] = frozenset()) -> Json:
    """A sample in which one to three things are deleted, replaced or there twice.

    Args:
        draw: given by hypothesis.
        samples: valid ones.
        kept: names of outermost fields that stay.
    """
    value = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 3))):
        places = [place for place in paths(value) if place and not isinstance(place[0], Raw) and place[0] not in kept]
        if not places:
            break
        *parents, name = draw(st.sampled_from(places))
        holder = value
        for parent in parents:
            holder = holder[parent]
        what = draw(st.sampled_from(["replace", "replace", "replace", "delete", "twice"]))
        if what == "delete":
            del holder[name]
        elif what == "twice" and isinstance(holder, dict):
            # The first of the two is hostile, the second the sample's own, or the other way round.
            pair = [holder[name], draw(_VALUE)]
            first, second = pair if draw(st.booleans()) else reversed(pair)
            holder[name] = Raw(f"{written(first)},{json.dumps(str(name))}:{written(second)}")
        else:
            holder[name] = copy.deepcopy(draw(_RARELY_HUGE))
    return value


def bodies(samples: Sequence[Json]) -> SearchStrategy[bytes]:
    """Bodies of requests or frames: mostly broken samples, else any JSON, JSON that is cut off, any bytes."""
    sample = broken(samples).map(lambda value: written(value).encode())
    cut = st.tuples(sample, st.integers(0, 400)).map(lambda pair: pair[0][: pair[1]])
    return st.one_of(
        sample,
        sample,
        sample,
        sample,
        ANY_JSON.map(lambda value: written(value).encode()),
        cut,
        st.binary(max_size=300),
    )


def generated(strategy: SearchStrategy[Json], count: int = EXAMPLES) -> list[Json]:
    """So many examples, the same in every run."""
    found: list[Json] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Json) -> None:
        found.append(value)

    collect()
    return found[:count]


def in_batches(items: Sequence[Json], size: int) -> Iterator[Sequence[Json]]:
    """The items in order, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]

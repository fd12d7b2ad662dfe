"""Recorded Bot API calls checked against the machine-readable description of the Bot API."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_INTEGER = re.compile(r"-?\d+\Z")
_FLOAT = re.compile(r"-?\d+(\.\d+)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that reached the server.

    Attributes:
        method: as written in the URL.
        parameters: the form as sent, all strings.
        status: of the answer; 0 if the connection was cut.
    """

    method: str
    parameters: Mapping[str, str]
    status: int


class Contract:
    """Methods and types of the Bot API."""

    def __init__(self, api: dict[str, Any]) -> None:
        self._methods: dict[str, Any] = api["methods"]
        self._types: dict[str, Any] = api["types"]

    def problems(self, calls: Iterable[Call]) -> list[str]:
        """What is wrong with the calls, one sentence each; empty if nothing is."""
        return [problem for call in calls for problem in self._call(call)]

    def _call(self, call: Call) -> list[str]:
        method = self._methods.get(call.method)
        if method is None:
            return [f"{call.method}: no such method"]
        fields = {field["name"]: field for field in method.get("fields", [])}
        return [
            *(f"{call.method}: unknown parameter {name}" for name in call.parameters if name not in fields),
            *(
                f"{call.method}: {name} is missing"
                for name, field in fields.items()
                if field["required"] and name not in call.parameters
            ),
            *(
                f"{call.method}.{name}: {value!r:.80} is no {' or '.join(fields[name]['types'])}"
                for name, value in call.parameters.items()
                if name in fields and not any(self._form_value(value, kind) for kind in fields[name]["types"])
            ),
        ]

    def _form_value(self, value: str, kind: str) -> bool:
        match kind:
            case "String":
                return True
            case "Integer":
                return bool(_INTEGER.match(value))
            case "Float":
                return bool(_FLOAT.match(value))
            case "Boolean":
                return value.lower() in ("true", "false")
            case _:
                try:
                    return self._json_value(json.loads(value), kind)
                except ValueError:
                    return False

    def _json_value(self, value: object, kind: str) -> bool:
        if kind.startswith("Array of "):
            inner = kind.removeprefix("Array of ")
            return isinstance(value, list) and all(self._json_value(item, inner) for item in value)
        match kind:
            case "String":
                return isinstance(value, str)
            case "Integer":
                return isinstance(value, int) and not isinstance(value, bool)
            case "Float":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "Boolean" | "True":
                return isinstance(value, bool)
            case _:
                return self._object(value, kind)

    def _object(self, value: object, kind: str) -> bool:
        described = self._types[kind]
        if "subtypes" in described:
            return any(self._object(value, subtype) for subtype in described["subtypes"])
        if not isinstance(value, dict):
            return False
        fields = {field["name"]: field for field in described.get("fields", [])}
        complete = all(name in value for name, field in fields.items() if field["required"])
        return complete and all(
            name in fields and any(self._json_value(item, kind) for kind in fields[name]["types"])
            for name, item in value.items()
        )


def load_contract() -> Contract:
    """The contract from the shared data, found by `FRONTDESK_SHARED`; the test is skipped without it."""
    shared = os.environ.get("FRONTDESK_SHARED")
    if not shared:
        pytest.skip("shared data absent")
    path = Path(shared, "specs", "telegram-bot-api-spec", "api.json")
    return Contract(json.loads(path.read_text(encoding="utf-8")))

"""Reads config.yaml into plain values, with every fault of the file itself: bad YAML, keys given twice, secrets.

It does not know which keys exist. Anchors and aliases are refused: a configuration of this size needs none, and a
document that contains itself would have no end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml

from bot.redact import looks_secret

Tree = dict[str, Any]
"""Parsed YAML: mappings with text keys, lists, scalars."""

_SECRET_KEY = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|key)$", re.IGNORECASE)
_WHERE_SECRETS_LIVE = "secrets only in the environment (see the list of variables at the top of config.yaml)"


def read_file(path: Path, known_secrets: Mapping[str, str], problems: list[str]) -> Tree:
    """The file's content; what is wrong with it is added to `problems` and left out of the result.

    Args:
        path: of the file.
        known_secrets: the values that the environment's secrets have, by the names of their variables.
        problems: grows by what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        problems.append(f"{path}: found bytes that are no UTF-8, allowed a YAML file in UTF-8")
        return {}
    except OSError as error:
        problems.append(f"{path}: found no readable file ({error.strerror}), allowed the path of a YAML file")
        return {}
    tree = _parse(path, text, problems)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        problems.append(f"{path}: found {type(tree).__name__}, allowed sections with keys, such as `server:`")
        return {}
    _take_out_secrets(tree, "", known_secrets, problems)
    # A section whose keys are all commented out is an empty one.
    return {key: value for key, value in tree.items() if value is not None}


def _parse(path: Path, text: str, problems: list[str]) -> object:
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        tree: object = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        # Only what and where: the line itself might hold a secret.
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        what = (error.problem or "bad syntax") if error.problem in _SAFE_WORDINGS else "what is no YAML"
        problems.append(f"{path}: found {what}{where}, allowed YAML")
        return None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        problems.append(f"{path}: found what is no YAML, or a value that is no date or number, allowed YAML")
        return None
    finally:
        if loader is not None:
            loader.dispose()
    repeated = sorted(loader.repeated, key=itemgetter(1))
    problems += [f"{path}: found {key} twice (line {line}), allowed once" for key, line in repeated]
    return tree


_SAFE_WORDINGS = frozenset({
    "mapping values are not allowed here",
    "could not find expected ':'",
    "anchors and aliases",
})  # fmt: skip


class _Loader(yaml.SafeLoader):
    """The safe loader, with text keys, without aliases, and with a list of keys given twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[tuple[str, int]] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases.

        Raises:
            yaml.MarkedYAMLError: an alias.
        """
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it bare
            raise yaml.MarkedYAMLError(problem="anchors and aliases", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Keys as text, as the person wrote them; the last of equal ones counts, and all are reported."""
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a key that is no word"
            if key in mapping:
                self.repeated.append((key, key_node.start_mark.line + 1))
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _take_out_secrets(tree: Tree, prefix: str, known: Mapping[str, str], problems: list[str]) -> None:
    for key in list(tree):
        value = tree[key]
        path = f"{prefix}{key}"
        if _SECRET_KEY.search(key):
            problems.append(f"{path}: found a secret, allowed {_WHERE_SECRETS_LIVE}")
        elif isinstance(value, dict):
            _take_out_secrets(value, f"{path}.", known, problems)
            continue
        elif not _holds_secret(value, known):
            continue
        elif isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            for index, entry in enumerate(value):
                _take_out_secrets(entry, f"{path}[{index}].", known, problems)
            continue
        elif variable := _copied_from(value, known):
            # Only the operator knows which it is: a secret in the file, or a secret that is an ordinary word.
            problems.append(
                f"{variable}: found its value in {path}, too, allowed a secret that stands in the environment alone "
                f"(take it out of the file, or choose a longer one if it is an ordinary word)"
            )
        else:
            problems.append(f"{path}: found what looks like a secret, allowed {_WHERE_SECRETS_LIVE}")
        del tree[key]


def _holds_secret(value: object, known: Mapping[str, str]) -> bool:
    inside: Callable[[object], bool] = lambda part: _holds_secret(part, known)  # noqa: E731 - a partial application
    if isinstance(value, dict):
        return any(map(inside, value.values())) or any(_SECRET_KEY.search(key) for key in value)
    if isinstance(value, list):
        return any(map(inside, value))
    return isinstance(value, str) and (looks_secret(value) or _copied_from(value, known) is not None)


def _copied_from(value: object, known: Mapping[str, str]) -> str | None:
    """The variable whose value stands somewhere in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return next((found for part in value if (found := _copied_from(part, known))), None)
    return next((name for name, secret in known.items() if isinstance(value, str) and secret in value), None)

"""Loads the configuration: config.yaml, overridden by FRONTDESK_SECTION__KEY, with the secrets of the environment.

All problems are found in one go and raised together, before any network is touched. Nothing is read at import
time, nothing here is read by the core: `bot.app` hands plain values on. The tree itself is in `bot.config_tree`, the
kinds of values in `bot.config_values`, the rules between keys in `bot.config_rules`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from bot.config_file import Tree, read_file
from bot.config_rules import VARIABLES, check_rules, leave_out_providers, notes_on, read_secrets
from bot.config_tree import Base, Config, Provider, Secrets
from bot.config_values import Rate, is_loopback
from bot.errors import ConfigError
from bot.redact import Redactor

__all__ = ["Config", "Provider", "Rate", "Secrets", "is_loopback", "load"]

PREFIX = "FRONTDESK_"
DEFAULT_FILE = Path("config.yaml")
_OTHER_NAMES = frozenset({"FRONTDESK_WEB_TOKEN", "FRONTDESK_SHARED"})
"""Names with our prefix that override no key: a secret, and the folder of the tests' data."""


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read and check everything.

    Args:
        path: of the YAML file; None means ./config.yaml, which may be absent.
        environ: the process's environment.

    Raises:
        ConfigError: with all problems, each as `path: found …, allowed …`; none holds a secret.
    """
    problems: list[str] = []
    secrets = read_secrets(environ, problems)
    known = {variable: secret.get_secret_value() for variable, secret in _all(secrets)}
    tree: Tree = {}
    if path is not None or DEFAULT_FILE.exists():
        tree = read_file(path or DEFAULT_FILE, known, problems)
    overrides = _overrides(environ, problems)
    data = _merged(tree, _decoded(overrides))
    config, failed = _validated(data, overrides, problems)
    secrets = leave_out_providers(config, secrets, environ)
    named = {problem.partition(":")[0] for problem in problems}  # a bad secret is not a missing one as well
    problems += [problem for problem in check_rules(config, secrets, failed) if problem.partition(":")[0] not in named]
    if problems:
        redact = Redactor(known.values())
        raise ConfigError([redact(problem) for problem in problems], form=config.logging.format)
    return _finished(config, secrets, overrides)


def _all(secrets: Secrets) -> Iterator[tuple[str, SecretStr]]:
    """Variable and value of each."""
    for variable, name in VARIABLES.items():
        value = getattr(secrets, name)
        if isinstance(value, SecretStr):
            yield variable, value


def _finished(config: Config, secrets: Secrets, overrides: Mapping[str, str]) -> Config:
    usable = tuple(provider for provider in config.llm.providers if _usable(provider, secrets))
    finished = config.model_copy(update={"llm": config.llm.model_copy(update={"providers": usable})})
    finished._secrets = secrets  # noqa: SLF001 - private to everybody but its maker
    finished._notes = tuple(notes_on(config, secrets))  # noqa: SLF001
    finished._variables = frozenset(overrides)  # noqa: SLF001
    return finished


def _usable(provider: Provider, secrets: Secrets) -> bool:
    return provider.api_key_env is None or provider.api_key_env in secrets.api_keys


# --- overrides from the environment -----------------------------------------------------------------------------

_EXAMPLES: Mapping[object, str] = {
    Provider: '[{"name": "openai", "model": "gpt-5.4-mini"}]',
    Base: '[{"name": "staff", "paths": ["internal"]}]',
}
"""Of the lists of sections."""


def _leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key's path, and an example of its value as JSON if it holds a list, else an empty text."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*path, name))
        else:
            is_list = get_origin(field.annotation) is tuple
            yield (*path, name), _EXAMPLES.get(get_args(field.annotation)[0], '["a", "b"]') if is_list else ""


def _overrides(environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Variables that override a key, faulty ones left out: name → text."""
    keys = {PREFIX + "__".join(path).upper(): example for path, example in _leaves(Config)}
    good: dict[str, str] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in _OTHER_NAMES:
            continue
        if name not in keys:
            near = difflib.get_close_matches(name, keys, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            problems.append(f"{name}: found an unknown name, allowed {PREFIX}SECTION__KEY of config.yaml{hint}")
        elif not text.strip():
            problems.append(f"{name}: found nothing, allowed a value (or do not set it)")
        elif keys[name] and not _is_json_list(text):
            problems.append(f"{name}: found no list, allowed a list as JSON, such as {keys[name]}")
        else:
            good[name] = text
    return good


def _is_json_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _decoded(overrides: Mapping[str, str]) -> Tree:
    """The overrides as a tree like that of the file: lists are read as JSON, `null` is null, the rest is text.

    The library's own reader would take every value with a type of ours, such as `20/minute`, for JSON.
    """
    tree: Tree = {}
    for path, example in _leaves(Config):
        text = overrides.get(PREFIX + "__".join(path).upper())
        if text is None:
            continue
        section = tree
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = json.loads(text) if example else None if text == "null" else text
    return tree


def _merged(tree: Tree, overrides: Tree) -> Tree:
    merged = dict(tree)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = _merged(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return merged


# --- checking ---------------------------------------------------------------------------------------------------


def _validated(data: Tree, overrides: Mapping[str, str], problems: list[str]) -> tuple[Config, frozenset[str]]:
    """The configuration, with defaults in the place of bad values, and the paths that were bad."""
    failed: set[str] = set()
    # What was bad is taken out and the rest is checked again, so that the rules between keys can be checked too.
    while True:
        try:
            return Config(**data), frozenset(failed)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                problems.append(_problem(details, overrides))
                failed.add(_take_out(data, details["loc"]))


def _take_out(data: Tree, location: tuple[int | str, ...]) -> str:
    """Drop the key that leads to the bad value; returns its dotted path. A bad entry takes its whole list along."""
    mapping, depth = data, 0
    below: object = data
    for index, step in enumerate(location):
        if isinstance(below, dict):
            mapping, depth = below, index
            below = below.get(step)
        elif isinstance(below, list) and isinstance(step, int) and isinstance(below[step], dict):
            below = below[step]
        else:
            break
    mapping.pop(str(location[depth]), None)
    return ".".join(map(str, location[: depth + 1]))


def _problem(details: ErrorDetails, overrides: Mapping[str, str]) -> str:
    location = details["loc"]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    name = PREFIX + "__".join(str(step) for step in location if isinstance(step, str)).upper()
    path = f"{name} ({path})" if name in overrides else path
    if details["type"] == "extra_forbidden":
        return f"{path}: found an unknown key, allowed {_known_keys(location)}"
    return f"{path}: found {_shown(details['input'])}, allowed {_allowed(details)}"


def _known_keys(location: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = Config
    for step in location[:-1]:
        if isinstance(step, str):
            annotation = model.model_fields[step].annotation
            model = annotation if isinstance(annotation, type) else get_args(annotation)[0]  # of a list of sections
    near = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
    return ", ".join(model.model_fields) + (f" (did you mean {near[0]}?)" if near else "")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "keys"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _allowed(details: ErrorDetails) -> str:
    kind = details["type"]
    if kind == "refused":
        return details["msg"]
    if kind == "tuple_type":
        return "a list"
    if kind in {"model_type", "model_attributes_type"}:
        return "keys with values"
    return details["msg"]

"""The OpenAPI document: served as it is, and what every request body is checked against."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from ..core.request import ImageRef, KernelRequest, parse
from ..errors import RequestError

_PATH = Path(__file__).with_name("openapi.yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST = 200  # characters of a message that repeats what was sent


@functools.cache
def text() -> str:
    """Return the document as it is written."""
    return _PATH.read_text(encoding="utf-8")


@functools.cache
def document() -> dict[str, Any]:
    """Return the document as a mapping."""
    loaded: dict[str, Any] = yaml.load(text(), Loader=_LOADER)  # noqa: S506  (both loaders are the safe one)
    return loaded


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document()["components"]})


def read(raw: bytes, name: str) -> dict[str, Any]:
    """Read a request's body and check it against one of the document's schemas.

    Raises
    ------
    RequestError
        It is no JSON, or not what the schema says; the field is named.
    """
    try:
        body: dict[str, Any] = json.loads(raw, parse_constant=_no_number, parse_float=_number)
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}", hint="send an object as application/json") from error
    wrong = best_match(_validator(name).iter_errors(body))
    if wrong is None:
        return body
    path = [str(part) for part in wrong.absolute_path]
    if path[:1] == ["request"] and isinstance(body["request"], Mapping):
        asked(body["request"])  # which says it in the words of its field
        path = path[1:]
    if path == ["reference"] and isinstance(body["reference"], str):
        ImageRef(body["reference"])  # so does this
    field = path[0] if path else _named(wrong)
    message = wrong.message if len(wrong.message) <= _LONGEST else wrong.message[:_LONGEST] + " …"
    raise RequestError(f"{field or 'the body'}: {message}", hint=f"see {name} in openapi.yaml", field=field)


def asked(raw: Mapping[str, object]) -> KernelRequest:
    """Parse a request from the network. Raises ``RequestError``."""
    try:
        return parse(raw)
    except (ValueError, OverflowError) as error:
        raise RequestError("a number in the request is too long", hint="write fewer digits") from error


def _number(text: str) -> float:
    # JSON has one kind of numbers: 2.0 is as whole as 2.
    value = float(text)
    return int(value) if value.is_integer() else value


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _named(wrong: ValidationError) -> str:
    # "Additional properties are not allowed ('x' was unexpected)", "'request' is a required property"
    quoted = wrong.message.split("'")
    return quoted[1] if wrong.validator in ("additionalProperties", "required") and len(quoted) > 2 else ""

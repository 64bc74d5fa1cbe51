"""The form's fields for what is chosen so far. ``labextension/src/fields.ts`` does the same for JupyterLab.

Nothing of a site is decided here: this is what JSON Schema means by ``allOf`` and ``if``, for the keywords that
``conditions`` uses. Both are tried on the same forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Field = dict[str, Any]


def shown(schema: Mapping[str, Any], values: Mapping[str, object]) -> dict[str, Field]:
    """Return the fields that are to be shown, each with all that holds for it.

    A value that there is not is a choice of its field nevertheless, and a field with a value that is not the usual one
    is shown: what is asked for can be seen, and taken back.
    """
    fields = {name: dict(field) for name, field in schema["properties"].items()}
    for each in schema.get("allOf", ()):
        if _holds(each.get("if", {}), values):
            for name, more in each.get("then", each)["properties"].items():
                fields[name] = _both(fields[name], {"hidden": True} if more is False else more)
    return {name: _with(field, values.get(name)) for name, field in fields.items() if _seen(field, values.get(name))}


def _holds(condition: Mapping[str, Any], values: Mapping[str, object]) -> bool:
    said = {name: value for name, value in values.items() if value not in (None, "")}
    if not all(name in said for name in condition.get("required", ())):
        return False
    wanted = {name: asked["const"] for name, asked in condition.get("properties", {}).items()}
    return all(said.get(name, value) == value for name, value in wanted.items())


def _both(field: Field, more: Mapping[str, Any]) -> Field:
    made = {**field, **more}
    for bound, narrower in (("maximum", min), ("minimum", max)):
        if bound in field and bound in more:
            made[bound] = narrower(field[bound], more[bound])
    if "enum" in field and "enum" in more:
        made["enum"] = [name for name in field["enum"] if name in more["enum"]]
    return made


def _seen(field: Field, value: object) -> bool:
    chosen = value not in (None, "", field.get("default"))
    return chosen or not (field.get("hidden") or field.get("enum") == [])


def _with(field: Field, value: object) -> Field:
    if "enum" in field and value not in (None, "", *field["enum"]):
        return {**field, "enum": [*field["enum"], value]}
    return field

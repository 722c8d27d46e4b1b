"""A table against its model: every error in words, and the rest of the table still judged."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from probe.config.fields import VALUE, WRONG, type_name
from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.table import Table
from probe.core.diagnostic import did_you_mean

T = TypeVar("T", bound=Table)

_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def validate(model: type[T], raw: object, path: KeyPath, findings: Findings) -> tuple[T, frozenset[str]] | None:
    """The table and the names of its keys that are wrong: these hold defaults. `None` when it is no table at all.

    Errors go to `findings`; the table serves to look for more of them.
    """
    if not isinstance(raw, Mapping):
        findings.error(path, f"this is {type_name(raw)}", "write a table")
        return None
    try:
        return model.model_validate(raw), frozenset()
    except ValidationError as error:
        details = error.errors(include_url=False)
    broken: set[str] = set()
    for detail in details:
        broken.add(str(detail["loc"][0]))
        _report(detail, model, path, findings)
    sound = {key: value for key, value in raw.items() if key not in broken}
    stand_in = {key: value for key, value in model.stand_in.items() if key not in sound}
    return model.model_validate(sound | stand_in), frozenset(broken)


def _report(detail: ErrorDetails, model: type[Table], path: KeyPath, findings: Findings) -> None:
    # "[key]" is pydantic's mark for "the key itself"; an index that stands nowhere came from a single value.
    location = tuple(part for part in detail["loc"] if part != "[key]")
    while location and isinstance(location[-1], int) and (*path, *location) not in findings.lines:
        location = location[:-1]
    where = (*path, *location)
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            known = _keys(model, location[:-1])
            findings.error(where, "there is no such key", did_you_mean(str(location[-1]), known))
        case "missing":
            example = model.examples.get(str(location[-1]))
            findings.error(where, "is missing", f"such as {example}" if example else "")
        case str(kind) if kind == WRONG:
            context = detail["ctx"]
            shown = findings.show(where, value)
            what = context["what"].replace(VALUE, shown)
            if findings.may_show(where):
                what += context["detail"]
            findings.error(where, what, context["hint"].replace(VALUE, shown))
        case kind if kind in _WANTED:
            findings.error(where, f"{findings.show(where, value)} is {type_name(value)}", f"write {_WANTED[kind]}")
        case _:  # a type of error that no field of ours has; pydantic's words hold no input
            findings.error(where, f"{findings.show(where, value)}: {detail['type'].replace('_', ' ')}")


def _keys(model: type[BaseModel], location: KeyPath) -> list[str]:
    """The keys of the (nested) table at `location`."""
    for part in location:
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        inner = field and _model_in(field.annotation)
        if inner is None:
            break
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, getattr(annotation, "__args__", ()))), None)

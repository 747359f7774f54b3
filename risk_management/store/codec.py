"""Events as text and back. What was written is read as it was, to the last bit of every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any, Final, NamedTuple, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from risk_management.errors import StoreCorrupt
from risk_management.model import events
from risk_management.model.events import BookOpened, Event, ModelRefreshed
from risk_management.model.risk_model import RiskModel
from risk_management.store.model_codec import model_digest

__all__ = ["Encoded", "decode", "encode", "text_adapter"]

EXACT: Final = ConfigDict(ser_json_inf_nan="strings")
"""JSON knows no NaN and no infinity: they are written as words."""


class Encoded(NamedTuple):
    """An event as it is stored.

    Parameters
    ----------
    kind : str
        Name of its class.
    body : str
        JSON text. A market model stands in it by its digest.
    model : RiskModel or None
        That model.
    digest : str
    """

    kind: str
    body: str
    model: RiskModel | None = None
    digest: str = ""


def text_adapter(kind: Any) -> TypeAdapter[Any]:
    """Reads and writes records of a kind, wrapped in a tuple of one."""
    return TypeAdapter(tuple[kind], config=EXACT)  # a bare dataclass takes no such setting


def encode(event: Event) -> Encoded:
    """An event as text."""
    kind = type(event).__name__
    form = _forms()[kind]
    if isinstance(event, BookOpened | ModelRefreshed):
        values = {f.name: getattr(event, f.name) for f in fields(event)}
        values["model"] = model_digest(event.model)
        return Encoded(kind, form.written(form.record(**values)), event.model, values["model"])
    return Encoded(kind, form.written(event))


def decode(kind: str, body: str, model_of: Callable[[str], RiskModel]) -> Event:
    """The event that a text says.

    Parameters
    ----------
    kind, body : str
    model_of : callable
        The market model of a digest.

    Raises
    ------
    StoreCorrupt
        It is no event of this version.
    """
    form = _forms().get(kind)
    if form is None:
        raise StoreCorrupt(f"the journal holds a {kind!r}, which this version does not know")
    try:
        record = form.adapter.validate_json(f"[{body}]")[0]
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise StoreCorrupt(f"a {kind} in the journal can't be read: {place}: {first['msg']}") from None
    if form.record is form.event:
        event: Event = record
        return event
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    values["model"] = model_of(values["model"])
    return form.event(**values)


class _Form(NamedTuple):
    """How events of one class are written: as they are, or as a record with a digest for the market model."""

    event: type[Event]
    record: type[Any]
    adapter: TypeAdapter[Any]

    def written(self, record: Any) -> str:
        """One record as text."""
        return self.adapter.dump_json((record,))[1:-1].decode()


@cache
def _forms() -> dict[str, _Form]:
    """The form of every event, by the name of its class."""
    found = {}
    for name in events.__all__:
        kind = getattr(events, name)
        if issubclass(kind, Event) and kind is not Event:
            record = _with_digest(kind) if kind in (BookOpened, ModelRefreshed) else kind
            found[name] = _Form(kind, record, text_adapter(record))
    return found


def _with_digest(kind: type[Any]) -> type[Any]:
    """The same record with the market model's digest in the model's place."""
    hints = get_type_hints(kind)
    named = [(f.name, str if f.name == "model" else hints[f.name]) for f in fields(kind)]
    return make_dataclass(kind.__name__, named, frozen=True)

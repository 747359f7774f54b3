"""Events as text and back. What was written is read as it was, to the last bit of every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, make_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from risk_management.errors import StoreCorrupt
from risk_management.model import events
from risk_management.model.events import BookOpened, Event, ModelRefreshed, TradeDecided
from risk_management.model.risk_model import RiskModel
from risk_management.store.model_codec import model_digest

__all__ = ["Encoded", "decode", "encode", "text_adapter", "written"]

EXACT: Final = ConfigDict(ser_json_inf_nan="strings")
"""JSON knows no NaN and no infinity: they are written as words."""
FINDINGS: Final = '"findings":['
BEHIND_FINDINGS: Final = '],"rejection_reasons":['


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


def written(adapter: TypeAdapter[Any], record: Any) -> bytes:
    """A record as JSON text. Half a surrogate pair, which no UTF-8 can hold, becomes a question mark.

    A reason that somebody typed must not keep a stop from being written.
    """
    try:
        return adapter.dump_json((record,))
    except PydanticSerializationError:
        return adapter.dump_json((_writable(record),))


def _writable(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return value.encode("utf-8", "replace").decode()
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _writable(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, tuple):
        parts = map(_writable, value)
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


def encode(event: Event) -> Encoded:
    """An event as text."""
    kind = type(event).__name__
    form = _forms()[kind]
    if isinstance(event, BookOpened | ModelRefreshed):
        values = {f.name: getattr(event, f.name) for f in fields(event)}
        values["model"] = model_digest(event.model)
        return Encoded(kind, form.written(form.record(**values)), event.model, values["model"])
    return Encoded(kind, form.written(event))


def decode(kind: str, body: str, model_of: Callable[[str], RiskModel], *, lean: bool = False) -> Event:
    """The event that a text says.

    Parameters
    ----------
    kind, body : str
    model_of : callable
        The market model of a digest.
    lean : bool
        Leave out what no state remembers: the findings of a decision, nine tenths of a journal.

    Raises
    ------
    StoreCorrupt
        It is no event of this version.
    """
    form = _forms().get(kind)
    if form is None:
        raise StoreCorrupt(f"the journal holds a {kind!r}, which this version does not know")
    if lean and form.event is TradeDecided:
        body = _without_findings(body)
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
        return written(self.adapter, record)[1:-1].decode()


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


def _without_findings(body: str) -> str:
    """A decision's text with its list of findings empty.

    Within a text of JSON a quotation mark has a backslash before it: what is looked for can't stand there.
    """
    start = body.find(FINDINGS)
    end = body.find(BEHIND_FINDINGS, start)
    if start < 0 or end < 0:  # written by another version
        return body
    return body[: start + len(FINDINGS)] + body[end:]


def _with_digest(kind: type[Any]) -> type[Any]:
    """The same record with the market model's digest in the model's place."""
    hints = get_type_hints(kind)
    named = [(f.name, str if f.name == "model" else hints[f.name]) for f in fields(kind)]
    return make_dataclass(kind.__name__, named, frozen=True)

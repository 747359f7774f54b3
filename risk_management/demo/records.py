"""What a run of the demo measured: frozen records of plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AlertCourse",
    "ArmResult",
    "DemoResult",
    "Event",
    "Forgone",
    "MeasureCourse",
    "PeriodResult",
    "Refusal",
    "Survivorship",
]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """How one arm came through a period.

    Parameters
    ----------
    name : str
    final : float
        Equity at the end, money.
    total_return, annual_return, max_drawdown : float
        Fractions.
    calmar : float
        Annual return over maximum drawdown.
    average_exposure, largest_exposure : float
        Gross exposure over equity.
    costs : float
        Commissions, spreads and impact, money.
    turnover : float
        Money traded over the average equity.
    fills : int
    equity, exposure : tuple of float
        Day by day.
    """

    name: str
    final: float
    total_return: float
    annual_return: float
    max_drawdown: float
    calmar: float
    average_exposure: float
    largest_exposure: float
    costs: float
    turnover: float
    fills: int
    equity: tuple[float, ...]
    exposure: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Orders that one check refused or cut: how many of each, and the money that did not pass."""

    code: str
    refused: int
    cut: int
    money: float


@dataclass(frozen=True, slots=True)
class Forgone:
    """What the orders that did not pass would have made over the next 20 trading days.

    Hindsight, for the report only: from the close at which they would have been filled, without costs.
    A bot asks again while its signal stands, so of one bot and stock only the first refusal or cut in
    20 trading days counts: no profit stands here twice.

    Parameters
    ----------
    wishes : int
        Refusals and cuts that count.
    money : float
        What they kept back.
    gains, losses : float
        Profits missed and losses avoided, both positive money.
    mean_return : float
        Return of the money refused and cut, a fraction.
    taken_return : float
        The same of the money approved.
    """

    wishes: int
    money: float
    gains: float
    losses: float
    mean_return: float
    taken_return: float

    @property
    def net(self) -> float:
        """Losses avoided less gains missed."""
        return self.losses - self.gains


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the risk system did.

    Parameters
    ----------
    day : str
        ISO date.
    kind : str
        ``emergency``, ``limit``, ``release``, ``tier``, ``recovery`` or ``bot``.
    name : str
        The row, bot or strategy.
    text : str
    """

    day: str
    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertCourse:
    """One alert from its first telling on.

    Parameters
    ----------
    day : str
        ISO date of the first telling.
    severity, alert_type, rule_id, name, message : str
    days : int
        Trading days at whose end it stood.
    is_over : bool
        False: it stands at the end of the period.
    """

    day: str
    severity: str
    alert_type: str
    rule_id: str
    name: str
    message: str
    days: int = 0
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class MeasureCourse:
    """Something that the risk system did for a while: an emergency row, a drawdown tier, a bot stopped.

    Parameters
    ----------
    day : str
        ISO date of its first day.
    name : str
        The row, bot or strategy.
    did : str
        The row's action, or ``stopped``, or ``reopened`` for a recovery tranche.
    days : int
        Trading days at whose end it held.
    is_over : bool
        False: it holds at the end of the period.
    """

    day: str
    name: str
    did: str
    days: int
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class PeriodResult:
    """One period in all its arms.

    Parameters
    ----------
    name, start, end : str
    calm : bool
    days : int
    arms : tuple of ArmResult
        Gated, ungated, ungated at the gated arm's average exposure, volatility target, 20 stocks held.
    asked, approved, cut, refused : int
        Orders that open, by answer.
    exits, exits_refused : int
        Orders that close.
    by_bot : Mapping of str to (int, int, int)
        Approved, cut and refused of each bot's entries.
    refusals : tuple of Refusal
        The most frequent first.
    forgone : Forgone
    events : tuple of Event
    alerts : tuple of AlertCourse
    measures : tuple of MeasureCourse
    mode_days : Mapping of str to int
        Days that ended so.
    cancelled, protective : int
        Approvals taken back; fills of what the risk system closed.
    closed_days : int
        Days that ended with nothing new allowed.
    index_return : float
        S&P 500 price index over the period.
    """

    name: str
    start: str
    end: str
    calm: bool
    days: int
    arms: tuple[ArmResult, ...]
    asked: int
    approved: int
    cut: int
    refused: int
    exits: int
    exits_refused: int
    by_bot: dict[str, tuple[int, int, int]]
    refusals: tuple[Refusal, ...]
    forgone: Forgone
    events: tuple[Event, ...]
    alerts: tuple[AlertCourse, ...]
    measures: tuple[MeasureCourse, ...]
    mode_days: dict[str, int]
    cancelled: int
    protective: int
    closed_days: int
    index_return: float

    @property
    def gated(self) -> ArmResult:
        """The arm with the gate."""
        return self.arms[0]

    @property
    def ungated(self) -> ArmResult:
        """The bots alone."""
        return self.arms[1]

    @property
    def matched(self) -> ArmResult:
        """The bots alone at the gated arm's average exposure."""
        return self.arms[2]

    @property
    def beats_matched(self) -> bool:
        """The claim: a smaller maximum drawdown than the same average exposure has without a gate."""
        return self.gated.max_drawdown < self.matched.max_drawdown


@dataclass(frozen=True, slots=True)
class Survivorship:
    """Annual return of the 20 stocks in equal parts, rebalanced daily, and of the index, whole sample."""

    stocks: float
    index: float
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Everything that a run of the demo measured.

    Parameters
    ----------
    capital : float
        At the start of every period.
    periods : tuple of PeriodResult
    survivorship : Survivorship
    commission, half_spread, daily_volume : float
        The cost model.
    decisions : int
    seconds : float
        Of wall time.
    leans_on : tuple of str
    """

    capital: float
    periods: tuple[PeriodResult, ...]
    survivorship: Survivorship
    commission: float
    half_spread: float
    daily_volume: float
    decisions: int
    seconds: float
    leans_on: tuple[str, ...]

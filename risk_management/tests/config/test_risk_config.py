"""Settings: levels, sources and mistakes."""

from __future__ import annotations

import pytest

from risk_management.config._levels import LEVELS
from risk_management.config._sources import FLAT_NAMES
from risk_management.config.risk_config import (
    AlertConfig,
    RiskLevel,
    RiskManagementConfig,
    load_risk_config,
)
from risk_management.errors import ConfigurationError

POLICY = {  # conservative, moderate, aggressive, in per cent, from the published table of limits
    "portfolio_limits.max_single_position": (10, 15, 25),
    "portfolio_limits.max_index_fund_position": (40, 60, 100),
    "portfolio_limits.max_coin_position": (5, 10, 20),
    "portfolio_limits.max_major_coin_position": (10, 20, 40),
    "portfolio_limits.max_sector_exposure": (20, 35, 50),
    "portfolio_limits.max_cluster_exposure": (30, 80, 120),
    "portfolio_limits.max_gross_exposure": (80, 100, 200),
    "portfolio_limits.max_net_exposure": (80, 100, 150),
    "heat_config.max_open_risk": (4, 8, 15),
    "portfolio_limits.max_risk_per_trade": (0.5, 1, 2),
    "portfolio_limits.min_cash": (10, 5, 0),
    "var_config.daily_var_limit": (1, 2, 3.5),
    "var_config.daily_es_limit": (1.75, 3.5, 6),
    "stress_config.max_stress_loss": (15, 25, 40),
    "drawdown_config.daily_loss_limit": (1.5, 3, 5),
    "drawdown_config.weekly_loss_limit": (3, 6, 10),
    "drawdown_config.max_portfolio_drawdown": (10, 15, 20),
    "emergency_config.liquidation_drawdown": (15, 25, 35),
    "kelly_config.default_kelly_fraction": (10, 25, 50),
    "order_config.price_collar": (3, 5, 10),
    "order_config.max_volume_share": (0.5, 1, 2),
}


def at(config, dotted):
    for part in dotted.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize("dotted", POLICY)
def test_the_levels_are_the_published_ones(dotted):
    for level, expected in zip(RiskLevel, POLICY[dotted], strict=True):
        config = RiskManagementConfig(risk_level=level)
        assert at(config, dotted) == pytest.approx(expected / 100)


def test_orders_a_minute_and_quote_ages_by_level():
    configs = [RiskManagementConfig(risk_level=level) for level in RiskLevel]
    assert [c.order_config.max_orders_per_minute for c in configs] == [6, 20, 60]
    assert [c.market_data_config.quote_age["crypto"] for c in configs] == [10.0, 15.0, 30.0]
    assert [c.portfolio_limits.allow_shorts for c in configs] == [False, True, True]


def test_adjusting_twice_changes_nothing_and_what_was_set_by_hand_stays():
    config = RiskManagementConfig()
    config.portfolio_limits.max_single_position = 0.12
    config.risk_level = RiskLevel.CONSERVATIVE
    config.adjust_for_risk_level()
    once = config.digest()
    config.adjust_for_risk_level()
    assert config.digest() == once
    assert config.portfolio_limits.max_single_position == 0.12
    assert config.portfolio_limits.max_sector_exposure == 0.20


def test_every_level_of_the_table_is_a_setting_in_range():
    for (section, name), values in LEVELS.items():
        for value in values:
            setattr(getattr(RiskManagementConfig(), section), name, value)
    for level in RiskLevel:
        RiskManagementConfig(risk_level=level).check()


def test_tiers_scale_with_the_maximum():
    config = RiskManagementConfig()
    assert [round(level, 6) for level, _ in config.drawdown_config.tier_levels()] == [0.05, 0.08, 0.11, 0.15]
    assert [m for _, m in config.drawdown_config.tier_levels()] == [0.75, 0.5, 0.25, 0.0]


def test_sources_in_their_order(tmp_path, monkeypatch):
    path = tmp_path / "risk.toml"
    path.write_text("portfolio_value = 1.0\n[var_config]\ndaily_var_limit = 0.011\ndaily_es_limit = 0.05\n")
    monkeypatch.setenv("RISK__VAR_CONFIG__DAILY_VAR_LIMIT", "0.012")
    assert load_risk_config(path).var_config.daily_var_limit == 0.012
    assert load_risk_config(path).portfolio_value == 1.0
    monkeypatch.setenv("PORTFOLIO_VALUE", "2.0")
    assert load_risk_config(path).portfolio_value == 2.0
    assert load_risk_config(path, portfolio_value=3.0).portfolio_value == 3.0
    monkeypatch.setenv("RISK_CONFIG", str(path))
    assert load_risk_config().var_config.daily_es_limit == 0.05
    assert RiskManagementConfig().portfolio_value == 10_000.0


def test_specified_environment_names(monkeypatch):
    given = {
        "RISK_LEVEL": "Conservative",
        "PORTFOLIO_VALUE": "25000",
        "MAX_PORTFOLIO_DRAWDOWN": "0.12",
        "TELEGRAM_BOT_TOKEN": "secret-token",
        "TELEGRAM_CHAT_ID": "42",
        "DISCORD_WEBHOOK_URL": "https://discord.example/hook",
        "SMTP_SERVER": "smtp.example",
        "SMTP_USERNAME": "me",
        "SMTP_PASSWORD": "secret-password",
    }
    for name, value in given.items():
        assert name in FLAT_NAMES
        monkeypatch.setenv(name, value)
    config = load_risk_config()
    assert config.risk_level is RiskLevel.CONSERVATIVE
    assert config.portfolio_value == 25_000.0
    assert config.drawdown_config.max_portfolio_drawdown == 0.12
    assert config.alert_config.telegram_bot_token.get_secret_value() == "secret-token"
    assert "secret" not in repr(config)
    assert "secret" not in config.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAX_PORTFOLIO_DRAWDOWN", "15", "write 0.15 for 15 %"),
        ("PORTFOLIO_VALUE", "abc", "PORTFOLIO_VALUE (environment)"),
        ("PORTFOLIO_VALUE", "-5", "PORTFOLIO_VALUE (environment)"),
        ("PORTFOLIO_VALUE", "nan", "PORTFOLIO_VALUE (environment)"),
        ("RISK_LEVEL", "moderat", "'moderate'"),
        ("RISK__VAR_CONFIG__DAILY_VAR_LIMIT", "x", "RISK__VAR_CONFIG__DAILY_VAR_LIMIT (environment)"),
    ],
)
def test_a_wrong_variable_is_named_with_its_source(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_risk_config()
    assert name in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no_such = 1", "no_such"),
        ("[var_config]\nno_such = 1", "var_config.no_such"),
        ("[portfolio_limits]\nmax_single_position = 15", "write 0.15 for 15 %"),
        ("[portfolio_limits]\nmax_single_position = true", "true or false is not meant"),
        ("[portfolio_limits]\nmax_positions = true", "true or false is not meant"),
        ("[drawdown_config]\ntimezone = 'Europe'", "no time zone is called 'Europe'"),
        ("[drawdown_config]\nday_roll = '18:00+02:00'", "without an offset"),
        ("portfolio_value = " + "9" * 5000, "not valid TOML"),
        ("portfolio_value = " + "[" * 5000, "nested too deeply"),
        ("[portfolio_limits]\nmax_single_position = nan", "max_single_position"),
        ("[portfolio_limits]\nmax_positions = 2.5", "max_positions"),
        ("[drawdown_config]\ntimezone = 'Mars/Base'", "Mars/Base"),
        ("[drawdown_config]\ntiers = [[0.5, 0.2], [0.4, 0.1]]", "rising"),
        ("[portfolio_limits]\nmax_gross_exposure = 0.1", "(0.15) is larger than max_gross_exposure (0.1)"),
        ("[emergency_config]\nvar_release = 0.99", "var_release (0.99) must be smaller than var_halt"),
        ("risk_level = 'modrate'", "got 'modrate'"),
        ("[portfolio_limits]\nmax_single_position = '10 %'", "must be a number, got '10 %'"),
        ("[portfolio_limits]\nmax_sector = 0.3", "did you mean max_sector_exposure?"),
        ("= broken", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_and_the_remedy(tmp_path, text, said):
    path = tmp_path / "risk.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_risk_config(path)
    assert said in str(caught.value)


def test_a_secret_that_was_written_as_a_number_is_not_told():
    with pytest.raises(ConfigurationError, match="must be text") as caught:
        RiskManagementConfig().update(alert_config={"telegram_bot_token": 471100})
    assert "4711" not in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        load_risk_config(portfolio_value=-1.0, risk_level="bold", nonsense=1)
    assert all(word in str(caught.value) for word in ("portfolio_value", "risk_level", "nonsense"))


def test_a_wrong_assignment_keeps_the_old_value():
    config = RiskManagementConfig()
    with pytest.raises(ConfigurationError, match="max_single_position"):
        config.portfolio_limits.max_single_position = 15
    assert config.portfolio_limits.max_single_position == 0.15


@pytest.mark.parametrize("field", ["allow_symbols", "deny_symbols", "major_coins"])
@pytest.mark.parametrize("symbol", ["", "A\n", "A" * 33, "\ud800", "\u202eA", "../x"])
def test_a_list_of_symbols_holds_symbols(field, symbol):
    """One that could name nothing would deny nothing, and nobody would hear of it."""
    with pytest.raises(ConfigurationError, match=f"{field}.*a symbol is 1 to 32 letters"):
        RiskManagementConfig().update(portfolio_limits={field: ("KO", symbol)})
    RiskManagementConfig().update(portfolio_limits={field: ("KO", "BTC/USDT", "BRK.B")})


def test_a_number_that_no_double_holds_is_a_wrong_one():
    with pytest.raises(ConfigurationError, match="daily_var_limit"):
        RiskManagementConfig().update(var_config={"daily_var_limit": 10**399})


def test_update_gives_a_checked_copy():
    config = RiskManagementConfig()
    changed = config.update(var_config={"daily_var_limit": 0.015})
    assert (config.var_config.daily_var_limit, changed.var_config.daily_var_limit) == (0.02, 0.015)
    assert config.digest() != changed.digest()
    with pytest.raises(ConfigurationError, match="can never bind"):
        config.update(portfolio_limits={"max_gross_exposure": 0.1})
    with pytest.raises(ConfigurationError, match="no such setting"):
        config.update(nonsense=1)


def test_a_sound_feed_must_be_able_to_keep_within_the_silence_that_is_allowed():
    config = RiskManagementConfig()
    with pytest.raises(ConfigurationError, match=r"poll_interval of 60 s .* heartbeat_config.feeds, 60 s"):
        config.update(market_data_config={"source": "yahoo", "poll_interval": 60.0})
    config.update(market_data_config={"source": "yahoo", "poll_interval": 59.0})
    config.update(market_data_config={"source": "sample", "poll_interval": 120.0})  # is not polled
    watched_not = {"feeds": 0.0}
    config.update(
        market_data_config={"source": "yahoo", "poll_interval": 120.0}, heartbeat_config=watched_not
    )


def test_a_further_channel_is_named_by_its_kind_and_never_by_its_address():
    urls = (
        "ntfy://SECRET@host/topic",
        "json://a/SECRET",
        "ntfy://b",
        "json://c",
        "SECRET",
        "SECRET words://x",
    )
    named = AlertConfig(urls=urls).named_urls()
    assert list(named) == ["url:ntfy", "url:json", "url:ntfy-2", "url:json-2", "url:secret", "url:other"]
    assert [url.get_secret_value() for url in named.values()] == list(urls)

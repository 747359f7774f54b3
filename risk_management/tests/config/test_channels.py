"""Settings of channels that can't work are refused when they are loaded, by name and without their values."""

from __future__ import annotations

import pytest

from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.errors import ConfigurationError

CANARY = "canary-77c"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"webhook_url": f"file:///{CANARY}"}, "webhook_url: not an address"),
        ({"webhook_url": f"http://example.com/{CANARY}"}, "webhook_url: must begin with https://"),
        ({"webhook_url": f"https://me:{CANARY}@example.com/"}, "webhook_url: a name or password"),
        ({"slack_webhook_url": f"https:///{CANARY}"}, "slack_webhook_url: not an address"),
        ({"discord_webhook_url": f"https://a b/{CANARY}"}, "discord_webhook_url: an address has no spaces"),
        ({"discord_webhook_url": f"https://a:99999999/{CANARY}"}, "discord_webhook_url: not an address"),
        ({"telegram_api_url": "http://127.0.0.1:8081"}, "telegram_api_url: must begin with https://"),
        ({"telegram_bot_token": f"1:{CANARY}/x"}, "telegram_bot_token: no bot token"),
        ({"telegram_chat_id": "my chat"}, "telegram_chat_id: a chat is a number"),
        ({"email_to": "nobody"}, "email_to: not an address"),
        ({"email_to": "a@b.c, d@e.f\nBcc: x@y.z"}, "email_to: not an address"),
        ({"smtp_server": "a b"}, "smtp_server: not a host"),
        (
            {"smtp_server": "mail.example", "smtp_password": CANARY, "smtp_security": "none"},
            "smtp_security: none would send the password in the clear",
        ),
        ({"urls": [f"nonsense://{CANARY}"]}, "urls (ALERT_URLS): number 1 is not one that Apprise can use"),
        ({"urls": ["ntfy://topic", CANARY]}, "urls (ALERT_URLS): number 2 is not an Apprise URL"),
    ],
)
def test_it_is_named(given, said):
    with pytest.raises(ConfigurationError) as caught:
        load_risk_config(alert_config=given)
    assert said in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_setting_of_the_environment_is_named_with_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("WEBHOOK_URL", f"http://example.com/{CANARY}")
    file = tmp_path / "risk.toml"
    file.write_text('[alert_config]\nemail_to = "nobody"\n')
    with pytest.raises(ConfigurationError) as caught:
        load_risk_config(file)
    said = str(caught.value)
    assert "alert_config.webhook_url, from WEBHOOK_URL (environment): must begin with https://" in said
    assert "alert_config.email_to: not an address" in said
    assert CANARY not in said


def test_what_works_passes():
    config = load_risk_config(
        alert_config={
            "webhook_url": "http://127.0.0.1:8000/hook",
            "private_hosts": ["127.0.0.1", "mail.local"],
            "smtp_server": "mail.local",
            "smtp_username": "risk",
            "smtp_password": "pass-word",
            "smtp_security": "none",
            "email_to": "a@b.c, d@e.f",
            "urls": ["ntfy://topic", "ntfy://other"],
        }
    )
    assert list(config.alert_config.named_urls()) == ["url:ntfy", "url:ntfy-2"]
    with pytest.raises(ConfigurationError, match="webhook_url"):
        RiskManagementConfig().update(alert_config={"webhook_url": "ftp://x"})


def test_private_hosts_stand_in_the_file_alone(monkeypatch, tmp_path):
    file = tmp_path / "risk.toml"
    file.write_text('[alert_config]\nprivate_hosts = ["10.0.0.9"]\n')
    assert load_risk_config(file).alert_config.private_hosts == ("10.0.0.9",)
    monkeypatch.setenv("RISK__ALERT_CONFIG__PRIVATE_HOSTS", '["10.0.0.9"]')
    with pytest.raises(ConfigurationError, match="in the settings file alone"):
        load_risk_config(file)

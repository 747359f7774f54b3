"""The whole service as one Flask app: everything takes a token but what the routes themselves leave open."""

from __future__ import annotations

from flask import Flask

from risk_management.service.blueprint import failed, make_blueprint, with_headers
from risk_management.service.guard import LOOPBACK_NAMES, Guard
from risk_management.service.keyring import Keyring
from risk_management.service.live import LIVE, Live
from risk_management.service.openapi import PREFIX
from risk_management.service.route import Views
from risk_management.service.routes import API, ROOT
from risk_management.service.sessions import Sessions
from risk_management.service.throttle import Throttle

__all__ = ["make_app"]


def make_app(
    views: Views,
    keyring: Keyring,
    *,
    names: frozenset[str] = frozenset(),
    sessions: Sessions | None = None,
    throttle: Throttle | None = None,
    streams: int = 0,
) -> Flask:
    """An app of all routes.

    Parameters
    ----------
    views : Views
        Whose book is served.
    keyring : Keyring
    names : frozenset of str
        Names that the server is called by, beside those of the loopback.
    sessions : Sessions, optional
        For browsers on this machine.
    throttle : Throttle, optional
    streams : int
        Pages that are told at once what changes; each holds a thread of the server. Others ask.
    """
    app = Flask("risk_management", static_folder=None)
    app.url_map.merge_slashes = False
    hosts = LOOPBACK_NAMES | frozenset(name.lower() for name in names)
    guard = Guard(views, keyring, hosts=hosts, sessions=sessions, throttle=throttle)
    live = app.extensions[LIVE] = Live(views.pulse, streams)
    app.register_blueprint(make_blueprint(API, guard, views, live=live), url_prefix=PREFIX)
    app.register_blueprint(make_blueprint(ROOT, guard, views, name="risk_root"))
    app.register_error_handler(Exception, failed)
    app.after_request(with_headers)
    return app

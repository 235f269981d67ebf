"""How the log of this process is put together."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from kptv.channels.terms import secrets_of
from kptv.config import Config
from kptv.logs.filters import RecentLines, RepeatFilter
from kptv.logs.formatters import JsonLines, RedactingFormatter
from kptv.logs.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Log:
    """The log of this process, once it is set up."""

    redactor: Redactor
    recent: RecentLines
    repeats: RepeatFilter

    def tell_repeats(self) -> None:
        """Write what was held back; to be called every few seconds."""
        for record in self.repeats.due():
            logging.getLogger(record.name).handle(record)


def set_up_logging(config: Config) -> Log:
    """Everything that is logged in this process goes to standard error, redacted."""
    redactor = Redactor(config.sources, config.base_url)
    redactor.keep(secrets_of(config.rules))
    formatter = _formatter(config, redactor)
    repeats, recent = RepeatFilter(), RecentLines(redactor.redact)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(repeats)
    handler.addFilter(recent)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if config.debug else logging.INFO)
    for name in ("gunicorn.error", "gunicorn.access"):  # gunicorn gives these their own handlers
        for its_handler in logging.getLogger(name).handlers:
            its_handler.setFormatter(formatter)
    # urllib3 logs host and path of each request, and warns of what is normal here.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    return Log(redactor, recent, repeats)


def _formatter(config: Config, redactor: Redactor) -> logging.Formatter:
    # Users' secrets are shown in no case.
    redact = redactor.redact if config.obfuscate_urls else redactor.redact_users
    return JsonLines(redact) if config.log_format == "json" else RedactingFormatter(redact)

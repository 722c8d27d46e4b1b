"""One service as Apprise speaks to it: blocking, for a thread. Importing this imports Apprise, which takes its time."""

import logging
import re
import threading
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import apprise
from apprise.attachment.file import AttachFile

from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.notifiers.hide import hiding
from probe.notifiers.services import Letter, prepare
from probe.notifiers.text import one_line

FOR_GOOD: Final = frozenset({401, 403, 404, 410})
"""Answers that say that the channel is wrong, not the moment."""

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what some of its 180 services import
    services: Any = apprise.NotificationManager  # untyped
    services().load_modules()

# Apprise and urllib3 log addresses with their tokens, and Apprise what it sends. Nothing of it goes to our log: what is
# worth knowing becomes the answer, masked. Level: Apprise keeps a service's own words only at "debug".
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").setLevel(logging.DEBUG)
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Service:
    """An Apprise URL, opened. For one thread at a time: it is changed for each letter.

    Raises `ProbeError` for a URL that Apprise cannot use, and says why, as far as that shows nothing of the URL.
    """

    def __init__(self, url: str, channel: str, seconds: float, redactor: Redactor) -> None:
        asset = apprise.AppriseAsset(
            app_id="probe",
            app_desc="probe, synthetic monitoring",
            app_url="",
            image_url_mask="",  # else messages show Apprise's icons, from its site
            async_mode=False,
            http_redirects=False,  # a POST that is redirected comes on as a GET without words, and is called delivered
            storage_mode="memory",
            service_timeout=0,  # the deadline is ours, and so are the threads
        )
        with _Overheard() as overheard:
            try:
                plugin: Any = apprise.Apprise.instantiate(url, asset=asset)
            except Exception as error:  # noqa: BLE001  # some plugins raise for an address that they cannot read
                overheard.words.append(str(error))
                plugin = None
        if plugin is None:
            why = one_line(hiding(redactor, url, "").text("; ".join(overheard.words)))
            raise ProbeError(f"channel {channel!r}: its url is none that Apprise can use: {why}")
        plugin.retry = 0  # retries are ours: they survive a restart, and wait longer
        plugin.optional = False  # else what failed would be called delivered
        if plugin.socket_read_timeout == apprise.URLBase.socket_read_timeout:
            plugin.socket_read_timeout = seconds
        if plugin.overflow_mode is apprise.OverflowMode.UPSTREAM:
            plugin.overflow_mode = apprise.OverflowMode.TRUNCATE  # too long would be refused, again and again
        self._plugin = plugin
        self._apprise = apprise.Apprise(asset=asset)
        self._apprise.add(plugin)
        self._hide = hiding(redactor, url, plugin.url(privacy=True))

    @property
    def kind(self) -> str:
        """Apprise's scheme for it, such as `pagerduty` or `jsons`."""
        return str(self._plugin.secure_protocol or self._plugin.protocol)

    def say(self, letter: Letter) -> str:
        """Send it once; what the service said, or `NotifyError` with that.

        A picture that the service refuses is tried without at once: otherwise it would keep back the words for ever.
        """
        try:
            return self._say(letter)
        except _PictureRefused:
            return self._say(replace(letter, picture=None))

    def _say(self, letter: Letter) -> str:
        prepare(self._plugin, self.kind, letter)
        attach: Any = AttachFile  # untyped, as all of Apprise's attachments
        picture = letter.picture if letter.picture and self._plugin.attachment_support else None
        with self._apprise.notify(
            title=letter.title,
            body=letter.body or letter.title,
            notify_type=letter.kind,
            body_format=apprise.NotifyFormat.TEXT,
            attach=attach(picture) if picture and Path(picture).is_file() else None,
            log_level=logging.DEBUG,
        ) as result:
            words = _words((entry.level, entry.message) for entry in result.logs())
            delivered = result.status == apprise.AppriseResultStatus.SUCCESS
        answer = one_line(self._hide.text(f"{self._plugin.service_name}: {words}"))
        if delivered:
            return answer
        statuses = {int(found) for found in re.findall(r"error=(\d{3})\b", words)}
        if picture and statuses & {400, 413, 415, 422}:
            raise _PictureRefused(answer)
        # One of several addressees that is gone must not silence the channel for the others.
        raise NotifyError(answer, permanent=bool(statuses & FOR_GOOD) and len(self._plugin) == 1)

    def close(self) -> None:
        """End what a plugin keeps: MQTT a connection, and a thread for it."""
        client = getattr(self._plugin, "client", None)
        if client is not None and hasattr(client, "loop_stop"):
            client.disconnect()
            client.loop_stop()


class _PictureRefused(NotifyError):  # noqa: N818  # what happened, not what is raised to others
    """What was refused may have been the picture."""


class _Overheard(logging.Handler):
    """What Apprise says in this thread as long as the `with` lasts: why a URL is no good."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said here."""
        if record.thread == self._thread:
            self.words.append(record.getMessage())


def _words(entries: Iterable[tuple[str, str]]) -> str:
    """What a service's plugin said of a message: all from "info" up, and of the rest what the service answered."""
    said = []
    for level, message in entries:
        words = message
        if level == "DEBUG":
            head, _, words = message.partition(":")
            if head not in {"Response Details", "Socket Exception"}:
                continue
            words = words.strip().removeprefix("b'").removesuffix("'")
        said.append(words.strip().rstrip("."))
    return "; ".join(dict.fromkeys(filter(None, said))) or "it gave no reason"

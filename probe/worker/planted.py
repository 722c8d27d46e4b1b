"""The requests of a page in a drill: noted, met by a fault, or answered from memory, by the browser's own `Fetch` domain.

Not Playwright's routes: those do not see where a redirect leads, and the order page after a form is just that.
"""

import asyncio
import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from probe.core.fault import Answer, Fault, FaultKind
from probe.drill.planter import Planter
from probe.drill.spoil import spoilt

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

_BODIES: Final = frozenset({"document", "xhr", "fetch", "script"})
"""Kinds of requests whose answers are kept whole: what is looked for in them, or given again."""
_NOT_AGAIN: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})


async def plant(page: "Page", planter: Planter) -> None:
    """From now on every request of the page is ruled by `planter`."""
    session = await page.context.new_cdp_session(page)
    planted = _Planted(session, planter)
    session.on("Fetch.requestPaused", planted.paused)
    patterns = [{"urlPattern": "*", "requestStage": "Request"}]
    await session.send("Fetch.enable", {"patterns": patterns})


class _Planted:
    """The paused requests of one page."""

    def __init__(self, session: "CDPSession", planter: Planter) -> None:
        self._session = session
        self._planter = planter
        self._steps: dict[str, str | None] = {}
        """The step in which each request began whose answer is to be noted."""
        self._spoiling: dict[str, Fault] = {}
        """The fault that awaits the answer of each request."""

    async def paused(self, event: dict[str, Any]) -> None:
        """A request is about to be sent, or its answer about to be read."""
        from playwright.async_api import Error

        with suppress(Error):  # the page is gone, or no longer wants the answer
            if "responseStatusCode" in event or "responseErrorReason" in event:
                await self._answered(event)
            else:
                await self._asked(event)

    async def _asked(self, event: dict[str, Any]) -> None:
        paused, request = event["requestId"], event["request"]
        planter, step = self._planter, self._planter.step()
        ruling = planter.rule(request["method"], request["url"])
        fault, replay = ruling.fault, ruling.replay
        if ruling.strayed or (fault is not None and fault.kind in (FaultKind.REFUSED, FaultKind.BLOCKED)):
            await self._send("Fetch.failRequest", requestId=paused, errorReason="ConnectionRefused")
            return
        if fault is not None:
            if fault.kind is FaultKind.HANGING:
                return
            await asyncio.sleep(fault.seconds)
            replay = fault.answer or (replay and spoilt(fault.kind, replay))
        if replay is not None:
            await self._fulfil(paused, replay)
            return
        spoils = fault is not None and not fault.seconds
        network = event.get("networkId", paused)
        if fault is not None and spoils:
            self._spoiling[network] = fault
        if planter.records:
            self._steps[network] = step
        await self._send("Fetch.continueRequest", requestId=paused, interceptResponse=spoils or planter.records)

    async def _answered(self, event: dict[str, Any]) -> None:
        paused, request = event["requestId"], event["request"]
        network = event.get("networkId", paused)
        resource = str(event.get("resourceType", "")).lower()
        fault = self._spoiling.pop(network, None)
        answer = await self._answer(event, resource)
        if network in self._steps:
            self._planter.note(self._steps.pop(network), request["method"], request["url"], resource, answer)
        if answer is None or fault is None:
            await self._send("Fetch.continueRequest", requestId=paused)
        else:
            await self._fulfil(paused, spoilt(fault.kind, answer))

    async def _answer(self, event: dict[str, Any], resource: str) -> Answer | None:
        """The answer that has come, with its body where it is worth having; `None`: none came."""
        status = event.get("responseStatusCode")
        if status is None:
            return None
        headers = tuple((one["name"], one["value"]) for one in event.get("responseHeaders", ()))
        body = b""
        if resource in _BODIES and not 300 <= status < 400:
            got = await self._send("Fetch.getResponseBody", requestId=event["requestId"])
            body = base64.b64decode(got["body"]) if got["base64Encoded"] else got["body"].encode()
        return Answer(status=status, headers=headers, body=body)

    async def _fulfil(self, id: str, answer: Answer) -> None:
        headers = [{"name": n, "value": v} for n, v in answer.headers if n.lower() not in _NOT_AGAIN]
        body = base64.b64encode(answer.body).decode()
        await self._send(
            "Fetch.fulfillRequest", requestId=id, responseCode=answer.status, responseHeaders=headers, body=body
        )

    async def _send(self, command: str, **arguments: Any) -> Any:
        return await self._session.send(command, arguments)

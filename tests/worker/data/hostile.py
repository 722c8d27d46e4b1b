"""Checks that do what checks should not do, and pages that do what pages should not do."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from playwright.async_api import expect


async def sleeps(t):
    async with t.step("one"):
        time.sleep(60)


async def sleeps_politely(t):
    async with t.step("one"):
        await asyncio.sleep(60)


async def loops(t):
    async with t.step("one"):
        while True:
            pass


async def raises(t):
    async with t.step("one"):
        {}["nothing"]


async def exits(t):
    async with t.step("one"):
        sys.exit(3)


async def leaves(t):
    async with t.step("one"):
        os._exit(4)


async def kills_itself(t):
    async with t.step("one"):
        os.kill(os.getpid(), signal.SIGKILL)


async def stops_itself(t):
    async with t.step("one"):
        os.kill(os.getpid(), signal.SIGSTOP)


async def forks(t):
    async with t.step("one"):
        if os.fork() == 0:
            time.sleep(600)
        subprocess.Popen(["sleep", "600"], start_new_session=True)


async def forks_and_returns(t):
    async with t.step("one"):
        os.fork()
        await asyncio.sleep(0.05)


async def leaks_thread(t):
    async with t.step("one"):
        threading.Thread(target=time.sleep, args=(600,), name="leaked").start()


async def leaks_task(t):
    async with t.step("one"):
        t.keep = asyncio.create_task(asyncio.sleep(600), name="leaked")  # noqa: TID251  # what users do


async def never_cancelled(t):
    async with t.step("one"):
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)


async def eats_memory(t):
    async with t.step("one"):
        held = []
        while True:
            held.append(bytearray(32 * 2**20))
            for i in range(0, len(held[-1]), 4096):
                held[-1][i] = 1
            await asyncio.sleep(0.02)


async def writes_to_us(t):
    async with t.step("one"):
        for number in range(3, 40):
            try:
                os.write(number, b"\0\0\0\x04spam")
            except OSError:
                continue
        await asyncio.sleep(5)


async def prints(t):
    async with t.step("one"):
        print("to stdout", t.secrets.get("password"))
        print("to stderr", file=sys.stderr)


async def passes(t):
    async with t.step("one"):
        t.log("was here")


async def undoes(t):
    async def clean(what):
        await asyncio.sleep(0.05)
        t.log(f"cleaned {what}")

    async with t.step("one"):
        t.undo(clean, "order")
        await asyncio.sleep(60)


async def undoes_too_long(t):
    async with t.step("one"):
        t.undo(asyncio.sleep, 60)


# pages


async def opens(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        await expect(t.page.get_by_role("heading")).to_have_text("ok")


async def visit(t, path):
    async with t.step("one"):
        await t.page.goto(t.url(path))
    async with t.step("two"):
        await expect(t.page.get_by_role("heading")).to_have_text("ok")


async def never_loads(t):
    await visit(t, "/hang")


async def spins(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        await t.page.evaluate("() => { while (true) {} }")


async def spins_by_itself(t):
    await visit(t, "/spin")


async def alerts(t):
    await visit(t, "/alert")


async def pops_up(t):
    await visit(t, "/popup")


async def downloads(t):
    await visit(t, "/download")


async def redirects(t):
    await visit(t, "/loop")


async def crashes(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        session = await t.context.new_cdp_session(t.page)
        crash = asyncio.ensure_future(session.send("Page.crash"))  # noqa: TID251  # it never answers
        try:
            await expect(t.page.get_by_role("heading")).to_have_text("gone")
        finally:
            crash.cancel()


async def fills_memory(t):
    async with t.step("one"):
        await t.page.goto(t.url("/memory"))
        await t.page.wait_for_selector("#done", timeout=60_000)


async def local_file(t):
    async with t.step("one"):
        await t.page.goto("file:///etc/hostname")


def tree(name):
    import psutil

    return [p for p in psutil.Process().children(recursive=True) if name in p.name()]


async def stops_driver(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        for process in tree("node"):
            process.suspend()
        await t.page.get_by_role("button", name="none").click()


def browser_main():
    return [p for p in tree("chrom") if "--type=" not in " ".join(p.cmdline())]


async def kills_browser(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        for process in browser_main():
            process.kill()
        await t.page.get_by_role("button", name="none").click()


async def stops_browser(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        for process in tree("chrom"):
            process.suspend()
        await t.page.get_by_role("button", name="none").click()


async def hangs_half_way(t):
    async with t.step("one"):
        await t.page.goto(t.url("/ok"))
        t.order("order-1")
        t.undo(print, "undone")
    async with t.step("two"):
        time.sleep(60)

"""One running shop for each test module, well again after every test."""

import logging
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
import structlog

from probe.demo.shop import Shop, running_shop


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_shop() -> AsyncIterator[Shop]:
    async with running_shop() as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def shop(module_shop: Shop) -> AsyncIterator[Shop]:
    yield module_shop
    await module_shop.clear_faults()


@pytest_asyncio.fixture(loop_scope="module")
async def customer() -> AsyncIterator[aiohttp.ClientSession]:
    """One customer with a cookie jar of their own."""
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=30)
    ) as session:
        yield session


@pytest.fixture
def trust(shop: Shop) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(shop.urls.ca))

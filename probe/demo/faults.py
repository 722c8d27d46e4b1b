"""The faults: what each is called, what it breaks, what a customer meets, and at which layer that is seen."""

from dataclasses import dataclass
from typing import Final

from probe.demo.errors import UnknownFaultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can be broken. `layer` is a word of probe's own: where a probe should see it."""

    name: str
    description: str
    customer: str
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultState:
    """A fault, and whether it is on."""

    fault: Fault
    on: bool

    @property
    def name(self) -> str:
        """The fault's name, which is what is mostly asked for."""
        return self.fault.name


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        name="latency",
        description="the hop between customer and load balancer takes 2.5 s longer",
        customer="every page comes, but 2.5 s late",
        layer="timing",
    ),
    Fault(
        name="loss",
        description="the hop between customer and load balancer loses packets: stalls, and every third connection resets",
        customer="pages hang for seconds, some do not come at all",
        layer="connect",
    ),
    Fault(
        name="dns-gone",
        description="the name server answers NXDOMAIN for shop.demo.test",
        customer="the shop's name does not exist",
        layer="dns",
    ),
    Fault(
        name="cert-expired",
        description="https presents a certificate that expired yesterday",
        customer="a browser warning in place of the shop",
        layer="tls",
    ),
    Fault(
        name="cert-wrong-host",
        description="https presents a certificate for another host",
        customer="a browser warning in place of the shop",
        layer="tls",
    ),
    Fault(
        name="bad-worker",
        description="one of the three app workers answers 500 to everything",
        customer="every third request fails",
        layer="http",
    ),
    Fault(
        name="db-down",
        description="the database's listener is closed",
        customer="“We are having trouble” (503) on every page",
        layer="http",
    ),
    Fault(
        name="db-slow",
        description="every database query takes a second longer",
        customer="every page takes seconds, the longer the more shoppers wait",
        layer="timing",
    ),
    Fault(
        name="cache-lost",
        description="the cache is gone: every page asks the database, which cannot keep up",
        customer="pages that took 20 ms take 5 s and more",
        layer="timing",
    ),
    Fault(
        name="deploy-bug",
        description="a bad deploy: add to cart answers 500, all else works",
        customer="nothing can be put into the cart",
        layer="http",
    ),
    Fault(
        name="broken-page",
        description="product pages answer 200 with a broken body whose script throws",
        customer="a product page without name, price or button",
        layer="content",
    ),
    Fault(
        name="checkout-rejected",
        description="checkout rejects every order with 422",
        customer="“We could not place your order”",
        layer="http",
    ),
    Fault(
        name="payment-down",
        description="the payment provider's listener is closed",
        customer="“The payment provider cannot be reached” (502) at checkout",
        layer="http",
    ),
    Fault(
        name="payment-slow",
        description="the payment provider takes 20 s for a charge; the shop gives up after 8 s",
        customer="checkout hangs, then “The payment took too long” (504)",
        layer="timing",
    ),
    Fault(
        name="third-party-hang",
        description="the analytics host accepts connections and never answers",
        customer="a blank page: the script in its head holds it up",
        layer="third_party",
    ),
    Fault(
        name="cdn-missing",
        description="the CDN answers 404 for every image",
        customer="products without pictures",
        layer="third_party",
    ),
    Fault(
        name="hung-process",
        description="the app workers are stopped with SIGSTOP: connections open, nothing answers",
        customer="the browser spins for ever",
        layer="http",
    ),
    Fault(
        name="stale-reads",
        description="the database's read replica lags by 8 s: the cart is read as it was before",
        customer="added to the cart, and the cart is empty",
        layer="content",
    ),
)

_BY_NAME: Final = {fault.name: fault for fault in FAULTS}


def find(name: str) -> Fault:
    """The fault of this name; `UnknownFaultError` with the nearest name if there is none."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownFaultError(name, _BY_NAME) from None

"""A target as it is seen from a region."""

from probe.core.secret import Secret
from probe.core.target import Override, Region, Target, target_in

SHOP = Target(name="shop", url="https://shop.example", headers={"X-Key": Secret("a"), "Accept-Language": Secret("en")})


def shown(target: Target) -> dict[str, str]:
    return {name: value.reveal() for name, value in target.headers.items()}


def test_without_overrides_it_is_the_same() -> None:
    """The very same object: nothing is copied for each run."""
    assert target_in(Region(name="us"), SHOP) is SHOP
    assert target_in(Region(name="us", targets={"other": Override(url="https://o.example")}), SHOP) is SHOP


def test_headers_of_the_region_and_of_the_target_there() -> None:
    """The nearer one counts, whatever the case of its letters."""
    us = Region(
        name="us",
        headers={"accept-language": Secret("en-US"), "x-from": Secret("us")},
        targets={"shop": Override(url="https://us.shop.example", headers={"X-From": Secret("us-east")})},
    )
    there = target_in(us, SHOP)
    assert there.url == "https://us.shop.example"
    assert shown(there) == {"X-Key": "a", "accept-language": "en-US", "X-From": "us-east"}
    assert (there.name, there.secrets) == (SHOP.name, SHOP.secrets)
    other = target_in(us, Target(name="pay", url="https://pay.example"))
    assert (other.url, shown(other)) == ("https://pay.example", {"accept-language": "en-US", "x-from": "us"})


def test_an_address_alone() -> None:
    """Headers stay."""
    us = Region(name="us", targets={"shop": Override(url="https://us.shop.example")})
    assert shown(target_in(us, SHOP)) == shown(SHOP)
    assert len({us, Region(name="us")}) == 2

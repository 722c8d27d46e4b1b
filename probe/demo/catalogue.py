"""What the shop sells."""

from dataclasses import dataclass
from typing import Final

CURRENCY: Final = "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What one customer said."""

    author: str
    stars: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One thing on sale; `cents` is its price."""

    id: int
    name: str
    tagline: str
    cents: int
    stock: int
    reviews: tuple[Review, ...]

    @property
    def sku(self) -> str:
        """What the cart calls it."""
        return f"X{self.id}"


def amount(cents: int) -> str:
    """`4200` → `42.00`."""
    return f"{cents // 100}.{cents % 100:02}"


PRODUCTS: Final[dict[int, Product]] = {
    product.id: product
    for product in (
        Product(
            id=1,
            name="Enamel kettle",
            tagline="Two litres of tea, and a whistle you can hear in the garden.",
            cents=4200,
            stock=37,
            reviews=(
                Review(author="Ida", stars=5, text="Boils fast and looks like my grandmother’s."),
                Review(author="Jonas", stars=4, text="A little heavy when full. I would buy it again."),
            ),
        ),
        Product(
            id=2,
            name="Reading lamp",
            tagline="Warm light on a brass arm that stays where you put it.",
            cents=6850,
            stock=14,
            reviews=(Review(author="Mara", stars=5, text="No more headaches at the desk."),),
        ),
        Product(
            id=3,
            name="Wool blanket",
            tagline="Undyed wool from one flock, woven wide enough for two.",
            cents=9900,
            stock=9,
            reviews=(
                Review(author="Piet", stars=5, text="The cat has claimed it."),
                Review(author="Lena", stars=4, text="Warm. It scratches a little in the first week."),
            ),
        ),
        Product(
            id=4,
            name="Stoneware mug",
            tagline="Thrown by hand, so no two hold quite the same.",
            cents=1850,
            stock=120,
            reviews=(Review(author="Sam", stars=4, text="Keeps the coffee warm for longer than I do."),),
        ),
        Product(
            id=5,
            name="Oak chopping board",
            tagline="End grain, oiled three times before it leaves the workshop.",
            cents=5400,
            stock=22,
            reviews=(Review(author="Noor", stars=5, text="Kind to knives."),),
        ),
        Product(
            id=6,
            name="Field notebook",
            tagline="Dotted paper that takes ink, in a cover that takes rain.",
            cents=1290,
            stock=240,
            reviews=(Review(author="Theo", stars=5, text="On my fourth."),),
        ),
    )
}

BY_SKU: Final[dict[str, Product]] = {product.sku: product for product in PRODUCTS.values()}

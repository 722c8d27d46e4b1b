"""What the products look like: small drawings, so that the shop needs no image files."""

from typing import Final

_FRAME: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300" role="img">'
    '<rect width="400" height="300" fill="{ground}"/><ellipse cx="200" cy="246" rx="120" ry="11" fill="#0001"/>{drawing}</svg>'
)

_DRAWINGS: Final[dict[str, tuple[str, str]]] = {
    "X1": (
        "#e6efe9",
        (
            '<path d="M128 242 Q112 150 158 126 h84 Q288 150 272 242 Z" fill="#2f6f62"/>'
            '<path d="M270 160 q44 -8 54 -44" stroke="#2f6f62" stroke-width="20" fill="none" stroke-linecap="round"/>'
            '<path d="M150 126 q50 -92 100 0" stroke="#3b3532" stroke-width="10" fill="none"/>'
            '<circle cx="200" cy="116" r="11" fill="#3b3532"/><path d="M150 200 q50 18 100 0" stroke="#fff5" stroke-width="7" fill="none"/>'
        ),
    ),
    "X2": (
        "#f5ecd9",
        (
            '<path d="M132 244 h112 l-12 -16 h-88 Z" fill="#7d5a25"/>'
            '<path d="M188 230 L150 140 L238 92" stroke="#b98a3e" stroke-width="10" fill="none" stroke-linejoin="round"/>'
            '<path d="M214 66 l66 44 l-30 40 l-76 -48 Z" fill="#b98a3e"/><path d="M262 134 l60 90 h-130 Z" fill="#ffdf8a" opacity=".55"/>'
        ),
    ),
    "X3": (
        "#efe7df",
        (
            '<rect x="102" y="120" width="196" height="122" rx="16" fill="#b9a48d"/><rect x="102" y="120" width="196" height="40" rx="16" fill="#a08a72"/>'
            '<path d="M102 184 h196 M102 212 h196" stroke="#d9cbb9" stroke-width="7" stroke-dasharray="16 9"/>'
        ),
    ),
    "X4": (
        "#e5ebf1",
        (
            '<path d="M134 112 h112 v96 q0 34 -34 34 h-44 q-34 0 -34 -34 Z" fill="#5d7691"/>'
            '<path d="M246 138 q52 -4 46 34 q-4 32 -46 34" stroke="#5d7691" stroke-width="16" fill="none"/>'
            '<rect x="134" y="112" width="112" height="24" fill="#e9dfd0"/><path d="M172 92 q-9 -16 0 -30 M206 92 q-9 -16 0 -30" stroke="#9fb0c2" stroke-width="6" fill="none" stroke-linecap="round"/>'
        ),
    ),
    "X5": (
        "#f2e8da",
        (
            '<rect x="92" y="112" width="216" height="128" rx="16" fill="#c08a4e"/><path d="M146 112 v128 M200 112 v128 M254 112 v128" stroke="#a87339" stroke-width="4"/>'
            '<circle cx="282" cy="138" r="11" fill="#f2e8da"/>'
        ),
    ),
    "X6": (
        "#e9ebe2",
        (
            '<rect x="140" y="72" width="130" height="172" rx="9" fill="#4e5b46"/><rect x="140" y="72" width="20" height="172" rx="9" fill="#39442f"/>'
            '<rect x="240" y="72" width="7" height="172" fill="#c9a14a"/><rect x="176" y="108" width="48" height="26" rx="3" fill="#e9ebe2"/>'
        ),
    ),
}


def picture(sku: str) -> str | None:
    """The drawing of a product as SVG; None if there is no such product."""
    if sku not in _DRAWINGS:
        return None
    ground, drawing = _DRAWINGS[sku]
    return _FRAME.format(ground=ground, drawing=drawing)

"""docs/explain.md says what the rules do: every sort of difference, every rule, in their order."""

import re
from pathlib import Path

from probe.core.case import BEFORE, Confidence
from probe.core.changes import LINES, LONGER, MOST, ORDER, SLOWER, TELLING
from probe.core.diagnosis import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text()


def table(head: str) -> list[list[str]]:
    """The cells of the rows of the table that begins with this column."""
    _, _, rest = PAGE.partition(f"| {head} |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_every_sort_of_difference_in_its_order() -> None:
    """Most telling first."""
    assert [row[0].strip("`| ") for row in table("what")] == list(ORDER)
    assert set(ORDER[: ORDER.index("third_party") + 1]) == TELLING, "down to `third_party`"


def test_every_rule_in_its_order_in_its_own_words() -> None:
    """The words are those of the code."""
    told = [(row[0].strip("`| "), row[1].strip("| ")) for row in table("rule")]
    assert told == [(rule.__name__, (rule.__doc__ or "").strip()) for rule in RULES]


def test_every_confidence() -> None:
    """Surest first."""
    assert [row[0].strip("`| ") for row in table("confidence")] == [str(one) for one in Confidence]


def test_the_numbers() -> None:
    """As the page says them."""
    assert (MOST, LINES, SLOWER, LONGER) == (20, 5, 3.0, 0.2)
    assert BEFORE.total_seconds() == 600
    for words in (
        "twenty at most",
        "five each",
        "three times as long or longer, by 0.2 s",
        "of the ten minutes before",
    ):
        assert re.search(words, PAGE), words

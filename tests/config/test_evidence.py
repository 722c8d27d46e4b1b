"""What `[evidence]` and the `evidence` of a check mean together, and which selectors are refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from probe.config.load import read_config
from probe.config.schema import EvidenceTable
from probe.core.access import Access
from probe.core.target import Evidence, EvidencePolicy

BASE = Evidence(mask=(".card",), access=Access.OPERATOR, reference=timedelta(hours=2))


def said(tmp_path: Path, evidence: str) -> list[str]:
    path = tmp_path / "config.toml"
    path.write_text(f"[evidence]\n{evidence}\n")
    return [str(d).replace(f"{tmp_path}/config.toml:2: ", "") for d in read_config(path, environ={}).diagnostics]


def test_a_whole_table(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[evidence]\nreference = "15m"\nmask = ".card-number"\naccess = "operator"\n')
    config = read_config(path, environ={}).config
    assert config is not None
    assert config.evidence == Evidence(reference=timedelta(minutes=15), mask=(".card-number",), access=Access.OPERATOR)


def test_what_a_check_says_goes_over_what_the_config_says() -> None:
    """What is masked for all stays masked, whatever a check says of its own."""
    own = EvidenceTable.model_validate({"trace": "on", "mask": ["#iban", ".card"], "access": "viewer"})
    assert own.over(BASE) == Evidence(
        trace=EvidencePolicy.ON, mask=(".card", "#iban"), access=Access.VIEWER, reference=timedelta(hours=2)
    )
    assert EvidenceTable().over(BASE) == BASE
    assert EvidenceTable.model_validate({"reference": "off"}).over(BASE).reference is None
    assert EvidenceTable().over(Evidence(reference=None)).reference is None


@pytest.mark.parametrize("word", ["off", "full"])
def test_the_short_words_unmask_nothing(tmp_path: Path, word: str) -> None:
    (tmp_path / "test_shop.py").write_text("def test_buy(page): ...\n")
    path = tmp_path / "config.toml"
    path.write_text(
        '[targets.shop]\nurl = "https://shop.example"\n[evidence]\nmask = [".card"]\naccess = "operator"\n'
        f'[[check]]\nkind = "playwright-pytest"\nfile = "test_shop.py"\nevidence = "{word}"\n'
    )
    config = read_config(path, environ={}).config
    assert config is not None
    (check,) = config.declared
    assert (check.evidence.mask, check.evidence.access) == ((".card",), Access.OPERATOR)
    assert check.evidence.is_nothing is (word == "off")
    assert check.evidence.reference == (None if word == "off" else timedelta(hours=1))


@pytest.mark.parametrize(
    "selector",
    [
        ".card-number",
        "#account [data-private='a, ]b'] > *",
        'input[name="cc"], :is(.a, .b) + p::first-line',
        r".sm\:w-1",
        "li:nth-child(2n + 1)",
        "*",
    ],
)
def test_selectors(selector: str) -> None:
    assert EvidenceTable.model_validate({"mask": [selector]}).mask == (selector,)


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("", "'' is empty"),
        ("//input", "'//input' is no CSS selector"),
        ("text=Card", "'text=Card' is no CSS selector"),
        ("internal:role=button", "'internal:role=button' is no CSS selector"),
        ("form >> input", "'form >> input' is no CSS selector"),
        (".a[b", "'.a[b' is no CSS selector: '[' is never closed"),
        (".a:is(.b]", "'.a:is(.b]' is no CSS selector: ']' closes nothing"),
        (".a)", "'.a)' is no CSS selector: ')' closes nothing"),
        (".a /* b", "'.a /* b' is no CSS selector: '/*' has no place in it"),
        (".a { b }", "'.a { b }' is no CSS selector: '{' has no place in it"),
        (".a,", "'.a,' is no CSS selector: there is nothing beside a comma"),
        (".a >", "'.a >' is no CSS selector: '.a >' is not whole"),
        ("#", "'#' is no CSS selector: '#' is not whole"),
        ("a" * 1001, "is longer than 1000 characters"),
    ],
)
def test_what_is_no_selector_is_refused(tmp_path: Path, selector: str, why: str) -> None:
    (line,) = said(tmp_path, f"mask = ['{selector}']")
    assert line.startswith("evidence.mask")
    assert why in line


def test_other_mistakes(tmp_path: Path) -> None:
    (line,) = said(tmp_path, "reference = 'never'")
    assert line.startswith("evidence.reference: 'never' is not a duration; write a number and a unit")
    assert line.endswith(', or "off"')
    assert said(tmp_path, "access = 'public'") == [
        'evidence.access: \'public\' is not a role; write one of "viewer", "operator"'
    ]

"""Numbers as tables and sentences write them."""

import math

import pytest

from jal.analysis.text import code, listed, number, percent, plain, plus_minus, signed, upwards, with_interval


@pytest.mark.parametrize(
    ("value", "text", "with_sign"),
    [
        (1.25, "1.2", "+1.2"),
        (-0.44, "−0.4", "−0.4"),
        (-0.04, "0.0", "0.0"),
        (0.04, "0.0", "0.0"),
        (math.nan, "", ""),
    ],
)
def test_numbers_have_a_sign_only_where_they_show_one(value, text, with_sign):
    assert (number(value), signed(value)) == (text, with_sign)


def test_what_is_missing_is_left_out():
    assert plus_minus(81.5, 2.12) == "81.5 ± 2.1"
    assert plus_minus(81.5) == "81.5"
    assert plus_minus(math.nan) == ""
    assert with_interval(1.0, -0.4, 2.44) == "+1.0 [−0.4, +2.4]"
    assert with_interval(1.0, math.nan, math.nan) == "+1.0"
    assert (percent(0.124), percent(0.124, 0), percent(math.nan)) == ("12.4 %", "12 %", "")


def test_lists():
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


HOSTILE = (
    "<script>alert(1)</script>",
    "a <b>b</b> &amp; [c](http://x.example) ![d](e.png)",
    "`` `x` ``` ` *y* __z__ ~w~ $1$ {math}`q` {{ substitution }} | \\",
    "two\n\n# lines\n<div>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_file_is_shown_as_it_is(text):
    """On a page it is text, or code, and nothing else: no HTML, no link, no mark."""
    MarkdownIt = pytest.importorskip("markdown_it").MarkdownIt
    words = " ".join(text.split())
    for made, kind in ((plain(text), "text"), (code(text), "code_inline")):
        (_, inline, _) = MarkdownIt("commonmark").parse(f"Made on {made}, today")
        assert {token.type for token in inline.children} == ({"text"} if kind == "text" else {"text", kind})
        assert "".join(token.content for token in inline.children) == f"Made on {words}, today"


def test_text_of_a_file_cannot_steer_a_terminal():
    assert (plain("a\x1b[2J"), code("a\x1b[2J"), code("")) == ("a\\\\u001b\\[2J", "`a\\u001b[2J`", "` `")


@pytest.mark.parametrize(
    ("a", "text"), [(1.8, "1.80"), (1.801, "1.81"), (9.000000000000002, "9.00"), (math.inf, "none")]
)
def test_a_smallest_a_is_rounded_up(a, text):
    assert upwards(a) == text

"""`#EXTINF` lines: the pattern that most are read by says what a close look says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kptv.formats.m3u_extinf import ExtinfParser

USUAL = '#EXTINF:-1 tvg-id="{}" tvg-name="{}" group-title="{}",{}'
NO_GROUP = '#EXTINF:-1 tvg-id="{}" tvg-name="{}" x="{}",{}'
ASKING = '#EXTINF:0 group-title="{}" http-user-agent="{}" x.y+="{}",{}'

texts = st.text(st.sampled_from('ab =",#\t\xa0\u3000é'), max_size=6)


def used_to(layout: str) -> ExtinfParser:
    """A parser that has read many lines of this layout."""
    parser = ExtinfParser()
    for number in range(100):
        parser.parse(layout.format(number, "b", "c", "d"))
    return parser


@given(
    st.sampled_from([USUAL, NO_GROUP, ASKING]),
    st.sampled_from([USUAL, NO_GROUP, ASKING]),
    texts,
    texts,
    texts,
    texts,
)
def test_a_line_is_read_the_same_whatever_came_before(
    before: str, layout: str, one: str, two: str, three: str, name: str
) -> None:
    line = layout.format(one, two, three, name)
    assert used_to(before).parse(line) == ExtinfParser().parse(line)


def test_the_lines_of_a_list_that_changes_its_layout_are_read_the_same() -> None:
    parser = ExtinfParser()
    layouts = [USUAL] * 200 + [NO_GROUP, USUAL, ASKING] * 50 + [ASKING] * 200
    for number, layout in enumerate(layouts):
        line = layout.format(number, f"b {number}", "c", f"d {number} ")
        assert parser.parse(line) == ExtinfParser().parse(line)

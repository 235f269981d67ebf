"""Records are rewritten in place: what comes is what taking them apart and packing them gives."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from kptv.channels.packing import LISTED_NAME, RANK, fields_of, pack, packed_groups
from kptv.channels.rules.contexts import Fate
from kptv.channels.rules.rewriting import rank_of, renaming_of, rewritten
from kptv.formats.m3u import Entry
from kptv.formats.m3u_attributes import quoted, unquoted

_keys = st.sampled_from(("tvg-id", "tvg-name", "tvg-logo", "group-title", "a", "tvg-b", "é", "z"))
_values = st.sampled_from(
    ("", "x", "ö y", '"', 'a "b"', " tvg-name=", "x tvg-b=", "News", " group-title=", "b z=")
)
_attributes = st.dictionaries(_keys, _values, max_size=6)
_names = st.sampled_from(("", "News", 'The "one"', "tvg-b=", "Ö", "x tvg-name="))


def record_of(name: str, attributes: dict[str, str], headers: dict[str, str]) -> bytes:
    return pack(1, Entry(name, "http://x.example/1", quoted(attributes), ("Old",), headers))


@settings(max_examples=500, deadline=None)
@given(
    _names,
    _names,
    _attributes,
    st.dictionaries(_keys, _values, max_size=3),
    st.sampled_from((None, (), ("News",), ('A "b"', "ö"))),
    st.sampled_from((0, 3)),
    st.sampled_from(({}, {"user-agent": "X"}, {LISTED_NAME: "older"})),
)
@example("News", "Gone", {"a": " tvg-name=", "tvg-name": "News"}, {}, None, 0, {})
@example("News", "News", {"a": "x tvg-b="}, {"tvg-b": "1"}, None, 0, {})
@example("News", "News", {"tvg-id": "", "z": "1"}, {"tvg-logo": "", "é": '"'}, ("News",), 1, {})
def test_an_entry_is_as_if_it_were_made_anew(
    name: str,
    other: str,
    attributes: dict[str, str],
    sets: dict[str, str],
    groups: tuple[str, ...] | None,
    rank: int,
    headers: dict[str, str],
) -> None:
    fate = Fate(groups, sets, rank, changes=bool(groups is not None or sets or rank))
    renaming = renaming_of(name.encode(), other.encode())
    record = rewritten(fields_of(record_of(name, attributes, headers)), renaming, fate)

    wanted = dict(attributes)
    asked = dict(headers)
    if other != name:
        asked.setdefault(LISTED_NAME, name)
        if "tvg-name" in wanted:
            wanted["tvg-name"] = other
    if groups is not None:
        wanted["group-title"] = ";".join(groups)
    wanted = {key: value for key, value in {**wanted, **sets}.items() if value or key not in sets}
    if rank:
        asked[RANK] = str(rank)
    _, _, left_name, left_groups, left_headers, text = fields_of(record)
    assert text.decode() == quoted(wanted)
    assert unquoted(left_headers.decode()) == asked
    assert left_name == other.encode()
    assert left_groups == packed_groups(("Old",) if groups is None else groups)
    assert rank_of(record) == rank


def test_what_an_attribute_is_called_makes_no_rank() -> None:
    assert rank_of(record_of("A", {RANK: "7"}, {})) == 0

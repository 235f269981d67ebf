"""Numbers: fixed, of a block, the list's own, or given once; kept while they are valid."""

from __future__ import annotations

import time
from array import array
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from kptv.channels import given as given_module
from kptv.channels.catalog import BLOCK, Block, Catalog
from kptv.channels.given import Given, Numbered, key_of, keys_of, learned
from kptv.channels.grouping import slug_of
from kptv.channels.number_blocks import Plan
from kptv.channels.numbering import ROOM, numbered
from kptv.channels.ordering import by_number
from kptv.channels.packing import pack
from kptv.channels.served import render
from kptv.formats.m3u import Entry
from tests.channels.rules.ruled import of_names, outcome, ruled, served
from tests.channels.test_catalog import catalog, listing, run


@dataclass
class Numbers:
    """A list whose channels are numbered again and again."""

    fixed: Mapping[str, int] = field(default_factory=dict)
    blocks: Mapping[str, int | str] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
    last: Numbered | None = None

    def of(self, *channels: str) -> dict[str, int]:
        """The numbers of ``channels``: each a name, or ``name/group/own number``."""
        plan = Plan({slug_of(name): n for name, n in self.fixed.items()}, self.blocks)
        parts = [(f"{channel}//".split("/"))[:3] for channel in channels]
        self.last = run(numbered(_blocks(parts), plan, self.given))
        self.given = run(learned(self.given, self.last))
        numbers = {name: n for (name, _, _), n in zip(parts, self.last.numbers, strict=True)}
        assert len({*numbers.values()}) == len(parts), "never two with one number"
        assert 0 not in numbers.values()
        return numbers

    @property
    def warnings(self) -> tuple[str, ...]:
        assert self.last is not None
        return self.last.warnings


def _blocks(parts: list[list[str]]) -> Iterable[Block]:
    for start in range(0, len(parts), BLOCK):
        some = parts[start : start + BLOCK]
        rows = [
            pack(
                1,
                Entry(
                    name,
                    "http://a/1",
                    f' tvg-chno="{own}"' if own else "",
                    tuple(group.split("+")) if group else (),
                    {},
                ),
            )
            for name, group, own in some
        ]
        yield Block(rows, "\n".join(slug_of(name) for name, _, _ in some).encode())


def timed(steps: Generator[None, None, Numbered]) -> tuple[float, Numbered]:
    """The longest time between two turns of others, and the result."""
    longest = 0.0
    while True:
        begun = time.thread_time()
        try:
            next(steps)
        except StopIteration as end:
            return longest, end.value
        longest = max(longest, time.thread_time() - begun)


def test_without_anything_said_channels_are_numbered_in_order() -> None:
    assert Numbers().of("a", "b", "c") == {"a": 1, "b": 2, "c": 3}


def test_what_was_given_is_kept_whatever_comes_and_goes() -> None:
    numbers = Numbers()
    numbers.of("a", "b", "c")
    assert numbers.of("d", "c", "a") == {"d": 4, "c": 3, "a": 1}
    assert numbers.of("b", "e", "d") == {"b": 2, "e": 5, "d": 4}  # nobody else was given b's


def test_a_fixed_number_comes_before_all() -> None:
    numbers = Numbers()
    numbers.of("a", "b")
    numbers.fixed = {"b": 1, "gone": 3}
    assert numbers.of("a", "b", "c") == {"a": 4, "b": 1, "c": 5}  # b has 2 for later, gone has 3
    numbers.fixed = {}
    assert numbers.of("a", "b", "c") == {"a": 4, "b": 2, "c": 5}


def test_a_block_is_filled_in_order_and_a_newcomer_gets_the_next_free_number() -> None:
    numbers = Numbers(blocks={"News": 100, "radio": 9001})
    assert numbers.of("n1/News", "r1/Radio", "x", "n2/news") == {
        "n1": 100,
        "r1": 9001,
        "x": 1,
        "n2": 100 + 1,
    }
    assert numbers.of("n0/News", "n2/News", "n1/News") == {"n0": 102, "n2": 101, "n1": 100}
    assert numbers.last is not None
    assert numbers.last.unused == ("radio",)


def test_a_channel_is_in_the_block_of_the_first_of_its_groups_that_has_one() -> None:
    numbers = Numbers(blocks={"News": 100, "UK": 200, "*": 300})
    assert numbers.of("a/x+UK+News", "b/x", "c") == {"a": 200, "b": 300, "c": 301}


def test_several_groups_may_share_a_block() -> None:
    numbers = Numbers(blocks={"News": 100, "Talk": 100})
    assert numbers.of("a/News", "b/Talk") == {"a": 100, "b": 101}


def test_a_channel_that_moves_into_another_block_gets_one_of_that() -> None:
    numbers = Numbers(blocks={"News": 100, "Sports": 200})
    numbers.of("a/News", "b/Sports", "c/News")
    assert numbers.of("a/Sports", "b/Sports", "c/News") == {"a": 201, "b": 200, "c": 101}
    assert numbers.of("a", "b/Sports", "c/News") == {"a": 1, "b": 200, "c": 101}
    assert numbers.of("a", "b/News", "d/Sports") == {"a": 1, "b": 102, "d": 200}


def test_a_full_block_goes_on_behind_all_blocks_and_says_so() -> None:
    numbers = Numbers(blocks={"News": 100, "Sports": 102})
    behind = 102 + ROOM
    first = numbers.of("a/News", "b/News", "c/News", "d/News", "e/Sports")
    assert first == {"a": 100, "b": 101, "c": behind, "d": behind + 1, "e": 102}
    assert numbers.warnings == (
        "the block of News (100 to 101) is full: 2 of its channels have numbers from"
        f" {behind} on, behind all blocks",
    )
    assert numbers.of("c/News", "d/News", "a/News", "b/News", "e/Sports") == first
    assert numbers.warnings


def test_other_channels_have_what_is_in_front_of_all_blocks_then_what_is_behind() -> None:
    numbers = Numbers(blocks={"News": 3})
    assert numbers.of("a", "n/News", "b", "c", "d") == {
        "a": 1,
        "n": 3,
        "b": 2,
        "c": 3 + ROOM,
        "d": 4 + ROOM,
    }


def test_a_new_block_is_made_way_for() -> None:
    numbers = Numbers()
    numbers.of("x", "y", "gone", "a/News")
    numbers.blocks = {"News": 1}
    assert numbers.of("x", "y", "a/News", "b/News") == {
        "x": 1 + ROOM,
        "y": 2 + ROOM,
        "a": 4,  # it lies in the block
        "b": 1,
    }
    numbers.blocks = {}
    assert numbers.of("x", "y", "a/News", "b/News")["x"] == 1 + ROOM


def test_the_lists_own_number_is_taken_where_it_is_unique_and_free() -> None:
    numbers = Numbers(fixed={"f": 7}, blocks={"News": 100})
    assert numbers.of("a//5", "b//6", "c//6", "d//7", "f", "n/News/8", "m/News", "e//101") == {
        "a": 5,
        "b": 1,  # two want it
        "c": 2,
        "d": 3,  # it is fixed for another
        "f": 7,
        "n": 100,
        "m": 101,
        "e": 4,  # of a block
    }
    assert numbers.warnings == (
        "4 channels cannot have the number that their list gives them, as another has or wants it"
        " (6, 7, 101): they have others",
    )


def test_a_channel_follows_its_list_and_nobody_takes_a_number_that_is_kept() -> None:
    numbers = Numbers()
    assert numbers.of("a//5", "b") == {"a": 5, "b": 1}
    assert numbers.of("a//6", "b", "c//1") == {"a": 6, "b": 1, "c": 2}
    assert numbers.of("a", "b", "c") == {"a": 6, "b": 1, "c": 2}
    assert numbers.of("a//7", "z//6") == {"a": 7, "z": 6}
    assert numbers.of("a//6", "z//7") == {"a": 6, "z": 7}  # they change places


def test_a_lists_number_is_a_whole_one() -> None:
    numbers = Numbers().of("a//5.1", "b//x", "c//0", "d//007", "e//1234567", "f//٣")
    assert numbers == {"a": 1, "b": 2, "c": 3, "d": 7, "e": 4, "f": 5}


def test_a_group_may_have_the_lists_numbers_where_all_others_have_a_block() -> None:
    numbers = Numbers(blocks={"*": 500, "Radio": "list"})
    assert numbers.of("a//5", "r/Radio/6", "s/Radio") == {"a": 500, "r": 6, "s": 1}


def test_all_lists_numbers_are_the_rule() -> None:
    assert Numbers(blocks={"*": "list"}).of("a//5", "b") == Numbers().of("a//5", "b")


def test_a_number_of_a_list_that_a_channel_has_in_a_block_stays_with_it() -> None:
    numbers = Numbers(blocks={"Radio": 100})
    assert numbers.of("r/Radio", "x//101") == {"r": 100, "x": 101}
    assert numbers.of("r/Radio", "s/Radio", "x//101") == {"r": 100, "s": 102, "x": 101}


def test_keys_of_many_are_those_of_each_and_none_is_zero() -> None:
    slugs = [b"a", b"bbc-one", b"", b"x" * 200]
    assert keys_of(b"\n".join(slugs)) == [key_of(slug) for slug in slugs]
    assert all(0 < key_of(slug) < 1 << 62 for slug in slugs)
    many = {key_of(f"{kind}-{n}".encode()) for kind in "abc" for n in range(20_000)}
    assert len(many) == 60_000
    assert len({key & 0xFFFFF for key in many}) > 57_000, "they spread"


def test_whoever_has_the_key_of_another_gets_a_number_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kptv.channels.numbering.keys_of", lambda slugs: [7] * slugs.count(b"\n") + [7]
    )
    numbers = Numbers()
    for _ in range(3):
        numbers.of("a", "b", "c")


def test_a_number_that_no_channel_can_have_is_not_taken_from_what_was_kept() -> None:
    given = Given()
    run(given.add([([key_of(b"a"), key_of(b"b"), key_of(b"c")], [1 << 31, 0, 3])], 3))
    assert Numbers(given=given).of("a", "b", "c") == {"a": 1, "b": 2, "c": 3}


NAMES = st.lists(st.sampled_from([*"abcdefghij"]), unique=True)
CHANNELS = NAMES.flatmap(
    lambda names: st.tuples(
        *(
            st.tuples(
                st.just(name),
                st.sampled_from(["", "News", "Radio", "Kids+News"]),
                st.sampled_from(["", "", "1", "2", "5", "11"]),
            )
            for name in names
        )
    )
)
BLOCKS = st.dictionaries(
    st.sampled_from(["News", "Radio", "Kids", "*"]), st.sampled_from([1, 2, 4, 10, "list"])
)
FIXED = st.dictionaries(st.sampled_from([*"abz"]), st.integers(1, 12)).filter(
    lambda fixed: len({*fixed.values()}) == len(fixed)
)


@given_by(st.lists(st.tuples(CHANNELS, BLOCKS, FIXED), max_size=4))
def test_never_two_have_one_number_and_asking_again_changes_nothing(
    imports: list[
        tuple[tuple[tuple[str, str, str], ...], Mapping[str, int | str], Mapping[str, int]]
    ],
) -> None:
    numbers = Numbers()
    for channels, blocks, fixed in imports:
        numbers.blocks, numbers.fixed = blocks, fixed
        texts = ["/".join(channel) for channel in channels]
        first = numbers.of(*texts)
        assert numbers.of(*texts) == first
        assert numbers.of(*reversed(texts)) == first
        for name, number in fixed.items():
            assert first.get(name, number) == number


def test_thousands_are_numbered_and_kept_in_small_steps_whatever_they_had() -> None:
    names = [f"channel {n}" for n in range(20_000)]
    numbers = Numbers(blocks={"News": 5000})
    assert numbers.of(*names)["channel 19999"] == 5000 + ROOM + 15_000
    shuffled = [*names[::-2], *(f"new {n}" for n in range(5000)), *names[-2::-2]]
    blocks = list(_blocks([[name, "News" if n % 3 else "", ""] for n, name in enumerate(shuffled)]))
    longest, again = timed(numbered(blocks, Plan(blocks=numbers.blocks), numbers.given))
    assert len({*again.numbers}) == 25_000
    assert longest < 0.05  # 0.001


def test_what_was_given_grows_in_steps_and_loses_nothing() -> None:
    given = Given()
    for start in range(0, 20_000, 1000):
        some = range(start, start + 1000)
        run(given.add([([key_of(f"c{n}".encode()) for n in some], [n + 1 for n in some])], 1000))
    assert len(given) == 20_000
    assert given.numbers_of([key_of(f"c{n}".encode()) for n in range(20_001)]) == [
        *range(1, 20_001),
        0,
    ]
    assert given_module.HIGHEST_KEPT > len(given.used) > 20_000


def test_an_order_by_numbers() -> None:
    order, numbers = run(by_number([7, 8, 9], array("I", [30, 10, 20]), descending=False))
    assert ([*order], [*numbers]) == ([8, 9, 7], [10, 20, 30])
    order, numbers = run(by_number([7, 8, 9], array("I", [30, 10, 20]), descending=True))
    assert ([*order], [*numbers]) == ([7, 9, 8], [30, 20, 10])
    assert [*run(by_number([], array("I"), descending=True))[0]] == []


# --- in a catalog ---


def lines(catalog: Catalog) -> list[str]:
    return [line.split(":-1 ")[1] for line in served(catalog).splitlines() if "INF" in line]


def test_with_a_rules_file_every_channel_has_a_number() -> None:
    made = ruled(
        "[channel.'Two']\nnumber = 7\n[numbers]\nNews = 100\nNobody = 200\n",
        listing(
            'tvg-id="1" tvg-name="One" tvg-chno="3" tvg-logo="http://l/1" group-title="News",One\n'
            'tvg-chno="9",Two\ntvg-id="3" group-title="x",Three\n,Four\ntvg-chno="9",Five'
        ),
    )
    assert sorted(lines(made)) == [
        'tvg-chno="1",Four',
        'tvg-chno="7",Two',
        'tvg-chno="9",Five',
        'tvg-id="1" tvg-name="One" tvg-chno="100" tvg-logo="http://l/1" group-title="News",One',
        'tvg-id="3" tvg-chno="2" group-title="x",Three',
    ]
    assert "Nobody" in [unmatched.text for unmatched in outcome(made).unmatched]


def test_the_list_of_a_group_has_the_same_numbers() -> None:
    made = ruled("", listing(',A\ngroup-title="G",B\n,C\ngroup-title="G",D'))
    everything, positions = lines(made), made.group("G")
    assert positions is not None
    of_group = b"".join(render(made, "http://here", positions)).decode()
    assert [line for line in everything if "group" in line] == [
        line.split(":-1 ")[1] for line in of_group.splitlines() if "INF" in line
    ]
    mine = b"".join(render(made, "http://here", positions, [70, 71])).decode()
    assert 'tvg-chno="70" group-title="G",B' in mine
    assert 'tvg-chno="71" group-title="G",D' in mine


def test_several_candidates_and_one_with_its_country_have_one_number() -> None:
    rules = "[names]\nclean = ['tags']\nsplit = 'country'\n[channel.'N']\nnumber = 50\n"
    made = ruled(
        rules,
        listing('tvg-id="n.de" tvg-chno="4",N (HD)\ntvg-id="m.de",M'),
        listing('tvg-id="m.uk",M\ntvg-chno="5",N', number=2),
    )
    assert sorted(lines(made)) == [
        'tvg-id="m.de" tvg-chno="1",M (DE)',
        'tvg-id="m.uk" tvg-chno="2",M (UK)',
        'tvg-id="n.de" tvg-chno="50",N',
    ]


@pytest.mark.parametrize("descending", [False, True])
def test_a_list_in_the_order_of_numbers_is_ordered_by_those_that_are_given(
    descending: bool,
) -> None:
    made = ruled(
        "[channel.C]\nnumber = 1\n[numbers]\nNews = 10\n",
        listing('tvg-chno="30",A\ntvg-chno="20" group-title="News",B\n,C\ntvg-chno="25",D'),
        sort_field="tvg-chno",
        descending=descending,
    )
    names = ["C", "B", "D", "A"]
    assert [channel.name for channel in made.channels] == names[:: -1 if descending else 1]
    assert made.numbers is not None
    assert sorted(made.numbers, reverse=descending) == [*made.numbers]
    assert made.find("b") == made.channels[names[:: -1 if descending else 1].index("B")]


def test_without_rules_the_lists_numbers_are_served_as_they_are() -> None:
    made = catalog(listing('tvg-chno="5",A\ntvg-chno="5",B'))
    assert made.numbers is None
    assert served(made).count('tvg-chno="5"') == 2


def test_no_two_channels_have_one_slug_or_number() -> None:
    made = of_names(
        "[names]\nclean = ['marks', 'tags', 'quality']\n", "A HD", "a", "A+", "A Ⓖ", "B"
    )
    slugs = [slug for slug, _ in made.rows()]
    assert len({*slugs}) == len(slugs) == 3
    assert made.numbers is not None
    assert sorted(made.numbers) == [1, 2, 3]

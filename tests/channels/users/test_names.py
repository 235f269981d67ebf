"""Names and secrets that stand in addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from kptv.app import build_web
from kptv.channels.users.model import Rights, SecretKind, User, UserSecret
from kptv.channels.users.names import (
    ALPHABET,
    MADE_LENGTH,
    Unfit,
    fit_name,
    fit_secret,
    is_name,
    looks_made,
    looks_typed,
)
from kptv.channels.users.table import UserTable
from kptv.channels.users.values import LAST_TIME, fit_label, fit_user
from kptv.users.hashing import new_secret
from tests.parts import CONFIG, built

PATHS = (
    *("live", "movie", "series", "stream", "hls", "u", "logo", "profile", "auto", "assets"),
    *("api", "guide", "epg", "xmltv", "metrics"),
)


@pytest.mark.parametrize("text", ["a", "anna", "Anna", "anna-2_b", "a" * 32, "player_api", "0"])
def test_a_name_is_kept_in_lower_case(text: str) -> None:
    assert fit_name(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["", "a" * 33, "anna b", "anna.b", "anna/b", "anna:b", "änna", "anna\n", "anna%", ".."]
)
def test_a_name_that_an_address_cannot_have_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="1 to 32"):
        fit_name(text)


@pytest.mark.parametrize("text", [*PATHS, "LIVE", "Metrics"])
def test_the_first_part_of_our_paths_is_no_name(text: str) -> None:
    with pytest.raises(Unfit, match="our own addresses"):
        fit_name(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("short-1", "at least 8"),
        ("x" * 65, "at most 64"),
        ("pass word", "mangle"),
        ("täglich-neu", "mangle"),
        ("bcdfghjkmnpqrstuvwx2", "has made"),
        *((f"password{sign}", "mangle") for sign in "#&+:/%?=\n\\"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_with_why_and_never_told(
    text: str, why: str
) -> None:
    with pytest.raises(Unfit, match=why) as caught:
        fit_secret(text)
    assert text not in str(caught.value)


def test_made_secrets_are_easy_to_type_and_no_typed_one_looks_so() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(looks_made(secret) and not looks_typed(secret) for secret in made)
    assert {len(secret) for secret in made} == {MADE_LENGTH}
    assert not set(ALPHABET) & set("ilo01")
    assert set("".join(made)) == set(ALPHABET)
    assert len(ALPHABET) ** MADE_LENGTH > 2**98
    assert looks_typed(fit_secret("correct-Horse_9"))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"max_streams": -1}, "from 0"),
        ({"max_streams": 1001}, "from 0"),
        ({"expires": -1}, "seconds"),
        ({"expires": LAST_TIME + 1}, "seconds"),
        ({"groups": ()}, "1 to 500"),
        ({"groups": ("News", " ")}, "1 to 500"),
        ({"groups": tuple(map(str, range(501)))}, "1 to 500"),
        ({"groups": ("x" * 201,)}, "200"),
        ({"note": "a\nb"}, "cannot be shown"),
        ({"profile": "x" * 101}, "100"),
    ],
)
def test_what_cannot_be_said_of_a_user_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        fit_user(User(id=1, name="anna", **fields))  # type: ignore[arg-type]


def test_groups_are_kept_once_and_without_blanks_around() -> None:
    assert fit_user(User(id=1, name="a", groups=(" News", "News", "Sport"))).groups == (
        "News",
        "Sport",
    )
    assert fit_label(" tv ") == "tv"


def secret(number: int, kind: SecretKind = SecretKind.MADE, **fields: object) -> UserSecret:
    return UserSecret(number, kind, "", 0, digest=bytes([number]) * 32, **fields)  # type: ignore[arg-type]


def test_users_are_found_by_id_name_and_good_made_secret() -> None:
    secrets = (secret(1), secret(2, revoked=5), secret(3, SecretKind.TYPED))
    anna = User(id=4, name="anna", secrets=secrets, groups=("News",))
    bob = User(id=5, name="bob", profile="kids")
    table = UserTable((anna, bob, User(id=6, name="eve", groups=("news",))))
    assert table.by_id(4) is table.by_name("ANNA") is anna
    assert table.by_id(9) is table.by_name("nobody") is None
    assert table.by_digest(bytes([1]) * 32) == (anna, secrets[0])
    assert table.by_digest(bytes([2]) * 32) is table.by_digest(bytes([3]) * 32) is None
    assert table.still(4, 1) is table.still(4, 3) is anna
    assert table.still(4, 2) is table.still(5, 1) is table.still(9, 1) is None
    assert [user.name for user in table] == ["anna", "bob", "eve"]
    assert table.rights_in_use() == {Rights(frozenset({"news"})), Rights(profile="kids")}


def test_no_name_is_the_first_part_of_a_path_of_ours(tmp_path: Path) -> None:
    with built(CONFIG, tmp_path) as parts:
        rules = [rule.rule for rule in build_web(parts).url_map.iter_rules()]
    first = {rule.split("/")[1] for rule in rules}
    named = {part for part in first if is_name(part)}
    assert {"playlist", "stream", "api", "metrics"} <= named
    for part in named:
        with pytest.raises(Unfit):
            fit_name(part)

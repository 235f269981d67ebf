"""Under which ``channel id`` a served channel stands, in our guide and in our list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LONGEST = 120  # letters
_NO_SLUG = ".id"  # behind a slug of digits only; no slug has a dot


def guide_ids(channels: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """The id of each channel by its slug, from (slug, served tvg-id, served tvg-chno).

    It is the tvg-id, if no other channel has it in any case, else the slug; so no two are alike.
    Players take digits for a channel's number, so an id is only digits if they are.
    """
    served = [(slug, tvg_id.strip(), number.strip()) for slug, tvg_id, number in channels]
    slugs = {slug.casefold() for slug, *_ in served}
    slugs |= {slug + _NO_SLUG for slug in slugs}
    times = Counter(tvg_id.casefold() for _, tvg_id, _ in served)
    return {
        slug: tvg_id
        if times[tvg_id.casefold()] == 1
        and _is_fit(tvg_id, number)
        and (tvg_id.casefold() == slug or tvg_id.casefold() not in slugs)
        else _of_slug(slug, number)
        for slug, tvg_id, number in served
    }


def id_of_slug(slug: str) -> str:
    """The id of a channel that has no tvg-id for it, and no number."""
    return _of_slug(slug, "")


def _is_fit(tvg_id: str, number: str) -> bool:
    if not tvg_id or len(tvg_id) > LONGEST or not tvg_id.isprintable():
        return False
    if '"' in tvg_id:  # a list cannot tell it
        return False
    return not tvg_id.isdecimal() or tvg_id == number


def _of_slug(slug: str, number: str) -> str:
    return slug + _NO_SLUG if slug.isdecimal() and slug != number else slug

"""The generation of the guide in force, and the listeners that are told of each new one."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from kptv.guide.reading import Generation


class GuideStanding(StrEnum):
    """How it is with the guide."""

    NONE_KNOWN = "none known"  # neither the settings nor a list or the rules name one
    EXPECTED = "expected"  # it is not built yet
    THERE = "there"


class CurrentGuide:
    """Holds the generation that is served now."""

    def __init__(self, *listeners: Callable[[Generation | None], object]) -> None:
        """``listeners`` are called with each new generation, in this order; they must not wait."""
        self._listeners = listeners
        self._generation: Generation | None = None
        self._is_expected = False

    def __repr__(self) -> str:
        return f"<CurrentGuide {self.standing.value} {self._generation}>"

    @property
    def standing(self) -> GuideStanding:
        """Whether there is a guide, or will be."""
        if self._generation is not None:
            return GuideStanding.THERE
        return GuideStanding.EXPECTED if self._is_expected else GuideStanding.NONE_KNOWN

    def get(self) -> Generation | None:
        """The current generation; None until there is one. Do not keep it: it is closed later."""
        return self._generation

    def expect(self, is_expected: bool) -> None:
        """Whether a guide is known that a generation can be made of."""
        self._is_expected = is_expected

    def replace(self, generation: Generation | None) -> None:
        """Serve ``generation`` from now on. Whoever calls this closes the one before, later.

        No switch here: nobody sees the ids of one generation beside the shows of another.
        """
        for listener in self._listeners:
            listener(generation)
        self._generation = generation

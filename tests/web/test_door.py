"""How many connections there may be, and who has to go."""

from __future__ import annotations

from kptv.web.door import Admission, Door


class Hall:
    """A door with ten places, two of them kept, and who was hung up."""

    def __init__(self) -> None:
        self.door = Door(10, 2)
        self.hung_up: list[int] = []

    def enter(self, number: int) -> Admission | None:
        return self.door.enter(lambda: self.hung_up.append(number))

    def fill(self, count: int = 10) -> list[Admission]:
        places = [self.enter(number) for number in range(count)]
        assert None not in places
        return [place for place in places if place]


def test_the_connection_that_has_been_silent_longest_makes_room() -> None:
    hall = Hall()
    first, *_ = hall.fill()
    first.ask(vital=False)
    assert hall.enter(10) is not None
    assert hall.hung_up == [1]
    first.wait()
    assert hall.enter(11) is not None
    assert hall.hung_up == [1, 2]


def test_if_no_connection_is_silent_the_newcomer_is_refused() -> None:
    hall = Hall()
    places = hall.fill()
    for place in places:
        place.ask(vital=True)
    assert hall.enter(10) is None
    assert hall.hung_up == []
    places[3].leave()
    places[3].leave()
    assert hall.enter(11) is not None
    assert hall.enter(12) is not None  # the one before has not asked yet
    assert hall.hung_up == [11]


def test_if_descriptors_are_scarce_a_newcomer_takes_the_place_of_a_silent_one() -> None:
    hall = Hall()
    _, second = hall.fill(2)
    assert hall.door.enter(lambda: None, scarce=True) is not None
    assert hall.hung_up == [0]
    second.ask(vital=False)
    hall.door.silent.popitem()[0].ask(vital=False)
    assert hall.door.enter(lambda: None, scarce=True) is None


def test_the_last_places_serve_vital_requests_only() -> None:
    hall = Hall()
    places = hall.fill()
    assert [place.ask(vital=False) for place in places] == [True] * 8 + [False] * 2
    assert places[9].ask(vital=True)
    for place in places:
        place.leave()
    assert hall.door.busy == 0


def test_behind_a_closed_door_whoever_was_answered_is_hung_up() -> None:
    hall = Hall()
    (place,) = hall.fill(1)
    place.ask(vital=False)
    hall.door.close()
    assert hall.hung_up == []
    place.wait()
    assert hall.hung_up == [0]


def test_a_closed_door_hangs_up_the_silent_and_lets_nobody_in() -> None:
    hall = Hall()
    places = hall.fill(4)
    places[2].ask(vital=False)
    hall.door.close()
    assert hall.hung_up == [0, 1, 3]
    assert hall.enter(5) is None
    places[0].wait()  # it was hung up: no second time
    hall.door.close()
    assert hall.hung_up == [0, 1, 3]
    assert hall.door.busy == 1

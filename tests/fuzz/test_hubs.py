"""Hubs, whatever viewers and upstreams do: limits, cursors, single flight, nothing is left."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kptv.errors import Reason, UpstreamError
from kptv.restream.playing import Playing
from tests.fuzz.hubs import CHANNELS, FRAME, SOURCES, STREAMS, Over, World
from tests.fuzz.inputs import examples

NAMES = st.sampled_from(CHANNELS)
OFFERS = st.sampled_from([stream for streams in STREAMS.values() for stream in streams])
ERRORS = st.builds(
    UpstreamError,
    st.sampled_from(list(Reason)),
    status=st.sampled_from([None, None, 403, 404, 429, 503]),
    retry_after=st.sampled_from([None, None, 0.0, 1.0, 3600.0]),
)


class AnythingHappens(RuleBasedStateMachine):
    """Each rule is something that a viewer, an upstream, an operator or the clock does."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    # --- viewers ---

    @precondition(lambda self: len(self.world.people) < 12)
    @rule(name=NAMES, slow=st.booleans(), byte_range=st.sampled_from([None, None, "bytes=5-"]))
    def somebody_comes(self, name: str, slow: bool, byte_range: str | None) -> None:
        self.world.come(name, slow=slow, byte_range=byte_range)
        self.world.let_run()

    @precondition(lambda self: self.world.people)
    @rule(which=st.integers(0, 11))
    def somebody_hangs_up(self, which: int) -> None:
        people = self.world.people
        people.pop(which % len(people)).gone = True
        self.world.let_run()

    @precondition(lambda self: self.world.people)
    @rule(which=st.integers(0, 11))
    def the_server_ends_a_viewer(self, which: int) -> None:
        people = self.world.people
        person = people.pop(which % len(people))
        person.gone = True
        if person.body is not None:
            person.greenlet.kill()

    @rule()
    def slow_ones_look(self) -> None:
        for person in self.world.people:
            person.look()

    # --- upstreams ---

    @rule(stream=OFFERS, frames=st.integers(1, 9))
    def an_upstream_sends(self, stream: object, frames: int) -> None:
        for _ in range(frames):
            self.world.upstreams.tell(stream, self.world.mark())  # type: ignore[arg-type]
        self.world.let_run()

    @rule()
    def all_upstreams_send(self) -> None:
        for streams in self.world.streams.values():
            for stream in streams:
                self.world.upstreams.tell(stream, self.world.mark())
        self.world.let_run()

    @rule(stream=OFFERS, error=st.one_of(ERRORS, st.builds(Over)))
    def an_upstream_ends(self, stream: object, error: UpstreamError | Over) -> None:
        self.world.upstreams.tell(stream, error)  # type: ignore[arg-type]
        self.world.let_run()

    @rule(stream=OFFERS, error=st.one_of(st.none(), ERRORS))
    def a_provider_refuses_or_no_longer(self, stream: object, error: UpstreamError | None) -> None:
        refusals = self.world.upstreams.refusals
        refusals.pop(stream.url, None)  # type: ignore[attr-defined]
        if error is not None:
            refusals[stream.url] = error  # type: ignore[attr-defined]

    @rule(stream=OFFERS)
    def a_stream_becomes_a_film_or_live(self, stream: object) -> None:
        self.world.upstreams.films ^= {stream.url}  # type: ignore[attr-defined]

    # --- operators, the clock ---

    @rule(name=NAMES, number=st.sampled_from([None, 1, 2, 3, 4]))
    def somebody_switches(self, name: str, number: int | None) -> None:
        self.world.hubs.switch(name, number)

    @rule(name=NAMES)
    def somebody_stops_a_channel(self, name: str) -> None:
        self.world.hubs.stop(name)

    @rule(name=NAMES, kept=st.lists(st.integers(0, 3), max_size=4, unique=True))
    def a_list_changes(self, name: str, kept: list[int]) -> None:
        world = self.world
        offers = STREAMS[name]
        world.streams[name] = tuple(offers[n] for n in kept if n < len(offers)) or offers
        world.hubs.imported(lambda slug: None if slug == "c" else world.channel(slug))
        world.let_run()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 6.0, 30.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.world.let_run()

    # --- what holds at any time ---

    @invariant()
    def no_source_has_a_connection_too_many(self) -> None:
        assert not self.world.upstreams.wrong
        for source in SOURCES:
            used = self.world.hubs.slots.held(source)
            assert 0 <= self.world.upstreams.open[source.number] <= used, source
            assert not source.max_connections or used <= source.max_connections, source

    @invariant()
    def each_channel_is_played_once(self) -> None:
        names = [hub.channel.slug for hub in self.world.hubs.all()]
        assert len(set(names)) == len(names)

    @invariant()
    def each_viewer_is_in_the_buffer_and_sees_nothing_twice(self) -> None:
        for hub in self.world.hubs.all():
            assert hub.buffer.first <= hub.buffer.end
            assert hub.buffer.size <= 4 * FRAME or hub.buffer.end - hub.buffer.first == 1
            for lease in hub.leases:
                assert lease.place is None or lease.place <= hub.buffer.end
        for person in self.world.everybody:
            assert len(set(person.seen)) == len(person.seen), person.seen

    @invariant()
    def the_housekeeping_runs(self) -> None:
        assert self.world.hubs.alive
        for person in self.world.everybody:
            assert not person.greenlet.dead or person.greenlet.successful(), person.greenlet
            assert person.told is None or person.told.retry_after > 0
        held = sum(chunk_buffer.size for chunk_buffer in self.world.hubs.budget._buffers)
        assert self.world.hubs.budget.used == held

    # --- what holds at the end ---

    def teardown(self) -> None:
        try:
            self._all_leave()
            self._nothing_is_left()
        finally:
            self.world.end()

    def _all_leave(self) -> None:
        world = self.world
        for person in world.everybody:
            person.gone = True
        for person in world.everybody:
            if isinstance(person.body, Playing) or person.body is None:
                world.until(lambda person=person: person.greenlet.dead, "a viewer who left")
            person.greenlet.kill()
        world.pass_time(60.0)
        world.until(lambda: len(world.hubs) == 0, "hubs that linger")
        world.until(lambda: not any(map(world.hubs.slots.held, SOURCES)), "slots")

    def _nothing_is_left(self) -> None:
        world = self.world
        assert not world.upstreams.open.total()
        assert not world.upstreams.wrong
        assert not any(world.hubs.slots.waiting(source.number) for source in SOURCES)
        assert world.hubs.viewers == 0
        assert world.hubs.budget.used == 0
        assert not world.hubs.budget._buffers
        for name in CHANNELS:
            counters = world.metrics.open(name.upper())
            assert (counters.viewers, counters.upstreams) == (0, 0)
            world.metrics.close(counters, world.now())


TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappens.settings = examples(20, stateful_step_count=40)

"""The streams of users, counted for their limits by several instances together (see StreamCounts).

A server keeps what is open at all of them; each instance judges for its own (``SharedUser``). Of a
user one question at a time is on its way; the next one is asked of the state that this brought.
Whoever asks waits for the answer, for the time of a call at most, and may be killed meanwhile.

While the server cannot be reached, this instance counts its own streams alone: a user's limit is
worth less than a picture. What it admitted so is told as soon as the server answers, and what is
too much then ends as if the limit had been lowered.

Streams of users without a limit are only noted here, in case that they get one.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, Protocol

from gevent.event import Event

from kptv.channels.users.shared_streams import Decision, Own, SharedUser, state_of
from kptv.channels.users.streams import GRACE, Claim, Gone, Limit, UserStreams, Verdict

log = logging.getLogger(__name__)

_MOST_ROUNDS = 8  # so often others are quicker; each time one of them has got what it wanted
_DIGEST = 12  # bytes: that two of a user's seats have the same one is not to be expected

Ends = Callable[[Iterable[int]], object]


class Server(Protocol):
    """What keeps the claims, through the membership of this instance (``kptv.instances``)."""

    @property
    def reachable(self) -> bool:
        """Whether it can be asked now, as far as is known."""
        ...

    @property
    def away(self) -> str:
        """Why it cannot; may be empty, if it is only slow."""
        ...

    def tell(self, op: str, answered: Callable[[Any], object] = ..., **given: Any) -> None:
        """Have it carry out an operation of the script; ``answered`` hears what it says."""
        ...


@dataclass(eq=False, slots=True)
class _Question:
    """Something to decide of a user's streams."""

    judge: Callable[[UserStreams], Verdict]
    asked: Own | None = None  # whoever asks waits; None: nobody does
    verdict: Verdict | None = None
    over: Event = field(default_factory=Event)  # there is a verdict, or will be none
    rounds: int = 0
    is_dropped: bool = False  # nobody wants to know any more


class SharedStreamCounts:
    """The streams of all users, as far as this instance knows them (see StreamCounts, Hearer)."""

    def __init__(
        self,
        server: Server,
        key: bytes,
        call: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``key``: what all instances know and the server does not. ``call``: seconds.

        ``clock`` is the one whose times ``ask`` and ``look`` are told.
        """
        self._server = server
        self._key = key
        self._call = call
        self._clock = clock
        self._ends: Ends = lambda _: None
        self._prefix = os.urandom(6).hex()  # of the tickets of this process
        self._users: dict[int, SharedUser] = {}
        self._questions: dict[int, deque[_Question]] = {}  # by user; the first is on its way
        self._asking: set[int] = set()  # numbers: not open yet, so nobody can have left them
        self.is_alone = False  # it counts without the others

    def __repr__(self) -> str:
        return f"<SharedStreamCounts users={len(self._users)} alone={self.is_alone}>"

    def watch(self, ends: Ends) -> None:
        """Have ``ends`` told the numbers of streams that have to end, as soon as that is known."""
        self._ends = ends

    # --- StreamCounts ---

    def ask(self, user: int, claim: Claim, limit: Limit, gone: Gone, now: float) -> Verdict:
        own = self._own(user, claim)
        if not limit.most:
            self._user(user).add(own)
            return Verdict(True)

        def judge(streams: UserStreams) -> Verdict:
            return streams.ask(own, limit, self._gone(gone), self._clock())

        question = _Question(judge, own)
        self._asking.add(own.number)
        try:
            verdict = self._answer(user, question)
            if verdict.admitted and not self._user(user).has(own):  # ended, as others came
                verdict = Verdict(False, verdict.ends, GRACE)
        except BaseException:
            self._close(user, own)
            raise
        finally:
            question.is_dropped = True
            self._asking.discard(own.number)
        if not verdict.admitted:
            self._close(user, own)
        return verdict

    def leave(self, user: int, number: int) -> None:
        if (known := self._users.get(user)) and (own := known.remove(self._ticket(number))):
            self._close(user, own)

    def look(self, user: int, limit: Limit, gone: Gone, now: float) -> Sequence[int]:
        known = self._users.get(user)
        if known is None or not limit.most:
            return ()

        def judge(streams: UserStreams) -> Verdict:
            return Verdict(True, tuple(streams.look(limit, self._gone(gone), self._clock())))

        if not self._server.reachable:
            return self._judged_alone(user, judge).ends
        if user not in self._questions and not known.is_settled(limit):
            self._put(user, _Question(judge))
        return ()

    # --- Hearer ---

    def joined(self) -> None:
        for known in self._users.values():
            known.joined()  # each look tells what is not told

    def told(self, what: Any) -> None:
        """``what``: ticket and user of each stream that another instance's took the place of."""
        for ticket, name in what or ():
            user = int(name)
            known = self._users.get(user)
            if known and (own := known.remove(ticket)):
                self._end([own])
            self._server.tell("unclaim", partial(self._hear, user), user=name, tokens=[ticket])
            self._forget_if_empty(user)

    def lapsed(self) -> None:
        waiting, self._questions = self._questions, {}
        for questions in waiting.values():
            for question in questions:
                question.over.set()

    # --- deciding together ---

    def _answer(self, user: int, question: _Question) -> Verdict:
        """The verdict of all instances, or, if there is none in time, of this one alone."""
        if self._server.reachable:
            self._put(user, question)
            question.over.wait(self._call)
            question.is_dropped = True
            if question.verdict is not None:
                return question.verdict
        return self._judged_alone(user, question.judge)

    def _put(self, user: int, question: _Question) -> None:
        questions = self._questions.setdefault(user, deque())
        questions.append(question)
        if len(questions) == 1:
            self._go_on(user)

    def _go_on(self, user: int) -> None:
        """Ask what comes next, until something is on its way."""
        questions = self._questions.get(user)
        try:
            while questions and not self._say(user, questions[0]):
                questions.popleft().over.set()
        except BaseException:
            for question in self._questions.pop(user, ()):
                question.over.set()
            raise
        if self._questions.get(user) is questions and not questions:
            self._questions.pop(user, None)
            self._forget_if_empty(user)

    def _say(self, user: int, question: _Question) -> bool:
        """Tell the server what is decided of what is known; False: there is nothing to tell."""
        if question.is_dropped:
            return False
        plan = self._user(user).plan(question.judge, self._clock(), question.asked)
        if not plan.changes and (question.rounds or question.asked is None):
            self._decided(user, question, plan)
            return False
        question.rounds += 1
        for own in plan.adds:
            own.is_sent = True
        answered = partial(self._answered, user, question, plan)
        self._server.tell("claim", answered, user=str(user), **plan.given)
        return True

    def _answered(self, user: int, question: _Question, plan: Decision, answer: Any) -> None:
        questions, is_open = self._questions[user], False
        try:
            is_open = self._is_open(user, question, plan, answer)
        finally:
            if not is_open:
                questions.popleft().over.set()
            self._go_on(user)

    def _is_open(self, user: int, question: _Question, plan: Decision, answer: Any) -> bool:
        """Whether it has to be decided again, as another instance was quicker."""
        if answer["is"] == "claimed":
            self._user(user).carried_out(plan)
        self._hear(user, answer)
        if answer["is"] == "claimed":
            self._decided(user, question, plan)
        return answer["is"] == "changed" and question.rounds < _MOST_ROUNDS

    def _decided(self, user: int, question: _Question, plan: Decision) -> None:
        if not question.is_dropped:  # or it was decided already, or nobody is there any more
            if question.asked is not None and plan.verdict.admitted:
                self._user(user).add(question.asked)
            question.verdict = plan.verdict
        self._end(plan.ended)

    def _hear(self, user: int, answer: Any) -> None:
        """What is open at all instances, as an answer says; nothing if it was not carried out."""
        if "version" not in answer:
            return
        if self.is_alone:
            self.is_alone = False
            log.info("users' streams are counted over all instances again")
        if known := self._users.get(user):
            self._end(known.note(state_of(answer, self._clock())))

    # --- deciding alone ---

    def _judged_alone(self, user: int, judge: Callable[[UserStreams], Verdict]) -> Verdict:
        if not self.is_alone:
            self.is_alone = True
            why = self._server.away or "Valkey (LEASES_URL) does not answer in time"
            log.warning("users' streams are counted by this instance alone: %s", why)
        verdict, ended = self._user(user).alone(judge)
        self._end(ended)
        for own in ended:
            self._close(user, own)
        return verdict

    # --- what is open here ---

    def _user(self, user: int) -> SharedUser:
        return self._users.setdefault(user, SharedUser())

    def _end(self, ended: Sequence[Own]) -> None:
        if ended:
            self._ends([own.number for own in ended])

    def _close(self, user: int, own: Own) -> None:
        """It counts no more; the server is told if it may know of it."""
        known = self._users.get(user)
        if known is not None and known.has(own):
            known.remove(own.ticket)
        if own.is_sent:
            heard = partial(self._hear, user)
            self._server.tell("unclaim", heard, user=str(user), tokens=[own.ticket])
        self._forget_if_empty(user)

    def _forget_if_empty(self, user: int) -> None:
        """The server remembers what there is to remember, if it can be asked for that."""
        known = self._users.get(user)
        if known is None or not known.is_empty or user in self._questions:
            return
        if self._server.reachable or known.is_calm(self._clock()):
            del self._users[user]

    def _gone(self, gone: Gone) -> Gone:
        return lambda number: number > 0 and number not in self._asking and gone(number)

    # --- names ---

    def _own(self, user: int, claim: Claim) -> Own:
        seat = self._digest("seat", user, claim.channel, claim.address)
        client = self._digest("client", user, claim.address, claim.agent)
        return Own(claim.number, self._ticket(claim.number), seat, client)

    def _ticket(self, number: int) -> str:
        return f"{self._prefix}.{number}"

    def _digest(self, kind: str, user: int, *words: str) -> str:
        """What names a user's seat or client to those who have the key, and nobody else."""
        text = "\0".join((kind, str(user), *words))
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256")[:_DIGEST].hex()

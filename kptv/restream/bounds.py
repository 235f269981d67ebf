"""How long one upstream may go without anything that can be played."""

from __future__ import annotations

from kptv.errors import Reason, UpstreamError
from kptv.restream.output import Output

# Seconds of bytes without a programme in them, after which the stream has failed. The splicer
# itself waits 10 for a keyframe.
PROGRAMME_WAIT = 12.0
# Seconds beyond that until the housekeeping ends the upstream: the hub itself mostly did so before.
GRACE = 3.0
# Seconds of silence that end an upstream that played. Its reader knows sooner; HLS pauses longest.
LONGEST_SILENCE = 180.0


class Bounds:
    """The bounds of one upstream, which is spliced into ``output``."""

    def __init__(self, output: Output, now: float, timeout: float) -> None:
        """``timeout``: seconds within which its first piece comes, or it fails."""
        self._output = output
        self._sought_since = now  # there is no programme since then
        self._begins_by = now + timeout + PROGRAMME_WAIT + GRACE

    def __repr__(self) -> str:
        return f"<Bounds begins_by={self._begins_by:.1f}>"

    def seek(self, now: float) -> None:
        """From now on a programme is sought in what comes."""
        self._sought_since = now
        self._begins_by = now + PROGRAMME_WAIT + GRACE

    def check(self, now: float) -> None:
        """Call it after each piece. Raises UpstreamError if the media is of no use."""
        if self._output.sending:  # if it breaks, its programme is sought from now on
            self.seek(now)
        if trouble := self._output.trouble(now):
            raise UpstreamError(Reason(trouble))
        if not self._output.sending and now - self._sought_since > PROGRAMME_WAIT:
            raise UpstreamError(Reason.NO_MEDIA, "no programme that can be played")

    def exceeded(self, now: float) -> UpstreamError | None:
        """The error of an upstream that neither begins, nor goes on, nor fails.

        Each reader has deadlines of its own; this is for cases that none of them foresees.
        """
        if not self._output.sending and now > self._begins_by:
            return UpstreamError(Reason.NO_MEDIA, "nothing that can be played, and no failure")
        if self._output.sending and now - self._output.media_at > LONGEST_SILENCE:
            return UpstreamError(Reason.STALLED, f"silent for {LONGEST_SILENCE:.0f} s")
        return None

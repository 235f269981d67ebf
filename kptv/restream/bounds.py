"""How long one upstream may go without anything that can be played."""

from __future__ import annotations

from kptv.errors import Reason, UpstreamError
from kptv.restream.output import Output

# Seconds of bytes without a programme in them, after which a stream is none: the splicer itself
# waits 10 for a keyframe.
PROGRAMME_WAIT = 12.0
# Seconds beyond that in which a hub looks after itself; then housekeeping ends the upstream.
GRACE = 3.0
# Seconds without a byte of an upstream that played. Its reader knows sooner; HLS may pause longest.
LONGEST_SILENCE = 180.0


class Bounds:
    """Those of one upstream, which is spliced into ``output``."""

    def __init__(self, output: Output, now: float, timeout: float) -> None:
        """``timeout``: seconds in which its first piece comes, or it fails."""
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
        """To be called after each piece. Raises UpstreamError if what comes is of no use."""
        if self._output.sending:  # if it breaks, its programme is sought from now on
            self.seek(now)
        if trouble := self._output.trouble(now):
            raise UpstreamError(Reason(trouble))
        if not self._output.sending and now - self._sought_since > PROGRAMME_WAIT:
            raise UpstreamError(Reason.NO_MEDIA, "no programme that can be played")

    def exceeded(self, now: float) -> UpstreamError | None:
        """What is wrong with an upstream that neither begins, nor goes on, nor fails.

        Each reader has deadlines of its own; this is for what none of them has thought of.
        """
        if not self._output.sending and now > self._begins_by:
            return UpstreamError(Reason.NO_MEDIA, "nothing that can be played, and no failure")
        if self._output.sending and now - self._output.media_at > LONGEST_SILENCE:
            return UpstreamError(Reason.STALLED, f"silent for {LONGEST_SILENCE:.0f} s")
        return None

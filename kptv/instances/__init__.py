"""What several instances of this program share through one Valkey (or Redis).

``lua`` is the state and all that changes it, one script; ``term`` says until when this instance may
hold what it was given; ``link`` is a connection; ``courier`` owns it and carries calls in order;
``member`` joins, renews and hangs up in time. Nothing of it is imported unless LEASES_URL is set.
"""

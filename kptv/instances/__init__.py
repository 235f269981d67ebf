"""What several instances of this program share through one Valkey (or Redis).

``leases.lua`` is the state and all that changes it; ``term`` says until when this instance may hold
what it was given; ``link`` is a connection. Nothing of it is imported unless LEASES_URL is set.
"""

"""The built-in demo: two providers on loopback, to see everything without an account."""

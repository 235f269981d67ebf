"""Foreign input made at random: what must hold for any of it (``probes``), and who makes it.

hypothesis makes some of it in each run of the tests; ``make fuzz`` lets atheris, which is guided by
the code that an input reaches, make as much as one likes. What either finds becomes a test.
"""

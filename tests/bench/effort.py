"""How much a benchmark measures: everything, few rounds, or one round of the smallest sizes to see that it runs."""

import enum


class Effort(enum.Enum):
    """A choice of the command line; no figure of ``SMOKE`` means anything."""

    FULL = "full"
    QUICK = "quick"
    SMOKE = "smoke"

    def of(self, full, quick, smoke):
        """Return the value for this effort."""
        return {Effort.FULL: full, Effort.QUICK: quick, Effort.SMOKE: smoke}[self]

    @property
    def warms(self):
        """Rounds that go before those that count."""
        return self.of(1, 1, 0)

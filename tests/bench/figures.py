# SPDX-License-Identifier: Apache-2.0
"""What was measured, printed beside its bar as soon as it is known."""
from statistics import median


def short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


class Figures:
    """Each row: the median of ours, the median of theirs, the median of the pairs' ratios, and their extremes."""

    def __init__(self):
        self.missed = 0
        self.skipped = 0
        print(f"{'':48} {'Berth':>8} {'other':>8} {'ratio':>7} {'of all':>13}  bar", flush=True)

    def row(self, name, ours, theirs, ratios, bar, held):
        self.missed += not held
        extremes = f"{short(min(ratios))}–{short(max(ratios))}"
        print(f"{name:48} {short(median(ours)):>8} {short(median(theirs)):>8} {short(median(ratios)):>7} "
              f"{extremes:>13}  {bar}{'' if held else '  MISSED'}", flush=True)

    def at_least(self, name, bar, ours, theirs):
        ratios = [mine / other for mine, other in zip(ours, theirs)]
        self.row(name, ours, theirs, ratios, f"≥ {bar}", median(ratios) >= bar)

    def at_most(self, name, bar, ours, theirs):
        ratios = [mine / other for mine, other in zip(ours, theirs)]
        self.row(name, ours, theirs, ratios, f"≤ {bar}", median(ratios) <= bar)

    def at_most_and(self, name, bar, more, ours, theirs):
        """At most so many times as much as theirs, and `more`."""
        ratios = [mine / other for mine, other in zip(ours, theirs)]
        over = median(mine - bar * other for mine, other in zip(ours, theirs))
        self.row(name, ours, theirs, ratios, f"≤ {bar}, and {more}", over <= more)

    def more_at_most(self, name, bar, ours, theirs):
        """Differences in the place of the ratios; where `bar` is None nothing is asked of them."""
        more = [mine - other for mine, other in zip(ours, theirs)]
        self.row(name, ours, theirs, more, "" if bar is None else f"≤ {bar} more", bar is None or median(more) <= bar)

    def within(self, name, bar, value):
        self.missed += value > bar
        verdict = "  MISSED" if value > bar else ""
        print(f"{name:48} {short(value):>8} {'':8} {'':7} {'':13}  ≤ {short(bar)}{verdict}", flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"{name:48} NOT MEASURED: {reason}", flush=True)

    def note(self, text):
        print(text, flush=True)

    def summary(self):
        """Whether every bar was held."""
        if self.skipped:
            print(f"{self.skipped} not measured")
        print(f"{self.missed} missed" if self.missed else "every bar that was measured is held", flush=True)
        return self.missed == 0

"""What is known not to pass, and why; and what is wrong with a run that says otherwise."""

import tomllib

from smack import FAILED, IMPOSSIBLE, PASSED


class Gaps:
    """Names are `Class.method`, or `Class` when none of its tests passes."""

    def __init__(self, file):
        known = tomllib.loads(file.read_text())
        self.passed_min = known["passed_min"]
        self.left_out = {
            name: group["why"] for group in known["left_out"] for name in group["tests"]
        }
        self.groups = known["gap"]
        self.races = {name: group["why"] for group in known["race"] for name in group["tests"]}

    def why(self, one):
        """Why this test may fail or be impossible, when it may."""
        for group in self.groups:
            if one.name in group["tests"] or one.type in group["tests"]:
                return group["why"]
        return None

    def complaints(self, outcomes):
        """The list is held to the run, and the run to the list."""
        for one in outcomes:
            if one.outcome != PASSED and not self.why(one):
                said = "failed" if one.outcome == FAILED else "is impossible"
                yield f"{one.name} {said}: {one.why}"
            if one.outcome == PASSED and self.why(one):
                yield f"{one.name} now passes: take it off the list"
        ran = {name for one in outcomes for name in (one.name, one.type)}
        listed = [name for group in self.groups for name in group["tests"]]
        for name in [*listed, *self.races]:
            if name not in ran:
                yield f"{name} did not run: take it off the list"
        passed = count(outcomes, PASSED)
        if passed < self.passed_min:
            yield f"only {passed} tests passed; passed_min is {self.passed_min}"

    def summary(self, outcomes):
        """For each reason what it costs."""
        for name, why in self.left_out.items():
            yield f"left out: {name}: {why}"
        for group in self.groups:
            ours = [one for one in outcomes if self.why(one) == group["why"]]
            failed, impossible = (count(ours, outcome) for outcome in (FAILED, IMPOSSIBLE))
            yield f"known gap: {failed} failed, {impossible} impossible: {group['why']}"


def count(outcomes, outcome):
    return sum(one.outcome == outcome for one in outcomes)

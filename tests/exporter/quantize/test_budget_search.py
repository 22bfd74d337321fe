"""The search for what has to stay in float, on networks that exist as numbers only: what each block costs is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from segexport.quantize.budget.fit import Budget
from segexport.quantize.budget.judge import Score
from segexport.quantize.budget.search import MOST_STEPS, Chosen, Outcome, Step, search
from segexport.tflite.graph import Block, Operator

BYTES = 1000


def chain(count: int, weights: Mapping[int, int] | None = None) -> tuple[Block, ...]:
    """Blocks of one convolution each, every one reading the one before."""
    return tuple(
        Block(
            number=k,
            operators=(
                Operator(
                    index=k,
                    kind="CONV_2D",
                    name=f"t{k}",
                    inputs=(f"t{k - 1}",) if k else ("image",),
                    outputs=(f"t{k}",),
                    weight_bytes=(weights or {}).get(k, BYTES),
                ),
            ),
        )
        for k in range(count)
    )


class Network:
    """int8 costs `edges[(a, b)]` points unless both ends of that tensor are in float, and `floor` in any case."""

    def __init__(self, count: int, edges: Mapping[tuple[int, int], float], floor: float = 0.05) -> None:
        self.blocks, self.edges, self.floor = chain(count), edges, floor
        self.asked: list[Chosen] = []

    def drop(self, chosen: Chosen) -> float:
        return self.floor + sum(cost for ends, cost in self.edges.items() if not set(ends) <= chosen)

    def attempt(self, number: int, what: str, chosen: Chosen) -> Score:
        assert number == len(self.asked) + 1
        assert what
        self.asked.append(chosen)
        drop = self.drop(chosen)
        size = 10_000 + sum(3 * self.blocks[k].operators[0].weight_bytes for k in chosen)
        return Score(iou=1 - drop / 100, drop_points=drop, boundary_f=1.0, size_bytes=size, invoke_p50_ms=1.0)

    def losses(self, step: Step) -> dict[int, float]:
        """As a signal-to-noise ratio shows it: the reader of a bad tensor is the one that loses."""
        found = dict.fromkeys(range(len(self.blocks)), 0.0)
        for (writer, reader), cost in self.edges.items():
            if not {writer, reader} <= step.blocks:
                found[reader] += cost
        return found

    def search(self, points: float, shown: Callable[[Step, Step], None] = lambda *_: None) -> Outcome:
        return search(self.blocks, self.losses, self.attempt, points, shown)


def test_full_int8_is_tried_first_and_ends_it_where_it_holds() -> None:
    network = Network(10, {})
    outcome = network.search(0.1)
    assert network.asked == [frozenset()]
    assert outcome.best.holds
    assert outcome.best.blocks == frozenset()


def test_a_bad_tensor_before_the_last_convolution_costs_two_blocks() -> None:
    network = Network(12, {(10, 11): 20.0})
    outcome = network.search(0.5)
    assert outcome.best.blocks == {10, 11}
    assert len(outcome.steps) <= 5


@pytest.mark.parametrize(
    "edges",
    [{(3, 4): 30.0}, {(3, 4): 30.0, (8, 9): 20.0}, {(0, 1): 5.0, (5, 6): 9.0, (14, 15): 7.0}],
)
def test_bad_tensors_anywhere_are_found_and_nothing_else_stays_in_float(edges: dict[tuple[int, int], float]) -> None:
    outcome = Network(20, edges).search(0.5)
    assert outcome.best.holds
    assert outcome.best.blocks == {end for ends in edges for end in ends}


def test_what_is_not_needed_goes_back_to_int8() -> None:
    """The noise points at block 7, whose trouble costs no mask; it is taken in on the way and given back."""
    network = Network(16, {(6, 7): 0.0, (2, 3): 12.0})
    honest = network.losses
    network.losses = lambda step: {**honest(step), 7: 0.0 if {6, 7} <= step.blocks else 50.0}  # type: ignore[method-assign]
    outcome = network.search(0.5)
    assert outcome.best.blocks == {2, 3}


def test_where_nothing_holds_the_nearest_is_named_and_it_does_not_hold() -> None:
    network = Network(12, {(2, 3): 3.0}, floor=5.0)
    outcome = network.search(0.5)
    assert not outcome.best.holds
    assert outcome.best.score.drop_points == min(step.score.drop_points for step in outcome.steps) == 5.0
    assert not any(step.holds for step in outcome.steps)
    assert outcome.steps[-1].what == "everything in float"


@pytest.mark.parametrize("count", [1, 2, 3, 24, 170])
@pytest.mark.parametrize("floor", [0.0, 9.0])
def test_no_more_quantizations_than_allowed_and_none_twice(count: int, floor: float) -> None:
    edges = {(k, k + 1): 1.0 + k % 5 for k in range(count - 1)}
    network = Network(count, edges, floor=floor + 1.0)
    network.search(0.5)
    assert len(network.asked) <= MOST_STEPS
    assert len(set(network.asked)) == len(network.asked)


def test_where_float32_holds_the_search_ends_within_the_budget() -> None:
    """Every tensor costs more than is allowed, so no block may be in int8: nothing less than everything in float holds."""
    network = Network(40, {(k, k + 1): 2.0 for k in range(39)}, floor=1.0)
    outcome = network.search(1.5)
    assert outcome.best.holds
    assert outcome.best.blocks == frozenset(range(40))
    assert outcome.best.what == "everything in float"


def test_trouble_everywhere_leaves_the_parts_in_float_that_cost_most() -> None:
    """A little in every tensor, most of it in the first and in the last quarter: errors whose squares add up."""
    costs = {(k, k + 1): 3.0 if k < 10 or k >= 30 else 0.2 for k in range(39)}
    network = Network(40, costs, floor=0.0)
    network.drop = lambda chosen: (  # type: ignore[method-assign]
        sum(cost**2 for ends, cost in costs.items() if not set(ends) <= chosen) ** 0.5
    )
    outcome = network.search(5.0)
    assert outcome.best.holds
    assert {*range(5), *range(35, 40)} <= outcome.best.blocks
    assert not outcome.best.blocks & set(range(15, 25))


def test_the_last_blocks_stay_in_float_where_that_helped_and_the_parts_come_to_them() -> None:
    network = Network(40, {(38, 39): 6.0, **{(k, k + 1): 0.9 for k in range(10)}})
    outcome = network.search(1.0)
    assert outcome.best.holds
    assert {38, 39} <= outcome.best.blocks
    assert outcome.best.blocks <= {*range(15), 38, 39}
    assert any(step.what == "the first 10 blocks and the last 2 in float" for step in outcome.steps)


def test_a_bad_tensor_that_enters_a_part_takes_the_block_that_writes_it() -> None:
    """Parts of five blocks; no noise tells of the tensor between the fourth and the fifth of them."""
    network = Network(40, {(19, 20): 30.0})
    network.losses = lambda step: {}  # type: ignore[method-assign]
    outcome = network.search(1.0)
    assert outcome.best.holds
    assert {19, 20} <= outcome.best.blocks <= frozenset(range(19, 25))


def test_peeling_that_does_not_help_is_given_up_after_two_blocks() -> None:
    """The noise points at ten blocks that cost no mask, one after the other."""
    network = Network(40, {(k, k + 1): 2.0 for k in range(20, 39)})
    network.losses = lambda step: {k: 9.0 for k in range(10) if k not in step.blocks}  # type: ignore[method-assign]
    outcome = network.search(1.0)
    assert sum("and what feeds it" in step.what for step in outcome.steps) == 2
    assert outcome.best.holds


def test_an_interruption_keeps_the_best_so_far() -> None:
    network = Network(12, {(10, 11): 20.0, (4, 5): 9.0})

    def stop(step: Step, _: Step) -> None:
        if step.number == 3:
            raise KeyboardInterrupt

    outcome = network.search(0.5, stop)
    assert outcome.interrupted
    assert len(outcome.steps) == 3
    assert outcome.best.score.drop_points == min(network.drop(chosen) for chosen in network.asked)


def test_an_interruption_before_anything_was_measured_is_passed_on() -> None:
    def attempt(*_: object) -> Score:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(chain(3), lambda _: {}, attempt, 0.5, lambda *_: None)


def test_every_step_is_told_with_the_best_so_far() -> None:
    told: list[tuple[int, float]] = []
    outcome = Network(12, {(4, 5): 9.0}).search(
        0.5, lambda step, best: told.append((step.number, best.score.drop_points))
    )
    assert [number for number, _ in told] == [step.number for step in outcome.steps]
    lowest = [min(s.score.drop_points for s in outcome.steps[: k + 1]) for k in range(len(outcome.steps))]
    first = next(k for k, step in enumerate(outcome.steps) if step.holds)
    assert [drop for _, drop in told[:first]] == lowest[:first]


# what is said of the end: how much stays in float, and whether that is an int8 file at all

WEIGHTS = (100, 100, 800)


def budget(*chosen: int, drop: float = 0.5) -> Budget:
    """Three convolutions, of 10, 10 and 80 % of the weights; those `chosen` are in float."""
    blocks = chain(3, dict(enumerate(WEIGHTS)))
    score = Score(iou=1 - drop / 100, drop_points=drop, boundary_f=1.0, size_bytes=1, invoke_p50_ms=1.0)
    step = Step(number=1, what="some in float", blocks=frozenset(chosen), score=score, holds=drop <= 1)
    return Budget(points=1.0, against="the masks", outcome=Outcome(steps=(step,), best=step), blocks=blocks)


def test_everything_in_int8() -> None:
    assert budget().verdict == (
        "everything in int8: loses 0.500 points of IoU against the masks, within the 1 allowed, after 1 quantization"
    )


@pytest.mark.parametrize(("chosen", "share", "hardly"), [((0,), 10, False), ((0, 1), 20, False), ((1, 2), 90, True)])
def test_the_share_of_the_weights_in_float_is_said_and_what_is_hardly_int8(
    chosen: tuple[int, ...], share: int, hardly: bool
) -> None:
    found = budget(*chosen)
    assert f" with {share} % of the weights left in float: loses 0.500 points" in found.verdict
    assert found.hardly_int8 is hardly
    assert found.verdict.endswith("hardly an int8 file, float32 or float16 may do as well") is hardly
    assert found.to_json()["float_share"] == share / 100


def test_a_budget_that_does_not_hold_is_not_called_hardly_int8() -> None:
    assert budget(1, 2, drop=3.0).verdict == (
        "nothing of 1 quantization stays within 1 points; nearest came step 1, 2 operators with 90 % of the weights left in "
        "float: loses 3.000 points of IoU against the masks"
    )


def test_where_everything_in_float_is_over_the_budget_too_the_bytes_are_named() -> None:
    assert budget(0, 1, 2, drop=3.0).verdict.endswith(
        "3 operators with 100 % of the weights left in float: loses 3.000 points of IoU against the masks; that is what the "
        "picture's and the mask's bytes cost by themselves, allow more"
    )

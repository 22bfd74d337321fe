"""From the ratios of tensors to the losses of blocks."""

from __future__ import annotations

import math

import pytest

from segexport.quantize.budget.noise import CLEAN_DB, block_losses, decibels, neighbours, operator_noise
from segexport.tflite.graph import Operator, logit_tensor, split_into_blocks


def operator(index: int, kind: str, name: str, *inputs: str, weights: int = 0) -> Operator:
    return Operator(index=index, kind=kind, name=name, inputs=inputs, outputs=(name,), weight_bytes=weights)


# image → a → pool → b ─┐ concat → c → logistic, with a skip from a
GRAPH = (
    operator(0, "QUANTIZE", "q", "image"),
    operator(1, "CONV_2D", "a", "q", weights=10),
    operator(2, "MAX_POOL_2D", "pool", "a"),
    operator(3, "DEPTHWISE_CONV_2D", "b", "pool", weights=20),
    operator(4, "CONCATENATION", "both", "b", "a"),
    operator(5, "CONV_2D", "c", "both", weights=5),
    operator(6, "LOGISTIC", "p", "c"),
)


def test_a_block_begins_with_weights_and_ends_before_the_next() -> None:
    blocks = split_into_blocks(GRAPH)
    assert [block.names for block in blocks] == [("q", "a", "pool"), ("b", "both"), ("c", "p")]
    assert [block.weight_bytes for block in blocks] == [10, 20, 5]


def test_a_graph_without_weights_is_one_block() -> None:
    assert len(split_into_blocks(GRAPH[2:3])) == 1


def test_blocks_know_which_others_feed_them() -> None:
    assert neighbours(split_into_blocks(GRAPH)) == {0: frozenset(), 1: {0}, 2: {1}}


@pytest.mark.parametrize(("ratio", "db"), [(1.0, 0.0), (1000.0, 30.0), (0.1, -10.0)])
def test_a_power_ratio_in_decibels(ratio: float, db: float) -> None:
    assert decibels(ratio) == pytest.approx(db)


@pytest.mark.parametrize(
    ("ratio", "db"), [(0.0, -CLEAN_DB), (math.nan, -CLEAN_DB), (math.inf, CLEAN_DB), (1e99, CLEAN_DB)]
)
def test_odd_ratios_stay_on_the_scale(ratio: float, db: float) -> None:
    assert decibels(ratio) == db


def test_noise_that_came_in_is_no_loss_of_the_block() -> None:
    snr = {"q": 1e5, "a": 1e4, "pool": 1e4, "b": 1e4, "both": 1e4, "c": 10.0, "p": 10.0}
    assert block_losses(split_into_blocks(GRAPH), snr) == pytest.approx({0: CLEAN_DB - 40, 1: 0.0, 2: 30.0})


def test_operators_without_a_ratio_are_left_out() -> None:
    found = operator_noise(GRAPH, {"a": 100.0, "p": 1.0})
    assert [(one.index, one.operator, one.snr_db) for one in found] == [(1, "CONV_2D", 20.0), (6, "LOGISTIC", 0.0)]


def test_the_logit_is_what_the_last_sigmoid_reads() -> None:
    assert logit_tensor(GRAPH) == "c"
    assert logit_tensor(GRAPH[:-1]) is None

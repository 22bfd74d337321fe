"""The bins of an adaptive pool, of which there are as many as lines in its output."""

from __future__ import annotations

from collections.abc import Sequence

from torch.fx import Node

from segexport.convert.torch_rewrites.pools import Pair, size_of


def bins_of(size: int, bins: int) -> list[Pair]:
    """First line and number of lines of each bin; they overlap where `bins` does not divide `size`."""
    edges = [(index * size // bins, -(-(index + 1) * size // bins)) for index in range(bins)]
    return [(first, end - first) for first, end in edges]


def plain_window(size: Pair, target: Pair) -> tuple[Pair, Pair] | None:
    """Kernel and stride of the plain pool with the same bins; None where there is none."""
    axes = [_window(bins_of(lines, bins)) for lines, bins in zip(size, target, strict=True)]
    (rows, columns) = axes
    return None if rows is None or columns is None else ((rows[0], columns[0]), (rows[1], columns[1]))


def wanted_of(node: Node) -> tuple[Node, Pair, Pair] | None:
    """What an `aten.adaptive_…_pool2d` pools, the size of that, and to which it is pooled; None of it in its place stays."""
    source, wanted = node.args[0], node.args[1]
    if not isinstance(source, Node) or not isinstance(wanted, list | tuple):
        return None
    size = size_of(source)
    rows, columns = (int(n) if isinstance(n, int) else size[axis] for axis, n in enumerate(wanted))
    return source, size, (rows, columns)


def _window(bins: Sequence[Pair]) -> Pair | None:
    (first, count), *others = bins
    stride = others[0][0] - first if others else count
    regular = stride > 0 and all(found == (index * stride, count) for index, found in enumerate(bins))
    return (count, stride) if regular else None

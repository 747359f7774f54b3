"""Signed clusters of series: a hedge belongs with what it hedges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, choice, number, symmetric

__all__ = ["Clusters", "cluster"]

Linkage = Literal["average", "single", "complete"]

LINKAGES: Final = ("average", "single", "complete")  # those whose merges never come closer again
DEFAULT_THRESHOLD: Final = 0.70


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """A partition of N series into groups that move together, or against each other.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        From 0 on, numbered by the smallest index in each cluster.
    signs : ndarray of int, shape (N,)
        +1 for a member that moves with the first member of its cluster, -1 for one that moves against it.
    """

    labels: NDArray[np.intp]
    signs: NDArray[np.intp]


def cluster(
    correlation: ArrayLike,
    threshold: float | None = None,
    n_clusters: int | None = None,
    linkage: Linkage = "average",
) -> Clusters:
    """Signed clusters of series by the size of their correlation.

    Series are joined by hierarchical clustering on the distance sqrt(0.5 * (1 - |rho|)), so that a hedge
    belongs to the cluster of what it hedges, with the opposite sign.

    Parameters
    ----------
    correlation : array_like of shape (N, N)
        Symmetric, in [-1, 1], with a unit diagonal.
    threshold : float, optional
        |rho| in (0, 1) at whose distance the tree is cut; 0.70 if `n_clusters` isn't given either.
    n_clusters : int, optional
        Exact number of clusters, in [1, N]; instead of `threshold`.
    linkage : {'average', 'single', 'complete'}

    Returns
    -------
    Clusters

    Raises
    ------
    InvalidReturns, UndefinedMeasure

    References
    ----------
    Mantegna (1999), European Physical Journal B 11; Lopez de Prado (2016), Journal of Portfolio
    Management 42(4), section 4.
    """
    choice(linkage, "linkage", LINKAGES)
    rho = _valid_correlation(correlation)
    count = len(rho)
    cut, merges = _cut(threshold, n_clusters, count)
    if count == 1:
        return Clusters(np.zeros(1, dtype=np.intp), np.ones(1, dtype=np.intp))
    tree = _tree(rho, linkage)
    joined = int(np.searchsorted(tree[:, 2], cut, side="right")) if merges is None else merges
    labels, first = _labels(tree[:joined, :2].astype(np.intp), count)
    signs = np.where(rho[np.arange(count), first[labels]] >= 0.0, 1, -1)
    return Clusters(labels, signs.astype(np.intp))


def _valid_correlation(values: ArrayLike) -> FloatArray:
    rho = symmetric(values, "correlation")
    if float(np.abs(rho).max()) > 1.0 + 1e-8 or float(np.abs(rho.diagonal() - 1.0).max()) > 1e-8:
        raise InvalidReturns("correlation must lie in [-1, 1] with a diagonal of 1")
    return rho


def _cut(threshold: float | None, n_clusters: int | None, count: int) -> tuple[float, int | None]:
    """Distance at which the tree is cut, or the number of merges that leaves `n_clusters`."""
    if n_clusters is None:
        level = DEFAULT_THRESHOLD if threshold is None else number(threshold, "threshold", 0.0, 1.0)
        return float(np.sqrt(0.5 * (1.0 - level))), None
    if threshold is not None:
        raise UndefinedMeasure("give either threshold or n_clusters, not both")
    wanted = number(n_clusters, "n_clusters", 1, count, closed=True)
    if wanted != int(wanted):
        raise InvalidReturns(f"n_clusters must be a whole number, not {n_clusters}")
    return 0.0, count - int(wanted)


def _tree(rho: FloatArray, linkage: Linkage) -> FloatArray:
    from scipy.cluster import hierarchy  # noqa: PLC0415 - slow to import, needed by clusters only
    from scipy.spatial.distance import squareform  # noqa: PLC0415 - comes with it

    distance = np.sqrt(np.maximum(0.5 * (1.0 - np.abs(rho)), 0.0))
    np.fill_diagonal(distance, 0.0)
    return np.asarray(hierarchy.linkage(squareform(distance, checks=False), method=linkage), dtype=np.float64)


def _labels(merges: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Labels after some merges, numbered by first appearance, and the first member of each."""
    root = list(range(count + len(merges)))
    for step in range(len(merges) - 1, -1, -1):
        left, right = merges[step]
        root[left] = root[right] = root[count + step]
    _, first, labels = np.unique(root[:count], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[labels], np.sort(first)

"""Clusters keep their labels from one refit to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.risk_model import with_stable_labels


def members(model):
    """Names of each label."""
    found = {}
    for symbol, column in model.columns.items():
        found.setdefault(model.cluster[column], set()).add(symbol)
    return found


def test_permuted_labels_are_put_back(foundation):
    old = foundation.model
    labels = sorted(set(old.cluster))
    other = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    fresh = replace(old, cluster=tuple(other[label] for label in old.cluster))
    assert fresh.cluster != old.cluster
    assert with_stable_labels(fresh, old).cluster == old.cluster


def test_a_cluster_that_loses_its_first_member_keeps_its_label(foundation):
    old = foundation.model
    label, names = max(members(old).items(), key=lambda item: len(item[1]))
    assert len(names) > 2
    first = min(old.columns[name] for name in names)
    fresh_labels = list(old.cluster)
    for column, now in enumerate(old.cluster):
        if now == label:
            fresh_labels[column] = 900 if column != first else 901
    matched = with_stable_labels(replace(old, cluster=tuple(fresh_labels)), old)
    kept = {matched.cluster[old.columns[name]] for name in names if old.columns[name] != first}
    assert kept == {label}
    assert matched.cluster[first] not in set(old.cluster)


def test_two_clusters_that_merge_take_the_label_of_the_larger(foundation):
    old = foundation.model
    (large, big), (small, few) = sorted(members(old).items(), key=lambda item: -len(item[1]))[:2]
    assert len(big) > len(few)
    merged = replace(old, cluster=tuple(large if label == small else label for label in old.cluster))
    matched = with_stable_labels(merged, old)
    assert {matched.cluster[old.columns[name]] for name in big | few} == {large}


@pytest.mark.parametrize("shift", [0, 7, 500])
def test_a_managers_labels_do_not_move_with_a_refit(foundation, shift):
    manager = AdvancedRiskManager.on(foundation)
    before = manager.state.model.cluster
    moved = replace(foundation.model, cluster=tuple(label + shift for label in foundation.model.cluster))
    manager.use_model(moved)
    assert manager.state.model.cluster == before

"""Undo, redo and jump on the chain of versions: against a model that keeps trees in a plain list, and by example."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sessions_app import history


@dataclass(frozen=True)
class V:
    number: int
    restores: int | None = None


def fold(*restores: int | None) -> history.History:
    return history.fold([V(number, target) for number, target in enumerate(restores, 1)])


def test_without_versions_there_is_nothing_to_undo_or_redo() -> None:
    assert (fold().current, fold().undo, fold().redo) == (None, None, None)


def test_one_undo_after_another_walks_back_and_redo_walks_forward() -> None:
    assert fold(None, None, None).undo == 2
    assert fold(None, None, None, 2).undo == 1
    assert fold(None, None, None, 2, 1).undo is None
    assert fold(None, None, None, 2, 1).redo == 2
    assert fold(None, None, None, 2, 1, 2).redo == 3


def test_a_turn_after_undo_takes_away_redo_but_not_the_versions() -> None:
    after = fold(None, None, 1, None)
    assert (after.line, after.redo, after.undo) == ((1, 4), None, 1)


def test_a_jump_to_an_abandoned_branch_can_be_undone() -> None:
    after = fold(None, None, 1, None, 2)
    assert (after.current, after.undo) == (2, 4)


def test_restoring_a_restore_means_the_tree_it_repeats() -> None:
    assert fold(None, None, 1, None, 3).current == 1


class Chain(RuleBasedStateMachine):
    """A person turns, undoes, redoes and jumps; the model is a list of trees and a cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[V] = []
        self.trees: dict[int, int] = {}  # version -> tree
        self.line: list[int] = []
        self.cursor = -1
        self.serial = 0

    def _commit(self, tree: int, restores: int | None = None) -> None:
        number = len(self.versions) + 1
        self.versions.append(V(number, restores))
        self.trees[number] = tree

    def _put(self, tree: int) -> None:
        del self.line[self.cursor + 1 :]
        self.line.append(tree)
        self.cursor += 1

    @rule()
    def turn(self) -> None:
        self.serial += 1
        self._commit(self.serial)
        self._put(self.serial)

    @precondition(lambda self: self.cursor > 0)
    @rule()
    def undo(self) -> None:
        target = history.fold(self.versions).undo
        assert target is not None
        self.cursor -= 1
        assert self.trees[target] == self.line[self.cursor]
        self._commit(self.trees[target], target)

    @precondition(lambda self: self.cursor + 1 < len(self.line))
    @rule()
    def redo(self) -> None:
        target = history.fold(self.versions).redo
        assert target is not None
        self.cursor += 1
        assert self.trees[target] == self.line[self.cursor]
        self._commit(self.trees[target], target)

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def jump(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.versions)).number
        tree = self.trees[target]
        self._commit(tree, target)
        if tree in self.line:
            self.cursor = self.line.index(tree)
        else:
            self._put(tree)

    @invariant()
    def the_fold_agrees_with_the_model(self) -> None:
        folded = history.fold(self.versions)
        assert [self.trees[number] for number in folded.line] == self.line
        assert (folded.undo is not None) == (self.cursor > 0)
        assert (folded.redo is not None) == (0 <= self.cursor < len(self.line) - 1)
        if folded.current is not None:
            assert self.trees[folded.current] == self.trees[self.versions[-1].number]


Chain.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestChain = Chain.TestCase

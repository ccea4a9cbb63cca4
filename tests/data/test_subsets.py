import jax
import numpy as np
import pytest

from memorize_jax.data import GROUPS, Group, PermutedLabels, example_groups, manifold_indices, permute_labels

TEST_LABELS = np.array([2, 0, 1])


def groups_at(fraction):
    labels = permute_labels(np.arange(90) % 3, fraction, key=jax.random.key(0), num_classes=3)
    return labels, example_groups(labels, TEST_LABELS)


def choose(group, num_classes=3, examples_per_class=10, seed=0, **options):
    return manifold_indices(
        group, num_classes=num_classes, examples_per_class=examples_per_class, key=jax.random.key(seed), **options
    )


def evenly(num, num_classes=3, offset=1000):
    return Group(np.arange(num) + offset, np.arange(num) % num_classes)


def test_the_four_groups_of_the_paper_and_their_labels():
    labels, groups = groups_at(0.4)
    assert tuple(groups) == GROUPS == ("unpermuted", "permuted", "restored", "test")
    both = np.concatenate([groups["unpermuted"].indices, groups["permuted"].indices])
    np.testing.assert_array_equal(np.sort(both), np.arange(90))
    assert len(groups["permuted"].indices) == 36
    np.testing.assert_array_equal(groups["restored"].indices, groups["permuted"].indices)
    for name, expected in (("permuted", labels.assigned), ("unpermuted", labels.true), ("restored", labels.true)):
        np.testing.assert_array_equal(groups[name].labels, expected[groups[name].indices])
    np.testing.assert_array_equal(groups["unpermuted"].labels, labels.assigned[groups["unpermuted"].indices])
    assert np.any(groups["restored"].labels != groups["permuted"].labels)
    assert groups["test"].indices.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(groups["test"].labels, TEST_LABELS)
    # An example that got its own label back is permuted.
    labels = PermutedLabels(np.array([0, 1]), np.array([0, 1]), np.array([True, False]))
    groups = example_groups(labels, TEST_LABELS)
    assert groups["permuted"].indices.tolist() == [0]
    assert groups["unpermuted"].indices.tolist() == [1]


@pytest.mark.parametrize(("fraction", "sizes"), [(0.0, [90, 0, 0, 3]), (1.0, [0, 90, 90, 3])])
def test_groups_are_empty_where_all_labels_are_permuted_or_none(fraction, sizes):
    assert [len(group.indices) for group in groups_at(fraction)[1].values()] == sizes


@pytest.mark.parametrize("num", [30, 90])
def test_a_manifold_holds_m_distinct_examples_of_its_class(num):
    group = evenly(num)
    chosen = choose(group, max_classes=8)
    assert chosen.shape == (3, 10)
    for label, members in enumerate(chosen):
        assert len(set(members)) == 10
        assert set(members) <= set(group.indices[group.labels == label])


def test_the_key_decides_which_examples_and_other_classes_do_not():
    group = evenly(90)
    np.testing.assert_array_equal(choose(group, seed=5), choose(group, seed=5))
    assert np.any(choose(group, seed=5) != choose(group, seed=6))
    without = group.labels != 0
    alone = Group(
        np.append(group.indices[without], np.arange(10)),
        np.append(group.labels[without], np.zeros(10, int)),
    )
    np.testing.assert_array_equal(choose(group)[1:], choose(alone)[1:])


def test_max_classes_takes_whole_classes_in_increasing_order_and_the_same_of_every_group():
    group = evenly(200, num_classes=20)
    chosen = choose(group, 20, max_classes=6)
    labels = (chosen - 1000) % 20
    assert chosen.shape == (6, 10)
    assert np.all(labels == labels[:, :1])
    assert np.all(np.diff(labels[:, 0]) > 0)
    np.testing.assert_array_equal(chosen, choose(group, 20, max_classes=6))
    np.testing.assert_array_equal(chosen, choose(group, 20)[labels[:, 0]])
    np.testing.assert_array_equal((choose(evenly(400, 20), 20, 5, max_classes=6)[:, 0] - 1000) % 20, labels[:, 0])


def test_too_few_examples_names_group_class_and_count_and_none_are_no_choice():
    group = Group(np.arange(27), np.array([0] * 12 + [1] * 4 + [2] * 11))
    with pytest.raises(ValueError, match=r"at least 10 restored examples in every class, got 4 in class 1.* to 4 or"):
        choose(group, name="restored")
    with pytest.raises(ValueError, match=r"1 in class 1.*; no manifold has fewer than 2$"):
        choose(Group(np.arange(13), np.array([0] * 12 + [1])))
    # The worst are named, and a hundred classes do not make a page.
    many = Group(np.arange(60), np.repeat(np.arange(12), [6] * 5 + [3] * 4 + [6] * 3))
    with pytest.raises(ValueError, match=r"got 6 in class 0, .*6 in class 3, 3 in class 5, .* and 4 more; "):
        choose(many, 12)
    for name in ("examples_per_class", "max_classes"):
        with pytest.raises(ValueError, match=f"expected {name} >= 1, got 0"):
            choose(evenly(90), **{name: 0})


def test_other_choices_are_of_the_same_classes_and_of_other_examples_as_long_as_there_are_any():
    labels = np.repeat(np.arange(6), 8)
    group = Group(np.arange(48), labels.astype(np.int32))
    chosen = [choose(group, 6, 3, max_classes=4, repeat=repeat) for repeat in range(4)]
    np.testing.assert_array_equal(chosen[0], choose(group, 6, 3, max_classes=4))
    for own in chosen:
        np.testing.assert_array_equal(labels[own], np.repeat(labels[chosen[0][:, :1]], 3, axis=1))
        assert all(len(set(row)) == 3 for row in own.tolist())
    # Eight examples are two choices of three that share none; the third is in another order.
    assert not set(chosen[0].ravel()) & set(chosen[1].ravel())
    assert any(set(one) not in (set(first), set(second)) for first, second, one in zip(*chosen[:3], strict=True))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (Group(np.arange(30), np.arange(30) % 4), "expected labels of group between 0 and 2, got 3"),
        (Group(np.arange(30), np.arange(30) % 3 - 1), "expected labels of group between 0 and 2, got -1"),
        (Group(np.arange(29), np.arange(30) % 3), "expected a label for each of 29 indices, got 30"),
    ],
)
def test_labels_that_do_not_fit_are_refused(group, message):
    with pytest.raises(ValueError, match=message):
        choose(group, examples_per_class=3)

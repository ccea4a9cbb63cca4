"""Rewinding of networks of other libraries: what happens to their BatchNorm is what the row says."""

import numpy as np
import pytest

from memorize_jax.runs.watched import evaluate_watched
from tests.measurements.rewinding.normed import LIBRARIES
from tests.watching import made
from tests.watching.test_watch import watch_in

# What of the layer comes from the earlier epoch: scale and offset, running statistics.
POLICIES = {"with_layer": (True, True), "keep": (False, False), "rewind_stats_only": (False, True)}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_row_is_of_the_network_that_the_library_itself_makes_of_both(library, tmp_path):
    one = LIBRARIES[library]()
    watch = watch_in(tmp_path / "run", one.network, layers=[one.layer])
    watch(0, one.early)
    watch(1, one.final)
    run, losses = watch.run, {}
    network = run.model()
    for bn, (scale, statistics) in POLICIES.items():
        table = watch.measure("rewinding", bn=bn, rewind_layers=one.layer, rewind_epochs="0")
        by_hand = network.split(one.mixed(True, scale, statistics))
        expected = evaluate_watched(network, by_hand, run.splits, run.labels)
        assert table["bn"].tolist() == [bn]
        np.testing.assert_allclose(table["loss"], expected["loss"], rtol=1e-6)
        losses[bn] = round(expected["loss"], 4)
    # Without scale and offset there is nothing of the norm but its statistics.
    assert len(set(losses.values())) == (2 if library == "linen_without_scale" else 3)


@pytest.mark.parametrize("bn", ["keep", "rewind_stats_only"])
def test_a_function_whose_norms_are_not_known_is_refused(bn, tmp_path):
    one = made.function()
    watch = watch_in(tmp_path / "run", one.network)
    watch(0, one.model)
    with pytest.raises(ValueError, match=f"expected bn=with_layer for a network that is a function .* got {bn}"):
        watch.measure("rewinding", bn=bn)

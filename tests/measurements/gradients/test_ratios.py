import pandas as pd

from memorize_jax.measurements.gradients.ratios import ratio_range


def test_the_range_of_a_ratio_names_its_layers():
    norms = {("a", "unpermuted"): 6.0, ("a", "permuted"): 2.0, ("b", "unpermuted"): 1.0, ("b", "permuted"): 4.0}
    rows = [
        {"epoch": 0, "layer": layer, "group": group, "part": "dep", "squared_norm": norm}
        for (layer, group), norm in norms.items()
    ]
    found = ratio_range(pd.DataFrame(rows), 0, ("unpermuted", "dep"), ("permuted", "dep"))
    assert found == (0, 0.25, "b", 3.0, "a", 1, 2)
    assert ratio_range(pd.DataFrame(rows), 0, ("unpermuted", "dep"), ("permuted", "ind")) is None
    rows[1]["squared_norm"] = 0.0
    assert ratio_range(pd.DataFrame(rows), 0, ("unpermuted", "dep"), ("permuted", "dep")) is None

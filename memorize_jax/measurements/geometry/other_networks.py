"""Figures A.4, A.6 and A.7: what the paper says of one network or one data set."""

from memorize_jax.claims.evidence import NotTestable, by_layer, require_named
from memorize_jax.claims.geometries import JOINT
from memorize_jax.claims.manifolds import NEAR_BOUND, bound_multiples
from memorize_jax.claims.statement import NOTICEABLE, Statement, above, below, stating

# Two convolutions each.
LAYERS_OF_LAST_BLOCKS = 4
STATEMENTS: list[Statement] = []
of_input = stating(STATEMENTS, needs=("geometry",))
by_joint = stating(STATEMENTS, needs=("metrics", "geometry"), by=JOINT, every_seed=True)


@of_input(
    "A.4",
    "The centers of the synthetic spheres are nearly uncorrelated at the input.",
    "center correlation of test manifolds at the input",
    below(NOTICEABLE, "a tenth; pairs of opposite centers alone give up to one over the number of classes less one"),
)
def _spheres_start_uncorrelated(evidence):
    require_named(evidence.dataset, "data set", "spheres", "spheres_small")
    rows = evidence.tables["geometry"]
    rows = rows[(rows["layer"] == "input") & (rows["group"] == "test")]
    if rows.empty or rows["center_correlation"].isna().any():
        raise NotTestable("the input was not measured")
    return float(rows["center_correlation"].iloc[0])


@by_joint(
    "A.6",
    "In ResNet18 permuted manifolds stay at the lower bound up to the last two residual blocks, also at the end.",
    "permuted capacity in units of 2/M at the final epoch, the highest of any layer before these blocks",
    below(NEAR_BOUND, "a quarter, as at the best epoch"),
)
def _resnet_memorizes_in_last_blocks(evidence):
    require_named(evidence.model, "network", "resnet18", "resnet18_tiny")
    evidence.require("memorized")
    multiples = bound_multiples(evidence.at_stage("geometry", "final"), evidence.hidden)
    before, within = multiples[:-LAYERS_OF_LAST_BLOCKS], multiples[-LAYERS_OF_LAST_BLOCKS:]
    if within.max() < NEAR_BOUND:
        raise NotTestable("permuted manifolds are at the lower bound in the last two blocks as well")
    return float(before.max())


@by_joint(
    "A.7",
    "On Tiny ImageNet test manifolds are easier to separate than training manifolds in many layers.",
    "share of the hidden layers where, at the best epoch, test capacity exceeds unpermuted capacity",
    above(0.5, "more layers than not"),
)
def _tiny_test_easier_than_train(evidence):
    require_named(evidence.dataset, "data set", "tiny_imagenet")
    evidence.require("unpermuted labels", "peak")
    rows = evidence.at_stage("geometry", "best")
    test, unpermuted = (by_layer(rows, group, "capacity", evidence.hidden) for group in ("test", "unpermuted"))
    return float((test > unpermuted).mean())

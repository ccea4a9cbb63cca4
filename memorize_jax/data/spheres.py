"""The paper's synthetic manifolds (appendix A.5): spheres around centers that come in antipodal pairs."""

import numpy as np

from memorize_jax.data.splits import Split, Splits
from memorize_jax.whole import check_whole


def make_spheres(
    *,
    num_classes: int = 100,
    num_features: int = 1024,
    sphere_dimension: int = 30,
    radius: float = 5.0,
    train_per_class: int = 500,
    test_per_class: int = 100,
    span: str = "with_center",
    seed: int = 0,
    name: str = "spheres",
) -> Splits:
    """Samples points uniformly from spheres with centers +e_k and -e_k: images [n, D] float32, ordered by class.

    The span of each sphere holds its own center axis and d - 1 random directions. Of the readings of A.5 it is the one
    that fits all its statements: classes overlap exactly when radius > 1, and the pair's shared axis separates them
    only partly (86 % at the defaults). `span="random"` draws all directions at random, which makes that axis separate
    the pair perfectly.

    Args:
      num_classes: even.
      sphere_dimension: d, dimension of each sphere's span.
      radius: in units of the distance between a center and the origin.
      span: "with_center" or "random".
    """
    if num_classes % 2 or num_classes < 2:
        raise ValueError(f"expected an even number of classes (centers come in pairs), got {num_classes}")
    check_whole("sphere_dimension", sphere_dimension, least=1)
    check_whole("train_per_class", train_per_class, least=1)
    check_whole("test_per_class", test_per_class, least=0)
    if not 0 <= radius < np.inf:
        raise ValueError(f"expected radius >= 0, got {radius}")
    if span not in ("with_center", "random"):
        raise ValueError(f"expected span to be 'with_center' or 'random', got {span!r}")
    if num_features < (least := max(num_classes // 2, sphere_dimension)):
        of = f"{num_classes} classes and {sphere_dimension} dimensions"
        raise ValueError(f"expected at least {least} features for {of}, got {num_features}")
    rng = np.random.default_rng(seed)
    per_class = train_per_class + test_per_class
    points = np.empty((num_classes, per_class, num_features), np.float32)
    for label in range(num_classes):
        axis = label // 2
        directions = rng.standard_normal((num_features, sphere_dimension))
        if span == "with_center":
            directions[axis] = directions[:, 0] = 0
            directions[axis, 0] = 1
        basis = np.linalg.qr(directions)[0]
        on_sphere = rng.standard_normal((per_class, sphere_dimension))
        on_sphere *= radius / np.linalg.norm(on_sphere, axis=1, keepdims=True)
        points[label] = on_sphere @ basis.T
        points[label, :, axis] += 1 if label % 2 == 0 else -1

    def split(start, stop):
        labels = np.repeat(np.arange(num_classes, dtype=np.int32), stop - start)
        return Split(points[:, start:stop].reshape(-1, num_features), labels, num_classes, name)

    return Splits(split(0, train_per_class), split(train_per_class, per_class))


def make_small() -> Splits:
    """A set of the same kind at CPU size."""
    return make_spheres(
        num_classes=20,
        num_features=128,
        sphere_dimension=10,
        train_per_class=200,
        test_per_class=50,
        name="spheres_small",
    )

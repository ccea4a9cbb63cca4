"""MNIST-1D (Greydanus and Kobak, 2024): sequences of 40 numbers in 10 classes, made here without a download.

The ten templates, the constants and the order of the random draws are facts of the package mnist1d 0.0.2.post1
(github.com/greydanus/mnist1d, Apache-2.0, by Sam Greydanus and Peter Steinbach), so that these arrays equal its own.
"""

import numpy as np
from jaxtyping import Float64, Int32

from memorize_jax.data.splits import Split, Splits

# One row for each class, the heights of a line that looks like the digit.
TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
NUM_CLASSES, TEMPLATE_LENGTH = TEMPLATES.shape
# Zeros put behind a template, fewest and most.
PADDING = (36, 60)
PADDED_LENGTH = TEMPLATE_LENGTH + PADDING[1]
LENGTH = 40
MAX_TRANSLATION = 48
SCALE, SHEAR = 0.4, 0.75
# Deviations of the noise: smoothed where the template is not, and independent everywhere.
SMOOTHED_NOISE, SMOOTHING, INDEPENDENT_NOISE = 0.25, 2, 0.02
SEED = 42


def dilated_templates() -> Float64[np.ndarray, "classes paddings padded"]:
    """Standardizes the templates, lets them begin at zero, pads them in all ways and stretches all to one length."""
    templates = TEMPLATES - TEMPLATES.mean(1, keepdims=True)
    templates /= templates.std(1, keepdims=True)
    templates -= templates[:, :1]
    # The small number tells the template's own zeros from those of the padding.
    templates = templates / 6 + 1e-8
    positions = np.linspace(0, 1, PADDED_LENGTH)
    return np.array(
        [
            [
                np.interp(positions, np.linspace(0, 1, TEMPLATE_LENGTH + zeros), np.pad(template, (0, zeros)))
                for zeros in range(PADDING[0], PADDING[1] + 1)
            ]
            for template in templates
        ]
    )


def make_sequences(
    num_examples: int, *, seed: int = SEED
) -> tuple[Float64[np.ndarray, "n 40"], Int32[np.ndarray, " n"]]:
    """Makes shuffled sequences, as many of each class, together of mean 0 and deviation 1; and their labels.

    Each is a padded and stretched template, scaled, moved round, with noise, sheared and read at 40 positions. NumPy's
    global random numbers are neither used nor changed.
    """
    if num_examples < NUM_CLASSES or num_examples % NUM_CLASSES:
        raise ValueError(f"expected a multiple of {NUM_CLASSES} examples, as many of each class, got {num_examples}")
    from scipy.ndimage import gaussian_filter1d

    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.int32), num_examples // NUM_CLASSES)
    paddings, shifts = np.empty((2, num_examples), int)
    scales, shears = np.empty((2, num_examples, 1))
    noise = np.empty((2, num_examples, PADDED_LENGTH))
    # One example after the other: how many numbers a draw takes depends on those drawn.
    for number in range(num_examples):
        paddings[number] = rng.rand() * (PADDING[1] - PADDING[0] + 1)
        scales[number] = rng.rand()
        shifts[number] = rng.randint(MAX_TRANSLATION)
        noise[:, number] = rng.randn(2, PADDED_LENGTH)
        shears[number] = rng.rand()
    sequences = dilated_templates()[labels, paddings] * (1 + SCALE * (scales - 0.5))
    columns = (np.arange(PADDED_LENGTH) - shifts[:, None]) % PADDED_LENGTH
    sequences = np.take_along_axis(sequences, columns, axis=1)
    smoothed = gaussian_filter1d(SMOOTHED_NOISE * noise[0], SMOOTHING)
    sequences = np.where(sequences != 0, sequences, smoothed) + INDEPENDENT_NOISE * noise[1]
    sequences -= SHEAR * (shears - 0.5) * np.linspace(-0.5, 0.5, PADDED_LENGTH)
    positions, ends = np.linspace(0, 1, PADDED_LENGTH), np.linspace(0, 1, LENGTH)
    sequences = np.stack([np.interp(ends, positions, sequence) for sequence in sequences])
    order = rng.permutation(num_examples)
    sequences = sequences[order]
    return (sequences - sequences.mean()) / sequences.std(), labels[order]


def load(name: str = "mnist1d", num_train: int = 4000, num_test: int = 1000) -> Splits:
    """Makes sequences [n, 40] float32: the first num_train are for training, the others for test."""
    sequences, labels = make_sequences(num_train + num_test)
    images = sequences.astype(np.float32)
    return Splits(
        Split(images[:num_train], labels[:num_train], NUM_CLASSES, name),
        Split(images[num_train:], labels[num_train:], NUM_CLASSES, name),
    )

"""What all networks of the paper share: parts by name, numerics, initialization."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Shaped

from memorize_jax.models.batch_norm import BatchNorm
from memorize_jax.models.convolution import convolve
from memorize_jax.models.initializers import kernel_and_bias_init
from memorize_jax.models.layers import norm_name

Inputs = Float[Array | np.ndarray, "n ..."]
Images = Float[Array | np.ndarray, "n height width channels"]
Logits = Float[Array, "n num_classes"]
# Zero or False for examples that the statistics of a batch leave out.
Mask = Shaped[Array | np.ndarray, " n"]


class Network(nn.Module):
    """Base of the networks.

    A layer's kernel and bias are stored under the layer's own name, its BatchNorm under `<name>_bn`; its activation
    is sown in the collection "intermediates" as `<name>_out`.

    Attributes:
      width: scales the number of units of every layer.
      dtype: of the computation; parameters and logits are float32 or wider.
      initialization: see `initializers`.
      axis_name: of the devices that share a batch when training under `pmap`; not used by init and evaluation.
    """

    num_classes: int
    width: int
    dtype: DTypeLike = jnp.float32
    initialization: str = "lecun"
    axis_name: str | None = None

    def record(self, x: Float[Array, "n ..."], name: str) -> Float[Array, "n ..."]:
        """Sows the activation of a layer for analyses; gives it back."""
        self.sow("intermediates", f"{name}_out", x)
        return x

    def linear(self, x: Inputs, features: int, name: str, *, bias: bool = True) -> Float[Array, "n features"]:
        """Applies a linear layer."""
        return nn.Dense(features, use_bias=bias, name=name, **self._options(x.shape[-1]))(x)

    def conv(
        self, x: Images, features: int, size: int, name: str, *, stride: int = 1, bias: bool = True
    ) -> Float[Array, "n rows columns features"]:
        """Applies a convolution, padded by size // 2 on every side.

        Written out because XLA's "SAME" pads a strided convolution on one side only, PyTorch on both.
        """
        options = {"strides": stride, "padding": size // 2, "conv_general_dilated": convolve}
        options |= self._options(size * size * x.shape[-1])
        return nn.Conv(features, (size, size), use_bias=bias, name=name, **options)(x)

    def _options(self, fan_in):
        kernel_init, bias_init = kernel_and_bias_init(self.initialization, fan_in)
        kinds = {"dtype": self.dtype, "param_dtype": self._wide}
        return {"kernel_init": kernel_init, "bias_init": bias_init, **kinds}

    def conv_norm(
        self, x: Images, features: int, size: int, name: str, train: bool, mask: Mask | None, stride: int = 1
    ) -> Float[Array, "n rows columns features"]:
        """Applies a convolution and its BatchNorm; the offset of the latter stands for the bias of the former.

        A bias of its own would have a zero gradient, whose rounding errors Adam would scale up to full steps.
        """
        x = self.conv(x, features, size, name, stride=stride, bias=False)
        return BatchNorm(dtype=self.dtype, axis_name=self.axis_name, name=norm_name(name))(x, train, mask)

    def logits(self, x: Inputs, name: str, *, bias: bool = True) -> Logits:
        """Applies the last layer; the loss is never computed in half precision."""
        return self.record(self.linear(x, self.num_classes, name, bias=bias).astype(self._wide), name)

    @property
    def _wide(self):
        return jnp.promote_types(self.dtype, jnp.float32)

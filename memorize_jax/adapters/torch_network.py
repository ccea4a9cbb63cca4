"""Networks of PyTorch as measurements read them: they run on the host, or their own device, and are called from JAX."""

import copy
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memorize_jax.adapters.answers import answer_among, check_answers
from memorize_jax.adapters.network import WatchedNetwork, holders_of_state, modules_of_layers
from memorize_jax.torch.batches import Batch
from memorize_jax.torch.hooks import call_name
from memorize_jax.torch.library import torch
from memorize_jax.torch.network import RandomNumbers, at_rest, input_device, input_dtype, unwrapped
from memorize_jax.torch.outputs import tensor_of, tensors_of
from memorize_jax.torch.reading import look_ahead, reader_of

ANSWER = "output"


def adapt(
    model: Any,
    sample: Any,
    *,
    given: Any,
    layers: str | Sequence[str],
    program: str | None,
    num_classes: int | None,
) -> WatchedNetwork:
    """See `adapt.adapt`; the model is copied, so that what is read never disturbs its training."""
    if given is not None:
        raise ValueError("expected no network= with a model of PyTorch, which applies itself, or MODULE:NAME")
    twin = copy.deepcopy(unwrapped(model)).eval()
    start = _batch(sample, twin)
    _, calls = look_ahead(twin, start, None)
    returned = _returned(twin, start)
    answer = answer_among({name: tensor.shape for name, tensor in returned.items()}, num_classes)
    check_answers(answer, returned[answer].shape, len(sample), num_classes)
    wanted = [name for name in layers if name != ANSWER] if not isinstance(layers, str) else layers
    reader = reader_of(twin, calls, wanted, "flatten", call=None, seed=0, dtype=np.dtype("float32"))
    run = lambda inputs: _run(twin, reader, _batch(inputs, twin), answer)
    shown = run(sample)
    names = list(shown)
    # The last layer may be what the network returns.
    if len(names) > 1 and np.array_equal(shown[names[-2]], shown[ANSWER]):
        names.remove(ANSWER)
    widths = {name: shown[name].shape[1:] for name in names}
    order = list(dict.fromkeys([name for call in calls for name in (call.name, call_name(call.name, call.number))]))
    held = split(twin)
    modules, state = (
        modules_of_layers(order, names, holders, ".") for holders in (list(held["params"]), holders_of_state(held))
    )
    lock = threading.Lock()

    def on_host(variables, inputs):
        with lock:
            fill(twin, jax.tree.map(np.asarray, variables))
            found = run(np.asarray(inputs))
        return {name: found[name] for name in names}

    def show(variables, inputs):
        num = inputs.shape[0]
        shapes = {name: jax.ShapeDtypeStruct((num, *width), np.float32) for name, width in widths.items()}
        return jax.pure_callback(on_host, shapes, variables, inputs, vmap_method="sequential")

    def merge(variables, into=None):
        filled = copy.deepcopy(twin) if into is None else into
        fill(unwrapped(filled), variables)
        return filled

    def itself(model, inputs):
        own = unwrapped(model)
        return {names[-1]: _values(_returned(own, _batch(inputs, own))[answer])}

    return WatchedNetwork("torch", modules, lambda model: split(unwrapped(model)), merge, show, program, state, itself)


def split(model: Any) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Takes a model apart: {"params": {module: {name: array}}, "batch_stats": the same of its buffers}.

    The modules are named as in `named_modules`; what belongs to the model itself stands under "~". A parameter or
    buffer that several modules share is with the first of them. bfloat16 becomes float32, which holds all its values.
    """
    trained = {name for name, _ in model.named_parameters()}
    shared = _shared(model)
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {"params": {}, "batch_stats": {}}
    for name, tensor in model.state_dict().items():
        if name in shared:
            continue
        module, _, leaf = name.rpartition(".")
        tensor = tensor.detach().cpu()
        values = tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
        kind = "params" if name in trained else "batch_stats"
        found[kind].setdefault(module or "~", {})[leaf] = values.numpy().copy()
    return found


def _shared(model) -> dict[str, str]:
    """Other name of a parameter or buffer that several modules share -> the name that stands for it."""
    # The tensors themselves, not what is detached of them; only those that are stored.
    every = model.state_dict(keep_vars=True)
    first = {id(tensor): name for name, tensor in reversed(every.items())}
    return {name: first[id(tensor)] for name, tensor in every.items() if name != first[id(tensor)]}


def fill(model: Any, variables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Puts arrays as `split` gives them into a model, in place; raises ValueError unless they are of such a model."""
    given = {
        f"{module}.{leaf}".removeprefix("~."): torch.from_numpy(np.array(value))
        for part in variables.values()
        for module, own in part.items()
        for leaf, value in own.items()
    }
    # All names are asked for, and of two for one tensor the last would win.
    given |= {name: given[one] for name, one in _shared(model).items() if one in given}
    try:
        model.load_state_dict(given)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"expected the parameters of such a model, got others ({reason})") from error


def _batch(inputs, model):
    """Inputs where the model is; floating ones of the kind that its parameters are."""
    # bfloat16 of JAX is none of NumPy's kinds.
    values = np.array(inputs, np.float32 if inputs.dtype.kind == "V" else None)
    tensor = torch.from_numpy(values).to(device=input_device(model, None))
    if tensor.is_floating_point():
        tensor = tensor.to(dtype=input_dtype(model))
    return Batch((tensor,), {}, None, None, len(tensor), 0)


def _returned(model, batch):
    """Name -> tensor that a model returns in evaluation mode; its mode and all random numbers stay what they are."""
    with RandomNumbers(model), at_rest(model):
        return tensors_of(model(*batch.args), ANSWER)


def _run(twin, reader, batch, answer):
    """The layers of a batch, and the answers among what the model returns."""
    answers = []
    take = lambda module, inputs, output: answers.append(_values(tensors_of(output, ANSWER)[answer]))
    handle = twin.register_forward_hook(take)
    try:
        shown = reader(batch)
    finally:
        handle.remove()
    return {name: np.asarray(own).reshape(len(own), -1) for name, own in {**shown, ANSWER: answers[-1]}.items()}


def _values(tensor):
    return tensor_of(tensor, ANSWER).to("cpu").float().numpy().copy()

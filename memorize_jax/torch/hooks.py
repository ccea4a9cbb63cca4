"""Outputs of modules by their names, and by the count of their calls, during one pass through a network."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from memorize_jax.torch.batches import Batch
from memorize_jax.torch.network import at_rest


def call_name(name: str, call: int) -> str:
    """What a call of a module is named: "relu" the first, "relu#2" the second."""
    return name if call == 1 else f"{name}#{call}"


def run_with_hooks(
    model: Any,
    modules: Mapping[str, Any],
    batch: Batch,
    take: Callable[[str, int, Any, Any], None],
    call: Callable | None,
) -> None:
    """Runs the network once and gives every output to `take(name, number of the call, module, output)`, in order.

    At once, before anything that follows can change the output in place. The network is in evaluation mode meanwhile;
    hooks and modes are as before when this returns or raises.

    Raises:
      ValueError: the network refuses the batch.
    """
    counts = dict.fromkeys(modules, 0)
    problems = []

    def hook(name):
        def keep(module, _, output):
            counts[name] += 1
            try:
                take(name, counts[name], module, output)
            except ValueError as error:
                problems.append(error)
                raise

        return keep

    handles = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook(name)))
        with at_rest(model):
            if call is None:
                model(*batch.args, **batch.kwargs)
            else:
                call(model, batch.args[0])
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError) as error:
        if problems:
            raise problems[0] from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"the network refuses batch {batch.place}, inputs {described_inputs(batch)}: {reason}; try "
            "model(...) on it by hand; call= says how to run a batch, batch_size= makes it smaller"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


def described_inputs(batch: Batch) -> str:
    """Kind and shape of what the network is given."""
    named = [("", each) for each in batch.args] + [(f"{key} ", each) for key, each in batch.kwargs.items()]
    return ", ".join(f"{key}{_described(each)}" for key, each in named)


def _described(value):
    if not hasattr(value, "shape"):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)} on {getattr(value, 'device', 'the host')}"


def names_of(model: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """All modules by their first name, and further names of shared modules -> the first."""
    modules = {name: module for name, module in model.named_modules() if name}
    first = {id(module): name for name, module in modules.items()}
    everything: Iterable = model.named_modules(remove_duplicate=False)
    return modules, {
        name: first[id(module)] for name, module in everything if name and name not in modules and id(module) in first
    }

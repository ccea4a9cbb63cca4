"""How costs grow, and what follows for ImageNet: a thousand classes, fifty layers, a thousand epochs kept.

    python -m benchmarks.scaling            # prints, five minutes
    python -m benchmarks.scaling --write    # into docs/performance.md

Seconds are of the processor. What is said about sizes that were not run is on the line through the largest that was.
"""

from absl import app, flags

from benchmarks import document
from benchmarks.growth import Growth, all_growths
from benchmarks.imagenet import imagenet_section
from benchmarks.tables import table

MODULE = "benchmarks.scaling"
FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the tables into docs/performance.md")


def growth_section(growths: list[Growth]) -> str:
    """The slopes; Markdown."""
    records = []
    for own in growths:
        others = ", ".join(f"{name} {value}" for name, value in own.base.items()) or "-"
        steps = {"values": ", ".join(map(str, own.values)), "CPU s": ", ".join(f"{each:.3g}" for each in own.seconds)}
        records.append({"part": own.part, "grows with": own.size, "others": others, **steps, "exponent": own.slope})
    return f"""### Growth

One size changes, the others stay. The exponent is that of processor seconds against the size, by least squares on logarithms; what does not
grow in these sizes, such as the time of a call, lowers it.

{table(records)}
"""


def main(argv: list[str]) -> None:
    """Measures, and prints or writes."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    growths = []
    for growth in all_growths():
        print(growth, flush=True)
        growths.append(growth)
    document.finish(MODULE, [growth_section(growths), imagenet_section(growths)], write_too=FLAGS.write)


if __name__ == "__main__":
    app.run(main)

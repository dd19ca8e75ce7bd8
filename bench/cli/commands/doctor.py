"""`doctor`: a diagnosis of a person's own model."""

import re
from pathlib import Path

from tyro.conf import Positional

from bench.cli.console import console
from bench.cli.terminal import diagnosis_texts


def doctor(
    typed: str,
    model: Positional[str],
    data: str,
    loss: str | None = None,
    objective: str | None = None,
    parameters: str | None = None,
    examples: int = 128,
    out: str | None = None,
) -> int:
    """Diagnose a model of your own: what is wrong with one pass of it, and the line where.

    Args:
        typed: The command itself.
        model: package.module:make_model or file.py:make_model, a function that returns a Flax NNX module, a pair of a
            Linen module and its variables, a pair of an apply function and its parameters, a training state, or any
            callable pytree.
        data: An .npy file, examples along its first axis; an .npz file, whose arrays go to the arguments of their
            names; or file.py:make_batch.
        loss: package.module:loss or file.py:loss, of the outputs or of outputs and batch; without one, a fixed random
            unit vector is pulled back from the output.
        objective: The whole loss instead, of model (or parameters), batch and, if it asks for one, a key.
        parameters: Trained parameters: safetensors, Flax's msgpack or an Orbax folder.
        examples: How many of the examples to use, the first ones.
        out: Where to write the page; by default results/doctor/NAME.
    """
    from bench.examination.own_model import examine
    from bench.report.doctor_page import write_diagnosis

    case = examine(model, data, loss=loss, objective=objective, parameters=parameters, examples=examples, command=typed)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", model.removeprefix("./")).strip("-.")
    page = write_diagnosis(case, Path(out) if out is not None else Path("results", "doctor", name))
    screen = console()
    for text in diagnosis_texts(case):
        screen.print(text)
    print(f"{page} is the page")
    return 0

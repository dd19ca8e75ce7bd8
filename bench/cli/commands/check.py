"""`check`: the admission test of remedies."""

import os
from pathlib import Path

from tyro.conf import Positional

from bench.cli.console import console, print_json
from bench.cli.plugins import with_plugins
from bench.cli.terminal import outcome_line
from bench.data.fetching.places import use_folder
from bench.language.errors import InputError, unknown


def check(*what: Positional[str], timing: bool = True, data_dir: str | None = None, json: bool = False) -> int:
    """Run the admission test on remedies, and say what passed.

    Args:
        what: Python files, folders of them, or names of remedies; without any, all remedies that are there.
        timing: Measure the time of a step too.
        data_dir: A folder that has data sets with a name already; by default the one that VAE_JAX_DATA names.
        json: Print as JSON.
    """
    from bench.data.cache import cache
    from bench.execution.device import find_device
    from bench.execution.process import configure_process

    use_folder(data_dir)
    names = [each for each in what if not _is_path(each)]
    plugins, catalogue = with_plugins(tuple(each for each in what if _is_path(each)), data=True)
    for name in names:
        if name not in catalogue.remedies:
            raise unknown("remedy", name, catalogue.remedies, "python -m bench list remedies")
    if plugins and not catalogue.from_plugins:
        raise InputError(f"{' and '.join(plugins)}: no remedy to check; what is checked is made by @remedy")
    configure_process(find_device(None).platform, None, str(cache()))
    from bench.examination.admission import Admission

    chosen = dict.fromkeys([*names, *catalogue.from_plugins]) or catalogue.remedies
    admission, screen, outcomes = Admission(catalogue, plugins, timing), console(), []
    for name in chosen:
        for outcome in admission.results(name):
            outcomes.append(outcome)
            if not json:
                screen.print(outcome_line(outcome, max(map(len, chosen))), highlight=False)
    failed = dict.fromkeys(outcome.remedy for outcome in outcomes if outcome.status == "failed")
    if json:
        print_json([vars(outcome) for outcome in outcomes])
    else:
        print(f"{len(chosen) - len(failed)} of {len(chosen)} passed" + (f"; not {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _is_path(text: str) -> bool:
    return text.endswith(".py") or os.sep in text or Path(text).is_dir()

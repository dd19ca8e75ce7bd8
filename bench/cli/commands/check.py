"""`check`: the admission test of remedies and workloads."""

import os
from pathlib import Path

from tyro.conf import Positional

from bench.cli.console import console, print_json
from bench.cli.plugins import with_plugins
from bench.cli.terminal import outcome_line
from bench.data.fetching.places import use_folder
from bench.language.errors import InputError, unknown


def check(*what: Positional[str], timing: bool = True, data_dir: str | None = None, json: bool = False) -> int:
    """Run the admission test on remedies and workloads, and say what passed.

    Args:
        what: Python files, folders of them, or names of remedies and workloads; without any, all that are there.
        timing: Measure the time of a remedy's step too.
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
        if name not in catalogue.remedies and name not in catalogue.workloads:
            there = {**catalogue.remedies, **catalogue.workloads}
            raise unknown("remedy or workload", name, there, "python -m bench list remedies, or workloads,")
    own = (*catalogue.own_workloads, *catalogue.from_plugins)
    if plugins and not own:
        raise InputError(
            f"{' and '.join(plugins)}: no remedy or workload to check; what is checked is made by @remedy or @workload"
        )
    configure_process(find_device(None).platform, None, str(cache()))
    from bench.examination.admission import Admission
    from bench.examination.workload_admission import workload_results

    chosen = dict.fromkeys([*names, *own]) or dict.fromkeys([*catalogue.workloads, *catalogue.remedies])
    admission, screen, outcomes = Admission(catalogue, plugins, timing), console(), []
    for name in chosen:
        is_remedy = name in catalogue.remedies
        for outcome in admission.results(name) if is_remedy else workload_results(catalogue, name, plugins):
            outcomes.append(outcome)
            if not json:
                screen.print(outcome_line(outcome, max(map(len, chosen))), highlight=False)
    failed = dict.fromkeys(outcome.name for outcome in outcomes if outcome.status == "failed")
    if json:
        print_json([vars(outcome) for outcome in outcomes])
    else:
        print(f"{len(chosen) - len(failed)} of {len(chosen)} passed" + (f"; not {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _is_path(text: str) -> bool:
    return text.endswith(".py") or os.sep in text or Path(text).is_dir()

"""`list`: what can be named."""

from tyro.conf import Positional, UseAppendAction

from bench.cli.console import console, print_json
from bench.cli.plugins import with_plugins
from bench.cli.terminal import described_texts, entries_table, remedies_table, remedy_texts
from bench.data.fetching.places import use_folder
from bench.language.errors import InputError, unknown

_LISTINGS = ("remedies", "workloads", "suites", "instruments")


def list_(
    what: Positional[str],
    name: Positional[str | None] = None,
    family: str | None = None,
    plugin: UseAppendAction[tuple[str, ...]] = (),
    data_dir: str | None = None,
    json: bool = False,
    markdown: bool = False,
) -> int:
    """List what can be named: remedies, workloads, suites or instruments.

    Args:
        what: remedies, workloads, suites or instruments.
        name: One remedy, to be shown in full.
        family: Only remedies of this family.
        plugin: A Python file, or a folder of them, whose remedies, workloads and instruments are listed too.
        data_dir: A folder that has data sets with a name already; by default the one that VAE_JAX_DATA names.
        json: Print as JSON.
        markdown: Print remedies as the page REMEDIES.md.
    """
    if what not in _LISTINGS:
        raise unknown("listing", what, _LISTINGS)
    if what != "remedies" and (name is not None or markdown):
        given = "--markdown" if markdown else f"a name, {name!r},"
        raise InputError(f"{given} goes with list remedies: {what} are always listed whole, as a table or as JSON")
    from bench.planning.listing import list_entries, remedies_markdown, remedy_entry

    use_folder(data_dir)
    _, catalogue = with_plugins(plugin, data=what == "workloads")
    entries = [remedy_entry(catalogue, name)] if name is not None else list_entries(catalogue, what, family)
    screen = console()
    if json:
        print_json(entries if name is None else entries[0])
    elif markdown:
        print(remedies_markdown(entries), end="")
    elif name is not None:
        for text in remedy_texts(entries[0]):
            screen.print(text, highlight=False)
    elif what in ("workloads", "suites"):
        for text in described_texts(entries):
            screen.print(text, highlight=False)
    else:
        screen.print(remedies_table(entries) if what == "remedies" else entries_table(entries))
    return 0

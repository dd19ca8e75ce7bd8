"""`data`: data sets with a name: which there are, fetched, and verified."""

from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from bench.cli.console import complain, console, print_json
from bench.cli.progress import bytes_bar
from bench.cli.terminal import entries_table
from bench.language.errors import InputError, unknown

if TYPE_CHECKING:
    # What fetches imports a library for it, and --help does not.
    from bench.data.fetching.data_file import DataFile
    from bench.data.named_data import NamedData

_ACTIONS = ("list", "fetch", "verify")


def data(what: Positional[str], *names: Positional[str], data_dir: str | None = None, json: bool = False) -> int:
    """Data sets with a name: list them, fetch what is not here, or verify what is.

    Args:
        what: list, fetch or verify.
        names: Of data sets; without any, all.
        data_dir: A folder that has data sets already, looked at first and never written to; by default the one that the
            environment variable VAE_JAX_DATA names.
        json: Print what is listed or verified as JSON.
    """
    if what not in _ACTIONS:
        raise unknown("action on data", what, _ACTIONS)
    if json and what == "fetch":
        raise InputError("--json goes with data list and data verify: fetch writes files, and lists none")
    from bench.data.fetching.places import named_folder
    from bench.data.listing import find_sets

    chosen, folder = find_sets(names), named_folder(data_dir)
    if what == "fetch":
        return _fetch(chosen, folder)
    return _list(chosen, folder, json) if what == "list" else _verify(chosen, folder, json)


def _list(chosen: "list[NamedData]", folder: Path | None, json: bool) -> int:
    from bench.data.fetching.places import cache_folder

    entries = [
        {
            "name": each.name,
            "kind": each.kind,
            "examples": f"{each.examples:,}",
            "size": _size(each.size) if each.files else "",
            "licence": each.licence,
            "where": _where(each, folder),
        }
        for each in chosen
    ]
    if json:
        about = [{"examples": each.examples, "bytes": each.size, "description": each.description} for each in chosen]
        print_json([{**entry, **more} for entry, more in zip(entries, about, strict=True)])
        return 0
    console().print(entries_table(entries))
    for name, place in (("folder", folder), ("cache", cache_folder())):
        if place is not None:
            print(f"{name}: {place}")
    return 0


def _fetch(chosen: "list[NamedData]", folder: Path | None) -> int:
    failed = 0
    for each in chosen:
        try:
            _fetch_one(each, folder)
        except InputError as error:
            # The others may be had elsewhere.
            complain(f"error: {each.name}: {error}")
            failed = 2
    return failed


def _fetch_one(each: "NamedData", folder: Path | None) -> None:
    from bench.data.fetching.download import download
    from bench.data.fetching.places import cache_folder

    cache = cache_folder()
    files = [file for file in each.files if _is_needed(file, folder, cache)]
    if not files:
        print(f"{each.name}: nothing to fetch, {_where(each, folder)}")
        return
    total, done = sum(file.size for file in files), 0
    print(f"{each.name}: {_size(total)} in {len(files)} file{'s' * (len(files) != 1)}, into {cache}", flush=True)
    with bytes_bar(console(), each.name, total) as show:
        for file in files:
            # Where another address is tried, the count of a file begins again.
            download(file, cache, lambda count, before=done: show(before + count))
            done += file.size
    print(f"{each.name}: fetched and verified")


def _verify(chosen: "list[NamedData]", folder: Path | None, json: bool) -> int:
    from bench.data.fetching.places import find

    entries = []
    for each in chosen:
        for file in each.files:
            path, said = find(file, folder), "ok"
            try:
                if path is None:
                    said = f"not here: run python -m bench data fetch {each.name}"
                else:
                    file.content(path)
            except InputError as error:
                said = str(error)
            entries.append({"name": each.name, "file": file.path, "path": path and str(path), "said": said})
    wrong = [entry for entry in entries if entry["path"] and entry["said"] != "ok"]
    if json:
        print_json(entries)
        return 1 if wrong else 0
    for entry in entries:
        if entry in wrong:
            complain(f"{entry['name']}: {entry['said']}")
        else:
            console().print(
                f"{entry['name']}: {entry['file']}: {entry['said']}", markup=False, highlight=False, soft_wrap=True
            )
    here = [entry for entry in entries if entry["path"]]
    print(f"{len(here) - len(wrong)} of {len(here)} files that are here are what they should be")
    return 1 if wrong else 0


def _is_needed(file: "DataFile", folder: Path | None, cache: Path) -> bool:
    """Whether a file must be fetched; one that is damaged in a person's own folder is not, and raises."""
    from bench.data.fetching.places import find

    path = find(file, folder)
    if path is None:
        return True
    try:
        file.content(path)
    except InputError:
        if not path.is_relative_to(cache):
            raise
        return True
    return False


def _where(each: "NamedData", folder: Path | None) -> str:
    if not each.files:
        return "built in"
    from bench.data.fetching.places import find

    found = [find(file, folder) for file in each.files]
    there = [path for path in found if path is not None]
    if len(there) < len(found):
        return f"{len(there)} of {len(found)} files" if there else "not here"
    return "folder" if folder is not None and all(path.is_relative_to(folder) for path in there) else "cache"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"

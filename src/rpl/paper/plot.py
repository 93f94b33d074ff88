"""Everything that ``rpl paper plot`` writes, from the results alone."""

from collections.abc import Container, Mapping
from pathlib import Path

from rpl.errors import UnreadableFile, whole_file
from rpl.paper.ablations import ABLATIONS
from rpl.paper.figures import draw_all
from rpl.paper.pages import ablation_overview, ablation_tables, first_claim, second_claim
from rpl.paper.results import Results
from rpl.paper.tables import (
    across_tasks,
    full_table,
    readme_table,
    summary_csv,
    variants_table,
)

PICTURES = Path("images") / "paper"
HOOKS = ("noisy-hook", "complex-hook")
SEVERAL_SEEDS = [ablation for ablation in ABLATIONS if ablation.seeds > 1]


def write_all(
    results_folder: Path, docs: Path, readme: Path, left_out: Container[Path] = ()
) -> list[Path]:
    """Draws the figures and rewrites the marked sections of the pages; returns the files.

    Args:
        results_folder: the folder of results; ``summary.csv`` is written there.
        docs: where pictures and pages go; a page that is missing begins empty.
        readme: the page for the short table; left alone if it is missing.
        left_out: rows of results that do not count.

    Raises:
        ValueError: if a page exists without its marked section.
    """
    if not results_folder.is_dir():
        raise UnreadableFile(f"there is no folder {results_folder}; name one with --results")
    results = Results(results_folder, left_out)
    written = draw_all(results, docs / PICTURES, ABLATIONS)
    summary = results_folder / "summary.csv"
    with whole_file(summary) as beside:
        beside.write_text(summary_csv(results))
    pages = {docs / name: texts for name, texts in _sections(results).items()}
    if readme.exists():
        pages[readme] = {"results": readme_table(results)}
    for page, texts in pages.items():
        rewrite_sections(page, texts)
    return [*written, summary, *pages]


def _sections(results: Results) -> dict[str, dict[str, str]]:
    """What is written into the pages of docs, by page and section."""
    overview = ablation_overview(results, SEVERAL_SEEDS, PICTURES.as_posix())
    details = ablation_tables(results, ABLATIONS, (".." / PICTURES).as_posix())
    return {
        "results.md": {
            "first-claim": first_claim(results),
            "second-claim": second_claim(results),
            "across-tasks": across_tasks(results),
        },
        "hooks.md": {"hooks": variants_table(results, HOOKS)},
        "ablations.md": {"ablations": overview},
        "notebook/ablations.md": {"ablations": details},
        "notebook/results.md": {"table": full_table(results)},
    }


def rewrite_sections(page: Path, texts: Mapping[str, str]) -> None:
    """Replaces what stands between ``<!-- name -->`` and ``<!-- /name -->`` for each name.

    A page that does not exist is made of the sections alone.

    Raises:
        ValueError: if the page has no such section.
    """
    marks = {name: (f"<!-- {name} -->", f"<!-- /{name} -->") for name in texts}
    empty = "\n".join(f"{begin}\n{end}\n" for begin, end in marks.values())
    content = page.read_text() if page.exists() else empty
    for name, (begin, end) in marks.items():
        before, found, rest = content.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise UnreadableFile(f"{page} has no section between {begin} and {end}: put them in")
        content = f"{before}{begin}\n\n{texts[name]}\n{end}{after}"
    with whole_file(page) as beside:
        beside.write_text(content)

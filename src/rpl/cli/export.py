"""``rpl export``: a policy as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from rpl.cli.options import require_suffix


def export(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")],
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT.onnx")],
    checkpoint: Literal["deployed", "best", "last"] = "deployed",
) -> int:
    """Writes a run's policy as an ONNX file: it needs neither this project nor its simulator.

    Args:
        run: The run folder.
        out: The file to write.
        checkpoint: Which of the run's policies.
    """
    require_suffix(out, "OUT", ".onnx")
    from rpl.api import load
    from rpl.deploy.export import export as write

    policy = load(run, checkpoint)
    difference = write(policy, out)
    inputs = ", ".join([*policy.widths, *(["controller_action"] if policy.is_residual else [])])
    Console().print(
        f"wrote {out}: {inputs} -> action; at most {difference:.1e} from the learner",
        soft_wrap=True,
        highlight=False,
    )
    if policy.remark:
        Console(stderr=True).print(policy.remark, soft_wrap=True)
    return 0

"""``rpl export``: a policy as one ONNX file."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from rpl.cli.options import require_suffix
from rpl.cli.output import say


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
    say(f"wrote {out}: {inputs} -> action; at most {difference:.1e} from the learner")
    if policy.remark:
        say(policy.remark, error=True)
    return 0

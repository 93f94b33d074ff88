"""Runs as trials of Ray Tune (extra ``[cluster]``): on a cluster, or with Ray on this machine.

A trial whose machine is lost begins again on another and goes on from its run's checkpoint, for
which the run folders are on a disk that all machines share.
"""

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rpl.errors import RunError
from rpl.runs.files import read_rows
from rpl.sweeps.local import TICK, Observer
from rpl.sweeps.progress import level_of
from rpl.sweeps.space import Values
from rpl.sweeps.worker import Job, RunProcess, wait_for_lock
from rpl.training.interruption import SIGNALS

KNOCKING = 10.0  # seconds
RETRIES = 5  # times that a run is begun again elsewhere when its machine is lost
SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # runs keep their own records
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # whoever watches has one
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
UNKNOWN = {"environment_steps": 0, "level": float("nan")}
ON_NODES = {"RAY_kill_child_processes_on_worker_exit": "0"}  # runs save and leave by themselves


def require_tune() -> None:
    """Makes Ray Tune and Optuna ready to be imported.

    Raises:
        RunError: if they are not installed.
    """
    os.environ.update(SETTINGS)  # which Ray reads when it is imported
    try:
        import optuna
        from ray import tune  # noqa: F401
    except ImportError as error:
        raise RunError("this needs Ray Tune and Optuna: pip install -e '.[cluster]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a cluster, as ``ray.init`` takes its address; ``local`` starts one here.

    Raises:
        RunError: if Ray is not installed, or nobody answers.
    """
    if address == "local":
        # Despite its name: without it Ray listens on every interface, not on loopback alone.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    require_tune()
    import ray

    _knock(address)
    local: Values = {"include_dashboard": False} if address == "local" else {}
    local |= {"runtime_env": {"env_vars": ON_NODES}}
    try:
        with _signals_as_they_are():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Ray would end the process at a signal that is to stop the runs with all saved."""
    here = threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in SIGNALS} if here else {}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _knock(address: str) -> None:
    """Ray itself would wait for minutes before it says that nobody is there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return  # auto, local, ray://...: Ray knows
    try:
        socket.create_connection((host, int(port)), timeout=KNOCKING).close()
    except OSError as error:
        raise RunError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


def make_on_ray(jobs: Sequence[Job], address: str, threads: int, observer: Observer) -> bool:
    """Makes the runs in their order, as many at a time as there are ``threads`` cores for.

    Returns:
        Whether it came to the end, and was not stopped.

    Raises:
        RunError: if Ray is not installed, or nobody answers.
    """
    with connected(address):
        from ray import tune

        return fit(_job_itself, {"job": tune.grid_search(list(jobs))}, threads, observer)


def _job_itself(values: Values) -> Job:
    return values["job"]


def fit(
    job_of: Callable[[Values], Job],
    space: Values | None,
    threads: int,
    observer: Observer,
    begun: Callable[[Values], None] = lambda values: None,
    **config: Any,
) -> bool:
    """Runs trials of Ray Tune until there are no more, or the observer wants them stopped.

    Args:
        job_of: a trial's run; it is sent to the machines.
        space: of Ray Tune; None where a search of ``config`` has its own.
        threads: cores of a trial.
        observer: is told of every trial's end.
        begun: is told of every trial's values when it begins.
        config: of ``ray.tune.TuneConfig``.

    Returns:
        Whether it came to the end, and was not stopped.
    """
    from ray import tune

    trial = tune.with_parameters(_run_trial, job_of=job_of, threads=threads)
    names = dict.fromkeys(("trial_name_creator", "trial_dirname_creator"), _name_of)
    telling, stopper = _between(job_of, observer, begun)
    with tempfile.TemporaryDirectory(prefix="rpl-sweep-") as place:
        tune.Tuner(
            tune.with_resources(trial, {"cpu": threads}),
            param_space=space,
            tune_config=tune.TuneConfig(**names, **config),
            run_config=tune.RunConfig(
                storage_path=place,
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                callbacks=[telling],
                stop=stopper,
                verbose=0,
            ),
        ).fit()
    return not stopper.stop_all()


def _name_of(trial: Any) -> str:
    return trial.trial_id


class _Here:
    """Who is told of the trials, which does not leave this process.

    Ray Tune's own records are written with all that it was given, and never read back.
    """

    def __init__(self, observer: Observer | None, begun: Callable[[Values], None] | None) -> None:
        self.observer: Any = observer
        self.begun: Any = begun

    def __reduce__(self) -> tuple[type, tuple[None, None]]:
        return _Here, (None, None)


def _between(
    job_of: Callable[[Values], Job],
    observer: Observer,
    begun: Callable[[Values], None],
) -> tuple[Any, Any]:
    """What tells the observer of the trials, and what tells Ray Tune when he wants an end."""
    from ray import tune

    here = _Here(observer, begun)

    class Telling(tune.Callback):
        next_look, stop = 0.0, False

        def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
            if time.monotonic() >= self.next_look:
                self.stop = here.observer.on_tick() or self.stop
                self.next_look = time.monotonic() + TICK

        def on_trial_start(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            here.begun(trial.config)

        def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            if not self.stop:
                here.observer.on_end(job_of(trial.config), trial.last_result.get("failed"))

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            error = str(trial.get_error() or "lost").strip().splitlines()[-1]
            here.observer.on_end(job_of(trial.config), f"lost: {error}")

    class Stopping(tune.Stopper):
        def __call__(self, trial_id: str, result: Values) -> bool:
            return False

        def stop_all(self) -> bool:
            return telling.stop

    telling = Telling()
    return telling, Stopping()


def _run_trial(values: Values, job_of: Callable[[Values], Job], threads: int) -> None:
    """Makes a trial's run, or goes on with it, and reports how far it is."""
    from ray import tune

    job, pool = job_of(values), str(threads)
    if not job.place.is_dir():
        tune.report(UNKNOWN | {"failed": f"{job.place} is not on every machine: share its disk"})
        return
    if not wait_for_lock(job.folder):
        raise RuntimeError(f"{job.folder} is in use by another process")
    # A node has many trials: each computes with its share of the cores.
    process = RunProcess(job, threads, {"NPROC": pool, "OMP_NUM_THREADS": pool})
    while not process.ended(TICK):
        if standing := _standing(job):
            tune.report(standing)
    error = process.error or ""
    if error.startswith("killed"):
        raise RuntimeError(error)
    tune.report(UNKNOWN | _standing(job) | ({"failed": error} if error else {}))


def _standing(job: Job) -> Values:
    """For Ray Tune: a run's environment steps and its level; nothing before it has one."""
    rows = read_rows(job.folder / "metrics.csv")
    level = level_of(job.folder, rows)
    if level is None:
        return {}
    return {"environment_steps": int(rows[-1]["environment_steps"]), "level": level}

"""Controllers: observations to actions, in batches. Nothing is learned, no episode is played."""

from rpl.controllers.cached import CachedPETS, CachedPolicy
from rpl.controllers.discrete_mpc import DiscreteMPCPush
from rpl.controllers.hook import ReactiveHook
from rpl.controllers.pick_and_place import ReactivePickAndPlace
from rpl.controllers.push import ReactivePush

__all__ = [
    "CachedPETS",
    "CachedPolicy",
    "DiscreteMPCPush",
    "ReactiveHook",
    "ReactivePickAndPlace",
    "ReactivePush",
]

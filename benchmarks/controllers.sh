#!/usr/bin/env bash
# The level of every hand-made controller under both physics; writes results/controllers.csv.
set -euo pipefail
cd "$(dirname "$0")/.."
rpl=${RPL:-.venv/bin/rpl}
out=results/controllers.csv
echo "task,controller,options,physics,episodes,success,low,high" > "$out"
level() { # task, controller, options
  for physics in exact lean; do
    # shellcheck disable=SC2086
    "$rpl" eval "$1" --controller "$2" $3 --task.physics "$physics" --episodes 500 --json |
      .venv/bin/python -c "
import json, sys
r = json.load(sys.stdin); c = r['controller']
low, high = c['success_interval']
print('$1,$2,$3,$physics', r['episodes'], c['success_rate'], f'{low:.3f}', f'{high:.3f}', sep=',')
" | tee -a "$out"
  done
}
level push reactive-push ""
level slippery-push reactive-push ""
level pick-and-place reactive-pick-and-place "--controller.carrying-gain 10"
level pick-and-place reactive-pick-and-place "--controller.carrying-gain 100"
level hook reactive-hook ""
level noisy-hook reactive-hook ""
level complex-hook reactive-hook ""
level complex-hook reactive-hook "--task.no-bumps"
level complex-hook reactive-hook "--task.objects None"
level complex-hook reactive-hook "--task.split held-out"

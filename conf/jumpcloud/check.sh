#!/usr/bin/env bash
# JumpCloud Command (Linux, run as root): how the certificates of all users of the machine are.
# One line of output: how many are in which state, and who those are that need somebody to look.
# Exit codes: those of `devtrust status --all-users`: 0 all well; the first of 3 expired, 6 misconfigured, 5 locked or not
# readable, 7 no answer, 4 renewal overdue that a user has; 2 nobody has a certificate; 1 it could not be asked.
set -euo pipefail
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
names=5 # of each state, so that a line stays a line

if ! command -v devtrust >/dev/null; then
  echo "devtrust: not installed"
  exit 1
fi
code=0
people=$(devtrust status --all-users 2>&1) || code=$?
case $code in
  0 | [2-7]) ;;
  *)
    printf '%s\n' "$people" | tail -n 1
    exit 1
    ;;
esac
# s COUNT: of what there are so many.
s() { (($1 == 1)) || printf s; }

declare -A count=() who=()
users=0
while IFS=: read -r user state _; do
  state=${state# }
  if [[ $user == devtrust || -z $state ]]; then continue; fi # no user: that there is none
  users=$((users + 1))
  count[$state]=$((${count[$state]:-0} + 1))
  if ((count[$state] <= names)); then who[$state]+="${who[$state]:+, }$user"; fi
done <<<"$people"
line="devtrust: $users user$(s "$users")" before=": "
for state in expired misconfigured locked no-answer renewal-overdue usable not-found; do
  if [[ -z ${count[$state]:-} ]]; then continue; fi
  line+="$before${count[$state]} $state" before=", "
  case $state in
    usable | not-found) ;;
    *)
      if ((count[$state] > names)); then who[$state]+=", ..."; fi
      line+=" (${who[$state]})"
      ;;
  esac
done
printf '%s\n' "$line"
exit "$code"

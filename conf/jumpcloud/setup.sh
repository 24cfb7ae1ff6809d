#!/usr/bin/env bash
# JumpCloud Command (Linux, run as root): sets programs up for every user of the machine who has a certificate.
# $1... or DEVTRUST_TARGETS: what to set up, as `devtrust setup --help` lists it (default: git).
# Run again, it changes nothing. It is to be run again when somebody new was enrolled.
# One line of output. Exit codes: 0 done, or nobody has a certificate yet; 1 nothing was tried; 2 failed for somebody.
set -euo pipefail
export LC_ALL=C.UTF-8
read -r -a targets <<<"${*:-${DEVTRUST_TARGETS:-git}}"

fail() {
  printf 'devtrust: nothing was set up: %s\n' "$*"
  exit 1
}

((EUID == 0)) || fail "this has to run as root"
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
devtrust=$(command -v devtrust) || fail "devtrust is not installed"
cd /

# s COUNT: of what there are so many.
s() { (($1 == 1)) || printf s; }

# as USER COMMAND...: with that user's rights, groups, home and environment, without our terminal, and for a minute at
# most: a home may hang.
as() {
  timeout --kill-after=5 60 setsid --wait setpriv --reuid="$1" --regid="$(id -g -- "$1")" --init-groups --reset-env -- "${@:2}" \
    </dev/null 2>&1
}

# reason OUTPUT: what devtrust complained of, among the lines about what it did.
reason() {
  grep '^devtrust: ' <<<"$1" | tail -n 1 || tail -n 1 <<<"$1"
}

code=0
people=$("$devtrust" status --all-users 2>&1) || code=$?
case $code in
  0 | [2-7]) ;;
  *) fail "${people#devtrust: }" ;;
esac
count=0 none=0 failed=()
while IFS=: read -r user state _; do
  state=${state# }
  case $state in
    usable | expired | renewal-overdue | locked) ;;
    not-found)
      none=$((none + 1))
      continue
      ;;
    misconfigured | no-answer)
      failed+=("$user ($state)")
      continue
      ;;
    *) continue ;; # no user: that there is none
  esac
  said=
  for target in "${targets[@]}"; do
    if ! said=$(as "$user" "$devtrust" setup "$target"); then
      failed+=("$user ($target: $(reason "${said:-no answer}"))")
      continue 2
    fi
  done
  count=$((count + 1))
done <<<"$people"

line="devtrust: ${targets[*]} set up for $count user$(s "$count"), $none without a certificate"
if ((${#failed[@]})); then
  printf '%s, failed for %d: %s\n' "$line" "${#failed[@]}" "$(printf '%s; ' "${failed[@]}" | sed 's/; $//')"
  exit 2
fi
printf '%s\n' "$line"

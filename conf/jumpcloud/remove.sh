#!/usr/bin/env bash
# JumpCloud Command (Linux, run as root): undoes what was set up for every user, then removes devtrust.
# Where something of a user cannot be undone the package stays, since programs that are set up for it would fail without.
# $1 or DEVTRUST_FORCE=yes: removes it all the same.
# One line of output. Exit codes: 0 removed, or not there; 1 not removed; 2 removed, and something of a user's stays.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
force=${1:-${DEVTRUST_FORCE:-no}}

fail() {
  printf 'devtrust: not removed: %s\n' "$*"
  exit 1
}

((EUID == 0)) || fail "this has to run as root"
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
if ! devtrust=$(command -v devtrust); then
  echo "devtrust: not there"
  exit 0
fi
cd /

# s COUNT: of what there are so many.
s() { (($1 == 1)) || printf s; }

# As in setup.sh.
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
undone=0 failed=()
while IFS=: read -r user state _; do
  if [[ $user == devtrust || -z $state ]]; then continue; fi # no user: that there is none
  if [[ $state == " no-answer" ]]; then
    failed+=("$user (no answer)")
  elif said=$(as "$user" "$devtrust" unsetup all); then
    undone=$((undone + 1))
  else
    failed+=("$user ($(reason "${said:-no answer}"))")
  fi
done <<<"$people"
left=$(printf '%s; ' "${failed[@]}" | sed 's/; $//')
if ((${#failed[@]})) && [[ $force != yes ]]; then
  fail "what was set up for ${#failed[@]} user$(s "${#failed[@]}") cannot be undone: $left"
fi
# By its file, for the name of the package is the distributor's.
package=$(dpkg -S "$(readlink -f -- "$devtrust")" 2>/dev/null | cut -d : -f 1) || fail "$devtrust is of no package: it was installed by hand"
log=$(apt-get remove -y -q -o DPkg::Lock::Timeout=90 "$package" </dev/null 2>&1) ||
  fail "$(grep -E '^(E|dpkg: error)' <<<"$log" | tail -n 1 || true)"
if ((${#failed[@]})); then
  printf 'devtrust: removed, undone for %d user%s, and not for %d: %s\n' "$undone" "$(s "$undone")" "${#failed[@]}" "$left"
  exit 2
fi
printf 'devtrust: removed, undone for %d user%s\n' "$undone" "$(s "$undone")"

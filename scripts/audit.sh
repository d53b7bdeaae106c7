#!/usr/bin/env bash
# audit.sh VENV [offline]: insecure patterns in code/ (bandit) and known vulnerabilities of the locked packages (pip-audit).
#
# The exit status is 1 where something was found, 3 where nothing was found but pip-audit could not ask its advisory service, and 0 where
# all was checked. `offline` checks the code, and that every lock file pins each package with a digest; it says that no advisory was read.
set -u
venv=${1:?usage: audit.sh VENV [offline]}
offline=${2:-}
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
. scripts/python_variables.sh

"$venv/bin/bandit" --quiet --configfile pyproject.toml --recursive code
status=$?
[ "$status" = 0 ] && echo "bandit: no open finding in code/"

unasked=() why=
for lock in requirements/*.lock; do
  if said=$("$venv/bin/pip-audit" --progress-spinner off --disable-pip --require-hashes --strict ${offline:+--dry-run} --requirement "$lock" 2>&1); then
    [ -z "$offline" ] || said="$(grep -o '[0-9]* packages' <<<"$said"), each pinned with a digest"
    echo "$lock: ${said##*$'\n'}"
  elif [ -z "$offline" ] && ! grep -q '^Found [0-9]* known vulnerabilit' <<<"$said" &&
    grep -qiE 'could not be audited|Connection|Timeout|service' <<<"$said"; then
    unasked+=("$lock") why=${said##*$'\n'}
  else
    printf '%s\n%s\n' "$lock:" "$said"
    status=1
  fi
done
if [ -n "$offline" ]; then
  echo "note: no advisory was read: each lock file pins its packages with digests, and whether one of them is vulnerable was not asked"
elif [ ${#unasked[@]} -gt 0 ]; then
  printf 'error: the packages of %d of %d lock files were not compared with advisories\n  why:  %s\n  next: %s\n' \
    ${#unasked[@]} "$(ls requirements/*.lock | wc -l)" "$why" \
    "run \`make audit\` where PyPI's advisories are reached; without them: make audit OFFLINE=1" >&2
  [ "$status" != 0 ] || status=3
fi
exit "$status"

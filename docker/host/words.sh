# Sourced: words TEXT: the words of TEXT in the array `split`, quoted as in a shell; nothing in it is expanded or run.
words() {
  split=()
  [ -n "${1//[[:space:]]/}" ] || return 0
  local parted
  parted=$(xargs printf '%q ' <<<"$1" 2>/dev/null) || {
    printf 'error: %s\n  why:  %s\n  next: %s\n' "cannot read ${1:0:60}" "its quotes do not match" "close the quote" >&2
    exit 2
  }
  # Every character of `parted` is quoted by printf, so that this only splits.
  eval "split=($parted)"
}

#!/bin/bash
# `make help`: the targets in groups; with a target's name, its variables and options. Reads scripts/completion/words, without Python.
set -u
words="$(dirname "$0")/completion/words"
width=${COLUMNS:-$( (stty size < /dev/tty) 2>/dev/null | cut -d' ' -f2)}
[[ "$width" =~ ^[0-9]+$ ]] && [ "$width" -ge 60 ] || width=80
[ "$width" -le 120 ] || width=120
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m' plain=$'\e[0m'
fi

exec awk -F'\t' -v width="$width" -v wanted="${1:-}" -v bold="$bold" -v plain="$plain" '
  # Print text after a head of `indent` columns, broken between words.
  function wrapped(head, indent, text,    n, i, part, line) {
    n = split(text, part, " ")
    if (length(head) >= indent) { show(head, head); head = "" }
    line = sprintf("%-" (indent - 1) "s", head)
    for (i = 1; i <= n; i++) {
      if (length(line) + 1 + length(part[i]) > width) { show(line, head); line = sprintf("%" (indent - 1) "s", ""); head = "" }
      line = line " " part[i]
    }
    show(line, head)
  }
  function show(line, head) { print head == "" ? line : bold head plain substr(line, length(head) + 1) }
  function least(a, b) { return a < b ? a : b }
  function distance(a, b,    i, j, cost, row, before, kept) {
    for (j = 0; j <= length(b); j++) row[j] = j
    for (i = 1; i <= length(a); i++) {
      before = row[0]; row[0] = i
      for (j = 1; j <= length(b); j++) {
        kept = row[j]
        cost = substr(a, i, 1) != substr(b, j, 1)
        row[j] = least(least(row[j] + 1, row[j - 1] + 1), before + cost)
        before = kept
      }
    }
    return row[length(b)]
  }
  function nearest(name,    one, best, found) {
    best = length(name) / 2 + 1
    for (one in text) if (distance(name, one) < best) { best = distance(name, one); found = one }
    return found
  }
  # The names with one more; names that differ at their end alone share it: run_audit_test{01,04}.
  function added(names, name,    n, part, last, same, rest) {
    n = split(names, part, " ")
    last = part[n]
    same = index(last, "{") ? index(last, "{") - 1 : 0
    if (!same) while (same < length(last) && substr(last, 1, same + 1) == substr(name, 1, same + 1)) same++
    rest = substr(last, same + 1)
    if (same < 10 || substr(name, 1, same) != substr(last, 1, same) || length(name) - same > 6) return names " " name
    if (rest !~ /^\{/ && length(rest) > 6) return names " " name
    rest = rest ~ /^\{/ ? substr(rest, 2, length(rest) - 2) : rest
    return substr(names, 1, length(names) - length(last)) substr(last, 1, same) "{" rest "," substr(name, same + 1) "}"
  }
  function overview(    i, group) {
    print "A benchmark from nothing to its verdict:"
    print "  make run RUN_ARGS=\"--benchmarks=bert --scenarios=offline --fast\"\n"
    for (i = 1; i <= groups; i++) wrapped(named[i], 13, inside[named[i]])
    print ""
    wrapped("make help TARGET=run", 26, "what a target does, its variables and its options")
    wrapped("documentation/", 26, "commands.md, FAQ.md, from_other_harnesses.md")
  }
  function detail(name,    i, n, part, group, of) {
    print bold "make " name plain ": " text[name]
    if (variables[name] != "") wrapped("Variables", 13, variables[name])
    if (action[name] == "") return
    for (i = 1; i <= options; i++) {
      if (index(" " actions[i] " ", " " action[name] " ") && optiongroup[i] == "The request") wrapped("  " written[i], 34, help[i])
      else if (index(" " actions[i] " ", " " action[name] " ") || (planning[action[name]] && optiongroup[i] != "The request")) {
        if (!(optiongroup[i] in of)) order[++n] = optiongroup[i]
        of[optiongroup[i]] = of[optiongroup[i]] " --" option[i]
      }
    }
    for (i = 1; i <= n; i++) { print ""; wrapped(order[i], 20, substr(of[order[i]], 2)) }
    if (n) print "\nWhat each of these sets: documentation/fields.md"
  }
  $1 == "target" {
    text[$2] = $6; action[$2] = $4; variables[$2] = $5
    if ($3 != "" && !known[$3]++) named[++groups] = $3
    if ($2 != "help") inside[$3] = added(inside[$3], $2)
  }
  $1 == "planning" { n = split($2, part, " "); for (i = 1; i <= n; i++) planning[part[i]] = 1 }
  $1 == "option" { option[++options] = $2; optiongroup[options] = $3; written[options] = $4; actions[options] = $6; help[options] = $7 }
  END {
    if (wanted == "") { overview(); exit 0 }
    if (wanted in text) { detail(wanted); exit 0 }
    near = nearest(wanted)
    printf "error: there is no target %s\n  next: %s\n", wanted, (near == "" ? "make help" : "make help TARGET=" near) > "/dev/stderr"
    exit 2
  }
' "$words"

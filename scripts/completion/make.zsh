# Completion for zsh: make's targets and variables here, and inside RUN_ARGS="…" options, benchmarks, scenarios and systems.
# Other folders keep zsh's own completion of make. `make completion` prints how to load this file.

_mlperf_words() { # FOLDER PROGRAM [NAME=VALUE…]: run an awk program over the list of words
  local folder=$1 program=$2
  shift 2
  local -a given
  local one
  for one in "$@"; do given+=(-v "$one"); done
  awk -F'\t' "${given[@]}" "$program" "$folder/scripts/completion/words"
}

_mlperf_option() { # FOLDER ACTION WORD: what an option inside RUN_ARGS can become, into the array found
  local folder=$1 action=$2 word=$3 name before
  if [[ $word == --*=* ]]; then
    name=${${word%%=*}#--}
    before=${(M)word##*[=,]}
    found=(${=$(_mlperf_words "$folder" '$1 == "option" && $2 == name { print $5 }' name="$name")})
    found=($before${^found})
  else
    found=(${(f)"$(_mlperf_words "$folder" '
      $1 == "planning" { n = split($2, part, " "); for (i = 1; i <= n; i++) plans[part[i]] = 1 }
      $1 == "option" && (action == "" || index(" " $6 " ", " " action " ") || ($3 != "The request" && action in plans)) {
        print "--" $2 ($4 ~ /=/ ? "=" : "")
      }' action="$action")"})
  fi
  found=(${(M)found:#(#i)${(b)word}*})
}

_mlperf_make() {
  setopt localoptions extendedglob
  local folder=. word action target
  local -a found
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    [[ $words[i] == -C ]] && folder=${words[i + 1]/#\~/$HOME}
    [[ $words[i] == -C?* ]] && folder=${words[i]#-C}
  done
  if [[ ! -r $folder/scripts/completion/words ]]; then
    _make "$@"
    return
  fi
  for target in $words[2,CURRENT-1]; do
    action=$(_mlperf_words "$folder" '$1 == "target" && $2 == name { print $4; exit }' name="$target")
    [[ -z $action ]] || break
  done
  if [[ $PREFIX == RUN_ARGS=* ]]; then
    # The quote stays as it was typed: the whole word is replaced by itself with a longer end.
    local raw=$words[CURRENT]
    local word=${${raw#RUN_ARGS=[\"\']}##*[[:space:]]}
    word=${word#RUN_ARGS=}
    _mlperf_option "$folder" "$action" "$word"
    local -a whole=("${raw%"$word"}"${^found})
    compadd -U -Q -S '' -d found -a whole
  elif compset -P 'BENCHMARKS='; then
    found=(${=$(_mlperf_words "$folder" '$1 == "option" && $2 == "benchmarks" { print $5 }')})
    compadd -a found
  elif compset -P 'TARGET='; then
    found=(${(f)"$(_mlperf_words "$folder" '$1 == "target" { print $2 }')"})
    compadd -a found
  elif compset -P '*='; then
    _files
  else
    found=(${(f)"$(_mlperf_words "$folder" '$1 == "target" { print $2 }')"})
    compadd -a found
    found=(${(f)"$(_mlperf_words "$folder" '
      $1 == "target" && index(line, " " $2 " ") { n = split($5, part, " "); for (i = 1; i <= n; i++) print part[i] "=" }
      $2 == "help" && index(line, " help ") { print "TARGET=" }' line=" $words[2,CURRENT-1] ")"})
    (( $#found )) && compadd -S '' -a found
  fi
}

compdef _mlperf_make make

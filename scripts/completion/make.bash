# Completion for bash: make's targets and variables here, and inside RUN_ARGS="…" options, benchmarks, scenarios and systems.
# Other folders keep the completion that make has already. `make completion` prints how to load this file.

_mlperf_words() { # FOLDER PROGRAM [NAME=VALUE…]: run an awk program over the list of words
  local folder=$1 program=$2
  shift 2
  awk -F"\t" "${@/#/-v}" "$program" "$folder/scripts/completion/words"
}

_mlperf_folder() { # the folder whose Makefile this command line reads: after -C, else the current one
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -C) printf '%s' "${COMP_WORDS[i + 1]/#\~/$HOME}"; return ;;
      -C?*) printf '%s' "${COMP_WORDS[i]#-C}"; return ;;
    esac
  done
  printf .
}

_mlperf_option() { # FOLDER ACTION WORD: what an option inside RUN_ARGS can become
  local folder=$1 action=$2 word=$3 name values before=''
  if [[ $word != *=* ]]; then
    compgen -W "$(_mlperf_words "$folder" '
      $1 == "planning" { n = split($2, part, " "); for (i = 1; i <= n; i++) plans[part[i]] = 1 }
      $1 == "option" && (action == "" || index(" " $6 " ", " " action " ") || ($3 != "The request" && action in plans)) {
        print "--" $2 ($4 ~ /=/ ? "=" : "")
      }' action="$action")" -- "$word"
    return
  fi
  name=${word%%=*} values=${word#*=}
  [[ $values == *,* ]] && before=${values%,*},
  local listed
  listed=$(_mlperf_words "$folder" '$1 == "option" && $2 == name { print $5 }' name="${name#--}")
  values=${values##*,}
  for listed in $listed; do # in any case, as the harness takes names
    [[ ${listed,,} != "${values,,}"* ]] || printf '%s\n' "$name=$before$listed"
  done
}

_mlperf_make() {
  local folder line=${COMP_LINE:0:COMP_POINT} inner stem last action target found=()
  folder=$(_mlperf_folder)
  if [ ! -r "$folder/scripts/completion/words" ]; then
    if [ -n "${_mlperf_before:-}" ]; then
      "$_mlperf_before" "$@"
    elif declare -F _make > /dev/null; then
      _make "$@"
    else
      compopt -o default
    fi
    return
  fi
  if [[ $line =~ RUN_ARGS=([\"\']?)([^\"\']*)$ ]]; then
    inner=${BASH_REMATCH[2]}
    [ -n "${BASH_REMATCH[1]}" ] || inner=${inner//\\ / }
    last=${inner##*[[:space:]]}
    stem=${inner%"$last"}
    for target in ${line%%RUN_ARGS=*}; do
      action=$(_mlperf_words "$folder" '$1 == "target" && $2 == name { print $4; exit }' name="$target")
      [ -z "$action" ] || break
    done
    mapfile -t found < <(_mlperf_option "$folder" "${action:-}" "$last")
    # readline replaces all that follows the quote; without one, what follows the last '='. It closes the quote behind a single
    # answer, so a single answer comes with a second one that is longer. Where it only lists answers, they stand alone.
    if [ -n "${BASH_REMATCH[1]}" ] && [ ${#found[@]} = 1 ]; then
      COMPREPLY=("$stem${found[0]}" "$stem${found[0]} ")
    elif [ -n "${BASH_REMATCH[1]}" ] && [ "${COMP_TYPE:-9}" != 63 ]; then
      COMPREPLY=("${found[@]/#/$stem}")
    elif [ -z "${BASH_REMATCH[1]}" ] && [[ $last == *=* ]]; then
      COMPREPLY=("${found[@]#*=}")
    else
      COMPREPLY=("${found[@]}")
    fi
    compopt -o nospace
    return
  fi
  case ${line##*[[:space:]]} in
    BENCHMARKS=*) mapfile -t COMPREPLY < <(compgen -W "$(_mlperf_words "$folder" '$1 == "option" && $2 == "benchmarks" { print $5 }')" -- "${line##*=}") ;;
    TARGET=*) mapfile -t COMPREPLY < <(compgen -W "$(_mlperf_words "$folder" '$1 == "target" { print $2 }')" -- "${line##*=}") ;;
    SUBMITTER=* | NAME=*) ;;
    *=*) compopt -o default ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "$(_mlperf_words "$folder" '
        $1 == "target" { print $2; n = split($5, part, " "); for (i = 1; i <= n; i++) if (index(" " line " ", " " $2 " ")) print part[i] "=" }
        $2 == "help" { print "TARGET=" }' line="${line%"${line##*[[:space:]]}"}")" -- "${line##*[[:space:]]}")
      [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
      ;;
  esac
}

_mlperf_before=$(complete -p make 2> /dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')
[ "$_mlperf_before" != _mlperf_make ] || _mlperf_before=''
complete -F _mlperf_make make

# What TAB offers after devtrust and devtrust-smimesign in bash. The programs say it themselves.
_devtrust() {
  local program=$1 current=${COMP_WORDS[COMP_CWORD]} word words=() line
  # bash makes a word of its own of the = in --option=value.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    [[ $word == "=" ]] || words+=("$word")
  done
  if [[ $current == "=" ]]; then
    current=
    words+=("")
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
        ;;
      :folders)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current")
        ;;
      :commands) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$current") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("$program" __complete "${words[@]}" 2>/dev/null)
}
complete -F _devtrust devtrust devtrust-smimesign

#!/bin/sh
# The same with a journal for each row: a task that exists is resumed, and not paid for again.
set -eu
rows=$1 folder=$2
mkdir -p "$folder"
split --lines=1 --numeric-suffixes --suffix-length=3 --additional-suffix=.json "$rows" "$folder/row-"
find "$folder" -name 'row-*.json' | sort | xargs -P 20 -I{} sh -c '
    video="${1%.json}.mp4" journal="${1%.json}.journal"
    if test -e "$video"; then exit 0; fi
    if test -e "$journal"; then kling-omni generate --resume "$journal" --request "$1" --output "$video"
    else kling-omni generate --journal "$journal" --request "$1" --output "$video"; fi
' sh {}

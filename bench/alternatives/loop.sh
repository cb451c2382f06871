#!/bin/sh
# Makes a video of each line of ROWS in FOLDER, 20 at a time. Run it again after a crash: saved videos are skipped.
set -eu
rows=$1 folder=$2
mkdir -p "$folder"
split --lines=1 --numeric-suffixes --suffix-length=3 --additional-suffix=.json "$rows" "$folder/row-"
find "$folder" -name 'row-*.json' | sort | xargs -P 20 -I{} sh -c '
    video="${1%.json}.mp4"
    test -e "$video" || kling-omni generate --request "$1" --output "$video"
' sh {}

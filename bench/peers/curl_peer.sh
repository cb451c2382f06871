#!/bin/sh
# curl in a shell loop, as many scripts have it: `curl_peer.sh BASE_URL KEY TASKS`.
#
# The create is repeated by curl itself, with the option that its manual names for transient errors; the status is read
# every five seconds.
set -eu
base_url=$1 key=$2 tasks=$3

call() {
    curl --fail --silent --show-error --max-time 60 --retry 3 --header "x-freepik-api-key: $key" "$@"
}

task() {
    body='{"prompt": "The dancer of @Video1 as a paper puppet", "video_url": "https://example.com/dance.mp4"}'
    created=$(call --json "$body" "$base_url/v1/ai/video/kling-v3-omni-pro/video-reference")
    id=$(printf '%s' "$created" | sed 's/.*"task_id": *"\([^"]*\)".*/\1/')
    while true; do
        read=$(call "$base_url/v1/ai/reference-to-video/kling-v3-omni/$id")
        case $read in *COMPLETED*) break ;; esac
        sleep 5
    done
}

running=
while [ "$tasks" -gt 0 ]; do
    task &
    running="$running $!"
    tasks=$((tasks - 1))
done
for process in $running; do
    wait "$process"
done

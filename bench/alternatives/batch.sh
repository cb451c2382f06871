#!/bin/sh
# Makes a video of each line of ROWS in FOLDER, 20 at a time. Run it again after a crash.
kling-omni batch run "$1" --out "$2" --in-flight 20 --yes

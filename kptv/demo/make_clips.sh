#!/bin/sh
# Makes the demo's clips anew with ffmpeg (needs libx264 and a font): sh kptv/demo/make_clips.sh
#
# Each lasts 8 s: 200 pictures at 25/s and 375 AAC frames at 48 kHz fill that exactly, so that it
# loops without a gap (kptv/demo/playout.py). There is a keyframe and a closed GOP per second; the
# tone pauses where the clip starts again. The providers differ in picture, tone, PIDs and clocks,
# and in the version of their tables: players ignore a new PMT of the same version.
set -eu
cd "$(dirname "$0")/data"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { ffmpeg -hide_banner -loglevel error -y -bitexact "$@"; }

# picture, title: ffmpeg's own filters draw it
picture() {
    box="fontsize=20:x=(w-tw)/2:y=h-32:fontcolor=white:box=1:boxcolor=black:boxborderw=6"
    run -f lavfi -i "$1=size=320x180:rate=25" \
        -vf "${3:+$3,}drawtext=text='$2':$box,format=yuv420p" -frames:v 200 -flags +bitexact+cgop \
        -c:v libx264 -profile:v main -preset veryslow -crf 30 -maxrate 120k -bufsize 120k \
        -threads 1 -g 25 -keyint_min 25 -sc_threshold 0 -bf 2 "$work/picture.nut"
}

# tone in Hz, volume as an expression of t, bits per second
sound() {
    run -f lavfi -i "sine=frequency=$1:sample_rate=48000" \
        -af "volume='0.2*between(t,0.2,7.6)*$2':eval=frame" -frames:a 375 -flags +bitexact \
        -c:a aac -b:a "$3" -ac 1 "$work/sound.nut"
}

# file, first PID, title, inputs. Without -bitexact, which would leave out the service's name
mux() {
    file=$1 pid=$2 title=$3
    shift 3
    ffmpeg -hide_banner -loglevel error -y "$@" -c copy -map_metadata -1 \
        -metadata service_name="$title" -metadata service_provider="KPTV demo" \
        -mpegts_start_pid "$pid" -tables_version "$((pid / 256))" -pes_payload_size 0 \
        -pat_period 0.5 -sdt_period 2 -muxdelay 0.3 -muxpreload 0.3 -f mpegts "$file.ts"
}

# file, PID, tone, title, picture
channel() {
    picture "$5" "$4" "${6:-}"
    sound "$3" "lt(mod(t,1),0.5)" 32k
    mux "$1" "$2" "$4" -i "$work/picture.nut" -i "$work/sound.nut" -map 0:v -map 1:a
}

# file, PID, tone, title
radio() {
    sound "$3" "(0.5+0.5*sin(PI*t))" 48k
    mux "$1" "$2" "$4" -i "$work/sound.nut"
}

channel one-card 256 440 "Test Card - provider 1" testsrc2
channel two-card 512 660 "Test Card - provider 2" testsrc2 hue=h=120
channel one-bars 256 440 "Colour Bars - provider 1" smptehdbars
channel two-bars 512 660 "Colour Bars - provider 2" pal75bars
channel one-clock 256 440 "Clock - provider 1" testsrc
channel two-clock 512 660 "Clock - provider 2" testsrc negate
radio one-radio 256 523 "Radio - provider 1"
radio two-radio 512 784 "Radio - provider 2"

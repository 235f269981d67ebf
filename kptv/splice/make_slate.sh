#!/bin/sh
# Makes slate.ts, the card that is shipped: 4 s of a still picture and silence. Needs ffmpeg and a font.
set -eu
cd "$(dirname "$0")"
text() { echo "drawtext=text='$1':fontcolor=$2:fontsize=$3:x=(w-text_w)/2:y=$4"; }
ffmpeg -v error -y \
    -f lavfi -i "color=c=0x101820:size=640x360:rate=25:duration=4" \
    -f lavfi -i "anullsrc=channel_layout=stereo:sample_rate=48000" -shortest \
    -vf "$(text 'Channel unavailable' 0xF2F2F2 36 140),$(text 'Reconnecting' 0x9AA5B1 22 196)" \
    -c:v libx264 -profile:v main -pix_fmt yuv420p -preset veryslow -tune stillimage -crf 24 -bf 0 \
    -x264-params keyint=25:min-keyint=25:scenecut=0:open-gop=0 \
    -c:a aac -b:a 32k -flags +bitexact -fflags +bitexact -map_metadata -1 \
    -pat_period 0.5 -f mpegts slate.ts

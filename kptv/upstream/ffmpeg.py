"""What ffmpeg is told: to copy an input into a transport stream. It transcodes no picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kptv.errors import Reason, UpstreamError
from kptv.formats.addresses import scheme_of
from kptv.formats.identify import What

# The protocols that ffmpeg may use, by the scheme of its input: an input may lead to no others
# (`file:`, `concat:`, `subfile:` would read this machine). Inputs of other schemes are refused.
_WEB = "http,https,tcp,tls,crypto"
_RTMP = "rtmp,rtmps,rtmpt,rtmpts,rtmpe,rtmpte,http,https,tcp,tls"
_PROTOCOLS = {
    "http": _WEB,
    "https": _WEB,
    "rtsp": "rtsp,rtp,udp,tcp,tls",
    "rtsps": "rtsp,rtp,udp,tcp,tls",
    "rtmp": _RTMP,
    "rtmps": _RTMP,
    "rtmpt": _RTMP,
    "udp": "udp",
    "rtp": "rtp,udp",
}
ONLY_BY_FFMPEG = frozenset(_PROTOCOLS) - {"http", "https"}
# The bodies that it may be fed with, and its names for them: with `-f` it tries nothing else.
DEMUXERS = {
    What.MPEG_AUDIO: "mp3",
    What.ADTS: "aac",
    What.LOAS: "loas",
    What.AC3: "ac3",
    What.EAC3: "eac3",
    What.OGG: "ogg",
    What.FLAC: "flac",
    What.WAV: "wav",
    What.FLV: "flv",
    What.MPEG_PS: "mpeg",
    What.MATROSKA: "matroska",
    What.WEBM: "matroska",
    What.MP4: "mov",
    What.H264: "h264",
    What.H265: "hevc",
    What.MPEG_VIDEO: "mpegvideo",
    What.MPEG4_VIDEO: "m4v",
}
# Enough to find all streams in an input; by default it waits for five seconds of media.
_PROBE = ("-probesize", "2000000", "-analyzeduration", "2000000")
_LONGEST_COMPLAINT = 2000  # letters that are looked at
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]{0,20}://\S++|(?<![\w.-])[\w-]++(?>(?:\.[\w-]++)+)\S*+"
    r"|\[[0-9a-f:]{3,}+\]|'[^']*+'",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Input:
    """What ffmpeg reads: an address, or, with a ``demuxer``, a body that it is fed with."""

    url: str = field(default="", repr=False)
    audio: str | None = field(default=None, repr=False)  # the address of its sound, if apart
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # for HTTP
    cookies: tuple[str, ...] = field(default=(), repr=False)  # name=value, for the host of ``url``
    is_hls: bool = False
    paced: bool = False  # to be read no faster than it plays
    program: int = 0  # the number of the programme wanted; 0: any
    demuxer: str = ""  # ffmpeg's name for the body's container
    only_sound: bool = False  # a picture in it is a cover
    encode_sound: bool = False  # no transport stream can hold it as it is


def command(input_: Input, *, picky: bool = False) -> list[str]:
    """ffmpeg's arguments. Raises UpstreamError for an address that it must not open.

    ``picky``: this ffmpeg refuses HLS segments by their names, unless told not to.
    """
    arguments = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    if input_.demuxer:
        return [*arguments, *_fed_options(input_), *_output_options(input_)]
    urls = [input_.url] if input_.audio is None else [input_.url, input_.audio]
    for url in urls:
        if picky:  # names tell nothing: protocols bound what is opened, bytes tell what it is
            arguments += ["-extension_picky", "0"]
        arguments += [*_input_options(url, input_), "-i", url]
    return [*arguments, *_output_options(input_)]


def _output_options(input_: Input) -> list[str]:
    """Picture and sound: a transport stream has no place for most subtitles and data."""
    of = f"0:p:{input_.program}" if input_.program and input_.audio is None else "0"
    picture = [] if input_.only_sound else ["-map", f"{of}:v:0?"]
    sound = ["-map", f"{of}:a?" if input_.audio is None else "1:a:0"]
    copied = ["-c", "copy", *(["-c:a", "aac", "-ac", "2"] if input_.encode_sound else [])]
    return [*picture, *sound, *copied, "-f", "mpegts", "-flush_packets", "1", "pipe:1"]


def _fed_options(input_: Input) -> list[str]:
    # Bare pictures have no times: ffmpeg makes some.
    options = ["-protocol_whitelist", "pipe", *_PROBE, "-fflags", "+genpts"]
    return [*options, *(["-re"] if input_.paced else []), "-f", input_.demuxer, "-i", "pipe:0"]


def _input_options(url: str, input_: Input) -> list[str]:
    scheme = scheme_of(url)
    if scheme not in _PROTOCOLS:
        raise UpstreamError(Reason.BAD_URL, "not an address that may be given to ffmpeg")
    options = ["-protocol_whitelist", _PROTOCOLS[scheme]]
    options += _PROBE
    if scheme in ("rtsp", "rtsps"):
        options += ["-rtsp_transport", "tcp"]
    if scheme in ("http", "https"):
        lines = [f"{name}: {value}\r\n" for name, value in _clean(input_.headers)]
        options += ["-headers", "".join(lines)] if lines else []
        # ffmpeg compares the domain with the host as it stands in the URL, port and all.
        host = urlsplit(input_.url).netloc.rpartition("@")[2]
        cookies = [f"{c}; path=/; domain={host}" for c in input_.cookies if c.isprintable()]
        options += ["-cookies", "\n".join(cookies)] if cookies else []
    if input_.is_hls:  # one socket per input: with kept ones it has two, and with read-ahead three
        options += ["-http_persistent", "0", "-http_multiple", "0"]
    return [*options, "-re"] if input_.paced else options


def _clean(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The headers that cannot break out of their line."""
    for name, value in headers.items():
        if value and value.isprintable() and re.fullmatch(r"[A-Za-z0-9-]+", name):
            yield name, value


def without_addresses(text: str) -> str:
    """A complaint of ffmpeg's without URLs, hosts and names of files, fit for a terminal."""
    plain = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_COMPLAINT])
    return _ADDRESS.sub("…", plain)[:200]

"""What people reported of other servers' live HLS, and the test here that such a thing would fail.

Where more than one would, the one nearest to the cause is named. Those of `tests/clients` run with
`make hls-players`, all others with `make test`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = "tests/functional/test_hls_played.py::test_lists_and_segments_keep_all_rules"
WINDOWS, LISTS = "tests/restream/test_windows.py", "tests/restream/test_window_playlist.py"
SEGMENTS, SERVED = "tests/splice/test_segments.py", "tests/web/test_hls_served.py"
CLIENTS = "tests/clients/hls_players.py"

REPORTS = {
    "durations that are not the media's: a player drifts until it stands (Dispatcharr#1344)": (
        f"{SEGMENTS}::test_durations_are_true_over_ten_minutes_that_come_at_once"
    ),
    "twice the target duration: players start 24 s behind (Dispatcharr#1344)": (
        f"{SEGMENTS}::test_a_segment_is_about_as_long_as_the_target"
    ),
    "a client for each request, and ghosts against the limit (Dispatcharr#1344)": (
        "tests/functional/test_hls_output.py::test_one_connection_is_enough_for_a_player"
    ),
    "counts eight times too high (Ant-Media-Server#2812)": (
        f"{WINDOWS}::test_many_requests_of_one_viewer_at_once_enter_once"
    ),
    "no count at all, as addresses are shared (nginx-rtmp-module#420, srs#3697)": (
        "tests/restream/test_followers.py::test_address_user_and_session_or_application_tell_viewers_apart"
    ),
    "each viewer costs as much as the first (Dispatcharr#1003)": (
        "tests/functional/test_nginx_crowd.py::"
        "test_a_crowd_costs_the_proxy_what_a_few_cost_and_users_share_what_they_may_see"
    ),
    "a first list of one segment or two (hls.js#7556, videojs-contrib-hls#1318)": (
        f"{CLIENTS}::test_a_cold_channel_shows_a_picture_as_soon_as_there_is_a_segment"
    ),
    "a list without a segment (go2rtc#1693)": (
        f"{SERVED}::test_a_channel_that_cannot_be_played_is_503"
    ),
    "it plays only the second time (mediamtx#1536, mediamtx#1720)": (
        f"{CLIENTS}::test_it_plays_each_time"
    ),
    "discontinuities stall (hls.js#127, hls.js#984, hls.js#3044)": (
        f"{CLIENTS}::test_faults_in_a_row_are_not_noticed"
    ),
    "a list that begins with a discontinuity (hls.js#1096)": (
        "tests/formats/test_hls_writing.py::test_a_playlist_never_begins_with_a_discontinuity"
    ),
    "no number of discontinuities (infinite-streaming#149, nginx-rtmp-module#869)": RULES,
    "segments that are listed and gone (hls.js#31, nginx-rtmp-module#682)": (
        f"{LISTS}::test_the_last_ones_are_listed_and_some_more_can_be_had"
    ),
    "who pauses for long asks for what is gone (hls.js#6854)": (
        f"{CLIENTS}::test_who_resumes_after_a_long_pause_plays_on"
    ),
    "a window too short for players' buffers (infinite-streaming#149)": (
        f"{WINDOWS}::test_the_list_has_ten_segments_and_six_more_can_be_had"
    ),
    "numbers begin anew with the channel (hls.js#3913, hls.js#5127, ExoPlayer#2872)": (
        f"{WINDOWS}::test_the_next_window_goes_on_behind_the_numbers_of_the_last"
    ),
    "numbers begin anew with the server (srs#3506, hls.js#1164)": (
        f"{LISTS}::test_what_a_new_process_serves_is_behind_what_the_old_one_did"
    ),
    "target durations that change with groups of pictures (videojs-contrib-hls#312, gpac#2466)": (
        f"{SEGMENTS}::test_a_longer_group_of_pictures_raises_the_target_duration_for_good"
    ),
    "target durations that are forgotten (viseron#1223)": (
        f"{LISTS}::test_a_playlist_goes_on_where_the_last_one_ended"
    ),
    "a list that stands still while a provider is dead (ExoPlayer#4188)": (
        "tests/restream/test_output.py::"
        "test_players_of_hls_have_a_segment_of_the_slate_before_they_give_up"
    ),
    "dates that change from list to list (androidx/media#3337)": (
        f"{LISTS}::test_the_date_of_a_segment_never_changes_and_follows_the_one_before"
    ),
    "no type, or none for other origins: silence in Chromecast (ExoPlayer#4110, rtsp-stream#31)": (
        RULES
    ),
    "who asks is known by a cookie, which caches strip (mediamtx#5700)": (
        "tests/functional/test_nginx_hls.py::"
        "test_a_segment_is_asked_for_once_whoever_wants_it_and_however"
    ),
    "addresses of each viewer's own, which no cache can share (restreamer#721)": (
        "tests/functional/test_nginx_hls.py::"
        "test_users_share_a_segment_by_the_random_part_of_its_name"
    ),
    "lists that a cache holds for too long (nginx-rtmp-module#1339)": (
        "tests/functional/test_nginx_hls.py::"
        "test_a_list_is_asked_for_once_a_second_and_others_have_the_last_one_meanwhile"
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_has_its_test(report: str) -> None:
    file, _, name = REPORTS[report].partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)

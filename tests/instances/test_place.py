"""Where an instance is, and that no other process is there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import gevent

from kptv.config import load_config
from kptv.instances.place import Claim, place_of
from kptv.shared_slots import Instances


def test_a_place_is_one_process_s_until_it_gives_it_up() -> None:
    with closing(Claim("tv|1")) as first, closing(Claim("tv|1")) as second:
        with closing(Claim("tv|2")) as other:
            assert first.stands()
            assert other.stands()
        assert first.stands(), "asked again it is the same"
        assert not second.stands()
        first.close()
        assert second.stands()


def test_whoever_is_the_same_instance_as_another_process_asks_for_nothing(tmp_path: Path) -> None:
    """The two would end each other's leases by turns, and each open what the other still has."""
    environment = {
        "SOURCES": "http://one.example/list.m3u|1",
        "BASE_URL": "http://tv.example",
        "LEASES_URL": f"unix://{tmp_path}/nobody",
        "INSTANCE": "tv1",
    }
    config = load_config(environment, env_file=None)
    with closing(Claim(place_of("tv1", config.port))) as other, gevent.Timeout(10):
        assert other.stands()
        instances = Instances(config)
        while "another process" not in instances.state().away:
            gevent.sleep(0.01)
        assert "INSTANCE=tv1 and PORT=8080" in instances.state().away
        other.close()
        while "cannot be reached" not in instances.state().away:
            gevent.sleep(0.01)
        instances.close()
        while instances.alive:
            gevent.sleep(0.01)

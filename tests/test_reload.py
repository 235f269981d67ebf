"""The rules file: at the start, and while all goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gevent.event import Event

from kptv.channels.rules.model import Rules
from kptv.channels.rules.reading import RulesError
from kptv.config import load_config
from kptv.config.rules_file import RulesFile, load_rules
from kptv.errors import ConfigError
from kptv.reload import Reload

GOOD, OTHER = '[group]\nA = "B"\n', '[group]\nA = "C"\n'
BAD = '[group]\nA = "B"\n\n[[rule]]\nwhen.name = "/(/"\ndrop = 1\n'
ENVIRON = {"SOURCES": "http://provider.example/list|1"}


def rules_file(path: Path) -> RulesFile:
    return RulesFile(path, load_rules(path, {}), dict)


def test_a_bad_file_stops_the_start_with_all_complaints_at_once(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(BAD)
    with pytest.raises(ConfigError) as caught:
        load_config({**ENVIRON, "PORT": "x"}, tmp_path / ".env")
    message = str(caught.value)
    assert "  PORT: read 'x'" in message
    assert "  rules.toml:5: " in message
    assert "  rules.toml:6: " in message


def test_the_file_beside_the_settings_counts_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(GOOD)
    other = tmp_path / "other.toml"
    other.write_text(OTHER)
    assert load_config(ENVIRON, tmp_path / ".env").rules == Rules(groups={"A": "B"})
    named = load_config({**ENVIRON, "RULES": str(other)}, tmp_path / ".env")
    assert (named.rules, named.rules_path) == (Rules(groups={"A": "C"}), other)
    assert load_config(ENVIRON, None).rules is None
    missing = load_config({**ENVIRON, "RULES": f"{other}s"}, None)
    assert missing.rules is None
    assert any("there is no such file yet" in warning for warning in missing.warnings)


def test_a_source_that_is_not_there_is_told_and_variables_are_filled_in(tmp_path: Path) -> None:
    text = '[source.1]\nuser_agent = "${AGENT}"\n[source.7]\npriority = 1\n'
    text += '[channel.A]\norder = [1, "premiun"]\n'
    (tmp_path / "rules.toml").write_text(text)
    (tmp_path / ".env").write_text("AGENT=me\n")
    config = load_config(ENVIRON, tmp_path / ".env")
    assert config.rules is not None
    assert config.rules.sources["1"].user_agent == "me"
    assert "rules.toml:3: there is no source 7" in config.warnings
    assert config.warnings[-1] == "rules.toml:5: order: there is no source premiun"


def test_secrets_that_everybody_can_read_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[source.1]\nheaders.X-Token = 's3cret'\n")
    path.chmod(0o604)
    told = f"Every user of this machine can read your accounts' secrets in {path}: chmod 600 {path}"
    assert told in load_config(ENVIRON, tmp_path / ".env").warnings
    path.chmod(0o600)
    assert told not in load_config(ENVIRON, tmp_path / ".env").warnings
    reload = Reload(RulesFile(path, None, dict), lambda rules: None, every=60)
    try:
        reload.now()
        assert told not in caplog.messages
        path.write_text("[source.1]\nproxy = 'http://a:b@h:1'\n")
        path.chmod(0o644)
        reload.now()
        assert caplog.messages.count(told) == 1
        path.write_text("[source.1]\nuser_agent = 'Box'\n")
        reload.now()
        assert caplog.messages.count(told) == 1
    finally:
        reload.close()


def test_a_change_is_due_and_a_bad_one_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    file = rules_file(path)
    assert file.is_due()  # a worker that is replaced begins with the rules of the start
    assert not file.look().has_changed
    assert not file.is_due()
    path.write_text(BAD + "\n")
    assert file.is_due()
    look = file.look()
    assert (look.has_changed, look.is_news, look.rules) == (False, True, Rules(groups={"A": "B"}))
    assert str(look.complaints[0]).startswith("rules.toml:4: ")
    assert not file.look().is_news
    path.write_text(OTHER)
    assert file.look().has_changed
    assert file.rules == Rules(groups={"A": "C"})
    assert file.last.complaints == ()


def test_settings_that_cannot_be_read_change_nothing_and_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)

    def environ() -> dict[str, str]:
        raise ConfigError("Cannot read the settings in .env: not UTF-8.")

    look = RulesFile(path, Rules(groups={"A": "Z"}), environ).look()
    assert look.rules == Rules(groups={"A": "Z"})
    assert "Cannot read the settings in .env: not UTF-8." in str(look.complaints[0])


def test_a_disk_that_gives_no_answer_holds_nothing_up_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, used = tmp_path / "rules.toml", list[Rules | None]()
    path.write_text(GOOD)
    file, (reader, writer) = rules_file(path), os.pipe()

    def environ() -> dict[str, str]:
        os.read(reader, 1)  # the thread waits here, and no greenlet
        return {}

    file._environ = environ
    caplog.set_level("INFO")
    reload = Reload(file, used.append, every=60, within=0.01)
    try:
        path.write_text(OTHER)
        for _ in range(2):
            look = reload.now()
            assert look is not None
            assert [each.text for each in look.complaints] == [
                "cannot be read: the disk gives no answer"
            ]
        os.write(writer, b"1")
        reload._within = 5
        reload.now()
        path.write_text(BAD)
        os.write(writer, b"3")
        reload.now()
        path.write_text(OTHER)
        os.write(writer, b"4")
        reload.now()
    finally:
        reload.close()
        os.write(writer, b"!")
    assert used == [Rules(groups={"A": "C"})]
    told = [record.getMessage() for record in caplog.records]
    assert ["no answer" in each for each in told] == [True, False, False, False]
    assert told[1:] == [
        "rules: read again",
        told[2],
        "rules: the file can be used again, and says what it said before",
    ]


def test_a_file_that_is_gone_is_missed_at_the_second_look(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    file = rules_file(path)
    file.look()
    path.unlink()
    assert [file.is_due(), file.is_due()] == [False, True]
    look = file.look()
    assert (look.has_changed, look.rules) == (True, None)
    assert not file.is_due()


def test_rubbish_and_what_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    file = rules_file(path)
    for data in (os.urandom(1000), b"#" * 5_000_000):
        path.write_bytes(data)
        look = file.look()
        assert look.complaints
        assert look.rules == Rules(groups={"A": "B"})


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    os.mkfifo(path)
    with pytest.raises(RulesError, match="pipe"):
        load_rules(path, {})


def test_the_greenlet_sees_a_change_and_hands_it_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)
    used: list[Rules | None] = []
    seen = Event()

    def use(rules: Rules | None) -> None:
        used.append(rules)
        seen.set()

    reload = Reload(rules_file(path), use, every=0.01)
    try:
        path.write_text(OTHER)
        assert seen.wait(5)
        assert used == [Rules(groups={"A": "C"})]
        path.write_text(BAD)
        reload.now()
        reload.now()
        assert reload.alive
    finally:
        reload.close()
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert "rules.toml:5: " in told[0]
    assert len(used) == 1


def test_half_a_file_is_not_used_while_somebody_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD)

    class Growing(RulesFile):
        def is_settled(self) -> bool:
            settled = super().is_settled()
            if path.read_text() == half:
                path.write_text(f"{half}{OTHER}")
            return settled

    used: list[Rules | None] = []
    seen, half = Event(), "[numbers]\nNews = 100\n"

    def use(rules: Rules | None) -> None:
        used.append(rules)
        seen.set()

    reload = Reload(Growing(path, load_rules(path, {}), dict), use, every=0.01)
    try:
        path.write_text(half)
        assert seen.wait(5)
        assert used == [Rules(numbers={"News": 100}, groups={"A": "C"})]
    finally:
        reload.close()

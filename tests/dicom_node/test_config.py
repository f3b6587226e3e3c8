"""The configuration: what is refused and how it is said, and that `init`'s file means the defaults."""

from pathlib import Path

import pytest

from db.errors import ConfigError
from dicom_node.config import BUILT_PROFILES, Config, load_config
from dicom_node.config_harvest import Bookmarks, Private
from dicom_node.config_template import template
from dicom_node.report.profiles import PROFILES


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text), environment or {})
    return str(caught.value)


def test_the_file_that_init_writes_means_the_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, template("secret-token")), {})
    defaults = Config(data_dir=tmp_path / "data")
    assert config.model_copy(update={"web": defaults.web}) == defaults
    assert config.web.secret() == "secret-token"


def test_the_file_that_init_writes_names_every_key() -> None:
    text = template("x")
    for section in ("dicom", "detector", "gate", "settle", "harvest", "schedule", "web", "retention"):
        assert f"[{section}]" in text
        for key in type(getattr(Config(), section)).model_fields:
            assert f"{key} = " in text or f"[harvest.{key}]" in text
    for key in (*Bookmarks.model_fields, *Private.model_fields):
        assert f"# {key} = " in text or f"[harvest.bookmarks.{key}]" in text or f"[harvest.private.{key}]" in text
    assert "report_empty = false" in text


def test_an_unknown_key_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    assert "settle.quiet is an unknown key; known here: quiet_s" in refusal(tmp_path, "[settle]\nquiet = 3")


def test_an_unknown_key_of_a_peer_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, '[[peers]]\nname = "a"\nae_title = "A"\ndelivers = []')
    assert "peers.1.delivers is an unknown key" in message
    assert "deliver" in message


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("[settle]\nquiet_s = 0", "settle.quiet_s", "greater than 0"),
        ("[dicom]\nport = 70000", "dicom.port", "65535"),
        ('[dicom]\nport = "11112"', "dicom.port", "integer"),
        ('[dicom]\nae_title = "FAR TOO LONG A TITLE"', "dicom.ae_title", "1 to 16"),
        ('[schedule]\ntrain = "every night"', 'schedule.train = "every night"', "five fields of cron"),
        ('[schedule]\ntrain = "0 0 31 2 *"', 'schedule.train = "0 0 31 2 *"', "no such day in any year"),
        ("[settle]\nquiet_s = inf", "settle.quiet_s = inf", "finite number"),
        ("[retention]\nmin_free_gb = inf", "retention.min_free_gb = inf", "finite number"),
        ("[detector]\nbudget_minutes = inf", "detector.budget_minutes = inf", "finite number"),
        ("[gate]\nmargin = nan", "gate.margin = nan", "finite number"),
        ('[web]\nproxy = "the proxy"', 'web.proxy = "the proxy"', "IPv4 or IPv6"),
        ('[web]\ntoken_file = "none"', "web: token_file", "/none cannot be read: No such file or directory"),
        ('[[peers]]\nname = "a"\nae_title = "A"\nmode = "later"', "peers.1.mode", "'hold', 'send' or 'shadow'"),
        ('[[peers]]\nname = "a"\nae_title = "A"\ndeliver = ["pdf"]', "peers.1.deliver.1", "ohif, ohif-comprehensive"),
        (
            '[[peers]]\nname = "a"\nae_title = "A"\nviewer_url = "https://v/{uid}"',
            "peers.1.viewer_url",
            "{study}, {series}, {instance}, {patient}, {accession}",
        ),
        ('[[peers]]\nname = "a"', "peers.1.ae_title", "required"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    message = refusal(tmp_path, text)
    assert key in message
    assert allowed in message
    assert len(message.splitlines()) == 1


def test_a_leap_day_is_a_day(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, '[schedule]\ntrain = "0 0 29 2 *"'), {}).schedule.train == "0 0 29 2 *"


def test_a_value_in_the_place_of_a_section_is_refused_also_beside_the_environment(tmp_path: Path) -> None:
    assert "dicom = 3: Input should be" in refusal(tmp_path, "dicom = 3", {"DICOM_NODE_DICOM__PORT": "5"})


def test_two_peers_of_one_ae_title_are_refused(tmp_path: Path) -> None:
    text = '[[peers]]\nname = "a"\nae_title = "A"\n[[peers]]\nname = "b"\nae_title = "A"'
    assert "two peers have the same ae_title: A" in refusal(tmp_path, text)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dicom-node init"):
        load_config(tmp_path / "none.toml", {})


def test_the_environment_overrides_a_scalar(tmp_path: Path) -> None:
    environment = {"DICOM_NODE_SETTLE__QUIET_S": "7.5", "DICOM_NODE_WEB__BEHIND_PROXY": "true", "HOME": "/"}
    config = load_config(written(tmp_path, "[settle]\nquiet_s = 60"), environment)
    assert (config.settle.quiet_s, config.web.behind_proxy) == (7.5, True)


def test_the_environment_is_checked_like_the_file(tmp_path: Path) -> None:
    assert "settle.quiet_s" in refusal(tmp_path, "", {"DICOM_NODE_SETTLE__QUIET_S": "-1"})
    assert "unknown key" in refusal(tmp_path, "", {"DICOM_NODE_SETTLE__QUIET": "1"})
    assert "unknown section" in refusal(tmp_path, "", {"DICOM_NODE_PEERS__0__NAME": "x"})


def test_the_page_is_not_opened_to_others_without_token_and_proxy(tmp_path: Path) -> None:
    assert "needs a token" in refusal(tmp_path, '[web]\nhost = "0.0.0.0"\ntoken = "t"')
    load_config(written(tmp_path, '[web]\nhost = "0.0.0.0"\ntoken = "t"\nbehind_proxy = true'), {})


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = 'database_url = "postgresql+psycopg://u:hidden-1@h/d"\n[web]\ntoken = "hidden-2"'
    assert "hidden" not in repr(load_config(written(tmp_path, text), {}))
    assert "27182" not in refusal(tmp_path, "database_url = 27182\n[web]\ntoken = 27182")


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    assert load_config(written(tmp_path, '[web]\ntoken_file = "token"'), {}).web.secret() == "from-a-file"


def test_a_token_for_dicomweb_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    peer = 'name = "a"\nae_title = "A"\nsend_by = "stow-rs"\ndicomweb_url = "https://a/rs"\ndicomweb_token_file = "t"'
    assert load_config(written(tmp_path, f"[[peers]]\n{peer}"), {}).peer("a").dicomweb_token_file == tmp_path / "t"


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, 'data_dir = "here"'), {}).data_dir == tmp_path / "here"


def test_the_profiles_of_the_configuration_are_those_that_are_built() -> None:
    assert set(BUILT_PROFILES) == set(PROFILES)

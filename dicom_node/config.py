"""node.toml and the environment → one frozen `Config`, checked once. A wrong value is refused, never repaired.

Each scalar key can also be given as DICOM_NODE_<SECTION>__<KEY> (DICOM_NODE_<KEY> at the top level).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from croniter import CroniterBadDateError, croniter
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from db.engine import sqlite_url
from db.errors import ConfigError
from dicom_node.config_harvest import Harvest
from dicom_node.config_report import Report
from dicom_node.config_section import Section, toml_of
from dicom_node.viewer_link import viewer_template

PREFIX = "DICOM_NODE_"
BUILT_PROFILES = (
    "ohif", "ohif-comprehensive", "slicer", "slicer-comprehensive", "air",
    "seg", "seg-labelmap", "gsps", "sc", "ko", "rtstruct",
)  # fmt: skip
"""The keys of `report.profiles.PROFILES`, which must not be imported here: receiving needs no highdicom."""

SECRETS = ("web.token", "database_url")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _ae_title(value: str) -> str:
    if not 0 < len(value) <= 16 or "\\" in value or not value.isascii() or not value.isprintable() or not value.strip():
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash (PS3.5 6.2)")
    return value.strip()


def _cron(value: str) -> str:
    if value and (len(value.split()) != 5 or not croniter.is_valid(value)):
        raise ValueError('a schedule has the five fields of cron, like "0 2 * * 6", or is empty')
    try:
        if value:
            croniter(value, datetime.now(UTC)).get_next(datetime)
    except CroniterBadDateError as error:
        raise ValueError("there is no such day in any year") from error
    return value


def _network(value: str) -> str:
    ip_network(value, strict=False)
    return value


def _profile(value: str) -> str:
    if value not in BUILT_PROFILES:
        raise ValueError(f"is not a profile; there are: {', '.join(BUILT_PROFILES)}")
    return value


AeTitle = Annotated[str, AfterValidator(_ae_title)]
Cron = Annotated[str, AfterValidator(_cron)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Dicom(Section):
    """The node's own DICOM service."""

    ae_title: AeTitle = Field("LESION_NODE", description="Our AE title; a caller must use it.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(11112, description="Port to listen on.")
    max_pdu: int = Field(131072, ge=16384, le=1048576, description="Largest PDU that we take, in bytes.")
    max_associations: int = Field(100, ge=1, le=1000, description="Associations at one time.")


class Peer(Section):
    """Another DICOM node: a PACS, a modality, a workstation. One [[peers]] each."""

    name: str = Field(min_length=1, max_length=40, description="What people call it.")
    ae_title: AeTitle = Field(description="Its AE title.")
    host: str = Field("127.0.0.1", description="Its address; needed for find, deliver and the test button.")
    port: Port = Field(104, description="Its port.")
    accept: bool = Field(True, description="Whether it may send to us.")
    analyse: bool = Field(False, description="Whether lesions are searched in what arrives from it.")
    find: bool = Field(False, description="Whether it may be asked by C-FIND how many instances a study has.")
    deliver: list[Annotated[str, AfterValidator(_profile)]] = Field(
        default=[], description=f"Profiles of results to send to it: {', '.join(BUILT_PROFILES)}."
    )
    mode: Literal["hold", "send", "shadow"] = Field(
        "hold", description="hold: a person releases each result; send: at once; shadow: kept and compared, never sent."
    )
    send_by: Literal["c-store", "stow-rs"] = Field("c-store", description="How results go there.")
    dicomweb_url: str = Field("", description="Root of its DICOMweb service, like https://pacs/dicom-web; for stow-rs.")
    dicomweb_token_file: Path | None = Field(None, strict=False, description="A file with the bearer token for it.")
    commitment: bool = Field(True, description="Whether storage commitment is asked where the peer offers it.")
    rejection_notes: bool = Field(
        False, description="Whether results that no longer hold are taken back by a rejection note (KO)."
    )
    viewer_url: Annotated[str, AfterValidator(viewer_template)] = Field(
        "", description="Link to its viewer; {study}, {series}, {instance}, {patient}, {accession} are filled in."
    )
    report_empty: bool = Field(False, description="Whether 'none found' and 'failed' are sent, too.")
    max_results_per_hour: int | None = Field(None, ge=1, description="More than this to it pauses it and says so.")

    @model_validator(mode="after")
    def _has_a_way(self) -> Peer:
        if self.send_by == "stow-rs" and not self.dicomweb_url.startswith(("http://", "https://")):
            raise ValueError(f"send_by = 'stow-rs' needs a dicomweb_url with http, got {self.dicomweb_url!r}")
        return self


class Detector(Section):
    """Training and inference."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes the GPU if there is one.")
    body: Literal["auto", "lite0", "resnet18"] = Field(
        "auto", description="auto takes the pretrained lite0 where its weights are installed, else resnet18."
    )
    budget_minutes: float | None = Field(
        None, gt=0, description="Longest training; 10 on a CPU and 240 on a GPU if it is not given."
    )
    seed: int = Field(1, ge=0, description="Of training.")
    keep_score: float = Field(0.05, ge=0, lt=1, description="Detections below this score are forgotten.")
    max_fp_per_scan: float = Field(
        1.0,
        gt=0,
        description="Operating point: report what the validation set shows to cost this many false positives.",
    )
    max_findings: int = Field(20, ge=1, description="The most lesions in one report; the highest scores stand.")
    while_training: bool = Field(
        False, description="True lets detection run beside a training on the same device; it needs memory for both."
    )


class Gate(Section):
    """When a newly trained model may take over by itself."""

    margin: float = Field(0.05, ge=0, lt=1, description="Largest loss of mean sensitivity that counts as not worse.")
    min_lesions: int = Field(20, ge=1, description="With fewer lesions in the frozen set only a person promotes.")


class Settle(Section):
    quiet_s: float = Field(60.0, gt=0, description="A study is settled when nothing came for this long, in seconds.")


class Schedule(Section):
    categorise: Cron = Field("", description='When to categorise, cron in UTC ("0 2 * * 6"); empty: only on request.')
    train: Cron = Field("", description="When to train, cron in UTC; empty: only on request.")
    train_after_lesions: int | None = Field(None, ge=1, description="Categorise and train after so many new lesions.")


class Web(Section):
    """The page, its health check and metrics."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8042, description="Port to listen on.")
    token: str = Field("", repr=False, description="Password of the page; made by `init`. Or name a file:")
    token_file: Path | None = Field(None, strict=False, description="A file that holds the token.")
    behind_proxy: bool = Field(False, description="True if a proxy with TLS stands in front.")
    proxy: Annotated[str, AfterValidator(_network)] = Field(
        "127.0.0.1", description="Address or network of that proxy; nobody else is believed who a request came from."
    )

    @model_validator(mode="after")
    def _guarded(self) -> Web:
        if self.token and self.token_file:
            raise ValueError("give token or token_file, not both")
        secret = self.secret()
        if self.host not in LOOPBACK and not (secret and self.behind_proxy):
            raise ValueError(
                f"host = {self.host!r} opens the page to others: that needs a token and a proxy with TLS "
                "(behind_proxy = true), or host = '127.0.0.1'"
            )
        return self

    def secret(self) -> str:
        """The token, from wherever it stands; empty if there is none."""
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text().strip()
        except OSError as error:
            raise ValueError(f"token_file {self.token_file} cannot be read: {error.strerror}") from error


class Retention(Section):
    min_free_gb: float = Field(2.0, ge=0, description="Below this much free space nothing more is received.")


class Config(Section):
    """Everything that a site can set."""

    data_dir: Path = Field(Path("data"), strict=False, description="Where files and the SQLite database lie.")
    database_url: str = Field(
        "", repr=False, description="Empty: SQLite in data_dir; else postgresql+psycopg://user@host/database."
    )
    dicom: Dicom = Dicom()
    peers: list[Peer] = Field(default=[])
    detector: Detector = Detector()
    gate: Gate = Gate()
    settle: Settle = Settle()
    harvest: Harvest = Harvest()
    report: Report = Report()
    schedule: Schedule = Schedule()
    web: Web = Web()
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _peers_are_distinct(self) -> Config:
        for key in ("name", "ae_title"):
            values = [getattr(peer, key) for peer in self.peers]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two peers have the same {key}: {', '.join(twice)}")
        return self

    @property
    def url(self) -> str:
        return self.database_url or sqlite_url(self.data_dir)

    def peer(self, name: str) -> Peer:
        for peer in self.peers:
            if peer.name == name:
                return peer
        raise ConfigError("there is no such peer in node.toml", peer=name, known=[p.name for p in self.peers])


def find_config(given: Path | None) -> Path:
    """--config, else ./node.toml, else $DICOM_NODE_CONFIG."""
    if given is not None:
        return given
    here = Path("node.toml")
    return here if here.exists() else Path(os.environ.get("DICOM_NODE_CONFIG", here))


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of a file and the environment; relative paths are taken from the file's folder.

    Raises ConfigError with the key's name and what is allowed.
    """
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError("there is no configuration file; write one with `dicom-node init`", path=path) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the configuration file cannot be read: {error}", path=path) from error
    _apply_environment(values, os.environ if environment is None else environment)
    folder = path.absolute().parent
    _anchor(values, "data_dir", folder, Path("data"))
    if isinstance(web := values.get("web"), dict) and "token_file" in web:
        _anchor(web, "token_file", folder, None)
    for peer in peers if isinstance(peers := values.get("peers"), list) else ():
        if isinstance(peer, dict) and "dicomweb_token_file" in peer:
            _anchor(peer, "dicomweb_token_file", folder, None)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_explain(e)}" for e in error.errors())) from None


def _anchor(values: dict[str, Any], key: str, folder: Path, default: Path | None) -> None:
    value = values.get(key, default)
    if isinstance(value, str | Path):
        values[key] = folder / Path(value).expanduser()


def _apply_environment(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == f"{PREFIX}CONFIG":
            continue
        *sections, key = name.removeprefix(PREFIX).lower().split("__")
        target: Any = values
        model = Config
        for section in sections:
            annotation = model.model_fields[section].annotation if section in model.model_fields else None
            if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
                raise ConfigError("the environment names an unknown section", variable=name)
            target, model = target.setdefault(section, {}), annotation  # type: ignore[assignment]
        if key not in model.model_fields:
            raise ConfigError("the environment names an unknown key", variable=name, known=sorted(model.model_fields))
        if isinstance(target, dict):  # else the file holds a value where a section belongs, which is refused as such
            target[key] = _scalar(model.model_fields[key].annotation, text)


def _scalar(annotation: Any, text: str) -> object:
    """A value as TOML would have given it: the number, the truth value, or the text itself."""
    kinds = get_args(annotation) or (annotation,)
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _explain(error: Any) -> str:
    """One line of pydantic's: the key as it stands in the file, and what is allowed there."""
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *parents, _ = [part for part in error["loc"] if isinstance(part, str)]
        model: Any = Config
        for part in parents:
            annotation = model.model_fields[part].annotation
            model = next(iter(get_args(annotation)), annotation)
        return f"{key} is an unknown key; known here: {', '.join(model.model_fields)}"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], str | int | float) and key not in SECRETS:
        key = f"{key} = {toml_of(error['input'])}"
    return f"{key}: {message}" if key else message

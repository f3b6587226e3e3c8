"""A model's two files: there and back, and refused where anything changed."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from small_node import INPUTS, small_network

from db.errors import ContentError
from db.local_files import LocalFiles
from detector.merge import MergeSettings
from detector.model_files import card_bytes, card_of, load_model, names_of, weights_bytes

CURVE = [(0.9, 0.5), (0.25, 4.0)]


def kept(files: LocalFiles) -> tuple[dict[str, object], str]:
    """The card as it comes back from JSON, and the hash under which the weights lie."""
    network = small_network(classes=3)
    content = weights_bytes(network)
    digest = hashlib.sha256(content).hexdigest()
    files.write(names_of(digest)[0], content)
    return json.loads(card_bytes(card_of(network, INPUTS, MergeSettings(), ["liver", "lung"], CURVE))), digest


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    card, digest = kept(files)
    loaded = load_model(card, digest, files)
    assert (loaded.inputs, loaded.merging, loaded.class_names) == (INPUTS, MergeSettings(), ("liver", "lung"))
    assert loaded.operating_curve == ((0.9, 0.5), (0.25, 4.0)) and loaded.category(2) == "lung"
    assert not loaded.network.training
    image = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        (before,), (after,) = small_network(classes=3)([image]), loaded.network([image])
    assert all(torch.equal(before[name], after[name]) for name in ("boxes", "scores", "labels"))
    assert hashlib.sha256(weights_bytes(loaded.network)).hexdigest() == digest


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    card, digest = kept(files)
    path = files.path(names_of(digest)[0])
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ContentError, match="not those that were registered"):
        load_model(card, digest, files)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    card, digest = kept(files)
    with pytest.raises(ContentError, match="not in the file store"):
        load_model(card, "0" * 64, files)
    with pytest.raises(ContentError, match="another version"):
        load_model(card | {"format": 99}, digest, files)


def test_weights_that_do_not_fit_the_card_are_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    card, digest = kept(files)
    network = dict(card["network"]) | {"head": 24}  # type: ignore[call-overload]
    with pytest.raises(ContentError, match="do not fit its card"):
        load_model(card | {"network": network}, digest, files)

import hashlib

import pytest
import torch

from db.errors import ConfigError
from mining import body
from mining.body import LITE0_PACKAGE, lite0, lite0_weights


def test_the_logits_are_those_of_the_published_net() -> None:
    """The look-alike without `tf_` loads the same tensors and begins with -1.146, 0.642, 1.305 here."""
    pytest.importorskip(LITE0_PACKAGE, reason="needs the extra 'weights'")
    ramp = torch.linspace(0, 1, 3 * 96 * 112).reshape(1, 3, 96, 112)
    net = lite0()
    assert net is not None and not net.training
    with torch.inference_mode():
        logits = net(torch.sin(ramp * 500))[0]
    assert logits[:4].tolist() == pytest.approx([0.20286, 0.32124, -0.42311, -2.26268], abs=2e-3)
    assert float(logits.norm()) == pytest.approx(46.6796, abs=1e-2)


def test_without_the_extra_there_is_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LITE0_PACKAGE", "a_package_that_is_not_installed")
    assert lite0() is None
    assert lite0_weights() is None


def test_another_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(LITE0_PACKAGE, reason="needs the extra 'weights'")
    monkeypatch.setattr(body, "LITE0_SHA256", hashlib.sha256(b"another file").hexdigest())
    with pytest.raises(ConfigError, match="not the known ones"):
        lite0_weights()

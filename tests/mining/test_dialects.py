"""Every dialect gives the rows that are known by construction, through the whole harvest."""

import pytest
from dialect import Dialect
from dialects import DIALECTS
from harvest_node import Node
from sqlalchemy import select

from db.models import LesionRow


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_gives_its_rows(node: Node, dialect: Dialect) -> None:
    node.receive(*dialect.objects())
    node.harvest(settings=dialect.settings)
    found = list(node.session.scalars(select(LesionRow)))
    assert {row.source_kind for row in found} <= {dialect.kind}
    order = sorted(found, key=lambda row: (row.sop_instance_uid, row.frame_number, row.long_axis_mm or 0.0))
    wanted = sorted(dialect.rows, key=lambda row: (row.image, row.frame, row.long_mm or 0.0))
    assert [(row.sop_instance_uid, row.frame_number) for row in order] == [(row.image, row.frame) for row in wanted]
    for row, truth in zip(order, wanted, strict=True):
        assert row.long_axis_mm == pytest.approx(truth.long_mm, abs=truth.tolerance_mm)
        assert row.short_axis_mm == pytest.approx(truth.short_mm, abs=truth.tolerance_mm)
        assert row.derived is truth.derived
        assert (row.excluded_because is None) is truth.truth, row.excluded_because
    assert sorted(code for _, code in node.rejections()) == sorted(dialect.rejections)

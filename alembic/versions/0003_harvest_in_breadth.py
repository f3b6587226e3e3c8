"""Harvest in breadth: rows without axes, one row for one drawing, what an image was made for

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ENDS = ("long_x1", "long_y1", "long_x2", "long_y2")
EDGES = ("box_x1", "box_y1", "box_x2", "box_y2")


def upgrade() -> None:
    with op.batch_alter_table("image") as image:
        image.add_column(sa.Column("purpose", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("image") as image:
        image.alter_column("purpose", existing_type=sa.Text(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("measurement") as measurement:
        for name in ENDS:
            measurement.alter_column(name, existing_type=sa.Double(), nullable=True)
        measurement.add_column(sa.Column("point_x", sa.Double(), nullable=True))
        measurement.add_column(sa.Column("point_y", sa.Double(), nullable=True))
        measurement.add_column(sa.Column("same_as", sa.String(36), nullable=True))
        measurement.add_column(sa.Column("replaced_by", sa.Text(), nullable=True))
        measurement.create_index("ix_measurement_same_as", ["same_as"])
    with op.batch_alter_table("lesion") as lesion:
        for name in (*ENDS, "long_axis_px", *EDGES):
            lesion.alter_column(name, existing_type=sa.Double(), nullable=True)
        lesion.add_column(sa.Column("point_x", sa.Double(), nullable=True))
        lesion.add_column(sa.Column("point_y", sa.Double(), nullable=True))
        lesion.add_column(sa.Column("comment", sa.Text(), nullable=True))
        lesion.add_column(sa.Column("by_algorithm", sa.Text(), nullable=True))
        lesion.add_column(sa.Column("image_purpose", sa.Text(), nullable=True))
        lesion.drop_index("ix_lesion_category_id")
        lesion.create_index("ix_lesion_category_long_axis_mm", ["category", "long_axis_mm"])
        lesion.create_index("ix_lesion_category_id_long_axis_mm", ["category_id", "long_axis_mm"])


def downgrade() -> None:
    # What was only pointed at has no place in the older tables; `harvest --again` finds it anew.
    op.execute("DELETE FROM lesion WHERE long_x1 IS NULL")
    op.execute("DELETE FROM measurement WHERE long_x1 IS NULL")
    with op.batch_alter_table("lesion") as lesion:
        lesion.drop_index("ix_lesion_category_id_long_axis_mm")
        lesion.drop_index("ix_lesion_category_long_axis_mm")
        lesion.create_index("ix_lesion_category_id", ["category_id"])
        for name in ("image_purpose", "by_algorithm", "comment", "point_y", "point_x"):
            lesion.drop_column(name)
        for name in (*ENDS, "long_axis_px", *EDGES):
            lesion.alter_column(name, existing_type=sa.Double(), nullable=False)
    with op.batch_alter_table("measurement") as measurement:
        measurement.drop_index("ix_measurement_same_as")
        for name in ("replaced_by", "same_as", "point_y", "point_x"):
            measurement.drop_column(name)
        for name in ENDS:
            measurement.alter_column(name, existing_type=sa.Double(), nullable=False)
    with op.batch_alter_table("image") as image:
        image.drop_column("purpose")

"""Every dialect that the harvest is held against: the lines of docs/harvest.md."""

from dialect import Dialect
from dialects_foreign import FOREIGN_DIALECTS
from dialects_gsps import GSPS_DIALECTS
from dialects_regions import REGION_DIALECTS
from dialects_sr import SR_DIALECTS

DIALECTS: list[Dialect] = [*SR_DIALECTS, *REGION_DIALECTS, *GSPS_DIALECTS, *FOREIGN_DIALECTS]

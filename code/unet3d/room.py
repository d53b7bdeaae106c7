"""3D-UNet's room, as the rest of the house sees it (code/common/rooms.py): its names and counts so far."""

from __future__ import annotations

from code.common.constants import Scenario
from code.common.planned_room import PlannedRoom
from code.unet3d import facts

ROOM = PlannedRoom(facts.NAME, tuple(Scenario[name] for name in facts.SCENARIOS), facts.DATASET_SAMPLES, facts.FULL_NAMES)

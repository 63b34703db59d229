"""SIGKILL at random moments, while images stream in; the long version is `make crash`."""

from pathlib import Path

import pytest
from crash import crash


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_gateway_is_killed_again_and_again(tmp_path: Path):
    tally = crash(tmp_path, kills=3, associations=3, longest_life_s=1.0)
    assert tally.nothing_lost, tally
    assert tally.acknowledged > 0
    assert tally.delivered >= tally.acknowledged

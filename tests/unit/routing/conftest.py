"""What the tests of workers share: an instance that a lane was told of."""

import pytest
from store_support import Instances

from gateway.model import Version
from gateway.store.opened import Store


@pytest.fixture
def version(store: Store, receive, made_ct) -> Version:
    """The one that is stored; its event, the first, waits for lane a."""
    store.outbox.open_lane("a")
    found = Instances(store.engine).current(receive(made_ct()))
    assert found is not None
    return found

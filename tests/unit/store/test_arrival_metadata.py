"""What is noted of an instance when it comes, for those who hear of it."""

from gateway.dicom import part10
from gateway.model import Origin, OriginKind
from gateway.store.resource_metadata import metadata_of


def test_an_event_tells_what_was_noted_of_its_instance_when_it_came(gateway_api, made_ct):
    gateway_api.services.store.outbox.open_lane("route.lua")
    stored = gateway_api.store(made_ct(1))
    file = gateway_api.file_of(stored)
    meta = part10.read_meta(file)
    image = made_ct(2)
    # The same data set under the name of another instance.
    content = file.read_bytes()[meta.data_set_offset :].replace(
        meta.sop_instance_uid.encode(), str(image.SOPInstanceUID).encode()
    )
    with gateway_api.services.ingest.begin(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=str(image.SOPInstanceUID),
        transfer_syntax_uid=meta.transfer_syntax_uid,
        origin=Origin(OriginKind.LUA),
        metadata={"ModifiedFrom": stored},
    ) as arrival:
        arrival.write(content)
        modified = arrival.keep()

    plain, noted = gateway_api.services.store.outbox.pending("route.lua", 10)

    assert "ModifiedFrom" not in plain.metadata
    assert noted.metadata["ModifiedFrom"] == stored
    assert noted.metadata["Origin"] == "Lua"
    with gateway_api.services.store.engine.connect() as connection:
        assert metadata_of(connection, modified)["ModifiedFrom"].revision == 0

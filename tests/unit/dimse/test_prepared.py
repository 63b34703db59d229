"""Prepared commands are, byte for byte, what pynetdicom makes of the same request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from gateway.dimse.prepared import MoveOriginator, store_request, store_success

CT = "1.2.840.10008.5.1.4.1.1.2"
ids = st.integers(0, 65535)
uids = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,9}){1,4}", fullmatch=True)
classes = st.sampled_from([CT, "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.11"])


@given(ids, classes, uids, st.sampled_from([None, MoveOriginator("VIEWER", 7)]))
def test_a_request_is_what_pynetdicom_would_send(
    message_id, sop_class_uid, sop_instance_uid, originator
):
    primitive = C_STORE()
    primitive.MessageID = message_id
    primitive.Priority = 0
    primitive.AffectedSOPClassUID = UID(sop_class_uid)
    primitive.AffectedSOPInstanceUID = UID(sop_instance_uid)
    if originator:
        primitive.MoveOriginatorApplicationEntityTitle = originator.aet
        primitive.MoveOriginatorMessageID = originator.message_id
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    message.command_set.CommandDataSetType = 0x0001
    expected = encode(message.command_set, True, True)
    assert store_request(message_id, sop_class_uid, sop_instance_uid, originator) == expected


@given(ids, classes, uids)
def test_a_success_is_what_pynetdicom_would_answer(message_id, sop_class_uid, sop_instance_uid):
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo = message_id
    primitive.Status = 0x0000
    primitive.AffectedSOPClassUID = UID(sop_class_uid)
    primitive.AffectedSOPInstanceUID = UID(sop_instance_uid)
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    expected = encode(message.command_set, True, True)
    assert store_success(message_id, sop_class_uid, sop_instance_uid) == expected


@pytest.mark.parametrize("uid", ["1.2", "1.2.3", "9" * 64])
def test_a_uid_of_any_length_fits(uid):
    assert uid.encode() in store_request(1, CT, uid)

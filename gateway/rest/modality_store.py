"""/modalities/{name}/store: instances of ours, or a file in the body, sent over DICOM."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from werkzeug import Request, Response

from gateway.dicom import part10
from gateway.dimse.prepared import MoveOriginator
from gateway.errors import GatewayError, InstanceUnreadable
from gateway.model import Version
from gateway.rest import fields
from gateway.rest.answers import json_answer
from gateway.rest.delivery import Delivery, Manner
from gateway.rest.errors import ApiError, Fault
from gateway.rest.exporting import (
    as_api_error,
    check_known,
    described,
    export_of,
    instance_ids,
    log_exports,
    send_each,
    syntax_asked,
)
from gateway.rest.jobs import JobKind, Running
from gateway.rest.modality_json import aet_asked, known_modality, with_timeout
from gateway.rest.services import Services
from gateway.rest.submission import answer_with_job, submission_of
from gateway.store.files import RECEIVED
from gateway.store.modalities import Modalities
from gateway.work.fitting import Parcel
from gateway.work.transcoding import Transcoding

JOB = "DicomModalityStore"
_LARGEST_MESSAGE_ID = 0xFFFF


class ModalityStore:
    """The handlers, and the job behind them."""

    def __init__(self, services: Services, modalities: Modalities) -> None:
        self._modalities = modalities
        self._catalogue = services.catalogue
        self._committer = services.store.committer
        self._storage = services.store.files
        self._jobs = services.jobs
        self._own_aet = services.settings.dicom.aet
        self._options = services.settings.codecs.options()
        self._transcoding = Transcoding(
            services.store.files, services.codecs, self._options, services.metrics
        )
        self._filters = services.filters
        services.jobs.register(JobKind(JOB, self._carry_out, self._describe))

    def store(self, request: Request, modality: str) -> Response:
        """Send resources."""
        resource_ids, options = export_of(request)
        check_known(self._catalogue, resource_ids)
        known_modality(self._modalities, modality)
        asked = _asked(modality, resource_ids, options)
        return answer_with_job(self._jobs, JOB, asked, submission_of(options))

    def store_straight(self, request: Request, modality: str) -> Response:
        """Send the body, which is a DICOM file, without keeping it."""
        manner = self._manner({"Modality": modality})
        staged = self._storage.stage(RECEIVED)
        try:
            with staged.create() as file:
                shutil.copyfileobj(request.stream, file)
            return self._send_file(staged.path, manner)
        finally:
            staged.discard()

    def _send_file(self, path: Path, manner: Manner) -> Response:
        try:
            meta = part10.read_meta(path)
        except InstanceUnreadable as error:
            raise ApiError(Fault.BAD_FILE_FORMAT, str(error)) from error
        parcel = Parcel(path, meta.sop_class_uid, meta.transfer_syntax_uid)
        try:
            with Delivery(manner, self._transcoding, self._filters) as delivery:
                delivery.send(parcel)
        except GatewayError as error:
            raise as_api_error(error) from error
        return json_answer(
            {"SOPClassUID": meta.sop_class_uid, "SOPInstanceUID": meta.sop_instance_uid}
        )

    # --- the job -----------------------------------------------------------------------------

    def _describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        manner = self._manner(asked)
        content = {
            **described(asked["Resources"], len(self._instances(asked))),
            "LocalAet": manner.calling_aet,
            "RemoteAet": manner.modality.destination.aet,
        }
        if manner.originator is not None:
            content["MoveOriginatorAET"] = manner.originator.aet
            content["MoveOriginatorID"] = manner.originator.message_id
        return content

    def _carry_out(self, running: Running, asked: Mapping[str, Any]) -> None:
        with Delivery(self._manner(asked), self._transcoding, self._filters) as delivery:
            delivery.expect(self._kinds_of_files(asked))
            send_each(
                running,
                self._catalogue,
                self._instances(asked),
                lambda version: delivery.send(self._parcel(version)),
                permissive=asked["Permissive"],
            )
        log_exports(self._catalogue, self._committer, asked["Resources"], asked["Modality"])

    def _instances(self, asked: Mapping[str, Any]) -> list[str]:
        return instance_ids(self._catalogue, asked["Resources"])

    def _kinds_of_files(self, asked: Mapping[str, Any]) -> set[tuple[str, str]]:
        """SOP classes and the transfer syntaxes that they are stored in."""
        resources = (self._catalogue.get(each) for each in asked["Resources"])
        return {
            (version.sop_class_uid, version.transfer_syntax_uid)
            for resource in resources
            if resource is not None
            for version in self._catalogue.versions(resource)
        }

    def _parcel(self, version: Version) -> Parcel:
        return Parcel(
            self._storage.path(version.storage_key),
            version.sop_class_uid,
            version.transfer_syntax_uid,
            version.instance_id,
        )

    def _manner(self, asked: Mapping[str, Any]) -> Manner:
        modality = known_modality(self._modalities, asked["Modality"])
        destination = with_timeout(modality.destination, asked.get("Timeout", 0))
        calling_aet = asked.get("LocalAet") or destination.calling_aet or self._own_aet
        originator = None
        if "MoveOriginatorID" in asked:
            originator = MoveOriginator(
                asked.get("MoveOriginatorAet") or self._own_aet, asked["MoveOriginatorID"]
            )
        return Manner(
            replace(modality, destination=destination),
            calling_aet,
            destination.transcode.options(self._options),
            asked.get("Transcode", ""),
            originator,
        )


def _asked(modality: str, resource_ids: list[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """What the job is to do, as JSON. Raises ApiError."""
    if fields.boolean(options, "StorageCommitment", False):
        raise ApiError(Fault.NOT_IMPLEMENTED, "storage commitment is not offered yet")
    asked: dict[str, Any] = {
        "Modality": modality,
        "Resources": resource_ids,
        "Permissive": fields.boolean(options, "Permissive", False),
        "Timeout": fields.unsigned(options, "Timeout", 0),
        "LocalAet": aet_asked(options, "LocalAet"),
        "MoveOriginatorAet": aet_asked(options, "MoveOriginatorAet"),
        "Transcode": syntax_asked(options),
    }
    if "MoveOriginatorID" in options:
        asked["MoveOriginatorID"] = fields.integer(options, "MoveOriginatorID", 0)
        if not 0 <= asked["MoveOriginatorID"] <= _LARGEST_MESSAGE_ID:
            raise ApiError(Fault.OUT_OF_RANGE, "MoveOriginatorID is no message id")
    return asked

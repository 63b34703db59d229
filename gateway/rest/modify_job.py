"""The job that modifies a patient, a study or a series, one instance after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from gateway.dicom.modify import BadValue, Uids
from gateway.dicom.texts import DoesNotFit
from gateway.errors import (
    DuplicateRefused,
    FilteredOut,
    FilterFailed,
    GatewayError,
    InstanceMismatch,
    LoopNoticed,
    StorageFull,
)
from gateway.logs import logger
from gateway.model import Level, Origin, OriginKind, Resource, Version
from gateway.rest.errors import ApiError, Fault, fault_of_filter
from gateway.rest.jobs import Running
from gateway.rest.lookup import resource_of
from gateway.rest.modification import Asked, asked_of
from gateway.rest.services import Services
from gateway.store.instances import mark_deleted
from gateway.store.jobs import replace_request
from gateway.store.resource_metadata import set_metadata
from gateway.work.remaking import Remaker

log = logger("rest")
_COLLECTIONS = {Level.PATIENT: "patients", Level.STUDY: "studies", Level.SERIES: "series"}
# In a request: what the job has told of its results. There is nothing left to do.
_DONE = "Done"
_UID_TAGS = {Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID"}


class ModifyJob:
    """The kind of job. Its request is what the routes make of a body."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @staticmethod
    def describe(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What clients see from the start."""
        content = {
            "Description": "REST API",
            "FailedInstancesCount": 0,
            "InstancesCount": request["InstancesCount"],
            "IsAnonymization": request["Anonymize"],
        }
        if transcode := request["Body"].get("Transcode"):
            content["Transcode"] = transcode
        return content

    def work(self, running: Running, request: Mapping[str, Any]) -> None:
        """Carry it out. Raises ApiError."""
        if _DONE in request:  # the sources are gone, and the gateway ended before we could tell
            running.tell(**request[_DONE])
        else:
            _Run(self._services, running, request).modify_all()


class _Run:
    def __init__(self, services: Services, running: Running, request: Mapping[str, Any]) -> None:
        self._services = services
        self._running = running
        self._request = request
        level = Level(request["Level"])
        self._asked = asked_of(request["Body"], level, anonymize=request["Anonymize"])
        self._resource = resource_of(services, level, request["Resource"])
        self._versions = services.catalogue.versions(self._resource)
        salt = request["Salt"]
        known = known_uids(services, self._resource, self._versions, self._asked, salt)
        self._wanted = self._asked.modification(Uids(known, salt))
        self._remaker = remaker_for(services, self._asked, insists=False)
        self._origin = _origin(request["Origin"])
        self._note = "AnonymizedFrom" if request["Anonymize"] else "ModifiedFrom"
        self._noted: set[str] = set()
        self._results: set[str] = set()
        self._told: dict[str, Any] = {}
        self._failed = 0

    def modify_all(self) -> None:
        for done, version in enumerate(self._versions):
            self._running.progress(done, len(self._versions))
            try:
                self._modify(version)
            except (GatewayError, BadValue, DoesNotFit, ApiError) as error:
                self._fail(error, version)
        if not self._request["KeepSource"] and not self._failed:
            self._delete_sources()

    def _modify(self, version: Version) -> None:
        note = {self._note: version.instance_id}
        with (
            self._remaker.remade(version, self._wanted) as result,
            self._services.ingest.begin(
                sop_class_uid=result.sop_class_uid,
                sop_instance_uid=result.sop_instance_uid,
                transfer_syntax_uid=result.transfer_syntax_uid,
                origin=self._origin,
                metadata=note,
            ) as arrival,
        ):
            for chunk in result.chunks:
                arrival.write(chunk)
            made = arrival.keep()
        if made in self._results:
            raise ApiError(Fault.CANNOT_STORE, "two instances have become one")
        self._results.add(made)
        self._tell(version, made)

    def _tell(self, version: Version, made: str) -> None:
        """Note where the parents were made from, and show clients what there is now."""
        sources = _with_parents(self._services, version.instance_id)
        results = _with_parents(self._services, made)
        new = {
            results[level]: sources[level]
            for level in (Level.PATIENT, Level.STUDY, Level.SERIES)
            if results[level] != sources[level] and results[level] not in self._noted
        }
        if new:
            self._services.store.committer.commit(
                lambda connection: _note_all(connection, self._note, new)
            )
            self._noted |= new.keys()
        level = self._asked.level
        self._told = {
            "ID": results[level],
            "Path": f"/{_COLLECTIONS[level]}/{results[level]}",
            "PatientID": results[Level.PATIENT],
            "Type": level,
        }
        self._running.tell(**self._told)

    def _fail(self, error: Exception, version: Version) -> None:
        problem = error if isinstance(error, ApiError) else refused(error, version.instance_id)
        if not self._request["Permissive"]:
            raise problem from error
        self._failed += 1
        self._running.tell(FailedInstancesCount=self._failed)
        log.warning(
            "an instance is not modified", instance=version.instance_id, fault=problem.fault
        )

    def _delete_sources(self) -> None:
        """All at once: a job that begins anew finds all of them, or has nothing left to do."""
        going = [each for each in self._versions if each.instance_id not in self._results]
        done = {**self._request, _DONE: self._told}

        def apply(connection: Connection) -> None:
            for each in going:
                mark_deleted(connection, each.version_id)
            replace_request(connection, self._running.job_id, done)

        self._services.store.committer.commit(apply)


def remaker_for(services: Services, asked: Asked, *, insists: bool) -> Remaker:
    """What makes the instances that were asked for."""
    return Remaker(
        services.store.files,
        services.codecs,
        asked.options(services.settings.codecs.options()),
        syntax_uid=asked.transcode,
        insists=insists,
    )


def known_uids(
    services: Services,
    resource: Resource,
    versions: Sequence[Version],
    asked: Asked,
    salt: str,
) -> dict[str, str]:
    """What becomes of the UIDs of all that is modified, and of what it is in."""
    uids = Uids(salt=salt)
    old = [(Level.INSTANCE, version.sop_instance_uid) for version in versions]
    for level, keyword in _UID_TAGS.items():
        if asked.new_uid(level, "", uids) is None:
            continue  # whatever they are, they stay
        found = services.catalogue.related_resources(resource, level)
        old += [(level, each.main_tags.get(keyword, "")) for each in found]
    known = {uid: asked.new_uid(level, uid, uids) for level, uid in old if uid}
    return {uid: new for uid, new in known.items() if new is not None}


def refused(error: Exception, instance_id: str = "") -> ApiError:
    """Why an instance cannot be modified."""
    if isinstance(error, BadValue):
        return ApiError(Fault.BAD_FILE_FORMAT, f"While creating a DICOM instance, {error}")
    if isinstance(error, DoesNotFit):
        return ApiError(Fault.BAD_REQUEST, "the character set lacks characters of the data set")
    if isinstance(error, LoopNoticed):
        return ApiError(Fault.LOOP, str(error))
    if isinstance(error, StorageFull):
        return ApiError(Fault.FULL_STORAGE, str(error))
    if isinstance(error, FilterFailed):
        return ApiError(fault_of_filter(error), str(error))
    if isinstance(error, (DuplicateRefused, FilteredOut, InstanceMismatch)):
        return ApiError(
            Fault.CANNOT_STORE, f"Error while storing a modified instance {instance_id}"
        )
    return ApiError(Fault.BAD_FILE_FORMAT, str(error))


def _with_parents(services: Services, instance_id: str) -> dict[Level, str]:
    """The ids of an instance and of all above it."""
    found = {}
    resource = services.catalogue.get(instance_id)
    while resource is not None:
        found[resource.level] = resource.resource_id
        resource = services.catalogue.get(resource.parent_id) if resource.parent_id else None
    if Level.PATIENT not in found:  # it was deleted meanwhile
        raise ApiError(Fault.UNKNOWN_RESOURCE, f"there is no instance {instance_id}")
    return found


def _note_all(connection: Connection, name: str, sources: Mapping[str, str]) -> None:
    for resource_id, source_id in sources.items():
        set_metadata(connection, resource_id, name, source_id)


def _origin(columns: Mapping[str, Any]) -> Origin:
    return replace(Origin(**dict(columns)), kind=OriginKind(columns["kind"]))

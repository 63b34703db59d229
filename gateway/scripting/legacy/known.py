"""Words of Orthanc's that scripts use: functions, keys, and mistakes that are often made."""

from collections.abc import Mapping

from gateway.scripting import callbacks

# Called by Orthanc, but not by us before queries are offered.
NOT_CALLED_YET = frozenset(
    callback.name
    for callback in (
        callbacks.INCOMING_FIND_REQUEST_FILTER,
        callbacks.INCOMING_WORKLIST_REQUEST_FILTER,
        callbacks.OUTGOING_FIND_REQUEST_FILTER,
    )
)
# Global functions of Orthanc up to 1.12 that have nothing to do with its own inner life.
ORTHANC_FUNCTIONS = frozenset(
    {
        "CallSystem", "Delete", "DeleteKeyValue", "DumpJson", "GetKeyValue",
        "GetOrthancConfiguration", "HttpDelete", "HttpGet", "HttpPost", "HttpPut",
        "ModifyInstance", "ModifyResource", "ParseJson", "PrintRecursive", "RestApiDelete",
        "RestApiGet", "RestApiPost", "RestApiPut", "SendToModality", "SendToPeer",
        "SetHttpCredentials", "SetHttpTimeout", "SetStableStatus", "StoreKeyValue", "print",
    }
)  # fmt: skip
# Functions that never were in Orthanc, and what is meant.
NEVER_WERE: Mapping[str, str] = {
    "DeleteInstance": "Delete(id), or RestApiDelete('/instances/' .. id)",
    "DeleteStudy": "RestApiDelete('/studies/' .. id)",
    "GenerateUid": "RestApiGet('/tools/generate-uid?level=study')",
    "GetInstance": "RestApiGet('/instances/' .. id)",
    "GetStudy": "RestApiGet('/studies/' .. id)",
    "JsonDump": "DumpJson(value)",
    "JsonParse": "ParseJson(text)",
    "Log": "print(...)",
    "LogError": "print(...)",
    "LogInfo": "print(...)",
    "LogMessage": "print(...)",
    "LogWarning": "print(...)",
    "PrintLog": "print(...)",
    "PrintToLog": "print(...)",
    "SendToModalities": "SendToModality(id, name), once for each",
    "SendToOrthanc": "SendToPeer(id, name)",
    "SystemLog": "print(...)",
    "WriteLog": "print(...)",
    "log": "print(...)",
    "sleep": "nothing: a callback that waits delays all events behind it",
}
# Of Lua, and closed here: each would take the whole gateway along.
CLOSED: Mapping[str, str] = {
    "os.exit": "return from the callback instead",
    "os.setlocale": "it would change how the whole process reads numbers",
    "package.loadlib": "C libraries cannot be loaded; run a program by os.execute instead",
}
ORIGIN_KEYS = ("RequestOrigin", "RemoteAet", "RemoteIp", "CalledAet", "Username")
METADATA_KEYS = (
    "AnonymizedFrom", "CalledAET", "HttpHost", "HttpUsername", "IndexInSeries", "LastUpdate",
    "ModifiedFrom", "Origin", "PixelDataOffset", "ReceptionDate", "RemoteAET", "RemoteIP",
    "SopClassUid", "TransferSyntax",
)  # fmt: skip
# Programs that transcode.
TRANSCODERS = frozenset(
    {
        "dcm2dcm", "dcmcjpeg", "dcmcjpls", "dcmconv", "dcmcrle", "dcmdjpeg", "dcmdjpls", "dcmdrle",
        "gdcmconv", "opj_compress", "opj_decompress",
    }
)  # fmt: skip

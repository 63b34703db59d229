"""What each key of Orthanc's configuration means to us.

A key is one of three kinds: it is carried over (orthanc_import.py does it), it has no meaning here,
or it is not supported. Of the last two, only those are worth telling that say something else than
Orthanc does by default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ignored:
    """A key that changes nothing here. default: Orthanc's own value; meaning: what that means."""

    default: Any
    meaning: str


# What Orthanc 1.10.1 assumes of the keys that are carried over. Those that it has no value for
# unless they are given are not here.
DEFAULTS: Mapping[str, Any] = {
    "ConcurrentJobs": 2,
    "DefaultEncoding": "Latin1",
    "DicomAet": "ORTHANC",
    "DicomAlwaysAllowEcho": True,
    "DicomAlwaysAllowStore": True,
    "DicomAssociationCloseDelay": 5,
    "DicomCheckCalledAet": False,
    "DicomCheckModalityHost": False,
    "DicomLossyTranscodingQuality": 90,
    "DicomModalities": {},
    "DicomModalitiesInDatabase": False,
    "DicomPort": 4242,
    "DicomScpTimeout": 30,
    "DicomScuPreferredTransferSyntax": "1.2.840.10008.1.2.1",
    "DicomScuTimeout": 10,
    "DicomServerEnabled": True,
    "Dictionary": {},
    "ExecuteLuaEnabled": False,
    "HttpCompressionEnabled": True,
    "HttpPort": 8042,
    "HttpServerEnabled": True,
    "HttpTimeout": 60,
    "IngestTranscodingOfCompressed": True,
    "IngestTranscodingOfUncompressed": True,
    "JobsHistorySize": 10,
    "LuaHeartBeatPeriod": 0,
    "LuaScripts": [],
    "MaximumPatientCount": 0,
    "MaximumStorageMode": "Recycle",
    "MaximumStorageSize": 0,
    "OrthancPeers": {},
    "OrthancPeersInDatabase": False,
    "OverwriteInstances": False,
    "RegisteredUsers": {},
    "RemoteAccessAllowed": False,
    "RestApiWriteToFileSystemEnabled": False,
    "SaveJobs": True,
    "SslCertificate": "certificate.pem",
    "SslEnabled": False,
    "StableAge": 60,
    "StorageDirectory": "OrthancStorage",
    "StrictAetComparison": False,
    "TranscodeDicomProtocol": True,
    "UnknownSopClassAccepted": False,
    "UserContentType": {},
    "UserMetadata": {},
    "CheckRevisions": False,
}
# Carried over where they are given; Orthanc has no value for them, or one that is ours as well.
OPTIONAL = frozenset(
    {
        "AcceptedTransferSyntaxes", "AuthenticationEnabled", "DeflatedTransferSyntaxAccepted",
        "H265TransferSyntaxAccepted", "IndexDirectory", "IngestTranscoding",
        "Jpeg2000TransferSyntaxAccepted", "JpegLosslessTransferSyntaxAccepted",
        "JpegTransferSyntaxAccepted", "JpipTransferSyntaxAccepted", "MaximumPduLength",
        "Mpeg2TransferSyntaxAccepted", "Mpeg4TransferSyntaxAccepted", "Name",
        "RleTransferSyntaxAccepted",
    }
)  # fmt: skip

_NO_QUERIES = "queries and retrieval are not offered yet"
_NO_TLS = "DICOM over TLS is not offered: associations would not be encrypted"
_OUR_WAY = "the gateway does without it"
_ALWAYS = "it is always so here"
# Keys that Orthanc 1.10.1 knows and nothing is made of here, and what its own default is.
IGNORED: Mapping[str, Ignored] = {
    "BuiltinDecoderTranscoderOrder": Ignored("After", "there are no plugins to choose from"),
    "CaseSensitivePN": Ignored(False, _NO_QUERIES),
    "DatabaseServerIdentifier": Ignored(None, _OUR_WAY),
    "DefaultPrivateCreator": Ignored("", "private elements are named with their creator"),
    "DeidentifyLogs": Ignored(True, "logs never hold data of patients"),
    "DeidentifyLogsDicomVersion": Ignored("2021b", "logs never hold data of patients"),
    "DicomAlwaysAllowFind": Ignored(False, _NO_QUERIES),
    "DicomAlwaysAllowFindWorklist": Ignored(False, _NO_QUERIES),
    "DicomAlwaysAllowGet": Ignored(False, _NO_QUERIES),
    "DicomAlwaysAllowMove": Ignored(False, _NO_QUERIES),
    "DicomEchoChecksFind": Ignored(False, "ask for it with CheckFind in the body of an echo"),
    "DicomThreadsCount": Ignored(4, "each association has a thread of its own"),
    "DicomTlsCertificate": Ignored(None, _NO_TLS),
    "DicomTlsEnabled": Ignored(False, _NO_TLS),
    "DicomTlsPrivateKey": Ignored(None, _NO_TLS),
    "DicomTlsRemoteCertificateRequired": Ignored(True, _NO_TLS),
    "DicomTlsTrustedCertificates": Ignored(None, _NO_TLS),
    "ExternalDictionaries": Ignored(
        None, "files of dictionaries are not read: name elements with Dictionary"
    ),
    "HttpDescribeErrors": Ignored(True, "errors are always described"),
    "HttpProxy": Ignored("", "requests go out directly"),
    "HttpRequestTimeout": Ignored(30, _OUR_WAY),
    "HttpThreadsCount": Ignored(50, _OUR_WAY),
    "HttpVerbose": Ignored(False, "set log.level to debug instead"),
    "HttpsCACertificates": Ignored(
        "", "the authorities of the system are trusted; SSL_CERT_FILE names others"
    ),
    "HttpsVerifyPeers": Ignored(
        True, "certificates are always verified; SSL_CERT_FILE names authorities to trust"
    ),
    "KeepAlive": Ignored(True, "connections are kept open"),
    "LimitFindInstances": Ignored(0, _NO_QUERIES),
    "LimitFindResults": Ignored(0, _NO_QUERIES),
    "LoadPrivateDictionary": Ignored(True, "the dictionary of private elements is always there"),
    "Locale": Ignored(None, "comparison does not depend on a locale"),
    "LogExportedResources": Ignored(False, _ALWAYS),
    "MallocArenaMax": Ignored(5, _OUR_WAY),
    "MaximumStorageCacheSize": Ignored(128, "the operating system caches files"),
    "MediaArchiveSize": Ignored(1, "archives are kept as long as their jobs: JobsHistorySize"),
    "MetricsEnabled": Ignored(True, "metrics are always at /metrics"),
    "OrthancExplorerEnabled": Ignored(True, "there is no web interface; the REST API is there"),
    "Pkcs11": Ignored(None, "smart cards are not offered"),
    "Plugins": Ignored([], "plugins of Orthanc do not run here"),
    "QueryRetrieveSize": Ignored(100, _NO_QUERIES),
    "SslCiphersAccepted": Ignored(None, "ciphers are those that OpenSSL deems safe"),
    "SslMinimumProtocolVersion": Ignored(4, "TLS 1.2 and newer are accepted"),
    "SslTrustedClientCertificates": Ignored(
        "trustedClientCertificates.pem", "clients are not asked for certificates"
    ),
    "SslVerifyPeers": Ignored(
        False, "clients are not asked for certificates: whoever has a password gets in"
    ),
    "StorageAccessOnFind": Ignored("Always", "files are read when the index does not know"),
    "StorageCommitmentReportsSize": Ignored(100, "storage commitment is not offered yet"),
    "StorageCompression": Ignored(False, "files are kept as they are; see [store.transcode]"),
    "StoreDicom": Ignored(True, "files are always kept"),
    "StoreMD5ForAttachments": Ignored(True, _ALWAYS),
    "SyncStorageArea": Ignored(True, "what is acknowledged has always been synced"),
    "SynchronousCMove": Ignored(True, _NO_QUERIES),
    "SynchronousZipStream": Ignored(True, "archives are always streamed"),
    "TcpNoDelay": Ignored(True, _ALWAYS),
    "TemporaryDirectory": Ignored(None, "files on their way are in the data folder"),
    "WebDavDeleteAllowed": Ignored(False, "WebDAV is not offered"),
    "WebDavEnabled": Ignored(True, "WebDAV is not offered"),
    "WebDavUploadAllowed": Ignored(True, "WebDAV is not offered"),
    "ZipLoaderThreads": Ignored(0, _OUR_WAY),
}  # fmt: skip

# Sections by which plugins are configured.
OF_PLUGINS = frozenset(
    {
        "AdvancedStorage", "Authorization", "AwsS3Storage", "AzureBlobStorage", "DicomWeb", "Gdcm",
        "GoogleCloudPlatform", "GoogleCloudStorage", "Housekeeper", "MySQL", "OHIF", "Odbc",
        "OrthancExplorer2", "PostgreSQL", "Python", "PythonScript", "PythonVerbose", "Rust",
        "ServeFolders", "StoneWebViewer", "TciaImport", "Transfers", "VolViewWeb", "WebViewer",
        "Wsi", "Worklists", "DelayedDeletion", "MultitenantDicom",
    }
)  # fmt: skip


def known_keys() -> frozenset[str]:
    """All keys that mean something to Orthanc: carried over, or not."""
    return frozenset(DEFAULTS) | OPTIONAL | frozenset(IGNORED)

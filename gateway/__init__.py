"""A DICOM routing and transcoding gateway, scriptable in Lua."""

from importlib.metadata import version

__version__ = version("dicom-lua-gateway")

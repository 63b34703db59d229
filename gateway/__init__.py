"""A DICOM routing and transcoding gateway, scriptable in Lua."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: what reads it loads forty modules, of which
    every codec process would be a third slower to start.
    """
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version

    return version("dicom-lua-gateway")

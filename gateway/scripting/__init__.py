"""Scripts: the drop folder, lanes, the LuaJIT runtime, and what a script may call.

From the outside: `host.ScriptHost` runs the scripts, `check.check_folder` looks for their faults.
"""

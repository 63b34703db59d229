"""What a script has here, asked of a runtime: the list that rules are held against."""

from gateway.scripting.header import LaneSettings
from gateway.scripting.runtime import Dialect
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.site import Site

_NAME = "inventory"
_LIST = b"""
function Inventory()
  local names = {}
  for name, value in pairs(_G) do
    names[#names + 1] = name
    if type(value) == 'table' and value ~= _G then
      for member in pairs(value) do
        names[#names + 1] = name .. '.' .. tostring(member)
      end
    end
  end
  return names
end
"""
_TIMEOUT_S = 30


def names_of_globals(site: Site, lua: Dialect) -> frozenset[str]:
    """All globals of a trusted script, and what is in those that are tables: `os.execute`."""
    limits = LaneSettings(
        profile="trusted", timeout_s=_TIMEOUT_S, memory_mb=64, concurrency=1, lua=lua
    )
    loaded = LoadedScript(Script(_NAME, {_NAME: _LIST}, limits), site)
    try:
        found = loaded.ask("Inventory", timeout_s=_TIMEOUT_S)
    finally:
        loaded.close()
    return frozenset(found) if isinstance(found, list) else frozenset()

-- Local functions, varargs, metatables and coroutines.
-- sees: stored 1, says 3
local Queue = {}
Queue.__index = Queue
function Queue.new(...) return setmetatable({ items = { ... }, count = select('#', ...) }, Queue) end
function Queue:each()
  return coroutine.wrap(function()
    for i = 1, self.count do coroutine.yield(i, self.items[i]) end
  end)
end
function OnStoredInstance(instanceId)
  for i, item in Queue.new('a', nil, 'c'):each() do print(i, item) end
end

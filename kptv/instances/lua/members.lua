-- Who shares: an instance joins, renews its lease, and leaves.

local function of_me(name)
  local all, found = redis.call('HGETALL', key(name)), {}
  for i = 1, #all, 2 do found[#found + 1] = { all[i], all[i + 1] } end
  return found
end

local function told(more)
  for name, what in pairs(told_too) do more[name] = what() end
  return more
end

-- Whoever was at this place has died, as only one process can be there: its slots settle.
local function bury(other)
  for _, source in ipairs(redis.call('SMEMBERS', key('sources'))) do
    local slots = key('slots:' .. source)
    local held = redis.call('HGETALL', slots)
    for i = 1, #held, 2 do
      if held[i + 1] == other then
        redis.call('HSET', slots, held[i], string.format('~%.0f %s', now + SETTLE, other))
      end
    end
  end
  redis.call('ZREM', key('instances'), other)
  redis.call('DEL', key('grants:' .. other))
  living[other] = false
end

-- What no living instance knows of goes, so that nothing grows where places and accounts change.
local function tidy()
  for _, source in ipairs(redis.call('SMEMBERS', key('sources'))) do
    if limit(source) == 0 and count(source) == 0 then redis.call('SREM', key('sources'), source) end
  end
  for _, token in ipairs(redis.call('HKEYS', key('idlers'))) do idler(token) end
  for _, tidies in ipairs(tidied_too) do tidies() end
end

-- limits: {source, limit} each; tokens: {token, source} each, of slots that it says it holds.
function ops.join()
  for _, other in ipairs(redis.call('ZRANGE', key('instances'), 0, -1)) do
    if other ~= owner and place_of(other) == place_of(owner) then
      bury(other)
    elseif not lives(other) then
      redis.call('ZREM', key('instances'), other)
      redis.call('DEL', key('grants:' .. other))
      redis.call('HDEL', key('links'), place_of(other))
    end
  end
  redis.call('ZADD', key('instances'), now + lease, owner)
  living[owner] = true
  local sources, kept = {}, {}
  for _, each in ipairs(given.limits) do
    redis.call('SADD', key('sources'), each[1])
    redis.call('HSET', key('limits:' .. each[1]), place_of(owner), each[2])
    sources[#sources + 1] = each[1]
  end
  for _, each in ipairs(given.tokens) do
    if grace > 0 then redis.call('HSET', key('slots:' .. each[2]), each[1], owner) end
    if holds(each[2], each[1]) then kept[#kept + 1] = each[1] end
  end
  tidy()
  pump()
  return answer('joined', told({ kept = kept, known = known(sources) }))
end

-- sources: those of which it wants to know.
function ops.renew()
  redis.call('ZADD', key('instances'), now + lease, owner)
  living[owner] = true
  pump()
  press()
  return answer('renewed', told({
    granted = of_me('grants:' .. owner), asked = asked_of_me(), known = known(given.sources),
  }))
end

-- It holds nothing any more, and goes.
function ops.leave()
  bury(owner)
  redis.call('HDEL', key('links'), place_of(owner))
  pump()
  return answer('left')
end

-- The slots of all sources: how many are held, and who waits for one.
--
--   <base>:limits:<source>  HASH  place -> the limit that it knows of; the smallest one holds
--   <base>:sources          SET   sources of which limits were told
--   <base>:slots:<source>   HASH  token -> owner, or "~T owner": it settles until T (ms)
--   <base>:queue            ZSET  token of who waits -> number
--   <base>:waiting          HASH  token -> JSON: owner, deadline (ms), sources
--   <base>:grants:<owner>   HASH  token -> source: given to who waited, which has not said so yet

local SETTLE = 100 -- ms, for connections of a process that has just died: as SETTLE of slots.py

-- How many slots of a source are held, how many of them by the owner, and how many settle.
local function count(source)
  local slots, all, own, settling = key('slots:' .. source), 0, 0, 0
  local held = redis.call('HGETALL', slots)
  for i = 1, #held, 2 do
    local holder, ends = held[i + 1], nil
    if string.sub(holder, 1, 1) == '~' then
      ends, holder = string.match(holder, '^~(%d+) (.*)$')
    end
    if (ends and tonumber(ends) <= now) or (not ends and not lives(holder)) then
      redis.call('HDEL', slots, held[i])
    else
      all = all + 1
      if holder == owner then own = own + 1 end
      if ends then settling = settling + 1 end
    end
  end
  return all, own, settling
end

local limits = {}
local function limit(source)
  if limits[source] then return limits[source] end
  local known, smallest = redis.call('HGETALL', key('limits:' .. source)), nil
  local places = {}
  for _, each in ipairs(redis.call('ZRANGE', key('instances'), 0, -1)) do
    if lives(each) then places[place_of(each)] = true end
  end
  for i = 1, #known, 2 do
    if not places[known[i]] then
      redis.call('HDEL', key('limits:' .. source), known[i])
    else
      smallest = math.min(smallest or math.huge, tonumber(known[i + 1]))
    end
  end
  limits[source] = smallest or 0
  return limits[source]
end

local function is_free(source) return count(source) < limit(source) end

local function holds(source, token)
  return redis.call('HGET', key('slots:' .. source), token) == owner
end

-- --- Who waits ---

local function leave_queue(token)
  redis.call('ZREM', key('queue'), token)
  redis.call('HDEL', key('waiting'), token)
end

-- Those who wait, in the order of coming; who has died or waits no longer is forgotten.
local function queue()
  local found = {}
  for _, token in ipairs(redis.call('ZRANGE', key('queue'), 0, -1)) do
    local about = redis.call('HGET', key('waiting'), token)
    local waiter = about and cjson.decode(about)
    if waiter and waiter.deadline > now and lives(waiter.owner) then
      waiter.token = token
      found[#found + 1] = waiter
    else
      leave_queue(token)
    end
  end
  return found
end

local function wants(waiter, source)
  for _, each in ipairs(waiter.sources) do
    if each == source then return true end
  end
  return false
end

-- Whether somebody else, who came before, waits for a slot of the source.
local function is_wanted(waiting, source, token)
  for _, waiter in ipairs(waiting) do
    if waiter.token == token then return false end
    if wants(waiter, source) then return true end
  end
  return false
end

-- Give what is free to the first who can use it.
local function pump()
  if grace > 0 then return end
  for _, waiter in ipairs(queue()) do
    for _, source in ipairs(waiter.sources) do
      if is_free(source) then
        leave_queue(waiter.token)
        redis.call('HSET', key('slots:' .. source), waiter.token, waiter.owner)
        redis.call('HSET', key('grants:' .. waiter.owner), waiter.token, source)
        tell(waiter.owner, { granted = waiter.token, source = source })
        break
      end
    end
  end
end

-- Of each source: how many slots others hold, and how many others wait.
local function known(sources)
  local waiting, found = queue(), {}
  for _, source in ipairs(sources) do
    local all, own = count(source)
    local others = 0
    for _, waiter in ipairs(waiting) do
      if waiter.owner ~= owner and wants(waiter, source) then others = others + 1 end
    end
    found[#found + 1] = { source, all - own, others }
  end
  return found
end

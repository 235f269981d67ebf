-- The slots of all sources, as several instances share them. This script is all that writes them.
--
-- What is leased is the instance: one time of expiry, which each renewal moves. A slot counts while
-- the instance that holds it lives. Free slots are counted at each call and never stored, so no
-- counter can drift, and nothing is left of an instance that has died.
--
--   <base>:run              the server's run id of which all that follows was told
--   <base>:grace            until when nobody is given anything (ms): the server began anew, and
--                           those who held slots before must tell of them first. There is no way
--                           to skip it.
--   <base>:instances        ZSET  owner -> expiry (ms). An owner is "place|life": a process at its
--                           place (name, machine, port), where only one can be at a time.
--   <base>:links            HASH  place -> number of its latest connection
--   <base>:limits:<source>  HASH  place -> the limit that it knows of; the smallest one holds
--   <base>:sources          SET   sources of which limits were told
--   <base>:slots:<source>   HASH  token -> owner, or "~T owner": it settles until T (ms)
--   <base>:queue            ZSET  token of who waits -> number
--   <base>:waiting          HASH  token -> JSON: owner, deadline (ms), sources
--   <base>:grants:<owner>   HASH  token -> source: given to who waited, which has not said so yet
--   <base>:idle             ZSET  token that gives way -> number; standbys are before all others
--   <base>:idlers           HASH  token -> "owner source"
--   <base>:asked            HASH  token that was asked to give way -> token of who waits for it
--   <base>:numbers          a counter
--
-- Each call may come twice, as a reply may be lost: the same token gets the same answer. Messages
-- are only the fast way; each renewal tells again what was not taken up.

local base = KEYS[1]
local op, run, owner, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local link = tonumber(ARGV[5]) -- each later connection from a place has a greater number
local given = cjson.decode(ARGV[6])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local SETTLE = 100 -- ms, for connections of a process that has just died: as SETTLE of slots.py
local STANDBY_FIRST = 2 ^ 40

local function key(name) return base .. ':' .. name end
local function place_of(each) return string.match(each, '^(.*)|') end

-- A server that began anew, or was emptied, knows nothing; one that has loaded an old file knows
-- what is not true any more.
if redis.call('GET', key('run')) ~= run then
  for _, each in ipairs(redis.call('KEYS', base .. ':*')) do redis.call('DEL', each) end
  redis.call('SET', key('run'), run)
  redis.call('SET', key('grace'), now + lease)
end
local grace = math.max(tonumber(redis.call('GET', key('grace')) or 0) - now, 0)

local living = {}
local function lives(each)
  if living[each] == nil then
    local expiry = redis.call('ZSCORE', key('instances'), each)
    living[each] = expiry ~= false and tonumber(expiry) > now
  end
  return living[each]
end

-- --- Counting ---

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

local function tell(to, message)
  redis.call('PUBLISH', key('to:' .. place_of(to)), cjson.encode(message))
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

-- --- What gives way ---

local function forget_idle(token)
  redis.call('ZREM', key('idle'), token)
  redis.call('HDEL', key('idlers'), token)
  redis.call('HDEL', key('asked'), token)
end

-- Who holds a slot that gives way, and of which source; nothing if it is not held any more.
local function idler(token)
  local about = redis.call('HGET', key('idlers'), token)
  if not about then return forget_idle(token) end
  local holder, source = string.match(about, '^(.*) (.-)$')
  if lives(holder) and redis.call('HGET', key('slots:' .. source), token) == holder then
    return holder, source
  end
  forget_idle(token)
end

local function first_idle(waiter)
  for _, token in ipairs(redis.call('ZRANGE', key('idle'), 0, -1)) do
    local holder, source = idler(token)
    if holder and wants(waiter, source) and redis.call('HEXISTS', key('asked'), token) == 0 then
      return token, holder
    end
  end
end

-- Ask one idle slot to give way for each who waits, unless one is on its way already.
local function press()
  if grace > 0 then return end
  local waiting, served, coming = queue(), {}, {}
  local asked = redis.call('HGETALL', key('asked'))
  for i = 1, #asked, 2 do
    if redis.call('HEXISTS', key('waiting'), asked[i + 1]) == 0 then
      redis.call('HDEL', key('asked'), asked[i]) -- who waited has gone: it may be asked again
    elseif idler(asked[i]) then
      served[asked[i + 1]] = true
    end
  end
  for _, waiter in ipairs(waiting) do
    for _, source in ipairs(waiter.sources) do
      if coming[source] == nil then
        local _, _, settling = count(source)
        coming[source] = settling
      end
      if not served[waiter.token] and coming[source] > 0 then
        coming[source] = coming[source] - 1
        served[waiter.token] = true
      end
    end
    if not served[waiter.token] then
      local token, holder = first_idle(waiter)
      if token then
        redis.call('HSET', key('asked'), token, waiter.token)
        tell(holder, { asked = token })
      end
    end
  end
end

-- --- Answers ---

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

local function answer(is, more)
  local told = more or {}
  told.is, told.grace = is, grace
  return cjson.encode(told)
end

local function of_me(name)
  local all, found = redis.call('HGETALL', key(name)), {}
  for i = 1, #all, 2 do found[#found + 1] = { all[i], all[i + 1] } end
  return found
end

local function asked_of_me()
  local found = {}
  for _, token in ipairs(redis.call('HKEYS', key('asked'))) do
    if idler(token) == owner then found[#found + 1] = token end
  end
  return found
end

-- --- Operations ---

local ops = {}

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

-- limits: {source, limit} each; tokens: {token, source} each, of slots that it says it holds.
function ops.join()
  for _, other in ipairs(redis.call('ZRANGE', key('instances'), 0, -1)) do
    if other ~= owner and place_of(other) == place_of(owner) then
      bury(other)
    elseif not lives(other) then
      redis.call('ZREM', key('instances'), other)
      redis.call('DEL', key('grants:' .. other))
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
  pump()
  return answer('joined', { kept = kept, known = known(sources) })
end

-- sources: those of which it wants to know.
function ops.renew()
  redis.call('ZADD', key('instances'), now + lease, owner)
  living[owner] = true
  pump()
  press()
  return answer('renewed', {
    granted = of_me('grants:' .. owner), asked = asked_of_me(), known = known(given.sources),
  })
end

-- token, sources in order of preference, wait (ms, 0: it does not wait).
function ops.reserve()
  local token = given.token
  for _, source in ipairs(given.sources) do
    if holds(source, token) then return answer('granted', { source = source }) end
  end
  local waiting = queue()
  for _, source in ipairs(given.sources) do
    if grace == 0 and not is_wanted(waiting, source, token) and is_free(source) then
      leave_queue(token)
      redis.call('HSET', key('slots:' .. source), token, owner)
      return answer('granted', { source = source, known = known({ source }) })
    end
  end
  if given.wait <= 0 then return answer('full', { known = known(given.sources) }) end
  if redis.call('HEXISTS', key('waiting'), token) == 0 then
    redis.call('ZADD', key('queue'), redis.call('INCR', key('numbers')), token)
    redis.call('HSET', key('waiting'), token, cjson.encode({
      owner = owner, deadline = now + given.wait, sources = given.sources,
    }))
  end
  pump() -- a slot that nobody came for may have become free by time alone
  press()
  return answer('waits', { known = known(given.sources) })
end

-- token: the grant was heard of.
function ops.took()
  redis.call('HDEL', key('grants:' .. owner), given.token)
  return answer('done')
end

-- token, source, settle (ms).
function ops.release()
  redis.call('HDEL', key('grants:' .. owner), given.token)
  if holds(given.source, given.token) then
    local slots = key('slots:' .. given.source)
    if given.settle > 0 then
      local holder = string.format('~%.0f %s', now + given.settle, owner)
      redis.call('HSET', slots, given.token, holder)
    else
      redis.call('HDEL', slots, given.token)
    end
    forget_idle(given.token)
  end
  pump()
  press()
  return answer('done')
end

-- token, sources: who waited has gone, and wants nothing that it may have got meanwhile.
function ops.cancel()
  leave_queue(given.token)
  redis.call('HDEL', key('grants:' .. owner), given.token)
  for _, source in ipairs(given.sources) do
    if holds(source, given.token) then
      redis.call('HDEL', key('slots:' .. source), given.token)
    end
  end
  pump()
  press()
  return answer('done')
end

-- token, source, standby: its connection is kept for nobody.
function ops.idle()
  if holds(given.source, given.token) then
    local number = redis.call('INCR', key('numbers'))
    if given.standby then number = number - STANDBY_FIRST end
    redis.call('ZADD', key('idle'), number, given.token)
    redis.call('HSET', key('idlers'), given.token, owner .. ' ' .. given.source)
    press()
  end
  return answer('done')
end

-- token: somebody wants its connection again, or it does not give way.
function ops.used()
  forget_idle(given.token)
  press()
  return answer('done')
end

-- What has settled is given to who waits.
function ops.pump()
  pump()
  return answer('done')
end

-- It holds nothing any more, and goes.
function ops.leave()
  bury(owner)
  pump()
  return answer('left')
end

-- What was said on an earlier connection and comes only now was said again since, or is not true
-- any more: a slot would be held that nobody has, or one be free that somebody has.
local latest = tonumber(redis.call('HGET', key('links'), place_of(owner)) or 0)
if link < latest then return answer('stale') end
if link > latest then redis.call('HSET', key('links'), place_of(owner), ARGV[5]) end

if op ~= 'join' and not lives(owner) then return answer('unknown') end
return ops[op]()

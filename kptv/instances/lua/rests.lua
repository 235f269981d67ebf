-- Accounts, and hosts that links of an account lead to, that have asked to be left alone. An instance
-- that was asked tells it, and whose media shows that the rest is over. This part refuses nobody:
-- it says what rests, and each instance keeps to it.
--
--   <base>:rests:<source>  HASH  host ("": the account itself) -> JSON: number of its last change, place
--                          that looks first, first look, end of what was asked, beginning (ms), how
--                          often in a row, reason, status
--   <base>:knows:<owner>   SET   sources of which it wants to hear
--
-- A message only says that there is news, and has an instance ask: so all that one hears is in order.

local MOST_SOURCES, MOST_HOSTS = 256, 64 -- of an instance, of a source; more are not shared
local LONGEST_LOOK, LONGEST_REST = 60000, 86400000 -- ms; more is nonsense (see resting.py)
local KEPT = 60000 -- ms after its end: some look later, and the next rest in a row is longer
local NEWS = 250 -- ms; a rest that ends later by less is the same one: they refuse side by side

local function is_whole(rest)
  for _, name in ipairs({ 'number', 'look', 'ends', 'since', 'times' }) do
    if type(rest[name]) ~= 'number' then return false end
  end
  return true
end

-- The rests of a source by host; those that are over are forgotten, as is what another version said.
local function resting(source)
  local rests, found, count = key('rests:' .. source), {}, 0
  local all = redis.call('HGETALL', rests)
  for i = 1, #all, 2 do
    local rest = cjson.decode(all[i + 1])
    if not is_whole(rest) or rest.ends + KEPT <= now then
      redis.call('HDEL', rests, all[i])
    else
      found[all[i]], count = rest, count + 1
    end
  end
  return found, count
end

local function is_resting(source) return redis.call('EXISTS', key('rests:' .. source)) == 1 end

local function living_places()
  local found = {}
  for _, each in ipairs(redis.call('ZRANGE', key('instances'), 0, -1)) do
    if lives(each) then found[#found + 1] = place_of(each) end
  end
  table.sort(found)
  return found
end

-- How many instances look before the owner does: one look is enough, if it is refused.
local function turn_of(rest, places)
  local own, first = 1, 1
  for i, place in ipairs(places) do
    if place == place_of(owner) then own = i end
    if place == rest.place then first = i end
  end
  return (own - first) % #places
end

function told_too.rests()
  local sources = redis.call('SMEMBERS', key('knows:' .. owner))
  if #sources == 0 then return nil end
  redis.call('PEXPIRE', key('knows:' .. owner), lease)
  local found, places = {}, living_places()
  for _, source in ipairs(sources) do
    for host, rest in pairs((resting(source))) do
      found[#found + 1] = {
        source = source, host = host, number = rest.number, turn = turn_of(rest, places),
        look = rest.look - now, ends = rest.ends - now, ago = now - rest.since,
        times = rest.times, reason = rest.reason, status = rest.status,
      }
    end
  end
  -- Since when this server knows what it does: what it does not tell has ended since, or before.
  return { since = redis.call('GET', key('grace')), all = found }
end

-- There is news, of a source.
local function tell_others(source)
  for _, each in ipairs(redis.call('ZRANGE', key('instances'), 0, -1)) do
    if each ~= owner and redis.call('SISMEMBER', key('knows:' .. each), source) == 1 then
      tell(each, { rests = { news = true } })
    end
  end
end

local function answer_rests() return answer('done', { rests = told_too.rests() }) end

-- sources: those of which it wants to hear.
function ops.know()
  local knows = key('knows:' .. owner)
  for i = 1, math.min(#given.sources, MOST_SOURCES) do
    redis.call('SADD', knows, given.sources[i])
  end
  return answer_rests()
end

-- source, host, look and ends (ms from now), times, reason, status: it was asked for this.
function ops.rest()
  local source, host = given.source, given.host
  if redis.call('SISMEMBER', key('knows:' .. owner), source) == 0 then return answer('done') end
  local rests, count = resting(source)
  local rest = rests[host]
  if not rest and count >= MOST_HOSTS then return answer('done') end
  rest = rest or { look = 0, ends = 0, times = 1 }
  local look = now + math.min(given.look, LONGEST_LOOK)
  local ends = now + math.min(given.ends, LONGEST_REST)
  if look - rest.look > NEWS or ends - rest.ends > NEWS then
    if rest.look <= now then rest.place, rest.since = place_of(owner), now end
    rest.look, rest.ends = math.max(look, rest.look), math.max(ends, rest.ends)
    rest.times = math.max(given.times, rest.times)
    rest.reason, rest.status = given.reason, given.status
    rest.number = redis.call('INCR', key('numbers'))
    redis.call('HSET', key('rests:' .. source), host, cjson.encode(rest))
    redis.call('PEXPIRE', key('rests:' .. source), LONGEST_REST + KEPT)
    tell_others(source)
  end
  return answer_rests()
end

-- source, host, number (of the change that it knew; 0: of none): media came, so the rest is over.
function ops.rested()
  local rest = resting(given.source)[given.host]
  if rest and (given.number == 0 or rest.number <= given.number) then
    redis.call('HDEL', key('rests:' .. given.source), given.host)
    tell_others(given.source)
  end
  return answer_rests()
end

-- What rests now.
function ops.resting() return answer_rests() end

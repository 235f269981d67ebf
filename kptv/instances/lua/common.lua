-- What all instances share, and how it is said. The parts of this folder are one script, joined in
-- the order that link.py tells; it alone writes these keys.
--
-- What is leased is the instance: one time of expiry, which each renewal moves. What an instance
-- holds counts while it lives. What is free is counted at each call and never stored, so no counter
-- can drift, and nothing is left of an instance that has died.
--
--   <base>:run              the server's run id of which all that follows was told
--   <base>:grace            until when nobody is given a slot (ms): the server began anew, and
--                           those who held slots before must tell of them first. There is no way
--                           to skip it.
--   <base>:instances        ZSET  owner -> expiry (ms). An owner is "place|life": a process at its
--                           place (name, machine, port), where only one can be at a time.
--   <base>:links            HASH  place -> number of its latest connection
--   <base>:numbers          a counter
--   <base>:clock            HASH  last (ms), back (ms by which the server's clock was set back)
--
-- Each call may come twice, as a reply may be lost: the same token gets the same answer. Messages
-- are only the fast way; each renewal tells again what was not taken up.

local base = KEYS[1]
local op, run, owner, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local link = tonumber(ARGV[5]) -- each later connection from a place has a greater number
local given = cjson.decode(ARGV[6])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function key(name) return base .. ':' .. name end
local function place_of(each) return string.match(each, '^(.*)|') end

-- A server that began anew, or was emptied, knows nothing; one that has loaded an old file knows
-- what is not true any more.
if redis.call('GET', key('run')) ~= run then
  for _, each in ipairs(redis.call('KEYS', base .. ':*')) do redis.call('DEL', each) end
  redis.call('SET', key('run'), run)
  redis.call('SET', key('grace'), now + lease)
end

-- Where the server's clock is set back, ours goes on from where it was: or who died just before
-- would live for that much longer, and the grace be so long.
local known_clock = redis.call('HMGET', key('clock'), 'last', 'back')
local last, back = tonumber(known_clock[1] or 0), tonumber(known_clock[2] or 0)
now = now + back
if now < last then
  redis.call('HSET', key('clock'), 'back', back + last - now)
  now = last
end
redis.call('HSET', key('clock'), 'last', now)

local grace = math.max(tonumber(redis.call('GET', key('grace')) or 0) - now, 0)

local living = {}
local function lives(each)
  if living[each] == nil then
    local expiry = redis.call('ZSCORE', key('instances'), each)
    living[each] = expiry ~= false and tonumber(expiry) > now
  end
  return living[each]
end

local function tell(to, message)
  redis.call('PUBLISH', key('to:' .. place_of(to)), cjson.encode(message))
end

local function answer(is, more)
  local told = more or {}
  told.is, told.grace = is, grace
  return cjson.encode(told)
end

-- By name: what each may be asked to do; of the arguments in `given` and the `owner` who asks.
local ops = {}
-- By name: what join and renew answer besides, as a field of that name.
local told_too = {}
-- What each join has done, so that nothing is left of those that have gone.
local tidied_too = {}

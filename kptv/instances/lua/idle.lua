-- The slots that give way to who waits, of whichever instance.
--
--   <base>:idle             ZSET  token that gives way -> number; standbys are before all others
--   <base>:idlers           HASH  token -> "owner source"
--   <base>:asked            HASH  token that was asked to give way -> token of who waits for it

local STANDBY_FIRST = 2 ^ 40

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

local function asked_of_me()
  local found = {}
  for _, token in ipairs(redis.call('HKEYS', key('asked'))) do
    if idler(token) == owner then found[#found + 1] = token end
  end
  return found
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

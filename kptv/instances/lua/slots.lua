-- Slots are asked for and given back.

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
      -- Its message may be on its way yet: whoever has the slot must know before it opens anything.
      local rests = is_resting(source) and told_too.rests() or nil
      return answer('granted', { source = source, known = known({ source }), rests = rests })
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

-- What has settled is given to who waits.
function ops.pump()
  pump()
  return answer('done')
end

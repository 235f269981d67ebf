-- The streams of users who may have so many at once; they are counted here, and judged by whoever
-- asks for one more (kptv/channels/users/streams.py). So an instance tells what it has decided and
-- of which version, and that is carried out if the version is still the same.
--
--   <base>:streams:<user>  JSON: version, claims {token, owner, seat, client} in the order of coming,
--                          over: {until (ms), client}, calm: until (ms). Seats and clients are
--                          digests. A claim counts while its owner lives.
--   <base>:ends:<owner>    HASH  token -> user: those that it has to end
--
-- There is no grace: if the server began anew, users may have more for a moment than they should.

local function store_streams(user, state)
  if #state.claims == 0 then state.over = nil end
  if #state.claims == 0 and (state.calm or 0) <= now then
    redis.call('DEL', key('streams:' .. user))
    state.version, state.calm = '', nil
  else
    -- No other state, also of a server that ran before, has the same.
    state.version = run .. ':' .. redis.call('INCR', key('numbers'))
    redis.call('SET', key('streams:' .. user), cjson.encode(state))
    if #state.claims == 0 then redis.call('PEXPIRE', key('streams:' .. user), state.calm - now) end
  end
end

-- What is known of a user, without the claims for which `drops`, or which nobody has any more.
local function streams_of(user, drops)
  local text = redis.call('GET', key('streams:' .. user))
  local state = text and cjson.decode(text) or { version = '', claims = {} }
  local kept = {}
  for _, claim in ipairs(state.claims) do
    if lives(claim[2]) and not (drops and drops(claim)) then kept[#kept + 1] = claim end
  end
  if #kept < #state.claims then
    state.claims = kept
    store_streams(user, state)
  end
  return state
end

-- Users who never come back leave nothing, nor does an instance that died with their streams.
tidied_too[#tidied_too + 1] = function()
  local of_users = key('streams:')
  for _, each in ipairs(redis.call('KEYS', of_users .. '*')) do
    streams_of(string.sub(each, #of_users + 1))
  end
end

-- The state for an instance: tokens, seats and clients; times as ms from now, below 0 if past.
local function told_streams(is, state)
  local claims, over, calm = {}, nil, nil
  for _, claim in ipairs(state.claims) do claims[#claims + 1] = { claim[1], claim[3], claim[4] } end
  if state.over then over = { state.over[1] - now, state.over[2] } end
  if state.calm then calm = state.calm - now end
  return answer(is, { version = state.version, claims = claims, over = over, calm = calm })
end

-- Have the owner of each claim end it, soon by a message, and surely by its renewals.
local function have_ended(user, claims)
  for _, claim in ipairs(claims) do
    local to = claim[2]
    redis.call('HSET', key('ends:' .. to), claim[1], user)
    redis.call('PEXPIRE', key('ends:' .. to), 2 * lease) -- its renewals are more frequent
    tell(to, { streams = { { claim[1], user } } })
  end
end

-- user, version: that which was judged; adds: {token, seat, client} each; ends: tokens. If it has
-- changed: over: {ms from now, client}, or false; calm: ms from now.
function ops.claim()
  local user = given.user
  local state = streams_of(user)
  if given.version ~= state.version then return told_streams('changed', state) end
  local ends, kept, others = {}, {}, {}
  for _, token in ipairs(given.ends) do ends[token] = true end
  for _, claim in ipairs(state.claims) do
    if not ends[claim[1]] then
      kept[#kept + 1] = claim
    elseif claim[2] ~= owner then
      others[#others + 1] = claim
    end
  end
  for _, each in ipairs(given.adds) do kept[#kept + 1] = { each[1], owner, each[2], each[3] } end
  state.claims = kept
  if given.over == false then state.over = nil end
  if given.over then state.over = { now + given.over[1], given.over[2] } end
  if given.calm then state.calm = now + given.calm end
  store_streams(user, state)
  have_ended(user, others)
  return told_streams('claimed', state)
end

-- user, tokens: these are open no more.
function ops.unclaim()
  local gone = {}
  for _, token in ipairs(given.tokens) do
    gone[token] = true
    redis.call('HDEL', key('ends:' .. owner), token)
  end
  local state = streams_of(given.user, function(claim) return gone[claim[1]] end)
  return told_streams('done', state)
end

function told_too.streams()
  redis.call('PEXPIRE', key('ends:' .. owner), 2 * lease)
  return of_me('ends:' .. owner)
end

-- Puts up what an instance shows of itself, and gives what all of them show.
-- KEYS: the base of all keys. ARGV: id of the instance, its text, milliseconds until it is taken down.
-- Returns id, milliseconds since it was put up, text; of each in turn. Ages are by this server's clock.
local shown, keep = KEYS[1] .. ':shown', tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', shown, ARGV[1], string.format('%.0f', now) .. '|' .. ARGV[2])
redis.call('PEXPIRE', shown, keep)
local all, found = redis.call('HGETALL', shown), {}
for i = 1, #all, 2 do
  local mark = string.find(all[i + 1], '|', 1, true)
  local age = math.max(now - tonumber(string.sub(all[i + 1], 1, mark - 1)), 0)
  if age > keep then
    redis.call('HDEL', shown, all[i])
  else
    found[#found + 1] = all[i]
    found[#found + 1] = age
    found[#found + 1] = string.sub(all[i + 1], mark + 1)
  end
end
return found

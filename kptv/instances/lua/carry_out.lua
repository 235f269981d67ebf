-- Whether and how what is asked is carried out.

-- What was said on an earlier connection and comes only now was said again since, or is not true
-- any more: a slot would be held that nobody has, or one be free that somebody has.
local latest = tonumber(redis.call('HGET', key('links'), place_of(owner)) or 0)
if link < latest then return answer('stale') end
-- A word that comes after its instance has left makes no place known again: nobody would forget it.
if link > latest and (latest > 0 or op == 'join' or lives(owner)) then
  redis.call('HSET', key('links'), place_of(owner), ARGV[5])
end

if op ~= 'join' and not lives(owner) then return answer('unknown') end
return ops[op]()

#!lua name=thalweg

-- The server's side of fencing. Every function works on the keys of one hash slot and runs whole or not at all.
-- Those with `allow-oom` also work when memory is full: leases must be kept, and trouble told, just then.

local PUBLISH = 'PUBLISH'  -- who loads this into a Cluster makes it SPUBLISH: `thalweg redis-init` does
local OOM = { 'allow-oom' }
local TTL_SPARE = 10  -- a group that nobody is in any more is forgotten after so many leases

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

local function whole(number) return string.format('%.0f', number) end

-- An epoch above every earlier one, also after the counter was lost.
local function above(key, floor)
  local epoch = now_ms()
  local last = math.max(tonumber(redis.call('GET', key) or '0'), floor)
  if epoch <= last then epoch = last + 1 end
  redis.call('SET', key, whole(epoch))
  return epoch
end

-- beat(KEYS: workers, leases of a shard; ARGV: owner, ttl in ms, leaving 0 or 1)
--   -> live workers, the owner of each lease ('' for none), what is left of each lease in ms (-2 for none).
-- Notes that a worker lives, or that it leaves; forgets those that were silent for a ttl; renews the leases it holds.
-- A score ahead of the clock is from before the clock was set back: whoever lives beats again.
local function beat(keys, args)
  local owner, ttl, now = args[1], tonumber(args[2]), now_ms()
  if args[3] == '1' then redis.call('ZREM', keys[1], owner) else redis.call('ZADD', keys[1], whole(now), owner) end
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', whole(now - ttl))
  redis.call('ZREMRANGEBYSCORE', keys[1], whole(now + ttl), '+inf')
  redis.call('PEXPIRE', keys[1], ttl * TTL_SPARE)
  local owners, left = {}, {}
  for i = 2, #keys do
    local held = redis.call('GET', keys[i])
    if held == owner then redis.call('PEXPIRE', keys[i], ttl) end
    owners[i - 1], left[i - 1] = held or '', redis.call('PTTL', keys[i])
  end
  return { redis.call('ZRANGE', keys[1], 0, -1), owners, left }
end

-- acquire(KEYS: lease, epoch counter; ARGV: owner, ttl in ms, expected owner, floor) -> an epoch above the floor, or HELD.
-- Takes a lease that is free, one's own, or held by the expected owner. The last moves a live shard: its owner is
-- fenced by the first entry of the new epoch, so nothing has to be agreed with it.
local function acquire(keys, args)
  local held = redis.call('GET', keys[1])
  if held and held ~= args[1] and held ~= args[3] then return redis.error_reply('HELD ' .. keys[1] .. ' by ' .. held) end
  local epoch = above(keys[2], tonumber(args[4] or '0'))
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return epoch
end

-- release(KEYS: lease; ARGV: owner) -> 1, or 0 if it was another's.
local function release(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  return redis.call('DEL', keys[1])
end

-- spend(KEYS: budget; ARGV: weight, limit, window in ms) -> 0 when spent, else the ms to wait before asking again.
-- A bucket of `limit` that fills up once a window: no window ever sees more than twice the limit.
local function spend(keys, args)
  local weight, limit, window, now = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), now_ms()
  if weight > limit then return redis.error_reply('ERR a weight of ' .. args[1] .. ' is above the limit of ' .. args[2]) end
  local kept = redis.call('HMGET', keys[1], 'left', 'at', 'banned')
  local banned = tonumber(kept[3] or '0')
  if banned > now then return banned - now end
  local passed = math.max(now - tonumber(kept[2] or whole(now)), 0)
  local left = math.min(limit, tonumber(kept[1] or args[2]) + passed * limit / window)
  local wait = 0
  if left >= weight then left = left - weight else wait = math.ceil((weight - left) * window / limit) end
  redis.call('HSET', keys[1], 'left', left, 'at', whole(now))
  redis.call('PEXPIRE', keys[1], window)
  return wait
end

-- ban(KEYS: budget; ARGV: ms) -> 1; nobody spends for so long, or for longer if that was said before.
local function ban(keys, args)
  local till = math.max(now_ms() + tonumber(args[1]), tonumber(redis.call('HGET', keys[1], 'banned') or '0'))
  redis.call('HSET', keys[1], 'banned', whole(till))
  redis.call('PEXPIREAT', keys[1], whole(till))
  return 1
end

local function split(id)
  local epoch, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(epoch), tonumber(n)
end

-- A number that a checkpoint has; 0 where there is none, or no checkpoint of ours.
local function kept_number(text, name)
  local ok, found = pcall(cjson.decode, text or '{}')
  return ok and type(found) == 'table' and tonumber(found[name]) or 0
end

-- open_out(KEYS: out stream, checkpoint; ARGV: epoch, channel, sequence offset, record, floor) -> the sequence of the open record.
-- Reading the tail and appending are one step: done in two, the old owner could slip in between.
-- Where the server has lost the tail or all, the checkpoint and the floor keep any sequence from being used twice.
local function open_out(keys, args)
  local epoch, seq = tonumber(args[1]), 0
  local tail = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)
  if tail[1] then
    local top
    top, seq = split(tail[1][1])
    if top >= epoch then return redis.error_reply('FENCED epoch ' .. whole(top) .. ' owns ' .. keys[1]) end
  end
  seq = math.max(seq, kept_number(redis.call('GET', keys[2]), 'seq'), tonumber(args[5] or '0')) + 1
  local at = tonumber(args[3])
  local record = string.sub(args[4], 1, at) .. struct.pack('<i8', seq) .. string.sub(args[4], at + 9)
  redis.call('XADD', keys[1], args[1] .. '-' .. whole(seq), 'r', record)
  redis.call(PUBLISH, args[2], record)
  return seq
end

-- publish(KEYS: out stream; ARGV: channel, id, record, id, record, ...) -> how many; a refused append publishes nothing more.
-- An ID that is not above the top means a newer epoch owns the stream; any other refusal (memory) is not ours to judge.
local function publish(keys, args)
  for i = 2, #args, 2 do
    local done = redis.pcall('XADD', keys[1], args[i], 'r', args[i + 1])
    if type(done) == 'table' and done.err then
      local fenced = string.find(done.err, 'equal or smaller', 1, true)
      return redis.error_reply((fenced and 'FENCED ' or '') .. done.err)
    end
    redis.call(PUBLISH, args[1], args[i + 1])
  end
  return (#args - 1) / 2
end

-- set_status(KEYS: status hash; ARGV: epoch, field, value, ...) -> 1; an older epoch is refused.
local function set_status(keys, args)
  local owner = tonumber(redis.call('HGET', keys[1], 'epoch') or '0')
  if tonumber(args[1]) < owner then return redis.error_reply('FENCED epoch ' .. whole(owner) .. ' owns ' .. keys[1]) end
  redis.call('HSET', keys[1], 'epoch', unpack(args))
  return 1
end

-- set_checkpoint(KEYS: checkpoint, the one before; ARGV: epoch, json) -> 1; an older epoch is refused.
local function set_checkpoint(keys, args)
  local kept = redis.call('GET', keys[1])
  if kept_number(kept, 'epoch') > tonumber(args[1]) then return redis.error_reply('FENCED a newer epoch owns ' .. keys[1]) end
  if kept and keys[2] then redis.call('SET', keys[2], kept) end
  redis.call('SET', keys[1], args[2])
  return 1
end

redis.register_function({ function_name = 'thalweg_beat', callback = beat, flags = OOM })
redis.register_function({ function_name = 'thalweg_acquire', callback = acquire, flags = OOM })
redis.register_function({ function_name = 'thalweg_release', callback = release, flags = OOM })
redis.register_function({ function_name = 'thalweg_spend', callback = spend, flags = OOM })
redis.register_function({ function_name = 'thalweg_ban', callback = ban, flags = OOM })
redis.register_function({ function_name = 'thalweg_status', callback = set_status, flags = OOM })
redis.register_function('thalweg_open_out', open_out)
redis.register_function('thalweg_publish', publish)
redis.register_function('thalweg_checkpoint', set_checkpoint)

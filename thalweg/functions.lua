#!lua name=thalweg

-- The server's side of fencing. Every function works on the keys of one hash slot and runs whole or not at all.

-- epoch(KEYS: counter) -> an epoch above every earlier one, also after the counter was lost.
local function next_epoch(keys)
  local now = redis.call('TIME')
  local epoch = now[1] * 1000 + math.floor(now[2] / 1000)
  local last = tonumber(redis.call('GET', keys[1]) or '0')
  if epoch <= last then epoch = last + 1 end
  redis.call('SET', keys[1], string.format('%.0f', epoch))
  return epoch
end

local function split(id)
  local epoch, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(epoch), tonumber(n)
end

-- open_out(KEYS: out stream, checkpoint; ARGV: epoch, channel, sequence offset, record) -> the sequence of the open record.
-- Reading the tail and appending are one step: done in two, the old owner could slip in between.
-- When the stream was lost, the checkpoint keeps the sequence from starting over.
local function open_out(keys, args)
  local epoch, seq = tonumber(args[1]), 0
  local tail = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)
  if tail[1] then
    local top
    top, seq = split(tail[1][1])
    if top >= epoch then return redis.error_reply('FENCED epoch ' .. string.format('%.0f', top) .. ' owns ' .. keys[1]) end
  else
    local kept = redis.call('GET', keys[2])
    if kept then seq = tonumber(cjson.decode(kept)['seq']) or 0 end
  end
  seq = seq + 1
  local at = tonumber(args[3])
  local record = string.sub(args[4], 1, at) .. struct.pack('<i8', seq) .. string.sub(args[4], at + 9)
  redis.call('XADD', keys[1], args[1] .. '-' .. string.format('%.0f', seq), 'r', record)
  redis.call('PUBLISH', args[2], record)
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
    redis.call('PUBLISH', args[1], args[i + 1])
  end
  return (#args - 1) / 2
end

-- set_status(KEYS: status hash; ARGV: epoch, field, value, ...) -> 1; an older epoch is refused.
local function set_status(keys, args)
  local owner = tonumber(redis.call('HGET', keys[1], 'epoch') or '0')
  if tonumber(args[1]) < owner then return redis.error_reply('FENCED epoch ' .. string.format('%.0f', owner) .. ' owns ' .. keys[1]) end
  redis.call('HSET', keys[1], 'epoch', unpack(args))
  return 1
end

-- set_checkpoint(KEYS: checkpoint; ARGV: epoch, json) -> 1; an older epoch is refused.
local function set_checkpoint(keys, args)
  local kept = redis.call('GET', keys[1])
  if kept and (tonumber(cjson.decode(kept)['epoch']) or 0) > tonumber(args[1]) then
    return redis.error_reply('FENCED a newer epoch owns ' .. keys[1])
  end
  redis.call('SET', keys[1], args[2])
  return 1
end

redis.register_function('thalweg_epoch', next_epoch)
redis.register_function('thalweg_open_out', open_out)
redis.register_function('thalweg_publish', publish)
redis.register_function('thalweg_status', set_status)
redis.register_function('thalweg_checkpoint', set_checkpoint)

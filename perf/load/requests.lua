-- For wrk: N requests in a row, or one with content. Usage: wrk ... -s requests.lua URL -- PIPELINE CONTENT_LENGTH
local batch

function init(arguments)
   local pipeline, content = tonumber(arguments[1]), tonumber(arguments[2])
   if content > 0 then
      wrk.method, wrk.body = "POST", string.rep("u", content)
   end
   local requests = {}
   for i = 1, pipeline do
      requests[i] = wrk.format()
   end
   batch = table.concat(requests)
end

function request()
   return batch
end

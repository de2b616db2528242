-- Asks Usher about each request of a viewer, by HAProxy's own HTTP client (HAProxy 2.6 or later, with Lua):
--
--   http-request lua.usher <address>
--
-- <address> is where HAProxy itself listens for these questions, and the edge's path at Usher, such as
-- http://127.0.0.1:1065/e/haproxy-1/forward: what stands behind balances them over the gateways, checks their health, and
-- gives up in time, which the client cannot. Sets
--
--   txn.auth_status    200, 401 or 403 as Usher said; 0 where no gateway answered
--   txn.auth_location  an address to show the viewer instead, where there is one
--   txn.auth_user      whom the backend named, where it named somebody
--
-- and refuses nobody by itself: `http-request deny` and `redirect` do that. See docs/dialects/forward.md.

-- A backstop, ms: the listener gives up before.
local TIMEOUT = 10000
-- The words of the viewer's own that Usher looks at. His other headers are not sent.
local HIS_OWN = { "user-agent", "authorization", "cookie", "referer" }

-- All values of a header as they came: Lua's index of the first is 0 here, and 1 there.
local function values(header)
    local all = {}
    for i = 0, #header do all[#all + 1] = header[i] end
    return all
end

-- What Usher is told. No header of these is a viewer's.
local function question(txn)
    local headers = {
        ["x-original-method"] = { txn.f:method() },
        ["x-original-uri"] = { txn.f:pathq() },
        ["x-real-ip"] = { txn.f:src() },
    }
    local came = txn.http:req_get_headers()
    for _, name in ipairs(HIS_OWN) do
        if came[name] ~= nil then headers[name] = values(came[name]) end
    end
    if came["host"] ~= nil then headers["x-original-host"] = { came["host"][0] } end
    return headers
end

local function set(txn, variable, header)
    if header ~= nil then txn:set_var(variable, header[0]) end
end

core.register_action("usher", { "http-req" }, function(txn, address)
    txn:set_var("txn.auth_status", 0)
    local answer = core.httpclient():head({ url = address, headers = question(txn), timeout = TIMEOUT })
    -- Usher never answers HAProxy with 500 and more: so HAProxy itself says that a gateway is not there, or silent.
    if answer == nil or answer.status >= 500 then return end
    txn:set_var("txn.auth_status", answer.status)
    if answer.headers == nil then return end
    set(txn, "txn.auth_location", answer.headers["x-usher-location"])
    set(txn, "txn.auth_user", answer.headers["x-userid"])
end, 1)

---@meta pdp
-- What the editor knows about policies: completion and type checks. Never part of a bundle.

---The caller, as the claims of the token describe it. The names are those of `claims` in schema.lua.
---@class pdp.Subject
---@field id string
---@field tenant? string
---@field roles? string[] closed over the role hierarchy
---@field token_roles? string[] as the token has them
---@field scopes? string[]
---@field client? string
---@field actor? string
---@field chain? string[]
---@field issuer? string
---@field [string] any

---What is asked for: the segments of its name, and what the service passed along.
---@class pdp.Resource
---@field type string
---@field id string
---@field [string] any

---The request itself.
---@class pdp.Context
---@field now number Unix seconds: the only clock
---@field action string
---@field [string] any what the service passed as context

---@alias pdp.Condition fun(sub: pdp.Subject, res: pdp.Resource, ctx: pdp.Context): boolean
---@alias pdp.Names string|string[]

---@class pdp.Obligation

---@class pdp.Rule
---@field action pdp.Names a name, a list, or "*"
---@field resource pdp.Names a type, "type:pattern", a list, or "*"
---@field roles? pdp.Names any of these
---@field scopes? pdp.Names all of these
---@field clients? pdp.Names any of these
---@field issuers? pdp.Names any of these
---@field same? pdp.Names attributes that must be equal on subject and resource
---@field when? pdp.Condition applies if it returns true
---@field unless? pdp.Condition applies if it returns false; not together with `when`
---@field reason? string may be shown to the caller
---@field oblige? pdp.Obligation the caller must fulfil it
---@field advise? table the caller may ignore it

---@param id string
---@return fun(rule: pdp.Rule)
function allow(id) end

---@param id string
---@return fun(rule: pdp.Rule)
function deny(id) end

---@param id string
---@return fun(rule: pdp.Rule)
function challenge(id) end

---The fields of RFC 9470.
---@param what { acr_values?: string[], max_age?: integer }
---@return pdp.Obligation
function step_up(what) end

---data/NAME.json, read-only.
---@param name string
---@return any
function data(name) end

---True if both are there and equal.
---@return boolean
function same(a, b) end

---True if the list holds the value.
---@return boolean
function has(list, value) end

---True if the two lists share a value.
---@return boolean
function overlaps(a, b) end

---low <= value and value < high, for two numbers or two strings.
---@return boolean
function between(value, low, high) end

---@class pdp.Time
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field min integer
---@field sec integer
---@field wday integer 1 is Monday, 7 is Sunday
---@field hhmm string "08:30"

---Unix seconds as a calendar time at a fixed offset ("+01:00"; default UTC).
---@param now number
---@param offset? string
---@return pdp.Time
function clock(now, offset) end

---True if the address lies in the block, or in one of a list of blocks ("10.0.0.0/8", "2001:db8::/32").
---@param address string
---@param blocks pdp.Names
---@return boolean
function cidr(address, blocks) end

---@return boolean
function starts_with(text, prefix) end
---@return boolean
function ends_with(text, suffix) end
---@return boolean
function contains(text, part) end
---@return string[]
function split(text, separator) end
---@return string
function lower(text) end
---@return string
function upper(text) end
---Steps through a table's keys in a fixed order.
function sorted(t) end

-- schema.lua ---------------------------------------------------------------------------------

---@param t table<string, { from: string, type: "string"|"number"|"integer"|"boolean"|"set"|"scopes"|"any", required?: boolean }>
function claims(t) end
---@param t table<string, string[]> role = { the roles that it includes }
function roles(t) end
---@param name string
---@return fun(t: { id?: string, actions: string[], attrs?: table<string, string> })
function resource(name) end

-- tests/*_test.lua ---------------------------------------------------------------------------

---@class pdp.Token

---Raw claims; `auth_age` (seconds) becomes `auth_time`.
---@param raw table
---@return pdp.Token
function token(raw) end

---@class pdp.Test
---@field as pdp.Token
---@field action string
---@field resource string
---@field with? table attributes of the resource
---@field context? table attributes of the request
---@field at? string "09:00Z" or "2026-03-02T09:00:00+01:00"
---@field expect "allow"|"deny"|"challenge"
---@field by? string the rule or the code that decided

---@param name string
---@return fun(t: pdp.Test)
function test(name) end

---@param name string
---@return fun(t: table)
function matrix(name) end

---@param name string
---@return fun(t: { when: fun(sub: pdp.Subject, res: pdp.Resource, ctx: pdp.Context, decision: table): boolean })
function invariant(name) end

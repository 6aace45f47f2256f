local tables  = require "lib.tables"
local owned   = data "owned"                 -- user -> the documents and folders that the user owns
local view    = tables.of(data "view")       -- user -> the user's own view
local folders = data "folders"               -- document or folder -> itself and the folders above it
local viewers = tables.of(data "viewers")    -- document -> the set of views that it is shared with

allow "document.anyone" {
  action   = "read",
  resource = "document",
  when     = function(_, res) return res.public == true end,
  reason   = "the document is public",
}

allow "document.shared" {
  action   = "read",
  resource = "document",
  when     = function(sub, res)
    local views, mine = viewers[res.id], view[sub.id]
    return views ~= nil and mine ~= nil and views[mine] == true
  end,
  reason   = "the document, or a folder above it, is shared with the user or a group of the user",
}

allow "document.within-own" {
  action   = { "read", "write", "share" },
  resource = "document",
  when     = function(sub, res) return overlaps(owned[sub.id], folders[res.id]) end,
  reason   = "the user owns the document or a folder above it",
}

allow "owner.only" {
  action   = { "changeOwner", "createDocument" },
  resource = { "document", "folder" },
  when     = function(sub, res) return has(owned[sub.id], res.id) end,
  reason   = "the user owns the document or folder itself",
}

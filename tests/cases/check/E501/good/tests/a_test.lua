local ann = token { sub = "ann" }
assert(ann)

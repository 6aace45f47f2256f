# OPA at its best: the graph is data with closed ancestors (`up`, an entity is its own ancestor),
# sets are objects, and every rule begins with an equality on the input, which OPA indexes.
package peers

allow if {
	input.action == "read"
	data.entities[input.resource].isPublic
}

allow if {
	input.action == "read"
	data.up[input.resource][data.entities[input.principal].documentsAndFoldersWithViewAccess]
}

allow if {
	input.action == "read"
	owned
}

allow if {
	input.action == "write"
	owned
}

allow if {
	input.action == "share"
	owned
}

allow if {
	input.action == "changeOwner"
	data.entities[input.principal].ownedDocuments[input.resource]
}

allow if {
	input.action == "createDocument"
	data.entities[input.principal].ownedFolders[input.resource]
}

owned if {
	some folder, _ in data.entities[input.principal].ownedFolders
	data.up[input.resource][folder]
}

owned if data.entities[input.principal].ownedDocuments[input.resource] # nothing lies in a document

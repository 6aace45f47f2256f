# The form of the Cedar paper: the whole entity graph is part of the input, ancestors are walked.
package peers

default allow := false

ancestors(uid) := graph.reachable(input.parents, {uid})

principal := input.entities[input.principal]

resource := input.entities[input.resource]

owned := {uid | some uid in principal.ownedDocuments} | {uid | some uid in principal.ownedFolders}

allow if {
	input.action == "read"
	principal.documentsAndFoldersWithViewAccess in ancestors(input.resource)
}

allow if {
	input.action == "read"
	resource.isPublic
}

allow if {
	input.action in {"read", "write", "share"}
	some uid in ancestors(input.resource)
	uid in owned
}

allow if {
	input.action == "changeOwner"
	input.resource in principal.ownedDocuments
}

allow if {
	input.action == "createDocument"
	input.resource in principal.ownedFolders
}

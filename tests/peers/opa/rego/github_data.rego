# OPA at its best: the graph is data with closed ancestors (`up`), and every rule begins with an
# equality on the input, which OPA indexes: one rule for each action and relation.
package peers

repository := data.entities[input.resource]

owner := data.entities[data.entities[input.resource].owner]

held := data.up[input.principal]

allow if {
	input.action == "read"
	held[repository.readers]
}

allow if {
	input.action == "read"
	held[repository.triagers]
}

allow if {
	input.action == "read"
	held[repository.writers]
}

allow if {
	input.action == "read"
	held[repository.maintainers]
}

allow if {
	input.action == "read"
	held[repository.admins]
}

allow if {
	input.action == "read"
	held[owner.readers]
}

allow if {
	input.action == "read"
	held[owner.writers]
}

allow if {
	input.action == "read"
	held[owner.admins]
}

allow if {
	input.action == "triage"
	held[repository.triagers]
}

allow if {
	input.action == "triage"
	held[repository.writers]
}

allow if {
	input.action == "triage"
	held[repository.maintainers]
}

allow if {
	input.action == "triage"
	held[repository.admins]
}

allow if {
	input.action == "triage"
	held[owner.writers]
}

allow if {
	input.action == "triage"
	held[owner.admins]
}

allow if {
	input.action == "write"
	held[repository.writers]
}

allow if {
	input.action == "write"
	held[repository.maintainers]
}

allow if {
	input.action == "write"
	held[repository.admins]
}

allow if {
	input.action == "write"
	held[owner.writers]
}

allow if {
	input.action == "write"
	held[owner.admins]
}

allow if {
	input.action == "maintain"
	held[repository.maintainers]
}

allow if {
	input.action == "maintain"
	held[repository.admins]
}

allow if {
	input.action == "maintain"
	held[owner.admins]
}

allow if {
	input.action == "admin"
	held[repository.admins]
}

allow if {
	input.action == "admin"
	held[owner.admins]
}

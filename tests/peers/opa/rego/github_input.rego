# The form of the Cedar paper: the whole entity graph is part of the input, ancestors are walked.
package peers

default allow := false

# The relations of a repository, and of its owner, that grant an action: each level grants those below.
repository_grants := {
	"read": {"readers", "triagers", "writers", "maintainers", "admins"},
	"triage": {"triagers", "writers", "maintainers", "admins"},
	"write": {"writers", "maintainers", "admins"},
	"maintain": {"maintainers", "admins"},
	"admin": {"admins"},
}

owner_grants := {
	"read": {"readers", "writers", "admins"},
	"triage": {"writers", "admins"},
	"write": {"writers", "admins"},
	"maintain": {"admins"},
	"admin": {"admins"},
}

ancestors := graph.reachable(input.parents, {input.principal})

resource := input.entities[input.resource]

allow if {
	some relation in repository_grants[input.action]
	resource[relation] in ancestors
}

allow if {
	some relation in owner_grants[input.action]
	input.entities[resource.owner][relation] in ancestors
}

# The form of the Cedar paper: the whole entity graph is part of the input, ancestors are walked.
package peers

default allow := false

ancestors := graph.reachable(input.parents, {input.principal})

resource := input.entities[input.resource]

allow if {
	input.action in {"CreateList", "GetLists"}
	input.resource == "Application::TinyTodo"
}

allow if resource.owner == input.principal

allow if {
	input.action == "GetList"
	resource.readers in ancestors
}

allow if {
	input.action in {"GetList", "UpdateList", "CreateTask", "UpdateTask", "DeleteTask"}
	resource.editors in ancestors
}

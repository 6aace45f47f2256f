# OPA at its best: the graph is data with closed ancestors (`up`), and every rule but the owner's
# begins with an equality on the input, which OPA indexes.
package peers

allow if data.entities[input.resource].owner == input.principal

allow if {
	input.action == "CreateList"
	input.resource == "Application::TinyTodo"
}

allow if {
	input.action == "GetLists"
	input.resource == "Application::TinyTodo"
}

allow if {
	input.action == "GetList"
	data.up[input.principal][data.entities[input.resource].readers]
}

allow if {
	input.action == "GetList"
	data.up[input.principal][data.entities[input.resource].editors]
}

allow if {
	input.action == "UpdateList"
	data.up[input.principal][data.entities[input.resource].editors]
}

allow if {
	input.action == "CreateTask"
	data.up[input.principal][data.entities[input.resource].editors]
}

allow if {
	input.action == "UpdateTask"
	data.up[input.principal][data.entities[input.resource].editors]
}

allow if {
	input.action == "DeleteTask"
	data.up[input.principal][data.entities[input.resource].editors]
}

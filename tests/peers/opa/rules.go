package main

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"peers/measure"
)

const head = "package peers\n\n"

// Rules as Rego rules, the role looked for in the token's array, as everybody writes it.
func asArray(rules []measure.Rule) string {
	text := strings.Builder{}
	text.WriteString(head)
	for _, r := range rules {
		fmt.Fprintf(&text, "allow if {\n\tinput.action == %q\n\tinput.resource.type == %q\n"+
			"\t%q in input.sub.roles\n\tinput.sub.tenant == input.resource.tenant\n}\n\n",
			r.Action, r.Type, r.Role)
	}
	return text.String()
}

// Rules as Rego rules that OPA can index: the loop over the token's roles stands outside, and a
// rule is a function of one role, whose arguments are only compared with constants.
func asIndex(rules []measure.Rule) string {
	text := strings.Builder{}
	text.WriteString(head + "allow if {\n\tinput.sub.tenant == input.resource.tenant\n" +
		"\tsome role in input.sub.roles\n\tgranted(role, input.action, input.resource.type)\n}\n\n")
	for _, r := range rules {
		fmt.Fprintf(&text, "granted(role, action, type) if {\n\trole == %q\n\taction == %q\n\ttype == %q\n}\n\n",
			r.Role, r.Action, r.Type)
	}
	return text.String()
}

const byData = head + `allow if {
	input.sub.tenant == input.resource.tenant
	some role in input.sub.roles
	data.grants[role][input.action][input.resource.type]
}
`

func grants(rules []measure.Rule) map[string]any {
	all := map[string]any{}
	member := func(object map[string]any, name string) map[string]any {
		if object[name] == nil {
			object[name] = map[string]any{}
		}
		return object[name].(map[string]any)
	}
	for _, r := range rules {
		member(member(all, r.Role), r.Action)[r.Type] = true
	}
	return map[string]any{"grants": all}
}

func rules(job measure.Job) {
	var inputs []any
	var parsedInputs []ast.Value
	for _, r := range job.RuleRequests() {
		roles := []any{}
		for _, role := range r.Sub.Roles {
			roles = append(roles, role)
		}
		input := map[string]any{"action": r.Action,
			"sub": map[string]any{"tenant": r.Sub.Tenant, "roles": roles},
			"resource": map[string]any{"type": r.Resource.Type, "id": r.Resource.ID,
				"tenant": r.Resource.Tenant}}
		inputs = append(inputs, input)
		parsedInputs = append(parsedInputs, value(input))
	}
	all := job.Rules()
	for _, form := range []struct {
		name, policy string
		data         map[string]any
	}{{"rules, role in array", asArray(all), nil}, {"rules, indexed", asIndex(all), nil},
		{"grants as data", byData, grants(all)}} {
		query := prepare(form.policy, form.data)
		withInput := measure.Series{Variant: form.name + ", converted"}
		converted(&withInput, query, inputs)
		job.Report("opa", &withInput)
		without := measure.Series{Variant: form.name + ", parsed"}
		parsed(&without, query, parsedInputs)
		job.Report("opa", &without)
	}
}

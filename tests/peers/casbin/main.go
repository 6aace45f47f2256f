// The peer Casbin, embedded in a Go program: the rules that grow from 10 to 10,000, as policy lines
// under an ABAC matcher. Inside the timer: Enforcer.Enforce alone, with arguments that are built
// before. The cheap comparisons come first in the matcher, since it is run for every policy line.
//
// The graph applications are left out: a Casbin model knows one kind of role link, no ancestors
// through several entity types and no sets in attributes. They could only be put into functions of
// our own in Go, and then our functions would be measured, not Casbin.
package main

import (
	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"

	"peers/measure"
)

type subject struct {
	Tenant string
	Roles  []any
}

type object struct{ Type, Tenant string }

const definition = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = role, act, type
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && r.obj.Type == p.type && r.sub.Tenant == r.obj.Tenant && `

func enforcer(match string, rules []measure.Rule) *casbin.Enforcer {
	m, err := model.NewModelFromString(definition + match)
	if err != nil {
		measure.Fail(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		measure.Fail(err)
	}
	e.AddFunction("hasRole", func(args ...any) (any, error) { // a list would arrive taken apart
		for _, role := range args[0].(subject).Roles {
			if role == args[1] {
				return true, nil
			}
		}
		return false, nil
	})
	lines := make([][]string, 0, len(rules))
	for _, r := range rules {
		lines = append(lines, []string{r.Role, r.Action, r.Type})
	}
	if _, err := e.AddPolicies(lines); err != nil {
		measure.Fail(err)
	}
	return e
}

func main() {
	job := measure.Arguments()
	var requests [][]any
	for _, r := range job.RuleRequests() {
		sub := subject{Tenant: r.Sub.Tenant}
		for _, role := range r.Sub.Roles {
			sub.Roles = append(sub.Roles, role)
		}
		requests = append(requests, []any{sub, object{r.Resource.Type, r.Resource.Tenant}, r.Action})
	}
	rules := job.Rules()
	for _, form := range []struct{ name, match string }{
		{"operator in", "p.role in r.sub.Roles"}, {"function", "hasRole(r.sub, p.role)"}} {
		series := measure.Series{Variant: form.name}
		e := enforcer(form.match, rules)
		measure.Decide(&series, len(requests), func(i int) (bool, error) {
			return e.Enforce(requests[i]...)
		}, func(allowed bool) bool { return allowed })
		job.Report("casbin", &series)
	}
}

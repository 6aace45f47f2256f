package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"peers/measure"
)

// plain turns Cedar's attribute values into those that a Rego author would write: an entity is its
// name as a string. With `sets`, a list of entities becomes an object whose keys are the names,
// which OPA looks up in one step.
func plain(value any, sets bool) any {
	switch v := value.(type) {
	case map[string]any:
		if e, ok := v["__entity"].(map[string]any); ok {
			return fmt.Sprintf("%s::%s", e["type"], e["id"])
		}
		object := map[string]any{}
		for name, member := range v {
			object[name] = plain(member, sets)
		}
		return object
	case []any:
		list, set, names := []any{}, map[string]any{}, true
		for _, item := range v {
			p := plain(item, sets)
			list = append(list, p)
			name, isName := p.(string)
			names = names && isName
			if isName {
				set[name] = true
			}
		}
		if sets && names {
			return set
		}
		return list
	}
	return value
}

// asInput is the paper's method: the graph as each request's input carries it.
func asInput(entities []measure.Entity) map[string]any {
	all, parents := map[string]any{}, map[string]any{}
	for _, e := range entities {
		all[e.UID.UID()] = plain(e.Attrs, false)
		up := []any{}
		for _, p := range e.Parents {
			up = append(up, p.UID())
		}
		parents[e.UID.UID()] = up
	}
	return map[string]any{"entities": all, "parents": parents}
}

// asData is the graph as OPA's data, with ancestors closed: up[x][y] for every y that x lies in.
func asData(entities []measure.Entity) map[string]any {
	parents := map[string][]measure.Ref{}
	for _, e := range entities {
		parents[e.UID.UID()] = e.Parents
	}
	all, up := map[string]any{}, map[string]any{}
	for _, e := range entities {
		all[e.UID.UID()] = plain(e.Attrs, true)
		closed := map[string]any{}
		open := []string{e.UID.UID()}
		for len(open) > 0 {
			uid := open[len(open)-1]
			open = open[:len(open)-1]
			if closed[uid] != nil {
				continue
			}
			closed[uid] = true
			for _, p := range parents[uid] {
				open = append(open, p.UID())
			}
		}
		up[e.UID.UID()] = closed
	}
	return map[string]any{"entities": all, "up": up}
}

func value(v any) ast.Value {
	converted, err := ast.InterfaceToValue(v)
	if err != nil {
		measure.Fail(err)
	}
	return converted
}

// joined has the members of both objects; the values are shared, not copied.
func joined(a, b ast.Value) ast.Value {
	both := ast.NewObject()
	a.(ast.Object).Foreach(both.Insert)
	b.(ast.Object).Foreach(both.Insert)
	return both
}

func policy(name string) string {
	text, err := policies.ReadFile("rego/" + name + ".rego")
	if err != nil {
		measure.Fail(err)
	}
	return string(text)
}

// graphs measures all variants of one application at one size. "as input" is the paper's method,
// "as data" the fast form; "converted" takes the input as Go values (EvalInput: conversion is
// inside the timer), "parsed" as OPA's own values (EvalParsedInput: it is outside). "closed input"
// is the fast form with the closed graph as a part of the parsed input, which is cheaper to look
// things up in than the store.
func graphs(job measure.Job, app string) {
	series := [5]measure.Series{{Variant: "as input, converted"}, {Variant: "as input, parsed"},
		{Variant: "as data, converted"}, {Variant: "as data, parsed"}, {Variant: "closed input, parsed"}}
	inPolicy := prepare(policy(app+"_input"), nil)
	closedPolicy := prepare(strings.ReplaceAll(policy(app+"_data"), "data.", "input."), nil)
	for k := 1; k <= job.Graphs; k++ {
		entities, requests := job.Graph(k)
		graph, closed := asInput(entities), asData(entities)
		dataPolicy := prepare(policy(app+"_data"), closed)
		graphParsed, closedParsed := value(graph), value(closed)
		var small, large []any
		var smallParsed, largeParsed, closedInput []ast.Value
		for _, r := range requests {
			own := map[string]any{"principal": r.Principal, "action": r.Action, "resource": r.Resource}
			full := maps.Clone(own)
			maps.Copy(full, graph)
			parsed := value(own)
			small, large = append(small, own), append(large, full)
			smallParsed = append(smallParsed, parsed)
			largeParsed = append(largeParsed, joined(parsed, graphParsed))
			closedInput = append(closedInput, joined(parsed, closedParsed))
		}
		converted(&series[0], inPolicy, large)
		parsed(&series[1], inPolicy, largeParsed)
		converted(&series[2], dataPolicy, small)
		parsed(&series[3], dataPolicy, smallParsed)
		parsed(&series[4], closedPolicy, closedInput)
	}
	for i := range series {
		job.Report("opa", &series[i])
	}
}

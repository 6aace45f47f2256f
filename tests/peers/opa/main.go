// The peer OPA, embedded as its documentation advises for speed: a Go program, a prepared query, an
// in-memory store that keeps OPA's own values (so that reading data converts nothing). Inside the
// timer: PreparedEvalQuery.Eval alone. The garbage collector and GOMAXPROCS are left at their
// defaults, as in a service. OPA's HTTP server and its wasm form are not measured.
package main

import (
	"context"
	"embed"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"peers/measure"
)

//go:embed rego/*.rego
var policies embed.FS

func prepare(policy string, data map[string]any) rego.PreparedEvalQuery {
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	query, err := rego.New(rego.Query("data.peers.allow"), rego.Module("peers.rego", policy),
		rego.Store(store)).PrepareForEval(context.Background())
	if err != nil {
		measure.Fail(err)
	}
	return query
}

func converted(s *measure.Series, query rego.PreparedEvalQuery, inputs []any) {
	ctx := context.Background()
	measure.Decide(s, len(inputs), func(i int) (rego.ResultSet, error) {
		return query.Eval(ctx, rego.EvalInput(inputs[i]))
	}, rego.ResultSet.Allowed)
}

func parsed(s *measure.Series, query rego.PreparedEvalQuery, inputs []ast.Value) {
	ctx := context.Background()
	measure.Decide(s, len(inputs), func(i int) (rego.ResultSet, error) {
		return query.Eval(ctx, rego.EvalParsedInput(inputs[i]))
	}, rego.ResultSet.Allowed)
}

func main() {
	job := measure.Arguments()
	if job.App == "rules" {
		rules(job)
	} else {
		graphs(job, strings.TrimSuffix(job.App, "-fixed"))
	}
}

// Package measure is what the two Go drivers share: reading the workloads, timing each decision
// and reporting. Every decision is timed alone, because the goals speak of p50 and p99 of one
// decision, not of throughput. All requests of a point run once before they are timed, so that
// caches and lazily built tables are warm, as they are for every other engine. The clock's own
// cost is stated beside the figures and not subtracted from them.
package measure

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Job is the command line that all drivers understand.
type Job struct {
	Data, Out, App   string
	N, Graphs, Round int
	Requests         int
}

type Request struct{ Principal, Action, Resource string }

type Ref struct{ Type, ID string }

func (r Ref) UID() string { return r.Type + "::" + r.ID }

type Entity struct {
	UID     Ref
	Attrs   map[string]any
	Parents []Ref
}

type Rule struct{ Role, Action, Type string }

type RuleRequest struct {
	Sub struct {
		Tenant string
		Roles  []string
	}
	Action   string
	Resource struct{ Type, ID, Tenant string }
	Allow    bool
}

func Fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	os.Exit(1)
}

func Arguments() Job {
	if len(os.Args) != 8 {
		Fail(fmt.Errorf("usage: DATA OUT APP N GRAPHS REQUESTS ROUND; tests/peers/run calls this"))
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			Fail(fmt.Errorf("%q is no count", s))
		}
		return n
	}
	return Job{Data: os.Args[1], Out: os.Args[2], App: os.Args[3], N: number(os.Args[4]),
		Graphs: number(os.Args[5]), Requests: number(os.Args[6]), Round: number(os.Args[7])}
}

func lines(path string, each func(line string) error) {
	f, err := os.Open(path)
	if err != nil {
		Fail(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if err := each(s.Text()); err != nil {
			Fail(fmt.Errorf("%s: %w", path, err))
		}
	}
	if s.Err() != nil {
		Fail(s.Err())
	}
}

func (j Job) file(name string) string {
	return filepath.Join(j.Data, j.App, strconv.Itoa(j.N), name)
}

// Graph reads entities and requests of graph k.
func (j Job) Graph(k int) ([]Entity, []Request) {
	var entities []Entity
	text, err := os.ReadFile(j.file(fmt.Sprintf("%d.entities.json", k)))
	if err == nil {
		err = json.Unmarshal(text, &entities)
	}
	if err != nil {
		Fail(err)
	}
	var requests []Request
	lines(j.file(fmt.Sprintf("%d.requests", k)), func(line string) error {
		part := strings.Split(line, "\t")
		if len(part) != 3 {
			return fmt.Errorf("not three fields: %q", line)
		}
		if len(requests) < j.Requests {
			requests = append(requests, Request{part[0], part[1], part[2]})
		}
		return nil
	})
	return entities, requests
}

func jsonLines[T any](path string) []T {
	var all []T
	lines(path, func(line string) error {
		var one T
		err := json.Unmarshal([]byte(line), &one)
		all = append(all, one)
		return err
	})
	return all
}

func (j Job) Rules() []Rule               { return jsonLines[Rule](j.file("rules.jsonl")) }
func (j Job) RuleRequests() []RuleRequest { return jsonLines[RuleRequest](j.file("requests.jsonl")) }

// Series collects one variant of one point: its times, and its decisions, one 0 or
// 1 a line.
type Series struct {
	Variant   string
	times     []int64
	decisions strings.Builder
}

// Decide runs all `count` requests twice and keeps the times and decisions of the second pass.
// What `decide` returns is looked at outside the timer.
func Decide[T any](s *Series, count int, decide func(i int) (T, error), allowed func(T) bool) {
	for pass := range 2 {
		for i := range count {
			start := time.Now()
			answer, err := decide(i)
			took := time.Since(start)
			if err != nil {
				Fail(err)
			}
			if pass == 0 {
				continue
			}
			s.times = append(s.times, took.Nanoseconds())
			if allowed(answer) {
				s.decisions.WriteString("1\n")
			} else {
				s.decisions.WriteString("0\n")
			}
		}
	}
}

func quantile(sorted []int64, p float64) int64 {
	return sorted[int(p*float64(len(sorted)-1)+0.5)]
}

func clock() int64 {
	var times []int64
	for range 10001 {
		start := time.Now()
		times = append(times, time.Since(start).Nanoseconds())
	}
	slices.Sort(times)
	return quantile(times, 0.5)
}

// Report writes the decisions to OUT/ENGINE VARIANT/APP.N and prints one JSON line.
func (j Job) Report(engine string, s *Series) {
	name := strings.TrimSpace(engine + " " + s.Variant)
	folder := filepath.Join(j.Out, name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		Fail(err)
	}
	file := filepath.Join(folder, fmt.Sprintf("%s.%d", j.App, j.N))
	if err := os.WriteFile(file, []byte(s.decisions.String()), 0o666); err != nil {
		Fail(err)
	}
	slices.Sort(s.times)
	fmt.Printf(`{"app":"%s","n":%d,"engine":"%s","round":%d,"p50_ns":%d,"p99_ns":%d,"count":%d,"clock_ns":%d}`+"\n",
		j.App, j.N, name, j.Round, quantile(s.times, 0.5), quantile(s.times, 0.99), len(s.times), clock())
}

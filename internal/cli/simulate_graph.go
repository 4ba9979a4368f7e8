package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"reelpass/internal/simgraph"
	"reelpass/internal/vault"
)

// simulateGraph serves a false API of Instagram's and runs a command with its address and tokens.
func (a *app) simulateGraph(ctx context.Context, s simulation, argv []string) (err error) {
	if s.scenario != "none" && s.scenario != "mixed" {
		return usage("--scenario must be none or mixed with --graph, not %q", s.scenario)
	}
	server := simgraph.New(simgraph.Config{Process: s.upload.Std(), Polls: 1, Latency: s.latency.Std(), ListLag: s.upload.Std(), Late: 20 * time.Second})
	defer server.Close()
	env := []string{"REELPASS_PUBLISHER=graph", "REELPASS_GRAPH_CHECK=false", "REELPASS_GRAPH_GRACE=30s"} // what is late comes after 20
	for _, name := range s.accounts {
		one := server.Add(simgraph.Account{Name: name})
		env = append(env, vault.EnvName(name)+"="+one.Token)
	}
	if s.scenario == "mixed" {
		server.Mix(s.seed, 4)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	base := "http://" + l.Addr().String()
	server.At(base)
	front := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { _ = front.Serve(l) }) // ends with Close
	defer func() { err = errors.Join(err, front.Close()); wg.Wait() }()
	env = append(env, "REELPASS_GRAPH_INSTAGRAM="+base+"/ig", "REELPASS_GRAPH_FACEBOOK="+base+"/fb", "SIMULATE_URL="+base+"/_sim")
	if len(argv) == 0 {
		return a.serveFarm(ctx, env)
	}
	if err := a.runOnFarm(ctx, argv, env); err != nil {
		return err
	}
	twice, struck := server.Twice(), server.Struck()
	if len(twice) > 0 {
		a.code = exitCannot
	}
	calls := 0
	for _, n := range server.Calls() {
		calls += n
	}
	if s.json {
		return json.NewEncoder(a.out).Encode(map[string]any{"posts": len(server.Posted()), "doubles": append([]string{}, twice...), "api_calls": calls, "faults": struck})
	}
	fmt.Fprintf(a.out, "\nThe world outside, after %d calls of the API (seed %d):\n  posted                %d\n  posted twice          %s\n", calls, s.seed, len(server.Posted()), strings.Join(orNone(twice), ", "))
	if len(struck) > 0 {
		fmt.Fprintf(a.out, "  what went wrong       %s\n", strings.Join(struck, "\n                        "))
	}
	return nil
}

func orNone(list []string) []string {
	if len(list) == 0 {
		return []string{"none"}
	}
	return list
}

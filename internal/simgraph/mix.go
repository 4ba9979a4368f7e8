package simgraph

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Mix has faults strike that follow from a seed: for about every other publication of each account one. Limits are left out, after which
// a client waits for minutes or hours, and so is an account that takes no uploads: that is not one call.
func (s *Server) Mix(seed uint64, each int) {
	chance := rand.New(rand.NewPCG(seed, 11))
	all := kinds()
	names := slices.Sorted(maps.Keys(all))
	names = slices.DeleteFunc(names, func(name string) bool {
		return slices.Contains([]string{"app_limit", "account_limit", "quota", "spam", "no_resumable"}, name)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[id]
		for range each {
			if chance.IntN(2) == 0 {
				continue
			}
			name := names[chance.IntN(len(names))]
			k := all[name]
			a.faults[k.at] = append(a.faults[k.at], Fault{Kind: name, Part: 0.2 + 0.6*chance.Float64()})
		}
	}
}

package protocol_test

import (
	"bytes"
	"fmt"
	"unsafe"
)

// search is what a walk through all states of a world has found.
type search struct {
	states []state
	from   []int32 // the state before, on a shortest way
	bad    int32   // the first state in which something wrong has happened; -1: none
	wrong  wrong
	edges  [][2]int32 // steps that need no fault
}

// most states that a world may have: more would make the tests slow.
const limit = 400_000

// explore visits every state, the nearest first, and stops at the first one in which something wrong has happened. What can
// never end is looked for when all are known.
func (w *world) explore() *search {
	x := &search{bad: -1}
	at := map[state]int32{}
	add := func(s state, from int32) int32 {
		k := w.same(s)
		n, ok := at[k]
		if !ok {
			n = int32(len(x.states))
			at[k] = n
			x.states, x.from = append(x.states, s), append(x.from, from)
		}
		return n
	}
	add(w.start(), -1)
	for here := int32(0); int(here) < len(x.states); here++ {
		s := x.states[here]
		if s.wrong != right {
			x.bad, x.wrong = here, s.wrong
			return x
		}
		if len(x.states) > limit {
			panic(fmt.Sprintf("%s: more than %d states", w.name, limit))
		}
		w.next(s, func(m move, n state) {
			there := add(n, here)
			if !m.fault && there != here {
				x.edges = append(x.edges, [2]int32{here, there})
			}
		})
	}
	if w.mind == right || w.mind == stuck {
		if x.bad = x.hopeless(); x.bad >= 0 {
			x.wrong = stuck
		}
	}
	return x
}

// same is one of the states that differ only in the names of what is alike.
func (w *world) same(s state) state {
	least := s
	try := func(t state) {
		if t.before(&least) {
			least = t
		}
	}
	if !w.passes {
		try(s.swapSups())
	}
	if w.accounts == 2 {
		t := s.swapJobs()
		try(t)
		if !w.passes {
			try(t.swapSups())
		}
	}
	return least
}

func (s state) swapSups() state {
	s.sups[0], s.sups[1] = s.sups[1], s.sups[0]
	for k := range s.jobs {
		s.jobs[k].owner, s.jobs[k].away = s.jobs[k].owner.swapped(), s.jobs[k].away.swapped()
	}
	s.leader = s.leader.swapped()
	return s
}

func (s state) swapJobs() state {
	s.jobs[0], s.jobs[1] = s.jobs[1], s.jobs[0]
	s.guards = [2]who{s.guards[1].swapped(), s.guards[0].swapped()}
	for k := range s.sups {
		s.sups[k].job, s.sups[k].prey = s.sups[k].job.swapped(), s.sups[k].prey.swapped()
	}
	return s
}

func (w who) swapped() who {
	if w == 0 {
		return 0
	}
	return w.other()
}

// before is an order of states.
func (s *state) before(t *state) bool {
	return bytes.Compare(unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s)), unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))) < 0
}

// settled says that a batch needs nobody any more but perhaps a person.
func (s *state) settled() bool { return s.wrong != right || s.done && !s.ready() && !s.busy() }

// hopeless finds the nearest state from which no end can be reached without another fault.
func (x *search) hopeless() int32 {
	into := make([]int32, len(x.states)+1)
	for _, e := range x.edges {
		into[e[1]+1]++
	}
	for k := range len(x.states) {
		into[k+1] += into[k]
	}
	from := make([]int32, len(x.edges))
	fill := append([]int32(nil), into...)
	for _, e := range x.edges {
		from[fill[e[1]]] = e[0]
		fill[e[1]]++
	}
	good := make([]bool, len(x.states))
	var todo []int32
	for k := range x.states {
		if x.states[k].settled() {
			good[k] = true
			todo = append(todo, int32(k))
		}
	}
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, f := range from[into[k]:into[k+1]] {
			if !good[f] {
				good[f] = true
				todo = append(todo, f)
			}
		}
	}
	for k, ok := range good {
		if !ok {
			return int32(k)
		}
	}
	return -1
}

// trace tells the steps into the trouble.
func (w *world) trace(x *search) []string {
	var path []int32
	for k := x.bad; k >= 0; k = x.from[k] {
		path = append([]int32{k}, path...)
	}
	var steps []string
	for n := 1; n < len(path); n++ {
		said := ""
		w.next(x.states[path[n-1]], func(m move, s state) {
			if said == "" && s == x.states[path[n]] {
				said = m.String()
			}
		})
		steps = append(steps, said)
	}
	return steps
}

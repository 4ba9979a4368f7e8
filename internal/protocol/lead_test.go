package protocol_test

import "fmt"

// sweep settles the lease of a supervisor that is gone.
func (w *world) sweep(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	v := s.sup(i.other())
	if u.prey == 0 {
		for j := who(1); j <= 2; j++ {
			o := s.job(j)
			if u.lead == follows || o.owner != i.other() || !w.over(&s, i, j) {
				continue
			}
			n := s
			m := n.sup(i)
			m.prey, m.same, m.seen = j, true, o.at
			if w.here() && v.life == up && !v.overdue && !o.over {
				n.breaks(slain)
			}
			if w.has(killFirst | readAgain | stateOnRecord | unrenewed) {
				w.settle(n, i, yield) // at once: what happens in between is ended by the kill, or noticed when it is recorded
				continue
			}
			text := "%[1]s sees that the lease of job %[2]d is over: %[4]s"
			if !w.has(unrenewed) {
				text = "%[1]s's clock is set, and it takes the lease of job %[2]d for over: %[4]s"
			}
			yield(move{text: text, by: i, job: j, word: o.at}, n)
		}
		return
	}
	w.settle(s, i, yield)
}

// settle ends the lease that was seen.
func (w *world) settle(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	n := s
	j := u.prey
	o := s.job(j)
	n.sup(i).prey, n.sup(i).same, n.sup(i).seen = 0, false, pending
	text := "%[1]s settles job %[2]d: %[4]s"
	seen := u.seen
	if w.here() && w.has(killFirst) {
		text = "%[1]s kills %[3]s and its workers, and settles job %[2]d: %[4]s"
		*n.sup(i.other()) = sup{life: dead, overdue: true}
		n.expire(i.other())
	}
	if w.here() && w.has(readAgain) {
		if !u.same || o.owner != i.other() || !w.over(&n, i, j) {
			yield(move{text: "%[1]s reads job %[2]d again, and leaves it", by: i, job: j}, n)
			return
		}
		seen = o.at
	}
	e := notShared
	switch seen {
	case publishing:
		e = unclear
	case inDoubt:
		if p := n.job(j); u.same && p.owner != 0 && p.at == inDoubt {
			p.owner, p.over, p.look = 0, false, !s.hold
		}
		yield(move{text: "%[1]s gives back the look at job %[2]d", by: i, job: j}, n)
		return
	default:
	}
	word := fmt.Stringer(noEnd)
	if (o.at == seen || !w.has(stateOnRecord)) && w.record(&n, j, u.same, e) {
		word = n.job(j).at
		if p := n.job(j); p.at == inDoubt && !w.here() {
			p.away = i.other()
			p.look = p.look && !w.has(onlyHere)
		}
	}
	yield(move{text: text, by: i, job: j, word: word}, n)
}

// over says whether a lease of the other supervisor may be settled: that one is dead for all to see, or has not renewed it.
func (w *world) over(s *state, i, j who) bool {
	return w.here() && s.sup(i.other()).life == dead || s.job(j).over || !w.has(unrenewed)
}

func (s *state) ready() bool { return s.jobs[0].ready() || s.jobs[1].ready() }

// busy says that a pass cannot end: something is due, in flight or to be looked up.
func (s *state) busy() bool {
	for _, o := range s.jobs {
		if o.owner != 0 || o.look || !s.done && o.ready() && !o.next {
			return true
		}
	}
	return false
}

// lead takes the lead, and goes from pass to pass until the batch ends.
func (w *world) lead(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	v := s.sup(i.other())
	n := s
	m := n.sup(i)
	switch {
	case u.lead == follows:
		led := s.leader != 0 && (s.leader == i || !v.overdue)
		if led || s.finished() || u.step != idle { // only a new run takes the lead
			return
		}
		if n.sup(i.other()).lead == leads {
			n.sup(i.other()).lead = deposed
			if w.has(term) {
				n.sup(i.other()).lead = follows // it learns so as soon as it changes anything
			}
		}
		m.lead, n.leader = leads, i
		for k := range n.jobs {
			if o := &n.jobs[k]; o.at == inDoubt && o.owner == 0 && !s.hold {
				o.look = true
			}
		}
		yield(move{text: "%[1]s takes the lead", by: i}, n)
	case s.busy():
	case s.ready() && (!w.passes || i != 1):
		n.done = false
		for k := range n.jobs {
			o := &n.jobs[k]
			o.next = false
			if o.at == inDoubt && o.owner == 0 && o.away == 0 && !s.hold {
				o.look = true // an earlier look could not tell
			}
		}
		yield(move{text: "%[1]s opens the next pass", by: i}, n)
	default:
		for k := range n.jobs {
			if n.jobs[k].ready() {
				n.jobs[k].at = outOfPasses
				n.check(who(k + 1))
				if s.leader != i {
					n.breaks(usurped)
				}
			}
		}
		n.done, n.leader, m.lead = true, 0, follows
		yield(move{text: "%[1]s ends the batch", by: i}, n)
	}
}

// finished says that no run has anything to do for the batch.
func (s *state) finished() bool {
	return s.done && !s.ready() && !s.busy() && (s.hold || s.jobs[0].at != inDoubt && s.jobs[1].at != inDoubt)
}

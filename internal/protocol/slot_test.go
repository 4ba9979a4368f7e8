package protocol_test

// next calls yield with every step that can happen, and what it leads to.
func (w *world) next(s state, take func(move, state)) {
	if s.wrong != right {
		return
	}
	yield := func(m move, n state) {
		if n.tidy(); w.mind != right && n.wrong != w.mind {
			n.wrong = right
		}
		take(m, n)
	}
	for i := who(1); i <= 2; i++ {
		w.outside(s, i, yield)
		w.clock(s, i, yield)
		if s.sup(i).life == up {
			w.claim(s, i, yield)
			w.slot(s, i, yield)
			w.look(s, i, yield)
			w.sweep(s, i, yield)
			w.lead(s, i, yield)
		}
	}
}

// tidy forgets what makes no difference any more, so that fewer states have to be visited.
func (s *state) tidy() {
	for k := range s.jobs {
		o := &s.jobs[k]
		o.next = o.next && o.ready()
		if o.at == succeeded || o.at == setAside || o.at == exhausted {
			o.tries = 0
		}
	}
	for i := who(1); i <= 2; i++ {
		if u := s.sup(i); u.life == up && u.step == idle && s.leader != i && !s.has(i) {
			u.overdue = false // it renews nothing, and nobody waits for it
		}
	}
}

// claims raises a job's fence: whatever lease was seen or had before is an old one from now on.
func (s *state) claims(i, j who) {
	for k := range s.sups {
		if s.sups[k].job == j {
			s.sups[k].own = false
		}
		if s.sups[k].prey == j {
			s.sups[k].same = false
		}
	}
	s.job(j).owner, s.job(j).over = i, false
	u := s.sup(i)
	u.job, u.own = j, true
}

func (w *world) free(s *state, j who) bool {
	return w.accounts == 2 || s.job(j.other()).owner == 0 || !w.has(onePerAccount)
}

// claim of a job, or of a look at one in doubt. Those of one account go in the order of the file.
func (w *world) claim(s state, i who, yield func(move, state)) {
	if s.sup(i).step != idle || s.hold {
		return
	}
	for j := who(1); j <= 2; j++ {
		o := s.job(j)
		n := s
		text := "%[1]s claims job %[2]d"
		switch {
		case o.owner != 0 || !w.free(&s, j):
			continue
		case o.at == inDoubt && o.look:
			n.claims(i, j)
			n.job(j).look = false
			n.sup(i).step = looking
			text = "%[1]s claims a look at job %[2]d"
		case !s.done && !o.next && o.ready():
			n.claims(i, j)
			n.job(j).at = running
			n.sup(i).step, n.sup(i).proc = working, fresh
		default:
			continue
		}
		yield(move{text: text, by: i, job: j}, n)
		if !w.has(token) {
			*n.sup(i) = *s.sup(i)
			yield(move{text: text + "; the answer is lost, and it takes that for a no", by: i, job: j, fault: true}, n)
		}
		if w.accounts == 1 {
			return
		}
	}
}

// slot is what a supervisor does with the job in its hands.
func (w *world) slot(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	j := u.job
	say := func(text string, f func(n *state, u *sup)) {
		n := s
		f(&n, n.sup(i))
		yield(move{text: text, by: i, job: j, word: u.end}, n)
	}
	record := func(text string, e end) {
		say(text, func(n *state, u *sup) {
			if !w.record(n, j, u.own, e) {
				n.bury(i, j)
			}
			u.rest()
		})
		if !w.has(token) {
			n := s
			n.sup(i).rest()
			yield(move{text: text + "; that does not reach the ledger, the answer is lost, and it takes that for a yes", by: i, job: j, word: u.end, fault: true}, n)
		}
	}
	bury := func(e end) {
		say("%[1]s sees that its worker of job %[2]d is dead", func(_ *state, u *sup) { u.step, u.end = ended, e })
	}
	switch u.step {
	case working:
		switch {
		case u.proc == gone:
			bury(notShared)
			return
		case w.has(intentFirst):
			w.intent(s, i, yield)
		default:
			say("%[1]s gives the go for job %[2]d, without an intent", func(_ *state, u *sup) { u.step, u.proc = went, acts })
		}
		record("%[1]s's worker fails before the share, and %[1]s records job %[2]d: not shared", notShared)
		if w.verdict {
			record("%[1]s's worker meets trouble with the account before the share, and %[1]s records it with job %[2]d", trouble)
		}
	case intended:
		switch {
		case u.proc == gone:
			bury(notShared)
		case u.long && w.has(lateGo):
			record("%[1]s withholds the go for job %[2]d, for the lease may be over, and records it: not shared", notShared)
		default:
			say("%[1]s gives the go for job %[2]d", func(_ *state, u *sup) { u.step, u.proc, u.long = went, acts, false })
		}
	case went:
		switch u.proc {
		case gone:
			bury(unclear)
		case acts:
			record("%[1]s's worker is sure that it did not share, and %[1]s records job %[2]d: not shared", notShared)
		case shared:
			record("%[1]s records job %[2]d: posted", posted)
		case fresh:
		}
	case ended:
		record("%[1]s records job %[2]d: %[4]s", u.end)
	case idle, looking, looked:
	}
}

// intent asks the ledger for the go.
func (w *world) intent(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	j := u.job
	o := s.job(j)
	n := s
	text := ""
	switch g := s.guards[w.content(j)]; {
	case !u.own && w.has(fenceOnIntent), o.owner == 0, o.at != running, o.over && w.has(leaseOnIntent):
		text = "%[1]s asks for the intent of job %[2]d, and the lease is lost"
		n.sup(i).drop()
	case g != 0 && w.has(onlyOnce):
		text = "%[1]s asks for the intent of job %[2]d; the video may be on the account already, and the job is set aside"
		n.job(j).at, n.job(j).owner, n.job(j).over = setAside, 0, false
		n.sup(i).rest()
	default:
		text = "%[1]s writes the intent of job %[2]d"
		n.job(j).at, n.job(j).over = publishing, false
		if g == 0 {
			n.guards[w.content(j)] = j
		}
		n.sup(i).step = intended
	}
	yield(move{text: text, by: i, job: j}, n)
	if !w.has(token) {
		n = s
		n.sup(i).step = intended
		yield(move{text: "%[1]s's intent of job %[2]d does not reach the ledger; the answer is lost, and it takes that for a yes", by: i, job: j, fault: true}, n)
	}
}

// rest is the slot without a job.
func (u *sup) rest() {
	u.step, u.job, u.own, u.long, u.end, u.proc = idle, 0, false, false, noEnd, gone
}

// drop kills the worker of a lost lease. A look that is dropped is given back.
func (u *sup) drop() {
	switch u.step {
	case working, intended:
		u.step, u.end = ended, notShared
	case went:
		u.step, u.end = ended, unclear
	case looking:
		u.step, u.end = looked, noEnd
	case idle, ended, looked:
	}
	u.proc, u.long = gone, false
}

// record ends an attempt in the ledger, if the lease with this fence is still held. It tells whether it did.
func (w *world) record(s *state, j who, own bool, e end) bool {
	o := s.job(j)
	to := failed
	switch {
	case e == posted:
		to = succeeded
	case e == unclear && w.has(doubtsStay):
		to = inDoubt
	case e == trouble:
		to = setAside
	case o.tries+1 >= w.tries:
		to = exhausted
	}
	if !own && w.has(fenceOnRecord) || o.owner == 0 || !o.at.inFlight() || to == succeeded && o.at == running {
		return false
	}
	o.at, o.owner, o.over, o.next = to, 0, false, true
	o.tries++
	if to == inDoubt {
		o.look = !s.hold
	} else {
		w.unguard(s, j)
	}
	if e == trouble {
		s.hold = true
		for k := range s.jobs {
			if s.jobs[k].ready() {
				s.jobs[k].at = setAside
			}
			s.jobs[k].look = false
		}
	}
	s.check(j)
	return true
}

// bury hears the late word of a supervisor whose job the other host has settled: its worker acts no more.
func (s *state) bury(i, j who) {
	if o := s.job(j); o.away == i && o.at == inDoubt && o.owner == 0 {
		o.away, o.look = 0, !s.hold
	}
}

// unguard takes a job out of the publish ledger that is certainly not posted.
func (w *world) unguard(s *state, j who) {
	if s.job(j).at != succeeded && s.guards[w.content(j)] == j {
		s.guards[w.content(j)] = 0
	}
}

// check compares what the ledger says of a job with what happened.
func (s *state) check(j who) {
	o := s.job(j)
	if o.at == succeeded && o.posts == 0 || (o.at == exhausted || o.at == outOfPasses) && o.posts > 0 {
		s.breaks(lie)
	}
}

// look at a job in doubt.
func (w *world) look(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	j := u.job
	n := s
	switch u.step {
	case looking:
		n.sup(i).step, n.sup(i).end = looked, absent
		if s.job(j).posts > 0 {
			n.sup(i).end = found
		}
		yield(move{text: "%[1]s looks for job %[2]d: %[4]s", by: i, job: j, word: n.sup(i).end}, n)
		n.sup(i).end = unclear
		yield(move{text: "%[1]s looks for job %[2]d and cannot tell", by: i, job: j, fault: true}, n)
	case looked:
		o := n.job(j)
		if (u.own || !w.has(fenceOnRecord)) && o.owner != 0 && o.at == inDoubt {
			o.owner, o.over = 0, false
			switch {
			case u.end == noEnd:
				o.look = !s.hold
			case u.end == found:
				o.at, o.away = succeeded, 0
			case u.end == absent && (o.away == 0 || !w.has(buried)):
				if o.at, o.next, o.away = failed, true, 0; o.tries >= w.tries {
					o.at = exhausted
				}
				w.unguard(&n, j)
			}
			n.check(j)
		}
		n.sup(i).rest()
		yield(move{text: "%[1]s records its look at job %[2]d: %[4]s", by: i, job: j, word: u.end}, n)
	case idle, working, intended, went, ended:
	}
}

package protocol_test

// outside is what happens to a supervisor and its worker, and what the worker does by itself.
func (w *world) outside(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	j := u.job
	say := func(text string, fault bool, f func(n *state, u *sup)) {
		n := s
		f(&n, n.sup(i))
		yield(move{text: text, by: i, job: j, fault: fault}, n)
	}
	if u.proc == acts {
		say("%[1]s's worker posts job %[2]d", false, func(n *state, u *sup) { u.proc = shared; w.post(n, j) })
	}
	if u.proc != gone {
		say("%[1]s's worker of job %[2]d dies", true, func(_ *state, u *sup) {
			switch u.life {
			case up, hung: // one that hangs and has no worker is one that does nothing for a while
				u.life = up
				u.drop()
			case dead:
				u.rest()
			}
		})
	}
	if u.life == hung {
		say("%[1]s goes on", false, func(_ *state, u *sup) { u.life = up })
	}
	if u.life != dead && s.sup(i.other()).life != dead && w.may(u) { // somebody is left to go on
		say("%[1]s dies, and what its worker started lives on", true, func(n *state, u *sup) {
			if u.proc != acts && u.proc != shared {
				u.rest()
			}
			*u = sup{life: dead, overdue: true, job: u.job, proc: u.proc}
			n.expire(i)
		})
	}
}

// may says whether a supervisor may hang or die at this moment.
func (w *world) may(u *sup) bool { return !w.mild || u.proc != acts }

// post is the irreversible step, outside.
func (w *world) post(s *state, j who) {
	o := s.job(j)
	o.posts = min(2, o.posts+1)
	if o.posts > 1 || w.twins && s.job(j.other()).posts > 0 {
		s.breaks(twice)
	}
	if s.hold {
		s.breaks(touched)
	}
}

// expire ends the leases of a supervisor.
func (s *state) expire(i who) {
	for k := range s.jobs {
		if s.jobs[k].owner == i {
			s.jobs[k].over = true
		}
	}
	if u := s.sup(i); u.step == intended {
		u.long = true
	}
}

func (s *state) has(i who) bool { return s.jobs[0].owner == i || s.jobs[1].owner == i }

// clock is the passing of time: what is not renewed is over.
func (w *world) clock(s state, i who, yield func(move, state)) {
	u := s.sup(i)
	say := func(text string, fault bool, f func(n *state, u *sup)) {
		n := s
		f(&n, n.sup(i))
		yield(move{text: text, by: i, job: u.job, fault: fault}, n)
	}
	over := s.jobs[0].owner == i && s.jobs[0].over || s.jobs[1].owner == i && s.jobs[1].over
	alive := s.has(i) && !over
	if u.life == up && w.may(u) && (!u.overdue && s.leader == i || alive) {
		say("%[1]s hangs for longer than its leases live", true, func(n *state, u *sup) {
			if u.overdue = true; w.hosts == 2 && u.proc != gone {
				u.life = hung
			}
			n.expire(i)
		})
	}
	if u.life != up {
		return
	}
	if w.hosts == 2 && alive && (u.proc != gone || u.overdue) { // it runs, and the ledger does not answer it
		switch {
		case !u.overdue:
			say("%[1]s cannot renew its leases for 25 s", true, func(_ *state, u *sup) { u.overdue = true })
		case u.proc == gone || !w.has(deadline):
			say("%[1]s's leases end", false, func(n *state, _ *sup) { n.expire(i) })
		}
	}
	if !u.overdue {
		return
	}
	if lost := u.step != idle && u.step != ended && (!u.own || s.job(u.job).owner != i); lost {
		say("%[1]s renews its leases, misses that of job %[2]d and ends its worker", false, func(n *state, u *sup) {
			n.renew(i)
			u.drop()
		})
	} else {
		say("%[1]s renews its leases", false, func(n *state, _ *sup) { n.renew(i) })
	}
	if u.proc != gone {
		say("%[1]s ends its worker of job %[2]d, for the lease may be over", false, func(_ *state, u *sup) { u.drop() })
	}
}

func (s *state) renew(i who) {
	s.sup(i).overdue = false
	for k := range s.jobs {
		if s.jobs[k].owner == i {
			s.jobs[k].over = false
		}
	}
}

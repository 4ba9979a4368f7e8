package simphone

import "time"

// faults is how the phone fails now.
type faults struct {
	connect  time.Duration // before it answers a connection
	shell    time.Duration // before each shell command
	frozen   bool          // takes bytes and answers nothing
	thawed   chan struct{} // closed while it is not frozen
	refuse   bool          // the UiAutomator2 server's port refuses
	hang     bool          // the UiAutomator2 server answers nothing
	diskFull bool
	lame     bool // the instrumentation comes up, its server never answers
}

func (p *Phone) fault(f func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.faults)
}

// Drop cuts all connections once; the phone listens on.
func (p *Phone) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.net.Close()
	}
}

// Down takes the phone off the network.
func (p *Phone) Down() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	p.Drop()
}

// Up brings it back at the same address.
func (p *Phone) Up() error {
	p.mu.Lock()
	up, address := p.listener != nil, p.address
	p.mu.Unlock()
	if up {
		return nil
	}
	return p.listen(address)
}

// Freeze lets the link take bytes and answer nothing; Thaw ends that.
func (p *Phone) Freeze() {
	p.fault(func(f *faults) {
		if !f.frozen {
			f.frozen, f.thawed = true, make(chan struct{})
		}
	})
}

// Thaw lets the link answer again.
func (p *Phone) Thaw() {
	p.fault(func(f *faults) {
		if f.frozen {
			f.frozen = false
			close(f.thawed)
		}
	})
}

// Logout forgets the login.
func (p *Phone) Logout() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.login = time.Time{}
}

// ConnectDelay lets the phone answer connections late.
func (p *Phone) ConnectDelay(d time.Duration) { p.fault(func(f *faults) { f.connect = d }) }

// ShellDelay lets each shell command take longer.
func (p *Phone) ShellDelay(d time.Duration) { p.fault(func(f *faults) { f.shell = d }) }

// DiskFull lets files that come fail.
func (p *Phone) DiskFull(full bool) { p.fault(func(f *faults) { f.diskFull = full }) }

// HangServer lets the UiAutomator2 server answer nothing.
func (p *Phone) HangServer(hang bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.hang = hang
	if p.server != nil && !hang {
		p.server.goOn()
	}
}

// LameServer lets the instrumentation run without a server that answers.
func (p *Phone) LameServer(lame bool) { p.fault(func(f *faults) { f.lame = lame }) }

// RefuseServer lets the port of the UiAutomator2 server refuse, and cuts what is open there.
func (p *Phone) RefuseServer(refuse bool) {
	p.fault(func(f *faults) { f.refuse = refuse })
	if refuse {
		p.CutServer()
	}
}

// CutServer cuts the open connections to the UiAutomator2 server once.
func (p *Phone) CutServer() {
	p.mu.Lock()
	var open []*stream
	for c := range p.conns {
		open = append(open, c.open(serverPort)...)
	}
	p.mu.Unlock()
	for _, s := range open {
		_ = s.Close()
	}
}

// KillServer ends the UiAutomator2 server.
func (p *Phone) KillServer() {
	p.mu.Lock()
	s := p.server
	p.server = nil
	p.mu.Unlock()
	if s != nil {
		s.close()
	}
	p.CutServer()
}

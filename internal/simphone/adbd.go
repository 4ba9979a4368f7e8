package simphone

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// The messages of adb's protocol (protocol.txt of its source). Numbers are little endian.
const (
	cmdConnect = 0x4e584e43 // CNXN
	cmdOpen    = 0x4e45504f // OPEN
	cmdOkay    = 0x59414b4f // OKAY
	cmdClose   = 0x45534c43 // CLSE
	cmdWrite   = 0x45545257 // WRTE

	version    = 0x01000001 // from here on there are no checksums
	maxData    = 1 << 20
	headerSize = 24
)

// banner says what the phone is and can do.
const banner = "device::ro.product.name=sim;ro.product.model=SimPhone;ro.product.device=sim;features=shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"

// message is one message of the protocol.
type message struct {
	command, arg0, arg1 uint32
	data                []byte
}

var errProtocol = errors.New("not adb's protocol")

// readMessage reads one message. It never allocates more than maxData for one.
func readMessage(r io.Reader) (m message, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return m, err
	}
	le := binary.LittleEndian
	m.command, m.arg0, m.arg1 = le.Uint32(h[0:]), le.Uint32(h[4:]), le.Uint32(h[8:])
	n := le.Uint32(h[12:])
	if n > maxData || le.Uint32(h[20:]) != ^m.command {
		return m, errProtocol
	}
	m.data = make([]byte, n)
	_, err = io.ReadFull(r, m.data)
	return m, err
}

func (m message) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize, headerSize+len(m.data))
	le.PutUint32(b[0:], m.command)
	le.PutUint32(b[4:], m.arg0)
	le.PutUint32(b[8:], m.arg1)
	le.PutUint32(b[12:], uint32(len(m.data)))
	le.PutUint32(b[20:], ^m.command)
	return append(b, m.data...)
}

// conn is one connection of an adb server.
type conn struct {
	phone *Phone
	net   net.Conn
	wg    sync.WaitGroup
	gone  chan struct{} // closed when the connection is over

	write sync.Mutex

	mu      sync.Mutex
	streams map[uint32]*stream // by our number
	next    uint32
}

func newConn(p *Phone, c net.Conn) *conn {
	return &conn{phone: p, net: c, streams: map[uint32]*stream{}, gone: make(chan struct{})}
}

// run serves the connection until it ends, and waits for all that it began.
func (c *conn) run() {
	defer c.wg.Wait()
	defer c.closeAll()
	defer c.net.Close()
	for {
		m, err := readMessage(c.net)
		if err != nil {
			return
		}
		if c.phone.isFrozen() {
			continue // the bytes are taken
		}
		c.handle(m)
	}
}

func (p *Phone) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.frozen
}

func (c *conn) handle(m message) {
	switch m.command {
	case cmdConnect:
		c.phone.mu.Lock()
		late := c.phone.faults.connect
		c.phone.mu.Unlock()
		if c.phone.wait(late) {
			c.send(message{cmdConnect, version, maxData, []byte(banner)})
		}
	case cmdOpen:
		c.begin(m.arg0, strings.TrimRight(string(m.data), "\x00"))
	case cmdWrite:
		if s := c.stream(m.arg1); s != nil {
			s.push(m.data)
		} else {
			c.send(message{cmdClose, 0, m.arg0, nil})
		}
	case cmdOkay:
		if s := c.stream(m.arg1); s != nil {
			s.accepted()
		}
	case cmdClose:
		if s := c.stream(m.arg1); s != nil {
			s.end()
		}
	}
}

// send writes one message, when the phone is not frozen.
func (c *conn) send(m message) {
	c.phone.mu.Lock()
	thawed := c.phone.faults.thawed
	c.phone.mu.Unlock()
	select {
	case <-thawed:
	case <-c.gone:
		return
	case <-c.phone.ctx.Done():
		return
	}
	c.write.Lock()
	defer c.write.Unlock()
	_, _ = c.net.Write(m.encode()) // a connection that is gone ends run
}

func (c *conn) stream(id uint32) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// open lists the streams that a service's name was opened with.
func (c *conn) open(service string) (list []*stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		if s.service == service {
			list = append(list, s)
		}
	}
	return list
}

func (c *conn) begin(remote uint32, service string) {
	run := c.phone.service(service)
	if run == nil {
		c.send(message{cmdClose, 0, remote, nil})
		return
	}
	c.mu.Lock()
	c.next++
	s := newStream(c, c.next, remote, service)
	c.streams[s.local] = s
	c.mu.Unlock()
	c.send(message{cmdOkay, s.local, remote, nil})
	c.wg.Go(func() {
		run(s)
		if service != serverPort { // the HTTP server closes its own
			_ = s.Close()
		}
	})
}

func (c *conn) closeAll() {
	close(c.gone)
	c.mu.Lock()
	list := make([]*stream, 0, len(c.streams))
	for _, s := range c.streams {
		list = append(list, s)
	}
	c.mu.Unlock()
	for _, s := range list {
		s.end()
	}
}

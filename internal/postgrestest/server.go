package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server of one's own.
type Server struct {
	dir  string
	bin  string
	port int
	who  *syscall.Credential
	more []string // settings
	cmd  *exec.Cmd
}

// ErrMissing says that PostgreSQL is not installed: apt-get install postgresql.
var ErrMissing = errors.New("PostgreSQL's server is not installed (apt-get install postgresql)")

// startPatience is how long a server may take to come up.
const startPatience = 30 * time.Second

// Start makes a server with an empty database in a temporary folder, on a free port of this machine. Settings are added to
// its own, as "fsync=on"; without any, nothing is synced.
func Start(settings ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postgrestest")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, who: who, more: settings}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Up(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// programs finds the folder of the server's programs: Debian keeps them out of PATH.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(slices.Max(found)), nil
}

// unprivileged is who runs the server: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, errUID := strconv.Atoi(u.Uid)
			gid, errGID := strconv.Atoi(u.Gid)
			if err := errors.Join(errUID, errGID); err != nil {
				return nil, err
			}
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no other user here")
}

// Copy makes a server with the databases of this one, which must be down, in a folder under parent ("" for the usual place)
// and on a port of its own, and starts it. That is quicker than Start.
func (s *Server) Copy(parent string) (*Server, error) {
	dir, err := os.MkdirTemp(parent, "postgrestest")
	if err != nil {
		return nil, err
	}
	c := &Server{dir: dir, bin: s.bin, who: s.who, more: s.more}
	if err = c.settle(); err == nil {
		var out []byte
		if out, err = exec.Command("cp", "-a", s.data(), c.data()).CombinedOutput(); err != nil {
			err = fmt.Errorf("cp: %w\n%s", err, out)
		}
	}
	if err == nil {
		err = c.Up()
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// settle gives the server's folder to who runs it, and finds a free port.
func (s *Server) settle() error {
	if s.who != nil {
		if err := os.Chown(s.dir, int(s.who.Uid), int(s.who.Gid)); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

func (s *Server) create() error {
	if err := s.settle(); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "reelpass", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who}
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Up starts the server, and returns when it answers.
func (s *Server) Up() error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + s.dir}
	settings := s.more
	if len(settings) == 0 {
		settings = []string{"fsync=off"}
	}
	for _, more := range settings {
		args = append(args, "-c", more)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = log, log, s.dir
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who, Setpgid: true, Pdeathsig: syscall.SIGQUIT} // a killed test leaves none behind
	if err := s.cmd.Start(); err != nil {
		return err
	}
	until := time.Now().Add(startPatience)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(until) {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL did not come up: %w\n%s", err, text)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// Down stops the server: SIGINT ends its sessions and shuts down, SIGQUIT or SIGKILL is a crash.
func (s *Server) Down(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait() // its exit code tells of the signal
	s.cmd = nil
	return err
}

// Freeze stops the server and all its sessions where they are, as a disk does that does not answer; Thaw lets them go on.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Signal(sig) // first: it starts no more sessions
	id := strconv.Itoa(s.cmd.Process.Pid)
	children, _ := os.ReadFile("/proc/" + id + "/task/" + id + "/children")
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, sig) // a session may have ended meanwhile
		}
	}
	return err
}

// Address is where the server listens.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// DSN is the address of one of the server's databases.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://reelpass@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Database makes an empty database and returns its address.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return s.DSN(name), nil
}

// Stop stops the server and removes its folder.
func (s *Server) Stop() error {
	return errors.Join(s.Down(syscall.SIGQUIT), os.RemoveAll(s.dir))
}

package simphone

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	downloads   = "/sdcard/Download"
	keepContent = 64 << 10 // of larger files only size and hash are kept
	fileMode    = 0o100644
	folderMode  = 0o040755
)

func (p *Phone) file(name string) *File {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[path.Clean(name)]
}

// sortedFiles are the names of the files; the lock is held.
func (p *Phone) sortedFiles() []string { return slices.Sorted(maps.Keys(p.files)) }

// Files lists what lies on the phone.
func (p *Phone) Files() (list []File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.sortedFiles() {
		list = append(list, *p.files[n])
	}
	return list
}

// Put lays a file onto the phone, as an upload through a vendor's API does.
func (p *Phone) Put(name string, r io.Reader) error {
	w := newReceiver(path.Clean(name))
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return p.keep(w, p.cfg.Clock())
}

// receiver takes the bytes of one file.
type receiver struct {
	name string
	hash hash.Hash
	size int64
	head bytes.Buffer
}

func newReceiver(name string) *receiver { return &receiver{name: name, hash: sha256.New()} }

func (r *receiver) Write(b []byte) (int, error) {
	_, _ = r.hash.Write(b)
	r.size += int64(len(b))
	if r.size <= keepContent {
		r.head.Write(b)
	}
	return len(b), nil
}

type fullError struct{}

func (fullError) Error() string { return "No space left on device" }

func (p *Phone) keep(r *receiver, changed time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.diskFull {
		return fullError{}
	}
	f := &File{Path: r.name, Size: r.size, SHA256: hex.EncodeToString(r.hash.Sum(nil)), Changed: changed}
	if r.size <= keepContent {
		f.content = r.head.Bytes()
	}
	p.files[r.name] = f
	return nil
}

// folder says whether something lies below a name.
func (p *Phone) folder(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	name = path.Clean(name)
	if name == "/sdcard" || name == downloads || name == "/data/local/tmp" || name == "/" {
		return true
	}
	for n := range p.files {
		if strings.HasPrefix(n, name+"/") {
			return true
		}
	}
	return false
}

// fileCommand is cat, stat, sha256sum, ls and rm.
func (p *Phone) fileCommand(w []string, out, errs io.Writer) int {
	var names []string
	for _, a := range w[1:] {
		if strings.HasPrefix(a, "/") {
			names = append(names, path.Clean(a))
		}
	}
	code := 0
	for _, name := range names {
		code = max(code, p.oneFile(w[0], name, out, errs))
	}
	return code
}

func (p *Phone) oneFile(command, name string, out, errs io.Writer) int {
	f := p.file(name)
	switch {
	case command == "ls" && f == nil && p.folder(name):
		for _, f := range p.Files() {
			if path.Dir(f.Path) == name {
				fmt.Fprintln(out, path.Base(f.Path))
			}
		}
	case command == "rm":
		p.remove(name)
	case f == nil:
		fmt.Fprintf(errs, "%s: %s: No such file or directory\n", command, name)
		return 1
	case command == "cat":
		_, _ = out.Write(f.content)
	case command == "stat":
		fmt.Fprintln(out, f.Size)
	case command == "sha256sum":
		fmt.Fprintf(out, "%s  %s\n", f.SHA256, name)
	default:
		fmt.Fprintln(out, name)
	}
	return 0
}

// remove deletes a file, or those that a name with a star fits.
func (p *Phone) remove(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.sortedFiles() {
		if ok, err := path.Match(pattern, n); err == nil && ok {
			f := *p.files[n]
			delete(p.files, n)
			p.cfg.App.Event(Event{Kind: MediaGone, File: f})
		}
	}
}

// sync serves adb push and pull. A request is four letters, a length and that many bytes (SYNC.TXT of adb's source).
func (p *Phone) sync(s *stream) {
	for {
		id, n, err := syncHeader(s)
		if err != nil || id == "QUIT" {
			return
		}
		const longest = 4096
		if n > longest {
			return
		}
		name := make([]byte, n)
		if _, err := io.ReadFull(s, name); err != nil {
			return
		}
		switch id {
		case "STAT":
			size, mode, at := p.stat(string(name))
			err = writeAll(s, "STAT", mode, uint32(size), uint32(at))
		case "STA2", "LST2":
			err = p.stat2(s, id, string(name))
		case "SEND":
			err = p.receive(s, string(name))
		case "RECV":
			err = p.give(s, string(name))
		default:
			err = refuse(s, "unknown command "+id)
		}
		if err != nil {
			return
		}
	}
}

func syncHeader(r io.Reader) (id string, n uint32, err error) {
	var h [8]byte
	_, err = io.ReadFull(r, h[:])
	return string(h[:4]), binary.LittleEndian.Uint32(h[4:]), err
}

func writeAll(w io.Writer, id string, numbers ...uint32) error {
	b := []byte(id)
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	_, err := w.Write(b)
	return err
}

func refuse(w io.Writer, why string) error {
	b := binary.LittleEndian.AppendUint32([]byte("FAIL"), uint32(len(why)))
	_, err := w.Write(append(b, why...))
	return err
}

func (p *Phone) stat(name string) (size int64, mode uint32, at int64) {
	if f := p.file(name); f != nil {
		return f.Size, fileMode, f.Changed.Unix()
	}
	if p.folder(name) {
		return 0, folderMode, p.cfg.Clock().Unix()
	}
	return 0, 0, 0
}

// stat2 answers the long form: error, device, inode, mode, links, owner, group, size, three times.
func (p *Phone) stat2(w io.Writer, id, name string) error {
	size, mode, at := p.stat(name)
	const noEntry = 2
	le := binary.LittleEndian
	b := []byte(id)
	if mode == 0 {
		b = le.AppendUint32(b, noEntry)
	} else {
		b = le.AppendUint32(b, 0)
	}
	b = le.AppendUint64(b, 1)
	b = le.AppendUint64(b, 1)
	for _, n := range []uint32{mode, 1, 0, 0} {
		b = le.AppendUint32(b, n)
	}
	for _, n := range []uint64{uint64(size), uint64(at), uint64(at), uint64(at)} {
		b = le.AppendUint64(b, n)
	}
	_, err := w.Write(b)
	return err
}

// receive takes a pushed file: "name,mode", then DATA and at the end DONE with its time.
func (p *Phone) receive(s *stream, target string) error {
	at := strings.LastIndex(target, ",")
	if at < 0 {
		return refuse(s, "no mode")
	}
	if _, err := strconv.ParseUint(target[at+1:], 10, 32); err != nil {
		return refuse(s, "no mode")
	}
	p.mu.Lock()
	full := p.faults.diskFull
	p.mu.Unlock()
	if full {
		return refuse(s, "couldn't create file: No space left on device")
	}
	r := newReceiver(path.Clean(target[:at]))
	for {
		id, n, err := syncHeader(s)
		if err != nil {
			return err
		}
		switch {
		case id == "DATA" && n <= 64<<10:
			if _, err := io.CopyN(r, s, int64(n)); err != nil {
				return err
			}
		case id == "DONE":
			if err := p.keep(r, time.Unix(int64(n), 0)); err != nil {
				return refuse(s, "couldn't write file: "+err.Error())
			}
			return writeAll(s, "OKAY", 0)
		default:
			return refuse(s, "unexpected "+id)
		}
	}
}

func (p *Phone) give(w io.Writer, name string) error {
	f := p.file(name)
	if f == nil {
		return refuse(w, "No such file or directory")
	}
	if err := writeAll(w, "DATA", uint32(len(f.content))); err != nil {
		return err
	}
	if _, err := w.Write(f.content); err != nil {
		return err
	}
	return writeAll(w, "DONE", 0)
}

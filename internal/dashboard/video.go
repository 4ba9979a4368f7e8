package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"reelpass/internal/reel"
)

// footage is a job's video as it is shown beside what was seen of the post.
type footage struct {
	file *os.File
	at   time.Time // it was changed last
	kind string    // of its content
	same bool      // its bytes are those that were shared; false where they were not recorded
}

// footage opens the video that a job names, and nothing else. A *pageError says why it cannot be shown: a path may stand in a posts file by
// mistake, so it is a regular file itself, of a kind that holds a video, and still the one that was shared, where that is known.
func (s *Server) footage(ctx context.Context, batch string, id reel.JobID) (v footage, err error) {
	story, err := s.Ledger.Story(ctx, batch, id)
	if err != nil {
		return v, err
	}
	shared, err := s.Ledger.Shared(ctx, batch, id)
	if err != nil {
		return v, err
	}
	path, want := story.Record.VideoPath, ""
	if strings.HasPrefix(shared, reel.ByBytes) {
		want = shared
	}
	if reel.IsAddress(path) {
		a, err := reel.ParseAddress(path)
		if err != nil || a.Scheme != "file" {
			return v, notFound("The video is at an address. It is not fetched to be shown.")
		}
		path = a.Object
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return v, notFound("The video is not on this machine, or not any more.")
	case err != nil:
		return v, notFound("The video cannot be read here.")
	case !info.Mode().IsRegular():
		return v, notFound("The path of the video is a link, or something else that is no file. It is not followed.")
	}
	// What stood there a moment ago may be a link or a pipe by now.
	if v.file, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0); err != nil {
		return v, notFound("The video cannot be read here.")
	}
	if err := v.check(&s.hashes, want); err != nil {
		return v, errors.Join(err, v.file.Close())
	}
	return v, nil
}

// check says why an open file is not shown.
func (v *footage) check(known *hashes, want string) error {
	info, err := v.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return notFound("The video cannot be read here.")
	}
	head := make([]byte, 12)
	if _, err := io.ReadFull(v.file, head); err != nil {
		return notFound("The file is no MP4 or QuickTime video.")
	}
	v.at = info.ModTime()
	if v.kind = kindOf(head); v.kind == "" {
		return notFound("The file is no MP4 or QuickTime video.")
	}
	if want == "" {
		return nil
	}
	is, err := known.of(v.file, info)
	switch {
	case err != nil:
		return notFound("The video cannot be read here.")
	case is != want:
		return notFound("The file is not the one that was shared: it was changed since. It is not shown.")
	}
	v.same = true
	return nil
}

// kindOf is what a file that begins so is served as; empty where a page does not show it. Brands are those of the MP4 Registration Authority.
func kindOf(head []byte) string {
	brand := string(head[8:12])
	switch {
	case string(head[4:8]) != "ftyp":
		return ""
	case brand == "qt  ":
		return "video/quicktime"
	case slices.ContainsFunc([]string{"iso", "mp4", "avc1", "M4V", "3gp", "dash", "MSNV"}, func(b string) bool { return strings.HasPrefix(brand, b) }):
		return "video/mp4"
	}
	return ""
}

// hashes remembers what files hold, so that each is read once and not with every part that a browser asks for.
type hashes struct {
	mu    sync.Mutex
	known map[version]string
}

// version is a file as it was at a time.
type version struct {
	path  string
	size  int64
	mtime time.Time
}

// mostHashes bounds their memory.
const mostHashes = 1000

// of names a file by its bytes.
func (h *hashes) of(f *os.File, info fs.FileInfo) (string, error) {
	v := version{f.Name(), info.Size(), info.ModTime()}
	h.mu.Lock()
	defer h.mu.Unlock() // two that look at once would read it twice
	if name, ok := h.known[v]; ok {
		return name, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, info.Size())); err != nil {
		return "", err
	}
	if h.known == nil || len(h.known) >= mostHashes {
		h.known = map[version]string{}
	}
	h.known[v] = reel.ByBytes + hex.EncodeToString(sum.Sum(nil))
	return h.known[v], nil
}

// videoFile serves the video of a job, or a part of it.
func (s *Server) videoFile(w http.ResponseWriter, r *http.Request) {
	v, err := s.footage(r.Context(), r.PathValue("batch"), reel.JobID(r.PathValue("job")))
	if err != nil {
		status, text := s.failing(s.request(r), err)
		s.refuse(w, r, status, text)
		return
	}
	defer v.file.Close()
	w.Header().Set("Content-Type", v.kind)
	http.ServeContent(w, r, "", v.at, v.file)
}

// film is a job's video on a page: its address, and what is to be said of it.
type film struct{ Address, Note string }

func (s *Server) film(ctx context.Context, batch string, id reel.JobID) (film, error) {
	v, err := s.footage(ctx, batch, id)
	var why *pageError
	switch {
	case errors.As(err, &why):
		return film{Note: why.text}, nil
	case err != nil:
		return film{}, err
	}
	f := film{Address: "/in-doubt/" + url.PathEscape(batch) + "/" + url.PathEscape(string(id)) + "/video"}
	if !v.same {
		f.Note = "What was shared was not recorded by its bytes: the file may be another by now."
	}
	return f, v.file.Close()
}

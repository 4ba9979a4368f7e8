package geelark

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is where uploaded files land on a phone.
const Folder = "/sdcard/Download"

const (
	uploadEvery = 3 * time.Second
	uploadMost  = 10 * time.Minute
)

// fileTypes are what the API takes; there is no mov among them.
var fileTypes = map[string]bool{
	"jpg": true, "jpeg": true, "png": true, "gif": true, "bmp": true, "webp": true, "heif": true, "heic": true, "mp4": true, "webm": true,
	"xml": true, "apk": true, "xapk": true,
}

// Upload brings a file into Folder of a running phone and says what it is called there. The vendor does not say which name it
// gets: the folder is looked at before and after.
func (c *Client) Upload(ctx context.Context, id, path string) (name string, err error) {
	kind := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if !fileTypes[kind] {
		return "", &Finding{CodeFileType, fmt.Sprintf("unsupported file type %q: GeeLark takes mp4 and webm", kind)}
	}
	before, err := c.files(ctx, id)
	if err != nil {
		return "", err
	}
	var place struct {
		UploadURL   string `json:"uploadUrl"`
		ResourceURL string `json:"resourceUrl"`
	}
	if err := c.call(ctx, "/open/v1/upload/getUrl", map[string]any{"fileType": kind}, &place); err != nil {
		return "", err
	}
	if err := c.put(ctx, place.UploadURL, path); err != nil {
		return "", err
	}
	var task struct {
		ID word `json:"taskId"`
	}
	if err := c.call(ctx, "/open/v1/phone/uploadFile", map[string]any{"id": id, "fileUrl": place.ResourceURL}, &task); err != nil {
		return "", err
	}
	if err := c.uploaded(ctx, string(task.ID)); err != nil {
		return "", err
	}
	after, err := c.files(ctx, id)
	if err != nil {
		return "", err
	}
	after = slices.DeleteFunc(after, func(n string) bool {
		return slices.Contains(before, n) || !strings.HasSuffix(strings.ToLower(n), "."+kind)
	})
	if len(after) != 1 {
		return "", &Finding{CodeUploadFailed, fmt.Sprintf("after the upload there are %d new files on the phone, not one", len(after))}
	}
	return after[0], nil
}

// put sends the bytes of a file. No header may be added, or the signature of the address does not fit any more.
func (c *Client) put(ctx context.Context, address, path string) error {
	const step = "upload"
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return &Failure{Endpoint: step, Msg: "the API gave no address to upload to"}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, uploadMost)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, io.NopCloser(f))
	if err != nil {
		return &Failure{Endpoint: step, Msg: "the API gave no address to upload to"}
	}
	req.ContentLength = st.Size()
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return c.failed(step, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return &Failure{Endpoint: step, HTTP: resp.StatusCode, Msg: firstLine(said)}
	}
	return nil
}

// uploaded waits until the phone has the file. What cannot be found out yet (0) is not told from what runs (1).
func (c *Client) uploaded(ctx context.Context, task string) error {
	const path = "/open/v1/phone/uploadFile/result"
	for until := c.cfg.Clock().Add(uploadMost); ; {
		var result struct {
			Status number `json:"status"`
		}
		if err := c.call(ctx, path, map[string]any{"taskId": task}, &result); err != nil {
			return err
		}
		switch {
		case result.Status == 2:
			return nil
		case result.Status == 3:
			return &Finding{CodeUploadFailed, "the phone did not take the file"}
		case c.cfg.Clock().After(until):
			return &Finding{CodeUploadFailed, fmt.Sprintf("the phone did not have the file within %s", uploadMost)}
		}
		if err := c.cfg.Pause(ctx, uploadEvery); err != nil {
			return c.failed(path, err)
		}
	}
}

// files lists Folder. A folder that is not there yet is empty.
func (c *Client) files(ctx context.Context, id string) ([]string, error) {
	out, ok, err := c.Shell(ctx, id, "ls -1 "+Folder)
	if err != nil || !ok {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			names = append(names, line)
		}
	}
	return names, nil
}

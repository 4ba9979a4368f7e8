package reel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Address says where a video is that lies on no disk of this machine yet.
type Address struct {
	Scheme string // https, s3, gs or file
	Host   string // of https, with its port; of s3 and gs the bucket
	Object string // of s3 and gs the object's name, of file the path on this machine
	URL    string // as it was written, without the fragment
	SHA256 string // what the video's bytes must be, in hex; empty where nobody said
}

const sumMark = "#sha256="

// IsAddress says that a video_path is an address and not a path of this machine.
func IsAddress(video string) bool {
	scheme, _, ok := strings.Cut(video, "://")
	return ok && scheme != "" && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

// ParseAddress reads https://host/path, s3://bucket/object, gs://bucket/object or file:///path, each of which may end in
// #sha256= and 64 hex digits. Names of objects are taken as they stand, as the vendors' own tools do. The error says what
// is wrong in words for a person, and holds nothing of the address: a part of it may be a secret.
func ParseAddress(video string) (Address, error) {
	scheme, rest, _ := strings.Cut(video, "://")
	a := Address{Scheme: strings.ToLower(scheme), URL: video}
	if i := strings.LastIndex(video, sumMark); i >= 0 {
		a.URL, a.SHA256 = video[:i], strings.ToLower(video[i+len(sumMark):])
		if sum, err := hex.DecodeString(a.SHA256); err != nil || len(sum) != 32 {
			return a, errors.New("does not end in 64 hex digits after #sha256=")
		}
		_, rest, _ = strings.Cut(a.URL, "://")
	}
	switch a.Scheme {
	case "s3", "gs":
		return a, a.object(rest)
	case "https", "file":
		return a, a.parse()
	}
	return a, fmt.Errorf("cannot be fetched: %s:// is not one of https, s3, gs and file", cut(a.Scheme))
}

// object reads bucket/object.
func (a *Address) object(rest string) error {
	a.Host, a.Object, _ = strings.Cut(rest, "/")
	switch {
	case a.Host == "" || strings.Trim(a.Host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "":
		return fmt.Errorf("names no bucket after %s://", a.Scheme)
	case a.Object == "" || strings.HasSuffix(a.Object, "/"):
		return errors.New("names no object after its bucket")
	case strings.Contains(a.Object, "?"):
		return fmt.Errorf("has a question mark: %s:// takes no query", a.Scheme)
	}
	return nil
}

// parse reads what follows the rules of RFC 3986.
func (a *Address) parse() error {
	u, err := url.Parse(a.URL)
	if err != nil {
		return errors.New("is not a well-formed address") // err quotes it
	}
	a.Host, a.Object = u.Host, u.Path
	switch {
	case u.Fragment != "":
		return errors.New("has a fragment: after # only sha256= is understood; write %23 where # belongs to the address")
	case a.Scheme == "file" && (u.Host != "" && u.Host != "localhost" || !path.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") || u.RawQuery != ""):
		return errors.New("is not like file:///folder/video.mp4")
	case a.Scheme == "https" && u.Hostname() == "":
		return errors.New("names no host after https://")
	case a.Scheme == "https" && (u.RawQuery == masked || u.User.Username() == masked):
		return errors.New("has " + masked + " where a secret was masked: take the address from where it was first written")
	}
	return nil
}

// ShownVideo is a video_path as people and scripts see it. Of an address the user and the whole query are masked: a
// signature or a token may stand there under any name.
func ShownVideo(video string) string {
	if !IsAddress(video) {
		return video
	}
	shown := userinfo.ReplaceAllString(video, "${1}"+masked+"@")
	if before, query, ok := strings.Cut(shown, "?"); ok {
		shown = before + "?" + masked
		if i := strings.LastIndex(query, sumMark); i >= 0 {
			shown += query[i:]
		}
	}
	return shown
}

// cut keeps a strange scheme from filling a line.
func cut(scheme string) string {
	if len(scheme) > 16 {
		return scheme[:16] + "…"
	}
	return scheme
}
